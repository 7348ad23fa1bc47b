//! How settings are judged.

use serde_json::{Value, json};

use super::*;
use crate::doctor::finding::Level;
use crate::doctor::plan::tests::plan;

fn settings(of: &Value) -> Settings {
    let of = of.as_object().unwrap().iter();
    let of = of.map(|(index, set)| (index.clone(), json!({"settings": set, "defaults": {"index.refresh_interval": "1s", "index.max_result_window": "10000"}})));
    serde_json::from_value(of.collect()).unwrap()
}

#[test]
fn every_setting_that_matters_is_judged() {
    let rows = [
        (
            json!({}),
            json!({"a": {}}),
            Level::Ok,
            "refresh interval is 1s, and documents are read 5s after",
        ),
        (
            json!({}),
            json!({"a": {}, "b": {REFRESH: "30s"}}),
            Level::Ok,
            "read 1m after",
        ),
        (
            json!({}),
            json!({"a": {}, "b": {REFRESH: "-1"}}),
            Level::Problem,
            "on demand (index.refresh_interval is -1): 1 index (b)",
        ),
        (
            json!({"settle": "1h"}),
            json!({"b": {REFRESH: "-1"}}),
            Level::Note,
            "\"settle\", 1h",
        ),
        (
            json!({}),
            json!({"b": {REFRESH: "soon"}}),
            Level::Note,
            "not known; documents are read 1m",
        ),
        (
            json!({"settle": "10s"}),
            json!({"a": {REFRESH: "30s"}}),
            Level::Problem,
            "10s, is shorter than the refresh interval, 30s",
        ),
        (
            json!({"settle": "0s"}),
            json!({"a": {REFRESH: "0ms"}}),
            Level::Ok,
            "read 0s after",
        ),
        (
            json!({"pagination": "scroll"}),
            json!({"a": {}}),
            Level::Ok,
            "documents are read 5s after",
        ),
        (
            json!({"pagination": "scroll", "timestamp_field": null}),
            json!({"a": {}}),
            Level::Note,
            "visible when it begins",
        ),
        (
            json!({"pagination": "offset", "timestamp_field": null}),
            json!({"a": {}}),
            Level::Ok,
            "reads what is visible then",
        ),
        (
            json!({}),
            json!({"a": {}}),
            Level::Ok,
            "fits index.max_result_window, 10000",
        ),
        (
            json!({}),
            json!({"a": {}, "b": {"index.max_result_window": "500"}}),
            Level::Problem,
            "1 index (b): set \"batch_size\" to 500",
        ),
        (
            json!({}),
            json!({"a": {"index.max_slices_per_pit": "8"}}),
            Level::Ok,
            "index.max_slices_per_pit 8",
        ),
        (
            json!({"batch_size": 5}),
            json!({"a": {"index.number_of_shards": "3"}, "b": {"index.number_of_shards": "2"}}),
            Level::Note,
            "5 shards",
        ),
        (
            json!({}),
            json!({"a": {"index.disable_sequence_numbers": "true"}}),
            Level::Problem,
            "in 1 index (a), which order documents with the same timestamp: set \"tiebreaker_field\"",
        ),
        (
            json!({"tiebreaker_field": "n"}),
            json!({"a": {"index.disable_sequence_numbers": "true"}}),
            Level::Note,
            "in 1 index (a): n orders documents there",
        ),
    ];
    for (keys, of, level, part) in rows {
        let findings = judge(&plan(keys.clone()), &settings(&of));
        let found = findings
            .iter()
            .find(|finding| finding.message.contains(part));
        let found = found.unwrap_or_else(|| panic!("{keys} {of}: {findings:?}"));
        assert_eq!(found.level, level, "{found:?}");
    }
}

#[test]
fn healthy_settings_are_no_more_than_told() {
    let healthy =
        json!({"a": {"index.number_of_shards": "3", "index.disable_sequence_numbers": "false"}});
    let findings = judge(&plan(json!({})), &settings(&healthy));
    assert!(
        findings.iter().all(|finding| finding.level == Level::Ok),
        "{findings:?}"
    );
    assert_eq!(settle(&plan(json!({})), None), SETTLE_UNKNOWN);
}
