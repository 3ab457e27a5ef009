//! How many records a second the answers take, on one core.
//!
//! `cargo run --release -p fleetstorm-answers --example speed`

use std::error::Error;
use std::time::Instant;

use fleetstorm_answers::engine::Engine;
use fleetstorm_answers::evaluate::{Input, evaluate};
use fleetstorm_answers::semantics::{Options, Semantics};
use fleetstorm_answers::suite;
use fleetstorm_model::Run;
use fleetstorm_model::fleet::Share;
use fleetstorm_model::record::Topic;
use fleetstorm_model::stream::{Step, Stream};

fn main() -> Result<(), Box<dyn Error>> {
    for topics in [&[Topic::Telemetry][..], &Topic::ALL[..5]] {
        let run = Run::builder()
            .machines(1000)
            .readings(3000)
            .seed(7)
            .topics(topics.iter().copied())
            .start("2026-01-01T00:00:00Z".parse()?)
            .build()?;
        println!("topics: {topics:?}");
        let start = Instant::now();
        let mut stream = Stream::new(&run.manifest, Share::WHOLE);
        let mut records = 0_u64;
        while let Some(step) = stream.next() {
            if let Step::Slot(slot) = step {
                records += stream.fill(&slot, |keyed| u64::from(keyed.is_some()));
            }
        }
        let seconds = start.elapsed().as_secs_f64();
        println!("{:<19} {:.2} M records/s", "(records alone)", records as f64 / seconds / 1e6);
        for query in suite::all() {
            let question = query.question()?;
            let semantics = Semantics::new(Engine::FlinkSql, &Options::default(), &question)?;
            let start = Instant::now();
            let Ok(answer) = evaluate(&Input::of(&run.manifest), &question, &semantics) else {
                continue;
            };
            let seconds = start.elapsed().as_secs_f64();
            let rate = answer.records as f64 / seconds / 1e6;
            println!("{:<19} {rate:.2} M records/s, {} rows", query.name, answer.rows.len());
        }
    }
    Ok(())
}
