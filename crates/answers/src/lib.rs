//! fleetstorm-answers: the right answers of streaming queries over a run's records.
//!
//! A run is a pure function of its manifest, and so is the right answer of a query over it. What is
//! asked is a [`query`], a value; the [`suite`] has nine of them with names. What a query means is
//! fixed by the [`semantics`] of an engine: when a window closes, what is late. [`mod@evaluate`] makes the
//! run's records again and counts them in one pass; the [`answer`] says of each row whether it is
//! exact, bracketed or pending. [`mod@compare`] holds a job's rows against it. [`mod@score`] holds a
//! detector's alarms against the run's anomalies.
//!
//! ```
//! use fleetstorm_answers::evaluate::{Input, evaluate};
//! use fleetstorm_answers::engine::Engine;
//! use fleetstorm_answers::semantics::{Options, Semantics};
//! use fleetstorm_answers::suite;
//! use fleetstorm_model::Run;
//!
//! let run = Run::builder().machines(10).readings(60).seed(7).build()?;
//! let question = suite::find("zone-load")?.question()?;
//! let semantics = Semantics::new(Engine::FlinkSql, &Options::default(), &question)?;
//! let answer = evaluate(&Input::of(&run.manifest), &question, &semantics)?;
//! assert!(answer.counts().exact > 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

#![deny(missing_docs)]
#![forbid(unsafe_code)]

pub mod answer;
pub mod compare;
pub mod engine;
pub mod error;
pub mod evaluate;
pub mod query;
pub mod score;
pub mod semantics;
pub mod suite;

pub use answer::Answer;
pub use error::{AnswerError, QueryError};
pub use evaluate::evaluate;
pub use query::Question;
pub use semantics::Semantics;
