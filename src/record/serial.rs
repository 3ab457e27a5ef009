//! Names of what machines have many of: jobs, incidents.

use crate::fleet::MachineId;

/// A name of something that a machine has many of, `job-000042-000007`: the machine's digits and a
/// number on it.
#[derive(Debug, Clone, Copy)]
pub struct SerialId {
    len: u8,
    bytes: [u8; SerialId::MAX_LEN],
}

impl SerialId {
    const DIGITS: usize = 6;
    /// The longest prefix, ten digits of a machine, a hyphen and ten digits of a number.
    const MAX_LEN: usize = 30;

    /// The name of job `number` of `machine`.
    pub fn job(machine: &MachineId, number: u32) -> SerialId {
        SerialId::new(b"job-", machine, number)
    }

    /// The name of incident `number` of `machine`.
    pub fn incident(machine: &MachineId, number: u32) -> SerialId {
        SerialId::new(b"incident-", machine, number)
    }

    fn new(prefix: &[u8], machine: &MachineId, number: u32) -> SerialId {
        let mut bytes = [0; SerialId::MAX_LEN];
        let mut len = 0;
        let mut put = |part: &[u8]| {
            bytes[len..len + part.len()].copy_from_slice(part);
            len += part.len();
        };
        put(prefix);
        put(machine.number());
        put(b"-");
        let mut digits = [b'0'; 10];
        let mut rest = number;
        for place in digits.iter_mut().rev() {
            *place = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        let width = SerialId::DIGITS.max(number.checked_ilog10().map_or(1, |d| d as usize + 1));
        put(&digits[10 - width..]);
        SerialId { len: len as u8, bytes }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        // ASCII by construction.
        std::str::from_utf8(&self.bytes[..usize::from(self.len)]).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_padded_and_grow() {
        let name = |machine, number| {
            SerialId::job(&MachineId::new(machine, 6), number).as_str().to_owned()
        };
        assert_eq!(name(42, 7), "job-000042-000007");
        assert_eq!(name(42, 1_234_567), "job-000042-1234567");
        let widest = SerialId::incident(&MachineId::new(u32::MAX, 10), u32::MAX);
        assert_eq!(widest.as_str(), "incident-4294967295-4294967295");
    }
}
