//! The `jobs` topic.

use serde::{Deserialize, Serialize};

use crate::fleet::MachineId;

/// One change of the state of one job.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct JobRecord<'a> {
    /// The job.
    pub job_id: &'a str,
    /// The machine that runs it.
    pub machine_id: &'a str,
    /// Its type.
    pub job_type: &'a str,
    /// `queued`, `running`, `succeeded`, `failed` or `cancelled`.
    pub status: &'a str,
    /// When it started, in milliseconds since the epoch; none until it does.
    pub start_time: Option<i64>,
    /// When it ended, in milliseconds since the epoch; none until it does.
    pub end_time: Option<i64>,
    /// `end_time` - `start_time`, in seconds; none until it has both.
    pub duration_seconds: Option<f64>,
}

/// A job's name, `job-000042-000007`: the machine's digits and the job's number on it.
#[derive(Debug, Clone, Copy)]
pub struct JobId {
    len: u8,
    bytes: [u8; JobId::MAX_LEN],
}

impl JobId {
    const PREFIX: &'static [u8] = b"job-";
    const DIGITS: usize = 6;
    /// The prefix, ten digits of a machine, a hyphen and ten digits of a job.
    const MAX_LEN: usize = 25;

    /// The name of job `number` of `machine`.
    pub fn new(machine: &MachineId, number: u32) -> JobId {
        let mut bytes = [0; JobId::MAX_LEN];
        let mut len = 0;
        let mut put = |part: &[u8]| {
            bytes[len..len + part.len()].copy_from_slice(part);
            len += part.len();
        };
        put(JobId::PREFIX);
        put(machine.number());
        put(b"-");
        let mut digits = [b'0'; 10];
        let mut rest = number;
        for place in digits.iter_mut().rev() {
            *place = b'0' + (rest % 10) as u8;
            rest /= 10;
        }
        let width = JobId::DIGITS.max(number.checked_ilog10().map_or(1, |d| d as usize + 1));
        put(&digits[10 - width..]);
        JobId { len: len as u8, bytes }
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
        let name =
            |machine, number| JobId::new(&MachineId::new(machine, 6), number).as_str().to_owned();
        assert_eq!(name(42, 7), "job-000042-000007");
        assert_eq!(name(42, 1_234_567), "job-000042-1234567");
        let widest = JobId::new(&MachineId::new(u32::MAX, 10), u32::MAX);
        assert_eq!(widest.as_str(), "job-4294967295-4294967295");
    }
}
