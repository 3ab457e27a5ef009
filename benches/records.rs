//! The cost of a record before it reaches a sink: one reading simulated, its slots filled and
//! encoded. `benches/speed` measures the same in the whole program.

use std::hint::black_box;

use clap::Parser;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fleetstorm::cli::{Cli, Command};
use fleetstorm::run::plan::Plan;
use fleetstorm_model::fleet::Share;
use fleetstorm_model::stream::Stream;

fn records(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("records");
    for topics in ["telemetry", "telemetry,usage,status,jobs,machines"] {
        let options = ["fleetstorm", "run", "--sink", "null", "--rate", "max", "--seed", "1"];
        let cli = Cli::parse_from(options.into_iter().chain(["--topics", topics]));
        let Command::Run(options) = cli.command else { unreachable!("`run` was asked for") };
        let manifest = Plan::new(&options, 1_767_225_600_000).expect("a valid plan").manifest;
        let encoder = manifest.encoder();
        let mut stream = Stream::new(&manifest, Share::WHOLE);
        let slots = stream.machines() * stream.slots().len();
        let mut buffer = Vec::with_capacity(512);

        group.throughput(Throughput::Elements(slots as u64));
        group.bench_function(topics, |bencher| {
            bencher.iter(|| {
                for _ in 0..slots {
                    let Some(step) = stream.next() else { break };
                    stream.record(&step, |keyed| {
                        if let Some(keyed) = keyed {
                            encoder.encode(keyed.record, &mut buffer);
                            black_box((&buffer, keyed.partition));
                        }
                    });
                }
            });
        });
    }
    group.finish();
}

criterion_group!(benches, records);
criterion_main!(benches);
