//! The cost of a record before it reaches a sink: one reading simulated, its slots filled and
//! encoded. `benches/speed` measures the same in the whole program.

use std::hint::black_box;

use clap::Parser;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fleetstorm::cli::{Cli, Command};
use fleetstorm::fleet::Share;
use fleetstorm::generator::Generator;
use fleetstorm::run::plan::Plan;

fn records(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("records");
    for topics in ["telemetry", "telemetry,usage,status,jobs,machines"] {
        let options = ["fleetstorm", "run", "--sink", "null", "--rate", "max", "--seed", "1"];
        let cli = Cli::parse_from(options.into_iter().chain(["--topics", topics]));
        let Command::Run(options) = cli.command else { unreachable!("`run` was asked for") };
        let manifest = Plan::new(&options, 1_767_225_600_000).expect("a valid plan").manifest;
        let encoder = manifest.encoder();
        let mut generator = Generator::new(&manifest, Share::WHOLE);
        let slots = generator.slots();
        let mut buffer = Vec::with_capacity(512);
        let mut round = 0;

        group.throughput(Throughput::Elements((generator.machines() * slots.len()) as u64));
        group.bench_function(topics, |bencher| {
            bencher.iter(|| {
                for at in 0..generator.machines() {
                    let reading = generator.read(round, at);
                    for (slot, &kind) in slots.kinds().iter().enumerate() {
                        let time = generator.time(&reading, slot);
                        generator.fill(&reading, kind, time.timestamp_ms, |keyed| {
                            if let Some(keyed) = keyed {
                                encoder.encode(keyed.record, &mut buffer);
                                black_box((&buffer, keyed.partition));
                            }
                        });
                    }
                }
                round += 1;
            });
        });
    }
    group.finish();
}

criterion_group!(benches, records);
criterion_main!(benches);
