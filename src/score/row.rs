//! From a record of a detector's output to an alarm.

use fleetstorm_answers::answer::Value;
use fleetstorm_answers::query::Kind;
use fleetstorm_answers::score::Alarm;

use crate::job_output::{Cell, Columns, Content, JobOutputError, JobRecord, WrittenAt};

/// The columns of an alarm.
const NAMES: [&str; 3] = [MACHINE_ID, TIMESTAMP, SCORE];
const MACHINE_ID: &str = "machine_id";
const TIMESTAMP: &str = "timestamp";
const SCORE: &str = "score";

/// Makes alarms of records.
#[derive(Debug)]
pub struct RowReader<'a> {
    columns: &'a Columns,
    /// Whether each row must have a score.
    needs_score: bool,
}

/// Why a record is no alarm.
#[derive(Debug, thiserror::Error)]
pub enum Misfit {
    /// A column isn't there.
    #[error(transparent)]
    NoColumn(JobOutputError),
    /// A cell isn't of its column's kind.
    #[error("column `{name}` holds {cell}, and is to hold {kind}")]
    Cell {
        /// The column.
        name: &'static str,
        /// What is there.
        cell: String,
        /// What should be.
        kind: &'static str,
    },
}

impl<'a> RowReader<'a> {
    /// A reader of alarms.
    ///
    /// # Errors
    /// [`JobOutputError::UnknownColumn`] where `columns` name one that an alarm hasn't.
    pub fn new(columns: &'a Columns, threshold: bool) -> Result<RowReader<'a>, JobOutputError> {
        columns.must_be_of(NAMES.map(str::to_owned).to_vec())?;
        let needs_score = threshold || columns.given().any(|given| given == SCORE);
        Ok(RowReader { columns, needs_score })
    }

    /// The alarm that a record is, with its machine.
    ///
    /// # Errors
    /// [`Misfit`] where it is none.
    pub fn row(
        &self,
        record: &JobRecord<'_>,
        content: &Content,
    ) -> Result<(String, Alarm), Misfit> {
        // A key without a name is the machine, where nothing else is.
        let machine = self.cell(content, MACHINE_ID, true)?;
        let Some(Value::Text(machine_id)) = machine.value(Kind::Text) else {
            return Err(misfit(MACHINE_ID, machine, "machines' names"));
        };
        let timestamp = self.cell(content, TIMESTAMP, false)?;
        let at_ms = timestamp.instant_ms(0);
        let at_ms = at_ms.ok_or_else(|| misfit(TIMESTAMP, timestamp, "instants"))?;
        let score = match self.columns.find(content, SCORE, false) {
            None if self.needs_score => {
                return Err(Misfit::NoColumn(content.missing_column(SCORE)));
            }
            None => None,
            Some(cell) => match cell.value(Kind::Double) {
                Some(Value::Null) => None,
                Some(Value::Long(score)) => Some(score as f64),
                Some(Value::Double(score)) if !score.is_nan() => Some(score),
                _ => return Err(misfit(SCORE, cell, "numbers")),
            },
        };
        let written_ms = record.written.map(WrittenAt::ms);
        Ok((machine_id, Alarm { at_ms, score, written_ms }))
    }

    fn cell<'c>(&self, content: &'c Content, name: &str, plain: bool) -> Result<&'c Cell, Misfit> {
        self.columns
            .find(content, name, plain)
            .ok_or_else(|| Misfit::NoColumn(content.missing_column(name)))
    }
}

fn misfit(name: &'static str, cell: &Cell, kind: &'static str) -> Misfit {
    Misfit::Cell { name, cell: cell.words(), kind }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fleetstorm_answers::compare::Place;

    fn read(
        columns: &str,
        threshold: bool,
        cells: &[(&str, Cell)],
    ) -> Result<(String, Alarm), String> {
        let columns: Columns = match columns {
            "" => Columns::default(),
            columns => columns.parse().expect("columns"),
        };
        let value = cells.iter().map(|(name, cell)| ((*name).to_owned(), cell.clone())).collect();
        let plain_key = Some(Cell::Text("machine-000007".into()));
        let content = Content { value, key: Vec::new(), plain_key, window: None };
        let written = Some(WrittenAt::Appended(5));
        let record =
            JobRecord { place: Place::Line { line: 1 }, written, key: None, content: Ok(None) };
        let reader = RowReader::new(&columns, threshold).map_err(|error| error.to_string())?;
        reader.row(&record, &content).map_err(|error| error.to_string())
    }

    #[test]
    fn an_alarm_is_made_of_value_and_key() {
        let text = |text: &str| Cell::Text(text.into());
        let row = read(
            "timestamp=window_end,score=S",
            false,
            &[("WINDOW_END", Cell::TimeMs(1000)), ("S", text("0.5"))],
        );
        let alarm = Alarm { at_ms: 1000, score: Some(0.5), written_ms: Some(5) };
        assert_eq!(row, Ok(("machine-000007".to_owned(), alarm)));
        let row = read("", false, &[("timestamp", Cell::Long(7)), ("machine_id", text("m"))]);
        assert_eq!(row, Ok(("m".to_owned(), Alarm { at_ms: 7, score: None, written_ms: Some(5) })));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let timestamp = ("timestamp", Cell::Long(7));
        let error = |columns, threshold, cells: &[(&str, Cell)]| {
            read(columns, threshold, cells).expect_err("it is no alarm")
        };
        assert!(
            error("", false, &[("at", Cell::Long(7))]).contains("no column `timestamp`: it has at")
        );
        assert!(
            error("", true, std::slice::from_ref(&timestamp)).contains("--columns score=ITS_NAME")
        );
        assert!(error("zone=Z", false, &[]).contains("machine_id, timestamp, score"));
        let odd = [timestamp, ("score", Cell::Double(f64::NAN))];
        assert_eq!(error("", false, &odd), "column `score` holds NaN, and is to hold numbers");
        let odd = [("timestamp", Cell::Text("yesterday".into()))];
        assert!(error("", false, &odd).contains("`yesterday`, and is to hold instants"));
        let odd = [("machine_id", Cell::Null), ("timestamp", Cell::Long(7))];
        assert!(error("", false, &odd).contains("holds nothing, and is to hold machines' names"));
    }
}
