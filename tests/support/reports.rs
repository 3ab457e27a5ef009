//! Figures of reports.

use serde_json::Value;

use super::program::{Finished, run};

/// The check `name` of a doctor's report.
#[track_caller]
pub fn check(ended: &Finished, name: &str) -> Value {
    let report = ended.report();
    let checks = report["checks"].as_array().expect("there are checks");
    let found = checks.iter().find(|check| check["name"] == name);
    found.unwrap_or_else(|| panic!("there is a check {name}: {report}")).clone()
}

/// What `fleetstorm report merge` makes of the reports that runs have put on standard output.
#[track_caller]
pub fn merge(shards: &[Finished]) -> Value {
    let folder = tempfile::tempdir().expect("a folder can be made");
    let mut arguments = vec!["report".to_owned(), "merge".to_owned()];
    for (i, shard) in shards.iter().enumerate() {
        let path = folder.path().join(format!("{i}.json"));
        std::fs::write(&path, &shard.stdout).expect("a file can be written");
        arguments.push(path.to_str().expect("its path is text").to_owned());
    }
    run(&arguments).exits(0).report()
}

/// A count of a report's `results.records`, over all topics.
#[track_caller]
pub fn total(report: &Value, count: &str) -> u64 {
    let topics = report["results"]["records"].as_object().expect("records are counted by topic");
    topics.values().map(|topic| topic[count].as_u64().expect("counts are numbers")).sum()
}

/// Records sent to one topic.
#[track_caller]
pub fn sent(report: &Value, topic: &str) -> u64 {
    report["results"]["records"][topic]["sent"].as_u64().expect("the topic's records are counted")
}

/// The slots that a run has worked off: every record but the announcements, and what was silent.
#[track_caller]
pub fn slots(report: &Value) -> u64 {
    let silent = report["results"]["rate"]["silent"].as_u64().expect("silent slots are counted");
    total(report, "sent") - sent(report, "machines") + silent
}

/// Asserts that every record was acknowledged, of which there are some.
#[track_caller]
pub fn assert_all_acked(report: &Value) {
    assert!(total(report, "sent") > 0, "something was sent: {report:#}");
    assert_eq!(total(report, "acked"), total(report, "sent"), "{:#}", report["results"]);
    assert_eq!(total(report, "failed"), 0, "{:#}", report["results"]);
    assert_eq!(report["results"]["errors"], serde_json::json!({}));
}
