//! Runs divided among threads and processes: what each part makes, and whether all of it together is
//! the same. The tests of the model make the parts by its stream, those of the program by its workers.

use std::collections::BTreeMap;

use fleetstorm_model::config::scenarios;
use fleetstorm_model::fleet::Share;
use fleetstorm_model::manifest::{Manifest, STREAM_VERSION};
use fleetstorm_model::record::Topic;
use fleetstorm_model::stream::{Step, Stream};

/// Options that every manifest here begins with.
pub const FIXED: &str = "--seed 42 --start 2026-01-01";
/// The clock when a run is built: the start that [`FIXED`] names.
pub const NOW_MS: i64 = 1_767_225_600_000;

/// Ways to run, each by its options; together they touch every pace, time and kind of slot.
pub const MODES: [&str; 16] = [
    "--readings 30",
    "--rate 1234.5 --readings 30",
    "--rate max --readings 30",
    "--speed 60x --readings 30",
    "--time simulated --rate 777 --readings 30",
    "--topics telemetry --readings 30",
    "--topics usage,jobs --rate 500 --readings 60",
    "--topics status --rate max --readings 30",
    "--topics jobs,machines --rate max --readings 200",
    "--job-key job_id --set jobs.arrival_probability=0.2 --rate max --readings 60",
    "--jobs 500 --readings 60 --rate max",
    "--set base_cpu_load=0.8 --set load_variance=0.5 --readings 60 --rate max",
    "--records 10001 --rate max",
    "--duration 12300ms",
    "--machines-refresh 7s --readings 30 --rate max",
    "--format json --readings 10",
];

/// A record as a sink received it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Received {
    pub partition: i32,
    pub timestamp_ms: i64,
    pub intended_ns: Option<u64>,
    pub value: Vec<u8>,
}

/// A record with its topic and key.
pub type Sent = (Topic, String, Received);

/// The records of each key of each topic, in the order in which they came.
pub type Streams = BTreeMap<(Topic, String), Vec<Received>>;

/// What a run, or a part of one, made.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Made {
    pub streams: Streams,
    pub silent: u64,
}

impl Made {
    /// What one part has sent, in its order, and its count of silent slots.
    pub fn of((sent, silent): (Vec<Sent>, u64)) -> Made {
        let mut streams = Streams::new();
        for (topic, key, record) in sent {
            streams.entry((topic, key)).or_default().push(record);
        }
        Made { streams, silent }
    }

    /// Adds another part of the same run, which must not have a key in common with this one.
    pub fn join(&mut self, other: Made) {
        self.silent += other.silent;
        for (key, records) in other.streams {
            assert!(!self.streams.contains_key(&key), "two parts of the run sent {key:?}");
            self.streams.insert(key, records);
        }
    }

    pub fn records(&self) -> impl Iterator<Item = (&(Topic, String), &Received)> {
        self.streams.iter().flat_map(|(key, records)| records.iter().map(move |r| (key, r)))
    }

    /// Records that own a slot, so without announcements, and slots that carried none.
    pub fn slots(&self) -> u64 {
        let carried = self.records().filter(|((topic, _), _)| *topic != Topic::Machines).count();
        carried as u64 + self.silent
    }

    /// The records of one topic, by key.
    pub fn topic(&self, topic: Topic) -> BTreeMap<&str, &[Received]> {
        self.streams
            .iter()
            .filter(|((of, _), _)| *of == topic)
            .map(|((_, key), records)| (key.as_str(), records.as_slice()))
            .collect()
    }
}

/// Fails with the first difference, rather than with megabytes of records.
pub fn assert_same(a: &Made, b: &Made, context: &str) {
    let only = |a: &Made, b: &Made| a.streams.keys().find(|k| !b.streams.contains_key(k)).cloned();
    assert_eq!((only(a, b), only(b, a)), (None, None), "{context}: a key that the other has not");
    for (key, records) in &a.streams {
        let others = &b.streams[key];
        for (i, (one, other)) in records.iter().zip(others).enumerate() {
            assert_eq!(one, other, "{context}: record {i} of {key:?}");
        }
        assert_eq!(records.len(), others.len(), "{context}: records of {key:?}");
    }
    assert_eq!(a.silent, b.silent, "{context}: silent slots");
    assert!(a.slots() > 0, "{context}: nothing was made, so nothing was compared");
}

/// Every scenario, with the ground truth, long enough for incidents on its machines.
pub fn scenarios() -> impl Iterator<Item = String> {
    scenarios::all().iter().map(|scenario| {
        format!(
            "--scenario {} --topics telemetry,usage,status,jobs,machines,incidents --rate max \
             --interval 10m --readings 320 --machines 48",
            scenario.name
        )
    })
}

/// The share of a thread of the process that the manifest is for.
pub fn share(manifest: &Manifest, thread: (u32, u32)) -> Share {
    Share { shard: (manifest.shard.index(), manifest.shard.count()), thread }
}

/// All that a share's stream yields, in its order, and its count of silent slots.
pub fn streamed(manifest: &Manifest, thread: (u32, u32)) -> (Vec<Sent>, u64) {
    let mut stream = Stream::new(manifest, share(manifest, thread));
    let encoder = manifest.encoder();
    let (mut sent, mut silent, mut buffer) = (Vec::new(), 0, Vec::new());
    while let Some(step) = stream.next() {
        let intended_ns = match step {
            Step::Slot(slot) => slot.due_ns,
            Step::Announcement(_) | Step::Closing(_) => None,
        };
        stream.record(&step, |keyed| match keyed {
            None => silent += 1,
            Some(keyed) => {
                let received = Received {
                    partition: keyed.partition,
                    timestamp_ms: keyed.timestamp_ms,
                    intended_ns,
                    value: encoder.encode(keyed.record, &mut buffer).to_vec(),
                };
                sent.push((keyed.record.topic(), keyed.key.to_owned(), received));
            }
        });
    }
    (sent, silent)
}

/// The 64-bit hash of Fowler, Noll and Vo (FNV-1a), which never changes.
fn fnv(hash: u64, bytes: &[u8]) -> u64 {
    bytes.iter().fold(hash, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}

/// A hash over all announcements and the first 3,000 records after them: topic, partition, key,
/// timestamp and datum of each, without the framing, since a registry chooses schema ids.
fn golden(manifest: &Manifest, work: &impl Fn(&Manifest) -> Vec<Sent>) -> u64 {
    let received = work(manifest);
    let announced = manifest.config.n_machines as usize;
    assert!(received.len() >= announced + 3000, "{} records", received.len());
    let first = received.iter().take(announced + 3000);
    first.fold(0xcbf2_9ce4_8422_2325, |hash, (topic, key, record)| {
        let datum = &record.value[5..];
        let numbers = [
            topic.index() as i64,
            i64::from(record.partition),
            record.timestamp_ms,
            key.len() as i64,
            datum.len() as i64,
        ];
        let hash = numbers.iter().fold(hash, |hash, n| fnv(hash, &n.to_le_bytes()));
        fnv(fnv(hash, key.as_bytes()), datum)
    })
}

/// The first records of a run with these options, as hashes under stream version 4.
const GOLDEN: [(&str, u64); 19] = [
    ("--readings 20", 0x3fa05c8372288bd7),
    ("--machines 1000 --rate 5000 --readings 2", 0x4da3dc6f67861fcb),
    ("baseline", 0x9c817f1877901b11),
    ("maintenance_window", 0xa568b73900c3f90e),
    ("capacity_planning", 0xdb727fe79892c02c),
    ("anomaly_detection", 0xaa4fcb73c7276a96),
    ("multi_zone", 0x4aa1ab2dd98d7f8d),
    ("cpu_bound", 0x2367000f9bbe42dd),
    ("memory_bound", 0x836919b8e1b5f4fc),
    ("network_heavy", 0x4985430115773787),
    ("degradation_cycle", 0xc092ee6a17118154),
    ("production", 0x2fe26fba955b46d2),
    ("chaos", 0x3c39cf921f89466e),
    ("cpu_spikes", 0x73767fcc5818ea2b),
    ("memory_leak", 0x7ed938a1743e2b4d),
    ("network_congestion", 0xb1a5e854e3020c5a),
    ("disk_pressure", 0x2992cbe742cb13fe),
    ("cascade_failure", 0xe54a69637f15b916),
    ("sensor_drift", 0x349f376c3ef0618f),
];

/// Checks that what `work` makes of the runs of [`GOLDEN`] hashes to what is known.
pub fn assert_golden(manifest: impl Fn(&str) -> Manifest, work: impl Fn(&Manifest) -> Vec<Sent>) {
    let of_scenarios = scenarios().map(|options| options.replace("--machines 48", "--machines 10"));
    let options = ["--readings 20", "--machines 1000 --rate 5000 --readings 2"];
    let all = options.into_iter().map(str::to_owned).chain(of_scenarios);
    let now: Vec<(String, u64)> = all.map(|o| (o.clone(), golden(&manifest(&o), &work))).collect();
    let written = |(options, hash): &(String, u64)| {
        let name = options.split_whitespace().skip_while(|word| *word != "--scenario").nth(1);
        format!("    (\"{}\", {hash:#018x}),\n", name.unwrap_or(options))
    };
    let now: String = now.iter().map(written).collect();
    let known = GOLDEN.map(|(name, hash)| written(&(name.to_owned(), hash))).concat();
    assert!(
        STREAM_VERSION == 4 && now == known,
        "the first records of these runs hash, under stream version {STREAM_VERSION}, to\n{now}\n\
         known under version 4 are\n{known}\nA manifest's bytes must not change unseen: if the \
         change is meant, raise STREAM_VERSION in crates/model/src/manifest.rs and renew version and hashes \
         here; if not, undo it"
    );
}
