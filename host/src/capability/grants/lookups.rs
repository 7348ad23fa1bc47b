//! Bodies that read another index than that of their path: terms and documents that are
//! looked up, runtime fields that join, shapes that are indexed elsewhere.
//!
//! Such a lookup is granted by being written in the configuration's own query or runtime
//! mappings, word for word.

use serde_json::Value;

/// Keys that name the index of a lookup.
const INDICES: [&str; 3] = ["_index", "index", "target_index"];
/// A query whose text is encoded, in which anything may stand.
const WRAPPER: &str = "wrapper";
/// The keys of a configuration that go into bodies as they are.
const CONFIGURED: [&str; 2] = ["query", "runtime_mappings"];

/// The lookups that a source may make.
#[derive(Debug, Clone, Default)]
pub(super) struct Lookups(Vec<(String, Value)>);

impl Lookups {
    /// Those of the configuration of a component.
    pub(super) fn of(config: &Value) -> Self {
        let parts = CONFIGURED.iter().filter_map(|key| config.get(key));
        let mut pairs = Vec::new();
        parts.for_each(|part| collect(part, &mut pairs));
        let owned = |(key, value): (&String, &Value)| (key.clone(), value.clone());
        Self(pairs.into_iter().map(owned).collect())
    }

    /// The first lookup of a body that is neither in this index nor configured. A server
    /// refuses a body that has a key twice, so that what is read here is all of it.
    pub(super) fn foreign(&self, body: &Value, index: &str) -> Option<String> {
        let mut pairs = Vec::new();
        collect(body, &mut pairs);
        let is_configured =
            |key: &str, value: &Value| self.0.iter().any(|(k, v)| k == key && v == value);
        let mut foreign = pairs
            .into_iter()
            .filter(|(key, value)| **value != *index && !is_configured(key, value));
        foreign
            .next()
            .map(|(key, value)| format!("{key:?}: {value}"))
    }
}

/// All pairs that may be lookups. A field may have the name of such a key, and then an object.
fn collect<'a>(value: &'a Value, pairs: &mut Vec<(&'a String, &'a Value)>) {
    match value {
        Value::Object(entries) => {
            for (key, value) in entries {
                if is_lookup(key, value) {
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
        Value::Object(query) => key == WRAPPER && query.get("query").is_some_and(Value::is_string),
        Value::Null => false,
        _ => INDICES.contains(&key),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_reads_another_index_is_found_unless_it_is_configured() {
        let config = json!({
            "query": {"bool": {"filter": [
                {"terms": {"f": {"index": "allowed", "id": "1", "path": "p"}}},
                {"term": {"index": "x"}},
                {"wrapper": {"query": "e30="}},
            ]}},
            "runtime_mappings": {"a": {"type": "lookup", "target_index": "hosts"}},
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
        ];
        let lookups = Lookups::of(&config);
        for (body, expected) in rows {
            let found = lookups.foreign(&body, "logs");
            match expected {
                None => assert_eq!(found, None, "{body}"),
                Some(words) => assert!(found.is_some_and(|found| found.contains(words)), "{body}"),
            }
        }
    }
}
