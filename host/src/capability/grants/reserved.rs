//! What of a body is the configuration's alone to say: what reads another index than that of
//! its path (terms and documents that are looked up, runtime fields that join, shapes that are
//! indexed elsewhere), and what the cluster would run.
//!
//! Either is granted by being written in the configuration's own query or runtime mappings,
//! word for word.

use serde_json::Value;

use super::Denied;

/// Keys that name the index of a lookup.
const INDICES: [&str; 3] = ["_index", "index", "target_index"];
/// What has a query as an encoded text, or as a template, in which anything may stand; and what
/// names a model, or rules, that the cluster keeps elsewhere: with a key that it must have.
const ELSEWHERE: [(&str, &str); 9] = [
    ("wrapper", "query"),
    ("collate", "query"),
    ("sltr", "model"),
    ("sltr", "featureset"),
    ("ltr", "model"),
    ("learning_to_rank", "model_id"),
    ("rule", "ruleset_id"),
    ("rule", "ruleset_ids"),
    ("rule_query", "ruleset_id"),
];
/// What a script is, if it is no text: itself, or the name of one that the cluster has; by the
/// older names, too.
const SCRIPTS: [&str; 4] = ["source", "id", "inline", "stored"];
/// It reads an index of the servers' choice where it names none.
const SHAPE: &str = "indexed_shape";
/// What a body may bring along, or name, to be run on what is asked and found, or for plugins.
const BESIDE: [&str; 2] = ["search_pipeline", "ext"];
/// The keys of a configuration that go into bodies as they are.
const CONFIGURED: [&str; 2] = ["query", "runtime_mappings"];

/// What a source's configuration says of that.
#[derive(Debug, Clone, Default)]
pub(super) struct Reserved(Vec<(String, Value)>);

impl Reserved {
    /// Of the configuration of a component.
    pub(super) fn of(config: &Value) -> Self {
        let parts = CONFIGURED.iter().filter_map(|key| config.get(key));
        let mut pairs = Vec::new();
        parts.for_each(|part| collect(part, &mut pairs));
        let owned = |(key, value): (&String, &Value)| (key.clone(), value.clone());
        Self(pairs.into_iter().map(owned).collect())
    }

    /// That a body has nothing of it that is not configured, but for this index. A server
    /// refuses a body that has a key twice, so that what is read here is all of it.
    ///
    /// # Errors
    /// The first such thing.
    pub(super) fn check(&self, body: &Value, index: &str) -> Result<(), Denied> {
        let beside = BESIDE.iter().find_map(|key| Some((*key, body.get(*key)?)));
        if let Some((key, value)) = beside {
            return Err(Denied::Script(show(key, value)));
        }
        let mut pairs = Vec::new();
        collect(body, &mut pairs);
        let is_configured =
            |key: &str, value: &Value| self.0.iter().any(|(k, v)| k == key && v == value);
        for (key, value) in pairs {
            match is_script(key, value) {
                _ if is_configured(key, value) => {}
                true => return Err(Denied::Script(show(key, value))),
                false if *value == *index => {}
                false => return Err(Denied::Lookup(show(key, value))),
            }
        }
        Ok(())
    }
}

fn show(key: &str, value: &Value) -> String {
    format!("{key:?}: {value}")
}

/// All pairs that may be such. A field may have the name of such a key, and then an object.
fn collect<'a>(value: &'a Value, pairs: &mut Vec<(&'a String, &'a Value)>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                if is_lookup(key, value) || is_script(key, value) {
                    pairs.push((key, value));
                }
                collect(value, pairs);
            }
        }
        Value::Array(values) => values.iter().for_each(|value| collect(value, pairs)),
        _ => {}
    }
}

fn is_lookup(key: &str, value: &Value) -> bool {
    match value {
        Value::Object(shape) if key == SHAPE => {
            shape.contains_key("id") && !shape.contains_key("index")
        }
        Value::Object(clause) => {
            let is_there = |(name, has): &(&str, &str)| key == *name && clause.contains_key(*has);
            ELSEWHERE.iter().any(is_there)
        }
        Value::Null => false,
        _ => INDICES.contains(&key),
    }
}

/// Whatever takes a script has it under this name, or one that ends in it.
fn is_script(key: &str, value: &Value) -> bool {
    let is_named = key == "script" || key.ends_with("_script");
    is_named
        && match value {
            Value::Object(script) => SCRIPTS.iter().any(|key| script.contains_key(*key)),
            Value::String(_) => true,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_reads_another_index_or_is_run_is_denied_unless_it_is_configured() {
        let config = json!({
            "query": {"bool": {"filter": [
                {"terms": {"f": {"index": "allowed", "id": "1", "path": "p"}}},
                {"term": {"index": "x"}},
                {"wrapper": {"query": "e30="}},
                {"script": {"script": {"source": "allowed"}}},
            ]}},
            "runtime_mappings": {
                "a": {"type": "lookup", "target_index": "hosts"},
                "b": {"type": "long", "script": "emit(1)"},
            },
            "other": {"index": "unknown"},
        });
        let rows = [
            (
                json!({"query": {"terms": {"f": {"index": "secret", "id": "1"}}}}),
                Some("\"index\": \"secret\""),
            ),
            (
                json!({"query": {"terms": {"f": {"index": "unknown", "id": "1"}}}}),
                Some("unknown"),
            ),
            (json!({"query": {"terms": {"f": {"index": 7}}}}), Some("7")),
            (
                json!({"query": {"terms": {"f": {"index": ["secret"]}}}}),
                Some("secret"),
            ),
            (
                json!({"aggs": {"a": {"filter": {"more_like_this": {"like": [{"_index": "secret"}]}}}}}),
                Some("_index"),
            ),
            (
                json!({"query": {"geo_shape": {"f": {"indexed_shape": {"index": "secret"}}}}}),
                Some("secret"),
            ),
            (
                json!({"query": {"percolate": {"field": "f", "index": "secret"}}}),
                Some("secret"),
            ),
            (
                json!({"runtime_mappings": {"a": {"type": "lookup", "target_index": "secret"}}}),
                Some("target_index"),
            ),
            (
                json!({"query": {"index": {"index": "secret"}}}),
                Some("secret"),
            ),
            (
                json!({"query": {"wrapper": {"query": "eyJ9"}}}),
                Some("wrapper"),
            ),
            (
                json!({"suggest": {"s": {"phrase": {"collate": {"query": {"source": "{{x}}"}}}}}}),
                Some("collate"),
            ),
            (
                json!({"script_fields": {"a": {"script": "1"}}}),
                Some("\"script\": \"1\""),
            ),
            (
                json!({"query": {"script": {"script": {"source": "other"}}}}),
                Some("other"),
            ),
            (
                json!({"query": {"script_score": {"script": {"id": "stored"}}}}),
                Some("stored"),
            ),
            (
                json!({"query": {"script": {"script": {"inline": "old"}}}}),
                Some("old"),
            ),
            (
                json!({"aggs": {"a": {"scripted_metric": {"map_script": {"stored": "old"}}}}}),
                Some("map_script"),
            ),
            (
                json!({"query": {"geo_shape": {"f": {"indexed_shape": {"id": "1"}}}}}),
                Some("indexed_shape"),
            ),
            (
                json!({"sort": [{"_script": {"type": "number", "script": {"lang": "x", "source": "1"}}}]}),
                Some("script"),
            ),
            (
                json!({"aggs": {"a": {"scripted_metric": {"map_script": "1"}}}}),
                Some("map_script"),
            ),
            (
                json!({"query": {"terms_set": {"f": {"terms": [], "minimum_should_match_script": {"source": "1"}}}}}),
                Some("minimum_should_match_script"),
            ),
            (
                json!({"runtime_mappings": {"a": {"type": "long", "script": "emit(2)"}}}),
                Some("emit(2)"),
            ),
            (
                json!({"rescore": {"query": {"rescore_query": {"sltr": {"model": "m", "store": "s"}}}}}),
                Some("sltr"),
            ),
            (
                json!({"query": {"rule": {"ruleset_ids": ["r"], "organic": {}}}}),
                Some("ruleset_ids"),
            ),
            (json!({"ext": {"ubi": {"user_query": "x"}}}), Some("ubi")),
            (
                json!({"search_pipeline": "mine"}),
                Some("\"search_pipeline\": \"mine\""),
            ),
            (config.clone(), Some("unknown")),
            (
                json!({"q": config["query"], "runtime_mappings": config["runtime_mappings"]}),
                None,
            ),
            (
                json!({"query": {"terms": {"f": {"index": "logs", "id": "1"}}}}),
                None,
            ),
            (
                json!({"query": {"range": {"index": {"gte": 1}}}, "sort": [{"index": {"order": "asc"}}]}),
                None,
            ),
            (
                json!({"query": {"range": {"wrapper": {"gte": 1}}}, "slice": {"field": "index", "id": 0}}),
                None,
            ),
            (
                json!({"search_after": ["index", null], "fields": ["index"]}),
                None,
            ),
            (
                json!({"query": {"range": {"script": {"gte": 1}}}, "sort": [{"script": {"order": "asc"}}], "_source": ["script"]}),
                None,
            ),
            (
                json!({"query": {"range": {"indexed_shape": {"gte": 1}}}, "sort": [{"rule": {"order": "asc"}}]}),
                None,
            ),
        ];
        let reserved = Reserved::of(&config);
        for (body, expected) in rows {
            let checked = reserved.check(&body, "logs");
            match expected {
                None => assert_eq!(checked, Ok(()), "{body}"),
                Some(words) => {
                    let denied = checked.unwrap_err().to_string();
                    assert!(denied.contains(words), "{body}: {denied}");
                }
            }
        }
    }
}
