//! What each mistake says.

use std::io::Write;
use std::path::Path;

use serde_json::json;

use super::super::*;
use super::{error, file, set};

#[test]
fn an_unknown_key_names_itself_its_value_its_origin_and_the_nearest_key() {
    let cases = [
        (set("anomalies.enabel=true"), "anomalies.enable"),
        (set("enable_diurnal=true"), "temporal_patterns.enable_diurnal"),
        (set("peak_hour=3"), "temporal_patterns.peak_hour"),
        (set("zone=[a]"), "zones"),
        (set("machines=5"), "n_machines"),
        (set("n_machine=5"), "n_machines"),
        (set("jobs.n_jobs=5"), "n_jobs"),
        (set("cores=5"), "cores_range"),
        (set("cpu_spike_prob=0.1"), "anomalies.cpu_spike_probability"),
        (set("failure_prob=0.1"), "failure_probability"),
        (set("temporal={enable_diurnal: true}"), "temporal_patterns"),
        (set("anomaly.enable=true"), "anomalies"),
        (set("Base_CPU_load=0.1"), "base_cpu_load"),
    ];
    for (layer, nearest) in cases {
        let error = error(vec![layer]);
        assert!(error.ends_with(&format!("; did you mean `{nearest}`?")), "{error} ({nearest})");
    }
    let switched = error(vec![set("failures=true")]);
    assert!(switched.ends_with("but the switch is `enable_failures`"), "{switched}");
    assert_eq!(
        error(vec![file("anomalies:\n  enabel: true\n")]),
        "unknown key `anomalies.enabel` = true (from fleet.yaml); did you mean `anomalies.enable`?"
    );
    assert_eq!(error(vec![set("xyzzy=1")]), "unknown key `xyzzy` = 1 (from --set xyzzy=1)");
}

#[test]
fn a_value_that_does_not_fit_names_key_value_origin_and_bound() {
    let fraction = "a number from 0 to 1";
    let count = "a whole number from 1 to 10000000";
    let names = "a list of 1 to 255 different names of 1 to 128 bytes";
    let cores = "a list of two whole numbers from 1 to 4096, the lower first";
    let long_name = format!("[{}]", "n".repeat(129));
    let many_names = format!("[{}]", (0..256).map(|i| format!("n{i},")).collect::<String>());
    let cases: &[(&str, &str, &str, &str)] = &[
        ("n_machines", "0", "0", count),
        ("n_machines", "10000001", "10000001", count),
        ("n_machines", "-1", "-1", count),
        ("n_machines", "1.5", "1.5", count),
        ("n_machines", "null", "null", count),
        ("n_machines", "'100'", "\"100\"", count),
        ("n_machines", "many", "\"many\"", count),
        ("n_machines", "[1]", "[1]", count),
        ("n_readings", "0", "0", "a whole number from 1 to 100000000000, or null"),
        ("seed", "-1", "-1", "a whole number from 0 to 18446744073709551615, or null"),
        (
            "seed",
            "99999999999999999999999",
            "1e+23",
            "a whole number from 0 to 18446744073709551615, or null",
        ),
        ("base_cpu_load", "1.01", "1.01", fraction),
        ("base_cpu_load", "-0.01", "-0.01", fraction),
        ("base_cpu_load", ".nan", "\".nan\"", fraction),
        ("base_cpu_load", ".inf", "\".inf\"", fraction),
        ("base_cpu_load", "1e999", "\".inf\"", fraction),
        ("base_memory_load", "50%", "\"50%\"", fraction),
        ("load_variance", "true", "true", fraction),
        ("anomalies.enable", "yes", "\"yes\"", "true or false"),
        ("anomalies.enable", "1", "1", "true or false"),
        ("anomalies", "true", "true", "a section with keys among "),
        ("anomalies", "null", "null", "a section with keys among "),
        ("temporal_patterns.peak_hour", "24", "24", "a whole number from 0 to 23"),
        ("temporal_patterns.peak_hour", "14.5", "14.5", "a whole"),
        ("temporal_patterns.night_load_factor", "1.5", "1.5", fraction),
        ("jobs.arrival_probability", "0.21", "0.21", "a number from 0 to 0.2"),
        ("cores_range", "[64, 4]", "[64,4]", cores),
        ("cores_range", "[64, 4]", "[64,4]", "but 64 is above 4"),
        ("cores_range", "[0, 4]", "[0,4]", cores),
        ("cores_range", "[4, 4097]", "[4,4097]", cores),
        ("cores_range", "[4]", "[4]", cores),
        ("cores_range", "[4, 5, 6]", "[4,5,6]", cores),
        ("cores_range", "8", "8", cores),
        ("zones", "[]", "[]", names),
        ("zones", "[]", "[]", "but it is empty"),
        ("zones", "zone-a", "\"zone-a\"", names),
        ("zones", "[a, b, a]", "[\"a\",\"b\",\"a\"]", "`a` is there twice"),
        ("zones", "[a, '']", "[\"a\",\"\"]", "one of them is empty"),
        ("regions", "[1]", "[1]", "1 is not text"),
        ("regions", &long_name, "[\"nnn", "one of them has 129 bytes"),
        ("machine_types", &many_names, "[\"n0\"", "it holds 256"),
    ];
    for (key, text, value, expected) in cases {
        let error = error(vec![set(&format!("{key}={text}"))]);
        assert!(error.starts_with(&format!("`{key}` = {value}")), "{error}");
        assert!(error.contains(&format!("(from --set {key}=")), "{error}");
        assert!(error.contains(expected), "{error} ({expected})");
    }
    assert_eq!(
        error(vec![Layer::from_flag("--machines", "n_machines", 0)]),
        "`n_machines` = 0 (from --machines) must be a whole number from 1 to 10000000"
    );
    assert_eq!(
        error(vec![file("zones: []")]),
        "`zones` = [] (from fleet.yaml) must be a list of 1 to 255 different names of 1 to 128 \
         bytes, but it is empty"
    );
}

#[test]
fn everything_wrong_is_reported_at_once_even_what_would_be_overridden() {
    let error = error(vec![
        file("n_machines: 0\nzoness: [a]\ntemporal_patterns: {peak_hour: 24}"),
        set("n_machines=5"),
        set("base_cpu_load=2"),
    ]);
    let mut lines: Vec<&str> = error.lines().collect();
    assert_eq!(lines.remove(0), "4 settings are wrong:");
    lines.sort_unstable();
    assert_eq!(
        lines,
        [
            "  `base_cpu_load` = 2 (from --set base_cpu_load=2) must be a number from 0 to 1",
            "  `n_machines` = 0 (from fleet.yaml) must be a whole number from 1 to 10000000",
            "  `temporal_patterns.peak_hour` = 24 (from fleet.yaml) must be a whole number from 0 \
             to 23",
            "  unknown key `zoness` = [\"a\"] (from fleet.yaml); did you mean `zones`?",
        ]
    );
}

#[test]
fn a_wrong_file_does_not_fill_the_screen() {
    let text: String = (0..1000).map(|i| format!("xyzzy{i}: 1\n")).collect();
    let error = error(vec![file(&text)]);
    assert!(error.starts_with("1000 settings are wrong:\n"), "{error}");
    assert!(error.ends_with("\n  and 980 more"), "{error}");
    assert_eq!(error.lines().count(), 22);
}

#[test]
fn a_set_that_is_not_key_and_value_says_what_is_missing() {
    let cases = [
        ("anomalies.enable", "it has no `=`"),
        ("", "it has no `=`"),
        ("=true", "it has no key"),
        ("anomalies.enable=", "it has no value"),
        ("anomalies.enable=  ", "it has no value"),
        ("anomalies..enable=true", "an empty part"),
        (".=true", "an empty part"),
    ];
    for (text, reason) in cases {
        let error = Layer::from_set(text).unwrap_err().to_string();
        assert!(error.starts_with(&format!("cannot read `--set {text}`: ")), "{error}");
        assert!(error.contains(reason), "{error}");
        assert!(error.contains("`--set anomalies.enable=true`"), "{error}");
    }
    let error = Layer::from_set("zones=[a, b").unwrap_err().to_string();
    assert!(error.starts_with("--set zones=[a, b is not valid YAML: "), "{error}");
    let deep = format!("{}a=1", "a.".repeat(1_000_000));
    let error = Layer::from_set(&deep).unwrap_err();
    assert!(matches!(error, ConfigError::Set { reason, .. } if reason.contains("too many parts")));
}

#[test]
fn a_file_that_holds_no_settings_says_what_it_holds() {
    for (text, found) in
        [("- a\n- b", "a list"), ("hello", "text"), ("3", "a number"), ("true", "true or false")]
    {
        let error = Layer::from_yaml(Origin::File("f.yaml".into()), text).unwrap_err();
        assert_eq!(
            error.to_string(),
            format!(
                "f.yaml must hold settings as `key: value` lines, but its top level is {found}"
            )
        );
    }
    let not_object = Layer { origin: Origin::Scenario("test".into()), value: json!([]) };
    assert!(matches!(resolve(vec![not_object]), Err(ConfigError::NotSettings { .. })));
}

#[test]
fn yaml_errors_name_the_file_and_show_the_lines() {
    let syntax =
        |text: &str| Layer::from_yaml(Origin::File("f.yaml".into()), text).unwrap_err().to_string();
    let twice = syntax("seed: 1\nn_machines: 2\nseed: 3\n");
    assert!(
        twice.starts_with("f.yaml is not valid YAML: line 3 column 1: duplicate mapping key"),
        "{twice}"
    );
    assert!(twice.contains(" --> f.yaml:3:1"), "{twice}");
    assert!(twice.contains("3 | seed: 3"), "{twice}");
    assert!(!twice.contains("DuplicateKeyPolicy"), "{twice}");
    assert!(syntax("zones: [a, b").contains("line 1"));
    assert!(syntax("seed: 1\n---\nseed: 2\n").contains("multiple"));
    syntax(&"[".repeat(100_000));
    syntax(&"- ".repeat(100_000));
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for i in 1..12 {
        let aliases = format!("*a{},", i - 1).repeat(10);
        bomb.push_str(&format!("a{i}: &a{i} [{aliases}]\n"));
    }
    let error = syntax(&bomb);
    assert!(error.contains("too large or too complex"), "{error}");
}

#[test]
fn unreadable_files_are_named() {
    let missing = Layer::from_file(Path::new("/nonexistent/fleet.yaml")).unwrap_err();
    assert!(
        missing
            .to_string()
            .starts_with("cannot read the configuration file /nonexistent/fleet.yaml: "),
        "{missing}"
    );
    assert!(matches!(Layer::from_file(Path::new("/")), Err(ConfigError::Read { .. })));
    let write = |bytes: &[u8]| {
        let mut on_disk = tempfile::NamedTempFile::new().unwrap();
        on_disk.write_all(bytes).unwrap();
        on_disk
    };
    let limit = 1024 * 1024;
    Layer::from_file(write(&vec![b'\n'; limit]).path()).unwrap();
    let large = Layer::from_file(write(&vec![b'\n'; limit + 1]).path()).unwrap_err();
    assert!(large.to_string().ends_with("is larger than 1048576 bytes"), "{large}");
    let binary = Layer::from_file(write(b"seed: \xff").path()).unwrap_err();
    assert!(binary.to_string().contains("not UTF-8 text"), "{binary}");
}
