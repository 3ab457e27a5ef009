//! The keys of a job's records: one value or several, with a window behind them or not.

use std::str::FromStr;

use super::{Cell, Cells, DecodeError};

/// The windows that Kafka Streams and ksqlDB put behind a key's bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WindowedKey {
    /// A time window: its start, 8 bytes, big-endian. Its end isn't there.
    Time,
    /// A session: its end and its start, 8 bytes each.
    Session,
}

/// A name of a windowed key that there isn't.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("choose from time and session")]
pub struct UnknownWindowedKey;

/// The window behind a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyWindow {
    /// Its start, in milliseconds since the epoch.
    pub start_ms: i64,
    /// Its end; none behind the key of a time window.
    pub end_ms: Option<i64>,
}

/// A key, decoded.
#[derive(Debug, Clone, PartialEq)]
pub enum Key {
    /// One value without a name.
    Plain(Cell),
    /// Values with names.
    Named(Cells),
}

/// Instants beyond this are none of a window: the year 2200.
const LATEST_MS: i64 = 7_258_118_400_000;

impl WindowedKey {
    /// Takes the window off the end of a key.
    ///
    /// # Errors
    /// Why the bytes are no such key.
    pub fn take(self, key: &[u8]) -> Result<(&[u8], KeyWindow), DecodeError> {
        let cut = |key: &'_ [u8]| key.len().checked_sub(8).map(|at| key.split_at(at).0.len());
        let number = |key: &[u8]| {
            let at = cut(key)?;
            let bytes: [u8; 8] = key.get(at..)?.try_into().ok()?;
            Some((at, i64::from_be_bytes(bytes)))
        };
        let is_instant = |ms: i64| (0..LATEST_MS).contains(&ms);
        let wrong = || {
            DecodeError(format!(
                "a key of {} bytes has no {} window behind it",
                key.len(),
                self.name()
            ))
        };
        let (at, start_ms) = number(key).filter(|&(_, ms)| is_instant(ms)).ok_or_else(wrong)?;
        match self {
            WindowedKey::Time => Ok((&key[..at], KeyWindow { start_ms, end_ms: None })),
            WindowedKey::Session => {
                let fits = |&(_, end_ms): &(usize, i64)| is_instant(end_ms) && end_ms >= start_ms;
                let (at, end_ms) = number(&key[..at]).filter(fits).ok_or_else(wrong)?;
                Ok((&key[..at], KeyWindow { start_ms, end_ms: Some(end_ms) }))
            }
        }
    }

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            WindowedKey::Time => "time",
            WindowedKey::Session => "session",
        }
    }
}

impl FromStr for WindowedKey {
    type Err = UnknownWindowedKey;

    fn from_str(name: &str) -> Result<WindowedKey, UnknownWindowedKey> {
        [WindowedKey::Time, WindowedKey::Session]
            .into_iter()
            .find(|kind| kind.name() == name)
            .ok_or(UnknownWindowedKey)
    }
}

/// A key of text.
///
/// # Errors
/// Why it is none.
pub fn text(key: &[u8]) -> Result<Key, DecodeError> {
    match std::str::from_utf8(key) {
        Ok(text) if !text.contains('\0') => Ok(Key::Plain(Cell::Text(text.to_owned()))),
        _ => Err(DecodeError(format!("a key of {} bytes is no text", key.len()))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_taken_off_keys_as_streams_puts_them_there() {
        let (start, end) = (1_700_000_000_000i64, 1_700_000_009_000i64);
        let time = [b"zone-a".as_slice(), &start.to_be_bytes()].concat();
        let (key, window) = WindowedKey::Time.take(&time).unwrap();
        assert_eq!((key, window.start_ms, window.end_ms), (b"zone-a".as_slice(), start, None));
        let session = [b"m".as_slice(), &end.to_be_bytes(), &start.to_be_bytes()].concat();
        let (key, window) = WindowedKey::Session.take(&session).unwrap();
        assert_eq!((key, window.start_ms, window.end_ms), (b"m".as_slice(), start, Some(end)));
        // The other way round it would end before it starts.
        let turned = [b"m".as_slice(), &start.to_be_bytes(), &end.to_be_bytes()].concat();
        assert!(WindowedKey::Session.take(&turned).is_err());
        for key in [b"zone-a".as_slice(), b"zone-a-and-some", b""] {
            assert!(WindowedKey::Time.take(key).is_err(), "{key:?}");
        }
        assert!(text(&time).is_err());
    }
}
