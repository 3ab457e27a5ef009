//! The end of a run in words.

use std::io::{self, Write};

use indicatif::{DecimalBytes, HumanCount};

use super::results::{Ending, Lag, Percentiles, Results};

/// Writes what became of a run to `out`, for a person.
///
/// # Errors
/// Those of `out`.
pub fn write(results: &Results, out: &mut dyn Write) -> io::Result<()> {
    let ending = match results.ended {
        Ending::Complete => "Done",
        Ending::Interrupted => "Interrupted",
        Ending::Failed => "Failed",
        Ending::Closed => "The reader of the output went away",
    };
    writeln!(out, "{ending} after {:.3} s.", results.elapsed_s)?;
    writeln!(
        out,
        "  {:<10} {:>14} {:>14} {:>10} {:>12}",
        "topic", "sent", "acked", "failed", "bytes"
    )?;
    for (topic, t) in &results.records {
        writeln!(
            out,
            "  {topic:<10} {:>14} {:>14} {:>10} {:>12}",
            HumanCount(t.sent).to_string(),
            HumanCount(t.acked).to_string(),
            HumanCount(t.failed).to_string(),
            DecimalBytes(t.bytes).to_string(),
        )?;
    }
    rate(results, out)?;
    latency(out, "from due", results.latency_ms.intended)?;
    latency(out, "from sent", results.latency_ms.enqueued)?;
    behind(out, "handed over", &results.behind.handed_over)?;
    behind(out, "acked", &results.behind.acknowledged)?;
    let dropped = results.total().dropped;
    if dropped > 0 {
        writeln!(
            out,
            "  dropped    {} records in {} spans, which --report lists",
            HumanCount(dropped),
            results.dropped.len()
        )?;
    }
    for (kind, count) in &results.errors {
        writeln!(out, "  error      {kind}: {} records", HumanCount(*count))?;
    }
    match results.unconfirmed() {
        0 => Ok(()),
        n => writeln!(out, "  {} records were sent and never confirmed", HumanCount(n)),
    }
}

fn rate(results: &Results, out: &mut dyn Write) -> io::Result<()> {
    let rate = &results.rate;
    write!(out, "  rate       {} records/s", number(rate.achieved))?;
    if let Some(target) = rate.target {
        write!(out, " of {} asked for", number(target))?;
    }
    write!(out, " ({}/s)", DecimalBytes(rate.bytes_per_second as u64))?;
    if let Some(error) = rate.max_second_error {
        write!(out, ", worst second off by {:.2} %", error * 100.0)?;
    }
    if rate.silent > 0 {
        write!(out, ", {} slots silent", HumanCount(rate.silent))?;
    }
    writeln!(out)
}

fn behind(out: &mut dyn Write, what: &str, lag: &Lag) -> io::Result<()> {
    if lag.times == 0 {
        return Ok(());
    }
    writeln!(
        out,
        "  behind     {what} up to {} s late, {} s in all",
        number(lag.longest_s),
        number(lag.total_s)
    )
}

fn latency(out: &mut dyn Write, from: &str, percentiles: Option<Percentiles>) -> io::Result<()> {
    let Some(p) = percentiles else { return Ok(()) };
    writeln!(
        out,
        "  latency    {from:<9} p50 {} ms, p90 {} ms, p99 {} ms, p99.9 {} ms, p99.99 {} ms, max {} ms",
        number(p.p50),
        number(p.p90),
        number(p.p99),
        number(p.p999),
        number(p.p9999),
        number(p.max)
    )
}

/// A figure with as many digits as it is worth.
fn number(value: f64) -> String {
    if value >= 100.0 {
        HumanCount(value.round() as u64).to_string()
    } else {
        let text = format!("{value:.2}");
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(number(1_234_567.4), "1,234,567");
        assert_eq!(number(0.2), "0.2");
        assert_eq!(number(5.0), "5");
    }
}
