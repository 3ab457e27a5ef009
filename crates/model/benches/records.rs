//! The cost of a record before it reaches a sink: one reading simulated, its slots filled and
//! encoded. `benches/speed` measures the same in the whole program.

use std::hint::black_box;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use fleetstorm_model::run::Run;
use fleetstorm_model::schedule::{Pace, Time};

fn records(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("records");
    for topics in ["telemetry", "telemetry,usage,status,jobs,machines"] {
        let builder = Run::builder().seed(1).time(Time::Simulated).pace(Pace::Max);
        let selected = topics.split(',').map(|name| name.parse().expect("a topic"));
        let run = builder.topics(selected).build_at(1_767_225_600_000).expect("a run");
        let encoder = run.encoder();
        let mut stream = run.stream_of(0, 1);
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
