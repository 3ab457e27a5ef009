//! Which partition a key goes to: the default of Java clients, so that topics written here are
//! co-partitioned with topics written by JVM programs.

/// The hash of a key as Java clients take it for partitioning: MurmurHash2 with seed 0x9747b28c,
/// its sign bit cleared (`Utils.toPositive(Utils.murmur2(key))`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyHash(u32);

impl KeyHash {
    /// The hash of `key`.
    pub fn of(key: &[u8]) -> KeyHash {
        KeyHash(murmur2(key) & 0x7fff_ffff)
    }

    /// The partition of the key in a topic of `partitions`, at least one.
    #[inline]
    pub fn partition(self, partitions: u32) -> i32 {
        (self.0 % partitions) as i32
    }
}

/// MurmurHash2 by Austin Appleby (public domain), 32 bits, little-endian reads.
fn murmur2(data: &[u8]) -> u32 {
    const SEED: u32 = 0x9747_b28c;
    const M: u32 = 0x5bd1_e995;
    const R: u32 = 24;
    let mut hash = SEED ^ data.len() as u32;
    let mut words = data.chunks_exact(4);
    for word in &mut words {
        let mut k = word.iter().rev().fold(0, |k, &byte| (k << 8) | u32::from(byte));
        k = k.wrapping_mul(M);
        k ^= k >> R;
        k = k.wrapping_mul(M);
        hash = hash.wrapping_mul(M) ^ k;
    }
    let rest = words.remainder();
    if !rest.is_empty() {
        hash ^= rest.iter().rev().fold(0, |k, &byte| (k << 8) | u32::from(byte));
        hash = hash.wrapping_mul(M);
    }
    hash ^= hash >> 13;
    hash = hash.wrapping_mul(M);
    hash ^ (hash >> 15)
}
