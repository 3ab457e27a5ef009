//! Names of what machines have many of: jobs, incidents.

use crate::fleet::MachineId;

/// A name of something that a machine has many of, `job-1-000042-000007`: the run's seed, so that
/// fleets of different seeds share none, the machine's digits and a number on it.
#[derive(Debug, Clone, Copy)]
pub struct SerialId {
    len: u8,
    bytes: [u8; SerialId::MAX_LEN],
}

impl SerialId {
    const DIGITS: usize = 6;
    /// The longest prefix, twenty digits of a seed, a hyphen, ten digits of a machine, a hyphen and
    /// ten digits of a number.
    const MAX_LEN: usize = 51;

    /// The name of job `number` of `machine` in the fleet of `seed`.
    pub fn job(seed: u64, machine: &MachineId, number: u32) -> SerialId {
        SerialId::new(b"job-", seed, machine, number)
    }

    /// The name of incident `number` of `machine` in the fleet of `seed`.
    pub fn incident(seed: u64, machine: &MachineId, number: u32) -> SerialId {
        SerialId::new(b"incident-", seed, machine, number)
    }

    fn new(prefix: &[u8], seed: u64, machine: &MachineId, number: u32) -> SerialId {
        let mut bytes = [0; SerialId::MAX_LEN];
        let mut len = 0;
        let mut put = |part: &[u8]| {
            bytes[len..len + part.len()].copy_from_slice(part);
            len += part.len();
        };
        put(prefix);
        put(decimal(seed, 1, &mut [0; 20]));
        put(b"-");
        put(machine.number());
        put(b"-");
        put(decimal(u64::from(number), SerialId::DIGITS, &mut [0; 20]));
        SerialId { len: len as u8, bytes }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        // ASCII by construction.
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

/// `number` in decimal digits, at least `width` of them.
fn decimal(number: u64, width: usize, digits: &mut [u8; 20]) -> &[u8] {
    let mut rest = number;
    for place in digits.iter_mut().rev() {
        *place = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    let width = width.max(number.checked_ilog10().map_or(1, |d| d as usize + 1));
    &digits[20 - width..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_padded_and_grow() {
        let name = |seed, machine, number| {
            SerialId::job(seed, &MachineId::new(machine, 6), number).as_str().to_owned()
        };
        assert_eq!(name(0, 42, 7), "job-0-000042-000007");
        assert_eq!(name(11, 42, 1_234_567), "job-11-000042-1234567");
        let widest = SerialId::incident(u64::MAX, &MachineId::new(u32::MAX, 10), u32::MAX);
        assert_eq!(widest.as_str(), "incident-18446744073709551615-4294967295-4294967295");
    }
}
