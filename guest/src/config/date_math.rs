//! Finds "now" in a query, which would change from page to page, and what may hide it.

use serde_json::Value;

/// Clauses whose text is a query in itself.
const QUERY_STRINGS: [&str; 2] = ["query_string", "simple_query_string"];
/// Clauses whose keys are names of fields, and what stands there is like a wrapper.
const OF_FIELDS: [&str; 5] = [
    "match",
    "match_phrase",
    "match_phrase_prefix",
    "match_bool_prefix",
    "common",
];
/// What stands around the words of such a query, but for the signs of date math.
const BETWEEN_WORDS: &str = "()[]{}:\"<>=^~!&|";

/// The first text that is date math on the current time, or a query with a word that is.
pub(super) fn find_now(query: &Value) -> Option<&str> {
    find(query, is_now)
}

/// Whether a part of it is encoded, so that anything may stand there.
pub(super) fn has_wrapper(query: &Value) -> bool {
    match query {
        Value::Array(items) => items.iter().any(has_wrapper),
        Value::Object(keys) => keys.iter().any(|(key, value)| match value {
            Value::Object(fields) if OF_FIELDS.contains(&key.as_str()) => {
                fields.values().any(has_wrapper)
            }
            _ => is_wrapper(key, value) || has_wrapper(value),
        }),
        _ => false,
    }
}

fn is_wrapper(key: &str, value: &Value) -> bool {
    key == "wrapper" && value.get("query").is_some_and(Value::is_string)
}

fn find(query: &Value, is_wrong: fn(&str) -> bool) -> Option<&str> {
    match query {
        Value::String(text) if is_wrong(text) => Some(text),
        Value::Array(items) => items.iter().find_map(|item| find(item, is_wrong)),
        Value::Object(keys) => {
            keys.iter()
                .find_map(|(key, value)| match QUERY_STRINGS.contains(&key.as_str()) {
                    true => find(value, has_now),
                    false => find(value, is_wrong),
                })
        }
        _ => None,
    }
}

/// As servers read date math: what goes on in another way is a text, or an error.
fn is_now(text: &str) -> bool {
    text.strip_prefix("now")
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', '-', '/']))
}

/// Signs before a word say whether it must match, and any character may be escaped.
fn has_now(query: &str) -> bool {
    let query = query.replace('\\', "");
    let is_between = |c: char| c.is_whitespace() || BETWEEN_WORDS.contains(c);
    let mut words = query.split(is_between);
    words.any(|word| is_now(word.trim_start_matches(['+', '-'])))
}
