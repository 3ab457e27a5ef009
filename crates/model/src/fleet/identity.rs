//! Machine names.

use std::fmt;

const PREFIX: &[u8; 8] = b"machine-";
/// The minimum number of digits in a name. Larger fleets have as many as their last index needs.
const MIN_DIGITS: usize = 6;
const MAX_LEN: usize = 18;

/// A machine's name, `machine-000042`: ASCII, and of the same width in the whole fleet, so that names
/// sort by index. Stored inline, without an allocation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct MachineId {
    len: u8,
    bytes: [u8; MAX_LEN],
}

/// How many digits the names of a fleet of `machines` have.
pub fn digits(machines: u32) -> usize {
    let last = machines.saturating_sub(1);
    MIN_DIGITS.max(last.checked_ilog10().map_or(1, |d| d as usize + 1))
}

impl MachineId {
    /// The name of machine `index` in a fleet whose names have `digits` digits.
    pub fn new(index: u32, digits: usize) -> MachineId {
        let mut bytes = [0; MAX_LEN];
        bytes[..PREFIX.len()].copy_from_slice(PREFIX);
        let digits = digits.min(MAX_LEN - PREFIX.len());
        let mut rest = index;
        for place in bytes[PREFIX.len()..PREFIX.len() + digits].iter_mut().rev() {
            *place = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        MachineId { len: (PREFIX.len() + digits) as u8, bytes }
    }

    /// The name as text.
    #[inline]
    pub fn as_str(&self) -> &str {
        // ASCII by construction: the default can't occur, and costs less than a panic.
        std::str::from_utf8(self.as_bytes()).unwrap_or_default()
    }

    /// The name as bytes, which are its UTF-8 text.
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.len)]
    }

    /// The index of the machine in a key: the machine's name, or a job's or incident's that contains it.
    /// `None` if the key is no such name.
    pub fn index_in(key: &[u8]) -> Option<u32> {
        let text = std::str::from_utf8(key).ok()?;
        let mut parts = text.split('-');
        let digits = match parts.next()? {
            "machine" => parts.next()?,
            // The seed, the machine, and a number on it.
            "job" | "incident" => {
                parts.next()?.parse::<u64>().ok()?;
                let digits = parts.next()?;
                parts.next()?;
                digits
            }
            _ => return None,
        };
        let plain = digits.len() >= MIN_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
        if plain && parts.next().is_none() { digits.parse().ok() } else { None }
    }

    /// The digits alone, which the names of its jobs and incidents contain.
    pub fn number(&self) -> &[u8] {
        &self.as_bytes()[PREFIX.len()..]
    }
}

/// The names of many machines of one fleet, concatenated. They have the same width, and a slice of a
/// `str` needs no UTF-8 check.
#[derive(Debug, Clone)]
pub struct MachineIds {
    text: Box<str>,
    width: usize,
}

impl MachineIds {
    /// These names, in this order.
    pub fn new(ids: impl ExactSizeIterator<Item = MachineId>) -> MachineIds {
        let count = ids.len();
        let mut text = String::new();
        for id in ids {
            if text.is_empty() {
                text.reserve_exact(count * id.as_bytes().len());
            }
            text.push_str(id.as_str());
        }
        MachineIds { width: text.len() / count.max(1), text: text.into_boxed_str() }
    }

    /// The name at place `at`, which must be below the number of names.
    #[inline]
    pub fn get(&self, at: usize) -> &str {
        &self.text[at * self.width..(at + 1) * self.width]
    }
}

impl fmt::Display for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for MachineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_padded_and_grow_with_the_fleet() {
        assert_eq!(MachineId::new(42, digits(100)).as_str(), "machine-000042");
        assert_eq!(digits(1_000_000), 6);
        assert_eq!(digits(1_000_001), 7);
        assert_eq!(MachineId::new(1_000_000, digits(1_000_001)).as_str(), "machine-1000000");
        assert_eq!(MachineId::new(u32::MAX, digits(u32::MAX)).as_str(), "machine-4294967295");
        assert_eq!(MachineId::new(42, 6).number(), b"000042");
    }

    #[test]
    fn keys_name_their_machine() {
        assert_eq!(MachineId::index_in(b"machine-000042"), Some(42));
        assert_eq!(MachineId::index_in(b"job-7-000042-000007"), Some(42));
        for other in
            ["machine-42", "machine-000042-1", "job-1-000042", "car-000042", "machine-+00042"]
        {
            assert_eq!(MachineId::index_in(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn names_keep_their_places() {
        let indices = [7, 1_234_567, 0];
        let ids = MachineIds::new(indices.iter().map(|&index| MachineId::new(index, 7)));
        for (at, index) in indices.into_iter().enumerate() {
            assert_eq!(ids.get(at), MachineId::new(index, 7).as_str());
        }
    }
}
