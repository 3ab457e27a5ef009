//! From a record of a job's output to a row of the answer's columns.

use fleetstorm_answers::answer::{Answer, ColumnInfo, Value};
use fleetstorm_answers::compare::OutputRow;
use fleetstorm_answers::query::{Bounds, Window};

use super::names;
use crate::job_output::{Columns, Content, JobOutputError, JobRecord, WrittenAt};

/// Makes rows of records.
#[derive(Debug)]
pub struct RowReader<'a> {
    answer: &'a Answer,
    window: Window,
    columns: &'a Columns,
}

/// Why a record is no row of the answer.
#[derive(Debug, thiserror::Error)]
pub enum Misfit {
    /// A column isn't there.
    #[error(transparent)]
    NoColumn(JobOutputError),
    /// A cell isn't of its column's kind.
    #[error("column `{name}` holds {cell}, and is to hold {kind}")]
    Cell {
        /// The column.
        name: String,
        /// What is there.
        cell: String,
        /// What should be.
        kind: &'static str,
    },
    /// The window in the key is not one of the query's.
    #[error("the window in its key begins at {start_ms}, which is no start of {window}")]
    Window {
        /// The start.
        start_ms: i64,
        /// The query's windows.
        window: Window,
    },
}

impl<'a> RowReader<'a> {
    /// A reader of rows of `answer`, whose question has these windows.
    ///
    /// # Errors
    /// [`JobOutputError::UnknownColumn`] where `columns` name one that the answer hasn't.
    pub fn new(
        answer: &'a Answer,
        window: Window,
        columns: &'a Columns,
    ) -> Result<RowReader<'a>, JobOutputError> {
        columns.must_be_of(names(answer))?;
        Ok(RowReader { answer, window, columns })
    }

    /// The row that a record is.
    ///
    /// # Errors
    /// [`Misfit`] where it is none.
    pub fn row(&self, record: &JobRecord<'_>, content: &Content) -> Result<OutputRow, Misfit> {
        let (keys, values) = self.answer.columns.split_at(self.answer.keys);
        // A key without a name stands for the one key column that nothing else tells.
        let untold =
            |column: &&ColumnInfo| self.columns.find(content, &column.name, false).is_none();
        let plain = keys.iter().filter(untold).count() == 1;
        let cell = |column: &ColumnInfo, plain| self.cell(content, column, plain);
        Ok(OutputRow {
            window: if self.answer.windowed { Some(self.window(content)?) } else { None },
            keys: keys.iter().map(|column| cell(column, plain)).collect::<Result<_, _>>()?,
            values: values.iter().map(|column| cell(column, false)).collect::<Result<_, _>>()?,
            written_ms: record.written.map(WrittenAt::ms),
            place: record.place,
        })
    }

    fn cell(&self, content: &Content, column: &ColumnInfo, plain: bool) -> Result<Value, Misfit> {
        let cell = self.columns.find(content, &column.name, plain);
        let cell = cell.ok_or_else(|| Misfit::NoColumn(content.missing_column(&column.name)))?;
        cell.value(column.kind).ok_or_else(|| Misfit::Cell {
            name: column.name.clone(),
            cell: cell.words(),
            kind: column.kind.words(),
        })
    }

    /// The window of a row: by its columns, else by what is behind its key. Where all windows are
    /// equally long, one end gives the other.
    fn window(&self, content: &Content) -> Result<Bounds, Misfit> {
        let instant = |name: &str| {
            let Some(cell) = self.columns.find(content, name, false) else { return Ok(None) };
            let ms = cell.instant_ms(self.answer.zone_offset_ms);
            ms.map(Some).ok_or_else(|| Misfit::Cell {
                name: name.to_owned(),
                cell: cell.words(),
                kind: "instants",
            })
        };
        let of_key = content.window;
        let start = instant("window_start")?.or(of_key.map(|window| window.start_ms));
        let end = instant("window_end")?.or(of_key.and_then(|window| window.end_ms));
        let size_ms = match self.window {
            Window::Tumble { size_ms } | Window::Hop { size_ms, .. } => Some(size_ms),
            _ => None,
        };
        if let Some(window) = of_key {
            self.must_be_a_start(window.start_ms)?;
        }
        match (start, end, size_ms) {
            (Some(start_ms), Some(end_ms), _) => Ok(Bounds { start_ms, end_ms }),
            (Some(start_ms), None, Some(size_ms)) => {
                Ok(Bounds { start_ms, end_ms: start_ms.saturating_add(size_ms) })
            }
            (None, Some(end_ms), Some(size_ms)) => {
                Ok(Bounds { start_ms: end_ms.saturating_sub(size_ms), end_ms })
            }
            (Some(_), None, None) => Err(Misfit::NoColumn(content.missing_column("window_end"))),
            (None, _, _) => Err(Misfit::NoColumn(content.missing_column("window_start"))),
        }
    }

    /// Bytes that are no window look like one that begins at any time.
    fn must_be_a_start(&self, start_ms: i64) -> Result<(), Misfit> {
        let step_ms = match self.window {
            Window::Tumble { size_ms } => size_ms,
            Window::Hop { slide_ms, .. } => slide_ms,
            _ => 1,
        };
        if start_ms.rem_euclid(step_ms) == 0 {
            Ok(())
        } else {
            Err(Misfit::Window { start_ms, window: self.window })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job_output::{Cell, KeyWindow};
    use fleetstorm_answers::compare::Place;
    use fleetstorm_answers::query::Kind;

    fn answer(zone_offset_ms: i64) -> Answer {
        let column = |name: &str, kind| ColumnInfo { name: name.into(), kind, approximate: false };
        Answer {
            columns: vec![column("zone", Kind::Text), column("readings", Kind::Long)],
            keys: 1,
            windowed: true,
            zone_offset_ms,
            rows: Vec::new(),
            records: 0,
            notes: Vec::new(),
        }
    }

    fn content(value: &[(&str, Cell)], window: Option<KeyWindow>) -> Content {
        let value = value.iter().map(|(name, cell)| ((*name).to_owned(), cell.clone())).collect();
        let plain_key = Some(Cell::Text("a".into()));
        Content { value, key: Vec::new(), plain_key, window }
    }

    fn read(answer: &Answer, window: &str, content: &Content) -> Result<OutputRow, Misfit> {
        let columns = Columns::default();
        let window = window.parse().expect("a window");
        let reader = RowReader::new(answer, window, &columns).expect("no columns are named");
        let place = Place::Line { line: 1 };
        let record = JobRecord { place, written: None, key: None, content: Ok(None) };
        reader.row(&record, content)
    }

    #[test]
    fn a_row_is_made_of_value_and_windowed_key() {
        let window = Some(KeyWindow { start_ms: 20_000, end_ms: None });
        let row = read(&answer(0), "tumble:10s", &content(&[("READINGS", Cell::Long(3))], window));
        let row = row.unwrap();
        assert_eq!(row.window, Some(Bounds { start_ms: 20_000, end_ms: 30_000 }));
        assert_eq!((&row.keys[0], &row.values[0]), (&Value::Text("a".into()), &Value::Long(3)));
        // Text behind a key isn't a start of a window.
        let odd = Some(KeyWindow { start_ms: 20_001, end_ms: None });
        let odd = content(&[("readings", Cell::Long(3))], odd);
        assert!(matches!(read(&answer(0), "tumble:10s", &odd), Err(Misfit::Window { .. })));
        assert!(
            read(&answer(0), "session:10s", &odd).unwrap_err().to_string().contains("window_end")
        );
    }

    #[test]
    fn windows_of_a_time_zone_become_utc() {
        let cells =
            [("window_start", Cell::TimeMs(7_200_000)), ("readings", Cell::Text("3".into()))];
        let row = read(&answer(7_200_000), "tumble:10s", &content(&cells, None)).unwrap();
        assert_eq!(row.window, Some(Bounds { start_ms: 0, end_ms: 10_000 }));
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let cells = |cell| [("window_end", Cell::TimeMs(10_000)), ("readings", cell)];
        let error = |cell| {
            read(&answer(0), "tumble:10s", &content(&cells(cell), None)).unwrap_err().to_string()
        };
        assert_eq!(
            error(Cell::Text("x".into())),
            "column `readings` holds `x`, and is to hold whole numbers"
        );
        let error = read(&answer(0), "tumble:10s", &content(&cells(Cell::Null)[..1], None));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("no column `readings`: it has window_end"), "{error}");
        let columns: Columns = "zones=Z".parse().unwrap();
        let error = RowReader::new(&answer(0), Window::None, &columns).unwrap_err().to_string();
        assert!(error.contains("--columns names `zones`"), "{error}");
    }
}
