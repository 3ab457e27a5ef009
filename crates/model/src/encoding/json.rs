//! Record values as JSON objects, fields named as in the Avro schemas, times as epoch milliseconds.

use crate::record::Record;

/// Appends `record` to `buffer`.
pub fn write(record: &Record<&str>, buffer: &mut Vec<u8>) {
    // Writing numbers and strings to memory can't fail.
    let _infallible = serde_json::to_writer(buffer, record);
}
