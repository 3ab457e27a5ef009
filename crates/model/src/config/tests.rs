mod errors;
mod properties;

use std::collections::BTreeSet;
use std::io::Write;

use serde_json::{Value, json};

use super::bounds::RULES;
use super::*;

fn file(text: &str) -> Layer {
    Layer::from_yaml(Origin::File("fleet.yaml".into()), text).unwrap()
}

fn set(text: &str) -> Layer {
    Layer::from_set(text).unwrap()
}

fn resolved(layers: Vec<Layer>) -> Resolved {
    resolve(layers).unwrap()
}

fn error(layers: Vec<Layer>) -> String {
    resolve(layers).unwrap_err().to_string()
}

fn leaf_paths(tree: &Value, prefix: &str, found: &mut BTreeSet<String>) {
    for (name, value) in tree.as_object().unwrap() {
        let key = format!("{prefix}{name}");
        if value.is_object() && !RULES.iter().any(|(path, _)| *path == key) {
            leaf_paths(value, &format!("{key}."), found);
        } else {
            found.insert(key);
        }
    }
}

#[test]
fn every_field_has_its_rule_and_every_rule_its_field() {
    let mut fields = BTreeSet::new();
    leaf_paths(&serde_json::to_value(Config::default()).unwrap(), "", &mut fields);
    let rules: BTreeSet<String> = RULES.iter().map(|(path, _)| (*path).to_owned()).collect();
    assert_eq!(fields, rules);
    assert_eq!(rules.len(), RULES.len(), "a key has two rules");
}

#[test]
fn defaults_are_the_documented_ones_and_within_their_bounds() {
    let expected = json!({
        "n_machines": 100, "n_readings": null, "n_jobs": null, "seed": null,
        "machine_types": ["core", "edge", "worker"], "cores_range": [4, 64],
        "zones": ["zone-a", "zone-b", "zone-c"],
        "regions": ["us-east-1", "us-west-2", "eu-west-1"],
        "base_cpu_load": 0.3, "base_memory_load": 0.5, "base_network_load": 0.3,
        "load_variance": 0.2,
        "anomalies": {"enable": false,
            "cpu_spike_probability": 0.02, "cpu_spike_magnitude": 40.0,
            "cpu_spike_duration": [5, 30],
            "memory_leak_probability": 0.01, "memory_leak_rate": 0.5,
            "memory_leak_duration": [5, 30],
            "network_saturation_probability": 0.01, "network_saturation_slowdown": 5.0,
            "network_saturation_duration": [5, 30],
            "disk_full_probability": 0.0, "disk_full_level": 99.0, "disk_full_duration": [5, 30],
            "multi_resource_probability": 0.0, "multi_resource_magnitude": 30.0,
            "multi_resource_duration": [5, 30],
            "sensor_drift_probability": 0.0, "sensor_drift_magnitude": 20.0,
            "sensor_drift_duration": [5, 30]},
        "temporal_patterns": {"enable_diurnal": false, "enable_weekly": false, "peak_hour": 14,
            "night_load_factor": 0.3, "weekend_load_factor": 0.5, "time_zones": {}},
        "enable_failures": false, "failure_probability": 0.001,
        "cascade_failure_probability": 0.3,
        "failures": {"repair_readings": 20.0, "cascade_delay": [1, 3],
            "report_while_down": false},
        "maintenance": {"enable": false, "hours": [2, 5], "minutes": [15, 45], "share": 1.0},
        "degradation": {"enable": false, "rate": 0.008, "threshold": 0.9, "recovery": 0.2},
        "growth": {"per_month": 0.0},
        "zone_patterns": {"load_spread": 0.0, "trouble_every": null, "trouble_readings": 120,
            "trouble_slowdown": 3.0},
        "jobs": {"arrival_probability": 0.01},
    });
    assert_eq!(serde_json::to_value(Config::default()).unwrap(), expected);
    Config::default().validate(Origin::File("report.json".into())).unwrap();
    assert_eq!(resolved(vec![]).config, Config::default());
}

#[test]
fn a_dump_of_the_python_configuration_loads_unchanged() {
    let dump = r#"{"n_machines":10,"n_readings":1000,"output":"dict","seed":null,
        "machine_types":["core","edge","worker"],"cores_range":[4,64],
        "zones":["zone-a","zone-b","zone-c"],"regions":["us-east-1","us-west-2","eu-west-1"],
        "base_cpu_load":0.3,"base_memory_load":0.5,"load_variance":0.2,
        "anomalies":{"enable":false,"cpu_spike_probability":0.02,"memory_leak_probability":0.01,
            "network_saturation_probability":0.01},
        "temporal_patterns":{"enable_diurnal":false,"enable_weekly":false,"peak_hour":14,
            "night_load_factor":0.3,"weekend_load_factor":0.5},
        "enable_failures":false,"failure_probability":0.001,"cascade_failure_probability":0.3}"#;
    let mut on_disk = tempfile::NamedTempFile::new().unwrap();
    on_disk.write_all(dump.as_bytes()).unwrap();
    let Resolved { config, notes } = resolved(vec![Layer::from_file(on_disk.path()).unwrap()]);
    let expected = Config { n_machines: 10, n_readings: Some(1000), ..Config::default() };
    assert_eq!(config, expected);
    assert_eq!(notes.len(), 1, "{notes:?}");
    assert!(notes[0].starts_with("`output` (from "), "{notes:?}");
}

#[test]
fn output_is_ignored_at_the_top_level_only() {
    let error = error(vec![file("anomalies: {output: dict}")]);
    assert!(error.contains("unknown key `anomalies.output`"), "{error}");
}

#[test]
fn each_origin_wins_over_the_ones_below_key_by_key_in_any_order() {
    let scenario = Layer {
        origin: Origin::Scenario("test".into()),
        value: json!({"n_machines": 1, "seed": 1, "base_cpu_load": 0.1, "zones": ["s", "t"],
            "anomalies": {"cpu_spike_probability": 0.1, "memory_leak_probability": 0.1}}),
    };
    let layers = vec![
        Layer::from_flag("--machines", "n_machines", 4),
        set("n_machines=3"),
        set("seed=3"),
        file(
            "{n_machines: 2, seed: 2, base_cpu_load: 0.2, zones: [f],
            anomalies: {enable: true, memory_leak_probability: 0.2}}",
        ),
        scenario,
    ];
    let config = resolved(layers).config;
    assert_eq!(config.n_machines, 4);
    assert_eq!(config.seed, Some(3));
    assert_eq!(config.base_cpu_load, 0.2);
    assert_eq!(config.zones, ["f"], "lists are replaced whole");
    assert!(config.anomalies.enable);
    assert_eq!(config.anomalies.cpu_spike_probability, 0.1);
    assert_eq!(config.anomalies.memory_leak_probability, 0.2);
    assert_eq!(config.anomalies.network_saturation_probability, 0.01);

    assert_eq!(resolved(vec![set("seed=1"), set("seed=2")]).config.seed, Some(2), "the later wins");
    assert_eq!(resolved(vec![file("seed: 1"), set("seed=null")]).config.seed, None, "null unsets");
}

#[test]
fn the_bounds_themselves_are_allowed() {
    for text in [
        "n_machines=1",
        "n_machines=10_000_000",
        "n_readings=1",
        "n_jobs=0",
        "seed=0",
        "seed=18446744073709551615",
        "base_cpu_load=0",
        "base_cpu_load=1",
        "temporal_patterns.peak_hour=0",
        "temporal_patterns.peak_hour=23",
        "jobs.arrival_probability=0.2",
        "cores_range=[1, 4096]",
        "cores_range=[8, 8]",
        "zones=[a,b]",
        "zones=[no, 'yes']",
        "anomalies={enable: true}",
    ] {
        resolved(vec![set(text)]);
    }
    assert_eq!(resolved(vec![set("seed=18446744073709551615")]).config.seed, Some(u64::MAX));
    assert_eq!(resolved(vec![set("zones=[no]")]).config.zones, ["no"]);
}

#[test]
fn an_empty_file_sets_nothing() {
    for text in ["", "\n", "# nothing yet\n", "---\n", "{}"] {
        assert_eq!(resolved(vec![file(text)]).config, Config::default(), "{text:?}");
    }
}

#[test]
fn what_has_no_effect_is_noted() {
    let notes = |layers| resolved(layers).notes;
    let cases = [
        ("anomalies.cpu_spike_probability=0.02", "anomalies.enable"),
        ("failure_probability=0.1", "enable_failures"),
        ("cascade_failure_probability=0.1", "enable_failures"),
        ("temporal_patterns.peak_hour=3", "temporal_patterns.enable_diurnal"),
        ("temporal_patterns.weekend_load_factor=0.1", "temporal_patterns.enable_weekly"),
    ];
    for (text, switch) in cases {
        let key = text.split('=').next().unwrap();
        assert_eq!(
            notes(vec![set(text)]),
            [format!("`{key}` (from --set {text}) has no effect while `{switch}` is false")]
        );
        assert!(notes(vec![set(text), set(&format!("{switch}=true"))]).is_empty());
    }
    let unset = notes(vec![set("zone_patterns.trouble_readings=9")]);
    assert!(
        unset[0].ends_with("no effect while `zone_patterns.trouble_every` is null"),
        "{unset:?}"
    );
    assert!(
        notes(vec![file("zone_patterns: {trouble_every: 90, trouble_readings: 9}")]).is_empty()
    );
    assert_eq!(
        notes(vec![
            file("anomalies: {enable: true, memory_leak_probability: 0.5}"),
            set("anomalies.enable=false")
        ])
        .len(),
        1
    );
    assert_eq!(
        notes(vec![file("anomalies: {enable: false, memory_leak_probability: 0.5}")]).len(),
        1
    );
    let scenario = Layer {
        origin: Origin::Scenario("test".into()),
        value: json!({"anomalies": {"enable": true, "cpu_spike_probability": 0.5}}),
    };
    assert!(notes(vec![scenario, set("anomalies.enable=false")]).is_empty());
}

#[test]
fn a_file_that_sets_a_scenario_back_is_noted() {
    let scenario = || Layer {
        origin: Origin::Scenario("test".into()),
        value: json!({"anomalies": {"enable": true, "cpu_spike_probability": 0.5}}),
    };
    let dump = serde_json::to_string(&Config::default()).unwrap();
    let notes = resolved(vec![scenario(), file(&dump)]).notes;
    let [note] = &notes[..] else { panic!("{notes:?}") };
    let keys = "keys of scenario test back to their defaults: \
        anomalies.cpu_spike_probability, anomalies.enable;";
    assert!(note.contains(keys), "{note}");
    // What is set on purpose, or set again, is not.
    assert!(resolved(vec![scenario(), file("anomalies: {enable: true}")]).notes.is_empty());
    let again = set("anomalies.enable=true");
    let notes = resolved(vec![scenario(), file("anomalies: {enable: false}"), again]).notes;
    assert!(notes.is_empty(), "{notes:?}");
}

#[test]
fn maintenance_has_hours_of_its_own_and_says_what_it_cuts() {
    for (text, hours) in
        [("[2, 5]", 3), ("[22, 4]", 6), ("[23, 0]", 1), ("[0, 24]", 24), ("[24, 3]", 3)]
    {
        let found = resolved(vec![
            set(&format!("maintenance.hours={text}")),
            set("maintenance.enable=true"),
        ]);
        assert_eq!(found.config.maintenance.window_hours(), hours, "{text}");
    }
    for none in ["[2, 2]", "[0, 0]", "[24, 0]", "[24, 24]"] {
        let error = error(vec![set(&format!("maintenance.hours={none}"))]);
        assert!(error.contains("no time lies between them"), "{error}");
    }
    for wrong in ["[2]", "[2, 25]", "[-1, 3]", "2", "[a, b]"] {
        let error = error(vec![set(&format!("maintenance.hours={wrong}"))]);
        assert!(error.contains("[22, 4] across midnight"), "{error}");
    }
    // Three zones share three hours: an hour each.
    let notes = |minutes: &str| {
        let layers = ["maintenance.enable=true", minutes].map(set);
        resolved(layers.into()).notes
    };
    assert!(notes("maintenance.minutes=[15, 60]").is_empty());
    let cut = notes("maintenance.minutes=[15, 61]");
    assert!(
        cut.len() == 1 && cut[0].contains("up to 61") && cut[0].contains("60 minutes"),
        "{cut:?}"
    );
}

#[test]
fn dumps_of_the_python_package_load_alike_as_yaml_and_as_json() {
    let layer = |text: &str| {
        Layer::from_yaml(Origin::File("dump".into()), text).expect("a dump is valid YAML")
    };
    // yaml.dump and model_dump_json of one configuration.
    let yaml = "cores_range: !!python/tuple\n- 8\n- 64\nzones:\n- a\n- b\noutput: dict\n\
                anomalies:\n  cpu_spike_duration: !!python/tuple [3, 4]\n  enable: true\n";
    let json = r#"{"cores_range": [8, 64], "zones": ["a", "b"], "output": "dict",
        "anomalies": {"cpu_spike_duration": [3, 4], "enable": true}}"#;
    let config = resolved(vec![layer(yaml)]).config;
    assert_eq!(config, resolved(vec![layer(json)]).config);
    assert_eq!((config.cores_range, config.anomalies.cpu_spike_duration), ((8, 64), (3, 4)));
}

#[test]
fn what_can_never_show_is_refused() {
    // Disks hold up to 90 % by themselves.
    let refused = resolve(vec![set("anomalies.disk_full_level=91")]).unwrap_err().to_string();
    assert!(refused.contains("from 92 to 100") && refused.contains("90 % full"), "{refused}");
    let above = resolve(vec![set("anomalies.cpu_spike_probability=1.1")]).unwrap_err();
    assert!(above.to_string().contains("a number from 0 to 1"), "{above}");
}

#[test]
fn scenarios_are_valid_and_found_by_name() {
    for known in scenarios::all() {
        resolved(vec![known.layer()]);
        assert_eq!(scenarios::find(known.name).unwrap(), known);
    }
    assert_eq!(scenarios::find("normal").unwrap().name, "baseline", "superstore's name of it");
    let misspelt = scenarios::find("basline").unwrap_err().to_string();
    assert_eq!(misspelt, "there is no scenario `basline`; did you mean `baseline`?");
    let unknown = scenarios::find("xyzzy").unwrap_err().to_string();
    assert!(
        unknown.starts_with("there is no scenario `xyzzy`; ") && unknown.contains("baseline"),
        "{unknown}"
    );
}

#[test]
fn a_manifest_out_of_bounds_is_refused() {
    let mut manifest = serde_json::to_value(Config::default()).unwrap();
    manifest["n_machines"] = json!(0);
    let config: Config = serde_json::from_value(manifest.clone()).unwrap();
    let error = config.validate(Origin::File("report.json".into())).unwrap_err().to_string();
    assert!(error.contains("`n_machines` = 0 (from report.json)"), "{error}");
    manifest["surprise"] = json!(1);
    assert!(serde_json::from_value::<Config>(manifest).is_err());
}
