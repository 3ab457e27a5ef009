//! Straight-line Avro writers, one per record type: they walk no schema and look nothing up.
//!
//! The order of writes is the order of fields in `schemas/*.avsc`; the property tests hold every
//! writer to the bytes that `apache-avro` makes of the same record under that schema.

use crate::record::{
    IncidentRecord, JobRecord, MachineRecord, Record, StatusRecord, Telemetry, Usage,
};

/// Appends the Avro datum of `record` to `buffer`.
#[inline(always)]
pub fn write(record: &Record<&str>, buffer: &mut Vec<u8>) {
    match record {
        Record::Telemetry(r) => telemetry(r, buffer),
        Record::Usage(r) => usage(r, buffer),
        Record::Status(r) => status(r, buffer),
        Record::Job(r) => job(r, buffer),
        Record::Machine(r) => machine(r, buffer),
        Record::Incident(r) => incident(r, buffer),
    }
}

#[inline(always)]
fn telemetry(r: &Telemetry<&str>, buffer: &mut Vec<u8>) {
    append(buffer, [r.machine_id, r.machine_type, r.zone, r.region], |datum| {
        datum
            .long(r.timestamp)
            .string(r.machine_id)
            .string(r.machine_type)
            .string(r.zone)
            .string(r.region)
            .double(r.cpu_percent)
            .double(r.memory_percent)
            .double(r.disk_percent)
            .double(r.network_in_mbps)
            .double(r.network_out_mbps)
            .long(r.request_count)
            .long(r.error_count)
            .double(r.latency_p50)
            .double(r.latency_p99)
            .boolean(r.is_anomaly)
    });
}

#[inline]
fn usage(r: &Usage<&str>, buffer: &mut Vec<u8>) {
    append(buffer, [r.machine_id], |datum| {
        datum
            .long(r.timestamp)
            .string(r.machine_id)
            .double(r.cpu_percent)
            .double(r.memory_percent)
            .double(r.disk_percent)
    });
}

#[inline]
fn status(r: &StatusRecord<&str>, buffer: &mut Vec<u8>) {
    append(buffer, [r.machine_id, r.status], |datum| {
        datum.string(r.machine_id).string(r.status).long(r.last_heartbeat)
    });
}

#[inline(never)]
fn job(r: &JobRecord<&str>, buffer: &mut Vec<u8>) {
    append(buffer, [r.job_id, r.machine_id, r.job_type, r.status], |datum| {
        datum
            .string(r.job_id)
            .string(r.machine_id)
            .string(r.job_type)
            .string(r.status)
            .optional(r.start_time, Datum::long)
            .optional(r.end_time, Datum::long)
            .optional(r.duration_seconds, Datum::double)
    });
}

#[inline(never)]
fn machine(r: &MachineRecord<&str>, buffer: &mut Vec<u8>) {
    append(buffer, [r.machine_id, r.machine_type, r.zone, r.region], |datum| {
        datum
            .string(r.machine_id)
            .string(r.machine_type)
            .long(i64::from(r.cores))
            .long(i64::from(r.memory_gb))
            .string(r.zone)
            .string(r.region)
            .long(r.created_at)
    });
}

#[inline(never)]
fn incident(r: &IncidentRecord<&str>, buffer: &mut Vec<u8>) {
    let texts = [r.incident_id, r.machine_id, r.kind, r.cause.unwrap_or_default()];
    append(buffer, texts, |datum| {
        datum
            .string(r.incident_id)
            .string(r.machine_id)
            .string(r.kind)
            .optional(r.cause, Datum::string)
            .long(r.start_time)
            .optional(r.end_time, Datum::long)
            .double(r.magnitude)
    });
}

/// The most bytes of a datum apart from its strings. Telemetry has the most: seven longs (its strings'
/// lengths among them) of up to ten bytes, seven doubles and a boolean.
const BESIDE_TEXTS: usize = 7 * 10 + 7 * 8 + 1;

/// Appends the datum that `write` makes, with these strings in it, to `buffer`. Room for all of it is
/// made at once, so that no write has to check the capacity.
#[inline(always)]
fn append<const N: usize>(
    buffer: &mut Vec<u8>,
    texts: [&str; N],
    write: impl for<'a> FnOnce(Datum<'a>) -> Datum<'a>,
) {
    let begin = buffer.len();
    let most = BESIDE_TEXTS + texts.iter().map(|text| text.len()).sum::<usize>();
    buffer.resize(begin + most, 0);
    let rest = write(Datum { room: &mut buffer[begin..] }).room.len();
    buffer.truncate(begin + most - rest);
}

/// A datum that is being written. It passes from write to write by value, so that it stays in registers.
struct Datum<'a> {
    /// The rest of the room for it.
    room: &'a mut [u8],
}

impl<'a> Datum<'a> {
    /// An `int` or `long`: zig-zag, then seven bits a byte, the lowest first, and the eighth set in
    /// all but the last.
    #[inline(always)]
    fn long(self, value: i64) -> Datum<'a> {
        let zigzag = ((value << 1) ^ (value >> 63)) as u64;
        if zigzag < 1 << 14 {
            let more = u64::from(zigzag >= 1 << 7);
            let bytes = (zigzag & 0x7f) | (more << 7) | (zigzag >> 7 << 8);
            self.put_some((bytes as u16).to_le_bytes(), 1 + more as usize)
        } else if zigzag < 1 << 56 {
            // The seven bits of each byte are moved to their place by halves.
            let z = (zigzag & 0x0fff_ffff) | (zigzag >> 28 << 32);
            let z = (z & 0x0000_3fff_0000_3fff) | ((z & 0x0fff_c000_0fff_c000) << 2);
            let z = (z & 0x007f_007f_007f_007f) | ((z & 0x3f80_3f80_3f80_3f80) << 1);
            let last = zigzag.ilog2() / 7;
            let more = 0x0080_8080_8080_8080 & ((1 << (8 * last)) - 1);
            self.put_some((z | more).to_le_bytes(), last as usize + 1)
        } else {
            self.long_of_many_bytes(zigzag)
        }
    }

    #[cold]
    fn long_of_many_bytes(mut self, mut rest: u64) -> Datum<'a> {
        while rest >= 0x80 {
            self = self.put([rest as u8 | 0x80]);
            rest >>= 7;
        }
        self.put([rest as u8])
    }

    #[inline(always)]
    fn string(self, text: &str) -> Datum<'a> {
        let len = text.len();
        let datum = if len < 1 << 6 { self.put([(len as u8) << 1]) } else { self.long(len as i64) };
        let (to, room) = datum.room.split_at_mut(len);
        copy(text.as_bytes(), to);
        Datum { room }
    }

    /// A `double`: eight bytes, little-endian.
    #[inline(always)]
    fn double(self, value: f64) -> Datum<'a> {
        self.put(value.to_le_bytes())
    }

    #[inline(always)]
    fn boolean(self, value: bool) -> Datum<'a> {
        self.put([u8::from(value)])
    }

    /// A union of null and a type, in that order.
    #[inline]
    fn optional<T>(
        self,
        value: Option<T>,
        write: impl FnOnce(Datum<'a>, T) -> Datum<'a>,
    ) -> Datum<'a> {
        match value {
            None => self.put([0]),
            Some(value) => write(self.put([2]), value),
        }
    }

    #[inline(always)]
    fn put<const N: usize>(self, bytes: [u8; N]) -> Datum<'a> {
        self.put_some(bytes, N)
    }

    /// Writes the first `len` of `bytes`. The next write overwrites the rest.
    #[inline(always)]
    fn put_some<const N: usize>(self, bytes: [u8; N], len: usize) -> Datum<'a> {
        self.room[..N].copy_from_slice(&bytes);
        Datum { room: &mut self.room[len..] }
    }
}

/// Copies a text. Names are short: two moves, which may overlap, cost less than a call.
#[inline(always)]
fn copy(from: &[u8], to: &mut [u8]) {
    match from.len() {
        8..=16 => copy_ends::<8>(from, to),
        4..8 => copy_ends::<4>(from, to),
        _ => to.copy_from_slice(from),
    }
}

#[inline(always)]
fn copy_ends<const N: usize>(from: &[u8], to: &mut [u8]) {
    let end = from.len() - N;
    to[..N].copy_from_slice(&from[..N]);
    to[end..].copy_from_slice(&from[end..]);
}
