//! Finds "now" in a query, which would change from page to page.

use serde_json::Value;

/// Date math on the current time, in the bounds of a range or inside a query string.
pub(super) fn find_now(query: &Value, in_range: bool) -> Option<&str> {
    match query {
        Value::String(text) if in_range && text.trim_start().starts_with("now") => Some(text),
        Value::String(text) if in_brackets(text) => Some(text),
        Value::Array(items) => items.iter().find_map(|item| find_now(item, in_range)),
        Value::Object(keys) => keys
            .iter()
            .find_map(|(key, value)| find_now(value, in_range || key == "range")),
        _ => None,
    }
}

/// `[now-1d TO *]`, `{* TO now}`, `>now-5m`, as query strings write it.
fn in_brackets(text: &str) -> bool {
    ["[now", "{now", " TO now", ">now", ">=now", "<now", "<=now"]
        .iter()
        .any(|start| text.contains(start))
}
