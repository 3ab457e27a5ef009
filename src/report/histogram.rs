//! Histograms as text: HdrHistogram's compressed V2 encoding in base64, which its libraries in other
//! languages read.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};

use crate::sink::latency;

/// A histogram as text; `None` if it is empty.
pub fn encode(histogram: &Histogram<u64>) -> Option<String> {
    if histogram.is_empty() {
        return None;
    }
    let mut bytes = Vec::new();
    // Writing to memory can't fail.
    V2DeflateSerializer::new().serialize(histogram, &mut bytes).ok()?;
    Some(STANDARD.encode(bytes))
}

/// Why a text is not a histogram.
#[derive(Debug, thiserror::Error)]
pub enum HistogramError {
    /// It is not Base64.
    #[error(transparent)]
    Base64(#[from] base64::DecodeError),
    /// Its bytes are no histogram.
    #[error(transparent)]
    Format(#[from] hdrhistogram::serialization::DeserializeError),
    /// Its values are out of bounds.
    #[error(transparent)]
    Bounds(#[from] hdrhistogram::AdditionError),
}

/// Adds the counts of the histogram that `text` encodes to `sum`.
///
/// # Errors
/// [`HistogramError`].
pub fn add_encoded(sum: &mut Histogram<u64>, text: &str) -> Result<(), HistogramError> {
    let bytes = STANDARD.decode(text)?;
    let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut &bytes[..])?;
    Ok(sum.add(&histogram)?)
}

/// The histogram that `text` encodes, with the bounds that all histograms here have.
///
/// # Errors
/// [`HistogramError`].
pub fn decode(text: &str) -> Result<Histogram<u64>, HistogramError> {
    let mut histogram = latency::histogram();
    add_encoded(&mut histogram, text)?;
    Ok(histogram)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_adds_up() {
        let mut histogram = latency::histogram();
        for us in [1, 17, 900, 1_000_000, 3_000_000_000] {
            histogram.record_n(us, us % 5 + 1).unwrap();
        }
        let text = encode(&histogram).unwrap();
        let mut twice = decode(&text).unwrap();
        assert_eq!(twice, histogram);
        add_encoded(&mut twice, &text).unwrap();
        assert_eq!(twice.len(), 2 * histogram.len());
        assert_eq!(twice.value_at_quantile(0.5), histogram.value_at_quantile(0.5));
        assert_eq!(encode(&latency::histogram()), None);
    }

    #[test]
    fn what_is_no_histogram_is_an_error() {
        for text in ["", "no", "SGVsbG8gd29ybGQ=", "HISTFAAAAAA="] {
            assert!(decode(text).is_err(), "{text}");
        }
    }
}
