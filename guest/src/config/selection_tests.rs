//! What a source selects of its documents: keys that are right, and wrong ones.

use serde_json::{Value, json};

use super::*;

fn parse(more: Value) -> Result<Config, String> {
    let mut keys = json!({"index": "i", "timestamp_field": "t"});
    for (key, value) in more.as_object().unwrap() {
        keys[key] = value.clone();
    }
    Config::parse(&keys.to_string()).map_err(|error| error.to_string())
}

#[test]
fn what_is_delivered_is_asked_for_as_it_is_written() {
    let filter = json!({"includes": ["a"], "excludes": ["a.b", "c*"]});
    let fields = json!(["a", {"field": "b", "format": "epoch_millis"}]);
    let rows = [
        (json!({}), vec![]),
        (
            json!({"_source": ["a", "b.*"]}),
            vec![("_source", json!(["a", "b.*"]))],
        ),
        (
            json!({"_source": filter}),
            vec![("_source", filter.clone())],
        ),
        (
            json!({"fields": fields}),
            vec![("_source", json!(false)), ("fields", fields.clone())],
        ),
    ];
    for (keys, wanted) in rows {
        assert_eq!(parse(keys).unwrap().content.wanted(), wanted);
    }
}

#[test]
fn a_wrong_selection_is_named_with_what_would_be_right() {
    let field = |name: &str| json!({"runtime_mappings": {name: {"type": "date"}}});
    let rows = [
        (json!({"source": ["a"]}), "source: is not a known key"),
        (
            json!({"_source": false}),
            "_source: must be a list of fields",
        ),
        (json!({"_source": "a"}), "_source: must be a list of fields"),
        (json!({"_source": {}}), "_source: must be a list of fields"),
        (
            json!({"_source": []}),
            "_source: must name 1 to 1000 fields, not 0",
        ),
        (
            json!({"_source": ["a", ""]}),
            "_source: must be a list of fields",
        ),
        (
            json!({"_source": {"includes": "a"}}),
            "_source.includes: must be a list",
        ),
        (
            json!({"_source": {"excludes": [1]}}),
            "_source.excludes: must be a list",
        ),
        (
            json!({"_source": {"include": ["a"]}}),
            "_source.include: is not a known key; known are includes",
        ),
        (json!({"fields": "a"}), "fields: must be a list"),
        (
            json!({"fields": vec!["a"; 1_001]}),
            "fields: must name 1 to 1000 fields, not 1001",
        ),
        (
            json!({"fields": ["a", {"format": "x"}]}),
            "fields.1: must be a field's name, or a table",
        ),
        (
            json!({"fields": [{"field": "a", "unmapped": true}]}),
            "fields.0: must be a field's name, or a table",
        ),
        (
            json!({"fields": ["a"], "_source": ["b"]}),
            "fields: can not stand beside \"_source\"",
        ),
        (
            json!({"routing": ["a"]}),
            "routing: must be a text that is not empty",
        ),
        (
            json!({"routing": "x".repeat(257)}),
            "routing: must have at most 256 bytes",
        ),
        (
            json!({"preference": ""}),
            "preference: must be a text that is not empty",
        ),
        (
            json!({"preference": "_shards:0|_local"}),
            "preference: must not choose shards",
        ),
        (
            json!({"runtime_mappings": []}),
            "runtime_mappings: must be a table of fields",
        ),
        (
            json!({"runtime_mappings": {}}),
            "runtime_mappings: must be a table of fields",
        ),
        (
            json!({"runtime_mappings": {"a": {"script": "x"}}}),
            "runtime_mappings.a: must be a table with a \"type\"",
        ),
        (
            field("t"),
            "runtime_mappings.t: must not be a field that orders",
        ),
        (
            field("_seq_no"),
            "runtime_mappings._seq_no: must not be a field that orders",
        ),
    ];
    for (keys, start) in rows {
        let error = parse(keys.clone()).unwrap_err();
        assert!(error.starts_with(start), "{keys}: {error}");
    }
}
