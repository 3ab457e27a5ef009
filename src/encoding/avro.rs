//! Straight-line Avro writers, one a record type: no schema is walked and nothing is looked up.
//!
//! The order of writes is the order of fields in `schemas/*.avsc`; the property tests hold every
//! writer to the bytes that `apache-avro` makes of the same record under that schema.

use crate::record::{
    IncidentRecord, JobRecord, MachineRecord, Record, StatusRecord, Telemetry, Usage,
};

/// Appends the Avro datum of `record` to `buffer`.
#[inline]
pub fn write(record: &Record<'_>, buffer: &mut Vec<u8>) {
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
fn telemetry(r: &Telemetry<'_>, buffer: &mut Vec<u8>) {
    long(r.timestamp, buffer);
    string(r.machine_id, buffer);
    string(r.machine_type, buffer);
    string(r.zone, buffer);
    string(r.region, buffer);
    doubles(
        [r.cpu_percent, r.memory_percent, r.disk_percent, r.network_in_mbps, r.network_out_mbps],
        buffer,
    );
    long(r.request_count, buffer);
    long(r.error_count, buffer);
    doubles([r.latency_p50, r.latency_p99], buffer);
    buffer.push(u8::from(r.is_anomaly));
}

#[inline]
fn usage(r: &Usage<'_>, buffer: &mut Vec<u8>) {
    long(r.timestamp, buffer);
    string(r.machine_id, buffer);
    doubles([r.cpu_percent, r.memory_percent, r.disk_percent], buffer);
}

#[inline]
fn status(r: &StatusRecord<'_>, buffer: &mut Vec<u8>) {
    string(r.machine_id, buffer);
    string(r.status, buffer);
    long(r.last_heartbeat, buffer);
}

fn job(r: &JobRecord<'_>, buffer: &mut Vec<u8>) {
    string(r.job_id, buffer);
    string(r.machine_id, buffer);
    string(r.job_type, buffer);
    string(r.status, buffer);
    optional(r.start_time, buffer, long);
    optional(r.end_time, buffer, long);
    optional(r.duration_seconds, buffer, |value, buffer| doubles([value], buffer));
}

fn machine(r: &MachineRecord<'_>, buffer: &mut Vec<u8>) {
    string(r.machine_id, buffer);
    string(r.machine_type, buffer);
    long(i64::from(r.cores), buffer);
    long(i64::from(r.memory_gb), buffer);
    string(r.zone, buffer);
    string(r.region, buffer);
    long(r.created_at, buffer);
}

fn incident(r: &IncidentRecord<'_>, buffer: &mut Vec<u8>) {
    string(r.incident_id, buffer);
    string(r.machine_id, buffer);
    string(r.kind, buffer);
    optional(r.cause, buffer, string);
    long(r.start_time, buffer);
    optional(r.end_time, buffer, long);
    doubles([r.magnitude], buffer);
}

/// An `int` or `long`: zig-zag, then seven bits a byte, the lowest first.
#[inline(always)]
fn long(value: i64, buffer: &mut Vec<u8>) {
    let zigzag = ((value << 1) ^ (value >> 63)) as u64;
    if zigzag < 0x80 {
        buffer.push(zigzag as u8);
    } else {
        several_bytes(zigzag, buffer);
    }
}

fn several_bytes(mut rest: u64, buffer: &mut Vec<u8>) {
    let mut bytes = [0; 10];
    let mut len = 0;
    while rest >= 0x80 {
        bytes[len] = rest as u8 | 0x80;
        rest >>= 7;
        len += 1;
    }
    bytes[len] = rest as u8;
    buffer.extend_from_slice(&bytes[..=len]);
}

#[inline(always)]
fn string(value: &str, buffer: &mut Vec<u8>) {
    long(value.len() as i64, buffer);
    buffer.extend_from_slice(value.as_bytes());
}

/// `double` fields that follow one another: eight bytes each, little-endian.
#[inline(always)]
fn doubles<const N: usize>(values: [f64; N], buffer: &mut Vec<u8>) {
    buffer.extend_from_slice(values.map(f64::to_le_bytes).as_flattened());
}

/// A union of null and a type, in that order.
#[inline]
fn optional<T>(value: Option<T>, buffer: &mut Vec<u8>, write: impl FnOnce(T, &mut Vec<u8>)) {
    match value {
        None => buffer.push(0),
        Some(value) => {
            buffer.push(2);
            write(value, buffer);
        }
    }
}
