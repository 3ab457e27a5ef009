//! Why there is no answer. Texts are fragments that fit after "error: ".

use fleetstorm_model::config::nearest;
use fleetstorm_model::config::units::UnitError;
use fleetstorm_model::record::{Topic, topic::UnknownTopic};

use crate::engine::Engine;

/// What is wrong with a question.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum QueryError {
    /// There is no such topic.
    #[error(transparent)]
    Topic(#[from] UnknownTopic),
    /// A topic has no such column.
    #[error("topic `{topic}` has no column `{name}`{}; it has {}", did_you_mean(name, known), known.join(", "))]
    Column {
        /// The topic.
        topic: Topic,
        /// What was given.
        name: String,
        /// The columns that there are.
        known: Vec<&'static str>,
    },
    /// There is no such query.
    #[error("there is no query `{name}`{}; there are {}", did_you_mean(name, known), known.join(", "))]
    Query {
        /// What was given.
        name: String,
        /// The queries that there are.
        known: Vec<&'static str>,
    },
    /// There is no such aggregate.
    #[error(
        "there is no aggregate `{text}`: write count, count(COLUMN), sum(COLUMN), avg(COLUMN), min(COLUMN), max(COLUMN) or count_distinct(COLUMN)"
    )]
    Aggregate {
        /// What was given.
        text: String,
    },
    /// A column can't be summed.
    #[error("{function} needs a column of numbers, and `{column}` holds {kind}")]
    NotANumber {
        /// The aggregate.
        function: &'static str,
        /// The column.
        column: &'static str,
        /// What it holds.
        kind: &'static str,
    },
    /// A condition can't be read.
    #[error(
        "cannot read the condition `{text}`: write COLUMN=VALUE, or one of != < <= > >=, as in is_anomaly=true"
    )]
    Condition {
        /// What was given.
        text: String,
    },
    /// A condition's value is not one of its column.
    #[error("the condition `{text}` compares `{column}`, which holds {kind}, with `{value}`")]
    ConditionValue {
        /// What was given.
        text: String,
        /// The column.
        column: &'static str,
        /// What it holds.
        kind: &'static str,
        /// What it is compared with.
        value: String,
    },
    /// A window can't be read.
    #[error(
        "cannot read the window `{text}`: {reason}; write tumble:10s, hop:60s/10s, session:30s, cumulate:1h/10m or none"
    )]
    Window {
        /// What was given.
        text: String,
        /// What is wrong.
        reason: String,
    },
    /// A named query's window can be made longer or shorter, not another kind.
    #[error(
        "query `{name}` has {has}: give a window of the same kind, as {example}, or ask by --from"
    )]
    WindowKind {
        /// The query.
        name: &'static str,
        /// What it has.
        has: &'static str,
        /// Its own.
        example: String,
    },
    /// Nothing is selected.
    #[error(
        "nothing is asked: give aggregates by --select, as in --select 'count,avg(cpu_percent)'"
    )]
    NothingSelected,
    /// A column or an aggregate is there twice.
    #[error("`{0}` is there twice")]
    Twice(String),
}

/// Why a question has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum AnswerError {
    /// The question itself is wrong.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// An option of another engine.
    #[error("{engine} knows no {option}: {instead}")]
    Option {
        /// The engine.
        engine: Engine,
        /// The option.
        option: &'static str,
        /// What to do.
        instead: &'static str,
    },
    /// The engine has no such window.
    #[error("{engine} has no {window}: {instead}")]
    NoSuchWindow {
        /// The engine.
        engine: Engine,
        /// The window.
        window: &'static str,
        /// What to do.
        instead: String,
    },
    /// A zone offset can't be read.
    #[error(
        "cannot read the zone offset `{0}`: write hours and minutes from -18:00 to +18:00, as +02:00"
    )]
    ZoneOffset(String),
    /// The run doesn't write a topic that the question needs.
    #[error("the run does not write topic `{needed}`, which the query reads; it writes {}", written.iter().map(|t| t.name()).collect::<Vec<_>>().join(", "))]
    NoTopic {
        /// The topic.
        needed: Topic,
        /// Those that it writes.
        written: Vec<Topic>,
    },
    /// A window is longer than the run.
    #[error(
        "a window of {window} is larger than the run, which spans {run}: give a shorter one by --window, or make a longer run"
    )]
    WindowTooLarge {
        /// The window's size.
        window: String,
        /// The run's length.
        run: String,
    },
    /// The manifest gives no end.
    #[error(
        "the run has no end in its manifest, so it has no answer: end it by --records, --readings or --duration, or give the report of a run that was interrupted"
    )]
    Endless,
    /// The parts given are not of one run.
    #[error("no manifest was given")]
    NoInput,
}

impl From<UnitError> for QueryError {
    fn from(error: UnitError) -> QueryError {
        QueryError::Window { text: String::new(), reason: error.to_string() }
    }
}

fn did_you_mean(name: &str, known: &[&'static str]) -> String {
    match nearest(name, known.iter().copied()) {
        Some(nearest) => format!(" (did you mean `{nearest}`?)"),
        None => String::new(),
    }
}
