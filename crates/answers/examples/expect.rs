//! The answer of a query of the suite over the run of a report, as JSON lines.
//!
//! `cargo run -p fleetstorm-answers --example expect -- run.json zone-load flink-sql`

use std::error::Error;
use std::{env, fs, io};

use fleetstorm_answers::answer::Format;
use fleetstorm_answers::evaluate::{Input, evaluate};
use fleetstorm_answers::semantics::{Options, Semantics};
use fleetstorm_answers::suite;
use fleetstorm_model::Manifest;
use serde::Deserialize;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [report, query, engine] = arguments.as_slice() else {
        return Err("give a report, a query and an engine".into());
    };
    let report: serde_json::Value = serde_json::from_slice(&fs::read(report)?)?;
    let manifest = Manifest::deserialize(&report["manifest"])?;
    manifest.check()?;
    let question = suite::find(query)?.question()?;
    let semantics = Semantics::new(engine.parse()?, &Options::default(), &question)?;
    let answer = evaluate(&Input::of(&manifest), &question, &semantics)?;
    answer.write(Format::Json, &mut io::stdout().lock())?;
    for line in answer.summary() {
        eprintln!("{line}");
    }
    Ok(())
}
