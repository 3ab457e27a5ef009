//! The summary at the end of a run.

use std::io::{self, Write};

use indicatif::{DecimalBytes, HumanCount};

use super::number_format::{asked, beside, number};
use super::results::{Ending, Lag, Percentiles, Results};

/// Writes a summary of the results to `out`.
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
    past(results, out)?;
    rate(results, out)?;
    acknowledged(results, out)?;
    latency(out, "from due", results.latency_ms.intended)?;
    latency(out, "from sent", results.latency_ms.enqueued)?;
    behind(out, "handed over", &results.behind.handed_over)?;
    behind(out, "acked", &results.behind.acknowledged)?;
    if results.throttled_s > 0.0 {
        writeln!(
            out,
            "  throttled  {} s: a quota of the cluster throttled the producer",
            number(results.throttled_s)
        )?;
    }
    let dropped = results.total().dropped;
    if dropped > 0 {
        writeln!(
            out,
            "  dropped    {} records in {} spans, which --report lists: {}",
            HumanCount(dropped),
            results.dropped.len(),
            dropped_by_topic(results)
        )?;
    }
    if results.torn > 0 {
        writeln!(
            out,
            "  torn       {} stories lack a part: their last changes still waited at the end",
            HumanCount(results.torn)
        )?;
    }
    for (kind, count) in &results.errors {
        writeln!(out, "  error      {kind}: {} records", HumanCount(*count))?;
    }
    match results.unconfirmed() {
        0 => Ok(()),
        n => writeln!(out, "  {} records were sent and never acknowledged", HumanCount(n)),
    }
}

/// How many records of each topic were dropped.
fn dropped_by_topic(results: &Results) -> String {
    let dropped = results.records.iter().filter(|(_, counts)| counts.dropped > 0);
    let named = dropped.map(|(topic, counts)| format!("{} {topic}", HumanCount(counts.dropped)));
    named.collect::<Vec<_>>().join(", ")
}

/// The past part of a run, with its own time and latency.
fn past(results: &Results, out: &mut dyn Write) -> io::Result<()> {
    let Some(past) = &results.rate.past else { return Ok(()) };
    writeln!(
        out,
        "  past       {} records in {} s, due before the run was ready: {} records/s ({}/s)",
        HumanCount(past.slots.sent),
        number(past.took_s),
        number(past.achieved),
        DecimalBytes(past.bytes_per_second as u64)
    )?;
    latency(out, "of past", results.latency_ms.past)
}

/// The rate handed over, and the target rate.
fn rate(results: &Results, out: &mut dyn Write) -> io::Result<()> {
    let rate = &results.rate;
    let (Some(achieved), Some(bytes)) = (rate.achieved, rate.bytes_per_second) else {
        return Ok(());
    };
    if rate.target.is_none() && rate.measured.slots.total() == 0 {
        return Ok(());
    }
    write!(out, "  rate       ")?;
    match rate.target {
        Some(target) => {
            write!(out, "{} records/s of {} asked for", beside(achieved, target), asked(target))?;
        }
        None => write!(out, "{} records/s", number(achieved))?,
    }
    write!(out, " ({}/s", DecimalBytes(bytes as u64))?;
    if let Some(target) = rate.target_bytes_per_second {
        write!(out, " of {}/s asked for", DecimalBytes(target.round() as u64))?;
    }
    write!(out, ") handed over")?;
    if let Some(share) = rate.silent_share.filter(|&share| share > 0.0) {
        write!(out, ", {} % of slots silent", number(share * 100.0))?;
    }
    if let Some(error) = rate.max_second_error {
        write!(out, ", worst second off by {:.2} %", error * 100.0)?;
    }
    writeln!(out)
}

/// The rate acknowledged, if it differs.
fn acknowledged(results: &Results, out: &mut dyn Write) -> io::Result<()> {
    let rate = &results.rate;
    let (Some(sent), Some(acked)) = (rate.achieved, rate.acknowledged) else { return Ok(()) };
    if (sent - acked).abs() <= SAME * sent {
        return Ok(());
    }
    writeln!(
        out,
        "  acked      {} records/s ({}/s), the last {} s after the last hand-over",
        number(acked),
        DecimalBytes(rate.acknowledged_bytes_per_second.unwrap_or(0.0) as u64),
        number(rate.measured.acknowledged_s - rate.measured.to_s)
    )
}

/// Rates that differ by less are printed once: the last records of a healthy run are acknowledged a few
/// milliseconds after it.
const SAME: f64 = 0.01;

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

#[cfg(test)]
mod tests;
