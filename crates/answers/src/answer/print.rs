//! An answer as a table, as CSV, as JSON lines.

use std::io::{self, Write};
use std::str::FromStr;

use chrono::{DateTime, FixedOffset, SecondsFormat};
use serde::Serialize;
use serde::ser::{SerializeMap, Serializer};

use super::{Answer, Certainty, ColumnInfo, Row, Value, Why};
use crate::query::Kind;

/// How an answer is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// For people.
    Table,
    /// Comma-separated, with a line of names.
    Csv,
    /// A JSON object a row; instants in milliseconds since the epoch.
    Json,
}

/// A name of a format that there isn't.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("choose from table, csv and json")]
pub struct UnknownFormat;

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Format, UnknownFormat> {
        match name {
            "table" => Ok(Format::Table),
            "csv" => Ok(Format::Csv),
            "json" => Ok(Format::Json),
            _ => Err(UnknownFormat),
        }
    }
}

impl Answer {
    /// Writes the rows.
    ///
    /// # Errors
    /// Those of `out`.
    pub fn write(&self, format: Format, out: &mut dyn Write) -> io::Result<()> {
        match format {
            Format::Table => self.write_table(out),
            Format::Csv => self.write_csv(out),
            Format::Json => self.write_json(out),
        }
    }

    /// How many rows are exact, bracketed and why, and pending; then the notes. A line each.
    pub fn summary(&self) -> Vec<String> {
        let counts = self.counts();
        let rows = if self.windowed { "windows and keys" } else { "rows" };
        let mut lines = vec![format!(
            "{} {rows} of {} records: {} exact, {} bracketed, {} pending",
            self.rows.len(),
            self.records,
            counts.exact,
            counts.bracketed,
            counts.pending
        )];
        let why = |wanted: fn(&Why) -> bool| {
            let is_wanted = |row: &&Row| match &row.certainty {
                Certainty::Bracketed(bracket) => wanted(&bracket.why),
                _ => false,
            };
            self.rows.iter().filter(is_wanted).count()
        };
        let reasons = [
            (
                why(|why| matches!(why, Why::MaybeLate(_))),
                "a record counts or is late, as it arrives",
            ),
            (
                why(|why| matches!(why, Why::MaybeUnmatched(_))),
                "a reading of the same instant as its machine's record may be joined before it",
            ),
            (why(|why| *why == Why::OnTheBound), "the group is on the bound of its condition"),
            (why(|why| *why == Why::RankedAgainst), "a row that it competes with is not exact"),
        ];
        for (rows, reason) in reasons.iter().filter(|(rows, _)| *rows > 0) {
            lines.push(format!("bracketed: {rows}, since {reason}"));
        }
        if counts.pending > 0 {
            lines.push("pending: no later record closes the window".to_owned());
        }
        lines.extend(self.notes.iter().cloned());
        lines
    }

    fn names(&self) -> Vec<&str> {
        let window: &[&str] = if self.windowed { &["window_start", "window_end"] } else { &[] };
        let columns = self.columns.iter().map(|column| column.name.as_str());
        window.iter().copied().chain(columns).collect()
    }

    /// The cells of a row, as people read them.
    fn cells(&self, row: &Row, rounded: bool) -> Vec<String> {
        let window = row.window.iter().flat_map(|w| [w.start_ms, w.end_ms]);
        let window = window.map(|ms| instant(ms, self.zone_offset_ms));
        let values = row.keys.iter().chain(&row.values).zip(&self.columns);
        window.chain(values.map(|(value, column)| text(value, column, rounded))).collect()
    }

    fn write_table(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut lines: Vec<Vec<String>> = Vec::with_capacity(self.rows.len() + 1);
        let names = self.names().into_iter().map(str::to_owned);
        lines.push(names.chain([String::new()]).collect());
        for row in &self.rows {
            let mut cells = self.cells(row, true);
            cells.push(match &row.certainty {
                Certainty::Exact => String::new(),
                Certainty::Pending => "pending".to_owned(),
                Certainty::Bracketed(bracket) => {
                    let pair = |(least, most): (&Value, &Value), column: &ColumnInfo| {
                        let (least, most) = (text(least, column, true), text(most, column, true));
                        format!("{} {least}..{most}", column.name)
                    };
                    let values = bracket.least.iter().zip(&bracket.most);
                    let pairs: Vec<String> = values
                        .zip(&self.columns[self.keys..])
                        .filter(|((least, most), _)| least != most)
                        .map(|(values, column)| pair(values, column))
                        .collect();
                    let missing = if bracket.may_be_missing { ", or missing" } else { "" };
                    let pending = if bracket.pending { ", pending" } else { "" };
                    format!("bracketed: {}{missing}{pending}", pairs.join(", "))
                }
            });
            lines.push(cells);
        }
        let columns = lines.first().map_or(0, Vec::len);
        let width = |at: usize| lines.iter().map(|line| line[at].chars().count()).max();
        let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or(0)).collect();
        let first = if self.windowed { 2 } else { 0 };
        let is_number = |at: usize| {
            let column = at.checked_sub(first).and_then(|at| self.columns.get(at));
            column.is_some_and(|column| column.kind.is_number())
        };
        for line in &lines {
            let mut joined = String::new();
            for (at, cell) in line.iter().enumerate() {
                let pad = " ".repeat(widths[at] - cell.chars().count());
                let (before, after) =
                    if is_number(at) { (pad, String::new()) } else { (String::new(), pad) };
                joined.push_str(&format!("{before}{cell}{after}  "));
            }
            writeln!(out, "{}", joined.trim_end())?;
        }
        Ok(())
    }

    fn write_csv(&self, out: &mut dyn Write) -> io::Result<()> {
        let of_value = |value: &Value| match value {
            Value::Null => String::new(),
            Value::Text(text) => quoted(text),
            Value::Double(number) => number.to_string(),
            Value::Long(number) => number.to_string(),
            Value::Bool(value) => value.to_string(),
        };
        let values = &self.columns[self.keys..];
        let ends =
            values.iter().flat_map(|c| [format!("{}_least", c.name), format!("{}_most", c.name)]);
        let names = self.names().into_iter().map(str::to_owned);
        let head: Vec<String> = names.chain(["certainty".to_owned()]).chain(ends).collect();
        writeln!(out, "{}", head.join(","))?;
        for row in &self.rows {
            let mut cells: Vec<String> = self.cells(row, false).iter().map(|c| quoted(c)).collect();
            cells.push(row.certainty.as_str().to_owned());
            match &row.certainty {
                Certainty::Bracketed(bracket) => {
                    for (least, most) in bracket.least.iter().zip(&bracket.most) {
                        cells.extend([of_value(least), of_value(most)]);
                    }
                }
                _ => cells.extend(values.iter().flat_map(|_| [String::new(), String::new()])),
            }
            writeln!(out, "{}", cells.join(","))?;
        }
        Ok(())
    }

    fn write_json(&self, out: &mut dyn Write) -> io::Result<()> {
        for row in &self.rows {
            serde_json::to_writer(&mut *out, &Line { answer: self, row })?;
            out.write_all(b"\n")?;
        }
        Ok(())
    }
}

/// A row as a JSON object.
struct Line<'a> {
    answer: &'a Answer,
    row: &'a Row,
}

impl Serialize for Line<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Line { answer, row } = self;
        let mut map = serializer.serialize_map(None)?;
        if let Some(window) = row.window {
            map.serialize_entry("window_start", &window.start_ms)?;
            map.serialize_entry("window_end", &window.end_ms)?;
        }
        for (value, column) in row.keys.iter().chain(&row.values).zip(&answer.columns) {
            map.serialize_entry(&column.name, value)?;
        }
        map.serialize_entry("certainty", row.certainty.as_str())?;
        if let Certainty::Bracketed(bracket) = &row.certainty {
            let values = &answer.columns[answer.keys..];
            map.serialize_entry("least", &Named { columns: values, values: &bracket.least })?;
            map.serialize_entry("most", &Named { columns: values, values: &bracket.most })?;
            map.serialize_entry("may_be_missing", &bracket.may_be_missing)?;
            map.serialize_entry("pending", &bracket.pending)?;
            match bracket.why {
                Why::MaybeLate(records) => map.serialize_entry("maybe_late", &records)?,
                Why::MaybeUnmatched(records) => map.serialize_entry("maybe_unmatched", &records)?,
                Why::OnTheBound | Why::RankedAgainst => {}
            }
        }
        map.end()
    }
}

/// Values with the names of their columns.
struct Named<'a> {
    columns: &'a [ColumnInfo],
    values: &'a [Value],
}

impl Serialize for Named<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.columns.iter().map(|c| &c.name).zip(self.values))
    }
}

fn text(value: &Value, column: &ColumnInfo, rounded: bool) -> String {
    match value {
        Value::Null => String::new(),
        Value::Text(text) => text.clone(),
        Value::Double(number) if rounded => format!("{number:.3}"),
        Value::Double(number) => number.to_string(),
        Value::Long(ms) if column.kind == Kind::Time => instant(*ms, 0),
        Value::Long(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
    }
}

fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// An instant in a zone; as a number where no calendar reaches it.
pub fn instant(ms: i64, zone_offset_ms: i64) -> String {
    let zone = i32::try_from(zone_offset_ms / 1000).ok().and_then(FixedOffset::east_opt);
    match (DateTime::from_timestamp_millis(ms), zone) {
        (Some(instant), Some(zone)) => {
            instant.with_timezone(&zone).to_rfc3339_opts(SecondsFormat::Millis, true)
        }
        _ => ms.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::answer::Bracket;
    use crate::query::Bounds;

    fn answer() -> Answer {
        let column = |name: &str, kind| ColumnInfo { name: name.into(), kind, approximate: false };
        let row = |end_ms, key: &str, count, certainty| Row {
            window: Some(Bounds { end_ms, start_ms: end_ms - 1000 }),
            keys: vec![Value::Text(key.into())],
            values: vec![Value::Long(count), Value::Double(0.5)],
            certainty,
        };
        let bracket = Bracket {
            least: vec![Value::Long(1), Value::Double(0.5)],
            most: vec![Value::Long(2), Value::Double(0.5)],
            may_be_missing: false,
            pending: false,
            why: Why::MaybeLate(1),
        };
        Answer {
            columns: vec![
                column("zone", Kind::Text),
                column("count", Kind::Long),
                column("avg", Kind::Double),
            ],
            keys: 1,
            windowed: true,
            zone_offset_ms: 7_200_000,
            rows: vec![
                row(1000, "a,b", 12, Certainty::Exact),
                row(2000, "c", 2, Certainty::Bracketed(Box::new(bracket))),
                row(3000, "c", 1, Certainty::Pending),
            ],
            records: 15,
            notes: Vec::new(),
        }
    }

    fn written(format: Format) -> Vec<String> {
        let mut bytes = Vec::new();
        answer().write(format, &mut bytes).unwrap();
        String::from_utf8(bytes).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn rows_are_written_in_every_format() {
        let csv = written(Format::Csv);
        let columns = "window_start,window_end,zone,count,avg,certainty";
        assert_eq!(csv[0], format!("{columns},count_least,count_most,avg_least,avg_most"));
        let first = "1970-01-01T02:00:00.000+02:00,1970-01-01T02:00:01.000+02:00,\"a,b\",12,0.5";
        assert_eq!(csv[1], format!("{first},exact,,,,"));
        assert!(csv[2].ends_with(",bracketed,1,2,0.5,0.5"));
        let json = written(Format::Json);
        assert_eq!(
            json[0],
            r#"{"window_start":0,"window_end":1000,"zone":"a,b","count":12,"avg":0.5,"certainty":"exact"}"#
        );
        assert!(json[1].contains(r#""least":{"count":1,"avg":0.5},"most":{"count":2,"avg":0.5}"#));
        let table = written(Format::Table);
        assert!(table[2].ends_with("bracketed: count 1..2"), "{table:?}");
        assert!(table[3].ends_with("pending"));
    }

    #[test]
    fn the_summary_counts_and_says_why() {
        let lines = answer().summary();
        let counts = "3 windows and keys of 15 records: 1 exact, 1 bracketed, 1 pending";
        assert_eq!(lines[0], counts);
        assert!(lines[1].starts_with("bracketed: 1, since a record counts or is late"));
    }
}
