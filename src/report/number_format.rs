//! Numbers for people.

use indicatif::HumanCount;

/// A measured value: four significant digits below a hundred, else whole.
pub fn number(value: f64) -> String {
    with_decimals(value, if value.abs() >= 100.0 { 0 } else { decimals(value, 4) })
}

/// A requested value, exact to six digits, without trailing zeros.
pub fn asked(value: f64) -> String {
    with_decimals(value, decimals(value, 6))
}

/// The share of readings that are to be expected in an anomaly, as the end of a line on a run: in percent,
/// with three digits, and nothing where there are none.
pub fn anomalies(share: f64) -> String {
    let percent = 100.0 * share;
    match with_decimals(percent, decimals(percent, 3)) {
        _ if share == 0.0 => String::new(),
        percent => format!(", {percent} % of readings in an anomaly"),
    }
}

/// A measured value beside the requested one, with at least as many decimals.
pub fn beside(value: f64, asked: f64) -> String {
    let own = if value.abs() >= 100.0 { 0 } else { decimals(value, 4) };
    with_decimals(value, own.max(decimals(asked, 6)))
}

/// How many decimals `value` has, with at most this many digits.
fn decimals(value: f64, digits: i32) -> usize {
    if value == 0.0 || !value.is_finite() {
        return 0;
    }
    let before = value.abs().log10().floor() as i32 + 1;
    let most = (digits - before).clamp(0, 12) as usize;
    let text = format!("{value:.most$}");
    match text.split_once('.') {
        Some((_, decimals)) => decimals.trim_end_matches('0').len(),
        None => 0,
    }
}

fn with_decimals(value: f64, decimals: usize) -> String {
    let text = format!("{:.decimals$}", value.abs());
    let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
    let grouped = HumanCount(whole.parse().unwrap_or(u64::MAX)).to_string();
    let sign = if value < 0.0 { "-" } else { "" };
    if rest.is_empty() { format!("{sign}{grouped}") } else { format!("{sign}{grouped}.{rest}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        for (value, text) in [
            (1_234_567.4, "1,234,567"),
            (0.2, "0.2"),
            (5.0, "5"),
            (0.0, "0"),
            (0.001, "0.001"),
            (0.123_456, "0.1235"),
            (33.333_33, "33.33"),
            (99.999, "100"),
        ] {
            assert_eq!(number(value), text);
        }
    }

    #[test]
    fn what_was_asked_for_keeps_its_digits() {
        for (value, text) in [
            (0.05, "0.05"),
            (0.001, "0.001"),
            (333.3, "333.3"),
            (1_234.5, "1,234.5"),
            (1_500_000.0, "1,500,000"),
            (2_000.000_000_1, "2,000"),
        ] {
            assert_eq!(asked(value), text);
        }
        assert_eq!(beside(333.284, 333.3), "333.3");
        assert_eq!(beside(19_998.3, 20_000.0), "19,998");
        assert_eq!(beside(0.050_26, 0.05), "0.05026");
    }
}
