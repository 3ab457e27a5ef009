//! What holds for any input.

use proptest::prelude::*;
use serde_json::Value;

use super::super::*;
use super::{file, resolved, set};

fn names_strategy() -> impl Strategy<Value = Vec<String>> {
    prop::collection::btree_set("\\PC{1,12}", 1..6).prop_map(|names| names.into_iter().collect())
}

fn configs() -> impl Strategy<Value = Config> {
    let fraction = 0.0..=1.0f64;
    let fleet = (
        1u32..=10_000_000,
        prop::option::of(1u64..=100_000_000_000),
        prop::option::of(any::<u64>()),
        names_strategy(),
        names_strategy(),
        (1u32..=64, 64u32..=4096),
    );
    let rest = (
        prop::array::uniform9(fraction),
        prop::array::uniform4(any::<bool>()),
        0u8..=23,
        0.0..=0.2f64,
    );
    (fleet, rest).prop_map(|(fleet, (fractions, switches, peak_hour, arrival))| Config {
        n_machines: fleet.0,
        n_readings: fleet.1,
        n_jobs: fleet.1,
        seed: fleet.2,
        machine_types: fleet.3.clone(),
        zones: fleet.4,
        regions: fleet.3,
        cores_range: fleet.5,
        base_cpu_load: fractions[0],
        base_memory_load: fractions[1],
        load_variance: fractions[2],
        anomalies: Anomalies {
            enable: switches[0],
            cpu_spike_probability: fractions[3],
            memory_leak_probability: fractions[4],
            network_saturation_probability: fractions[5],
            ..Anomalies::default()
        },
        temporal_patterns: TemporalPatterns {
            enable_diurnal: switches[1],
            enable_weekly: switches[2],
            peak_hour,
            night_load_factor: fractions[6],
            weekend_load_factor: fractions[7],
            time_zones: [("mars-1".to_owned(), "Europe/Paris".to_owned())].into(),
        },
        enable_failures: switches[3],
        failure_probability: fractions[8],
        cascade_failure_probability: fractions[0],
        jobs: Jobs { arrival_probability: arrival },
        ..Config::default()
    })
}

/// One key and two valid values that differ from its default and from each other.
const PAIRS: &[(&str, &str, &str)] = &[
    ("n_machines", "7", "8"),
    ("seed", "7", "8"),
    ("zones", "[x, y]", "[z]"),
    ("cores_range", "[1, 2]", "[3, 4]"),
    ("base_cpu_load", "0.71", "0.72"),
    ("anomalies.enable", "true", "true"),
    ("anomalies.memory_leak_probability", "0.71", "0.72"),
    ("temporal_patterns.peak_hour", "7", "8"),
    ("jobs.arrival_probability", "0.11", "0.12"),
];

fn lookup(config: &Config, key: &str) -> Value {
    let tree = serde_json::to_value(config).unwrap();
    let found = key.split('.').try_fold(&tree, |tree, name| tree.get(name));
    found.unwrap().clone()
}

proptest! {
    #[test]
    fn any_configuration_survives_yaml_and_json(config in configs()) {
        let yaml = config.to_yaml().unwrap();
        prop_assert_eq!(&resolved(vec![file(&yaml)]).config, &config, "{}", yaml);
        let text = serde_json::to_string(&config).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Config>(&text).unwrap(), &config);
        prop_assert_eq!(&resolved(vec![file(&text)]).config, &config);
    }

    /// For any subset of origins that set a key, in any order, the highest of them wins and the
    /// other keys keep their defaults.
    #[test]
    fn the_highest_origin_wins(
        pair in prop::sample::select(PAIRS),
        set_by in prop::collection::vec(any::<bool>(), 4),
        order in Just([0usize, 1, 2, 3]).prop_shuffle(),
        winner_first in any::<bool>(),
    ) {
        let (key, first, second) = pair;
        let (win, lose) = if winner_first { (first, second) } else { (second, first) };
        let highest = set_by.iter().rposition(|is_set| *is_set);
        let layer = |at: usize| {
            let value = set(&format!("{key}={}", if Some(at) == highest { win } else { lose })).value;
            let origin = match at {
                0 => Origin::Scenario("s".into()),
                1 => Origin::File("f".into()),
                2 => Origin::Set("k=v".into()),
                _ => Origin::Flag("--flag".into()),
            };
            Layer { origin, value }
        };
        let layers = order.into_iter().filter(|at| set_by[*at]).map(layer).collect();
        let config = resolved(layers).config;
        for (other, ..) in PAIRS {
            let expected = match highest {
                Some(_) if *other == key => lookup(&resolved(vec![set(&format!("{key}={win}"))]).config, key),
                _ => lookup(&Config::default(), other),
            };
            prop_assert_eq!(lookup(&config, other), expected, "{}", other);
        }
    }

    #[test]
    fn no_bytes_make_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let text = String::from_utf8_lossy(&bytes);
        if let Ok(layer) = Layer::from_yaml(Origin::File("f".into()), &text) {
            let _ = resolve(vec![layer]).map_err(|error| error.to_string());
        }
        let _ = Layer::from_set(&text).map_err(|error| error.to_string());
    }

    #[test]
    fn no_yaml_makes_the_reader_panic(
        lines in prop::collection::vec(
            prop::sample::select(vec![
                "n_machines: ", "seed: ", "zones: ", "anomalies:", "  enable: ", "temporal_patterns: {",
                "peak_hour: ", "}", "[", "]", ",", "- ", "&a ", "*a", "<<: *a", "null", "true", "1e9", ".nan",
                "-1", "'", "\"", "|", ">", "!!", "!x ", "? ", ": ", "\n", "\n  ", "\t", "#", "---\n", "%", "cores_range: [1, 2]\n",
            ]),
            0..40,
        ),
    ) {
        let text = lines.concat();
        if let Ok(layer) = Layer::from_yaml(Origin::File("f".into()), &text) {
            let _ = resolve(vec![layer]).map_err(|error| error.to_string());
        }
        if let Ok(layer) = Layer::from_set(&format!("zones={text}")) {
            let _ = resolve(vec![layer]).map_err(|error| error.to_string());
        }
    }
}
