//! The component's part of the configuration: raw keys in, one validated value out.
//!
//! Address, credentials, schedule and storage are the host's and never come here.

use serde_json::{Map, Value};

use crate::error::Error;

/// The limit of Elasticsearch and OpenSearch for one page (`index.max_result_window`).
const PAGE_MAX: u64 = 10_000;
/// The fields of the reference's state; `tracked_fields` may name these.
pub const TRACKABLE: [&str; 9] = [
    "last_poll_timestamp",
    "total_documents_fetched",
    "poll_count",
    "last_document_id",
    "last_scroll_id",
    "last_offset",
    "error_count",
    "last_error",
    "processing_stats",
];

/// What to read, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Index, pattern, alias, data stream, or a list of them with commas.
    pub index: String,
    /// The user's query; `match_all` by default.
    pub query: Value,
    /// The field that orders the documents.
    pub timestamp_field: String,
    /// Documents in a page, 2 to 10,000; 1,000 by default.
    pub batch_size: u64,
    /// How long to wait before a document is old enough to be read, in milliseconds.
    /// None: derived from the refresh interval.
    pub settle_ms: Option<u64>,
    /// How many documents the edge remembers; 65,536 by default.
    pub edge_max: u64,
    /// Part of every message id; empty by default.
    pub id_namespace: String,
    /// How long to postpone a save, in milliseconds. None: after every poll, and a second.
    pub auto_save_interval_ms: Option<u64>,
    /// How many published messages may wait for a save; 65,536 by default.
    pub unsaved_max: u64,
    /// Which of the reference's fields the state keeps. None: all of them.
    pub tracked_fields: Option<Vec<String>>,
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] names the first key that is unknown, missing or wrong.
    pub fn parse(json: &str) -> Result<Self, Error> {
        let value: Map<String, Value> = serde_json::from_str(json)
            .map_err(|e| Error::config("", format!("the configuration is no JSON object: {e}")))?;
        let mut keys = Keys {
            prefix: "",
            keys: value,
        };
        let mut state = keys.table("state")?;
        keys.pagination()?;
        let config = Self {
            index: keys.text("index")?.ok_or_else(|| {
                Error::config(
                    "index",
                    "is missing; name the index, pattern or alias to read",
                )
            })?,
            query: keys.query()?,
            timestamp_field: keys.text("timestamp_field")?.ok_or_else(|| {
                Error::config(
                    "timestamp_field",
                    "is missing; name the date field that orders the documents",
                )
            })?,
            batch_size: keys.number("batch_size", 2, PAGE_MAX)?.unwrap_or(1_000),
            settle_ms: keys.duration("settle")?,
            edge_max: keys.number("edge_max", 1, 1 << 20)?.unwrap_or(65_536),
            id_namespace: keys.text("id_namespace")?.unwrap_or_default(),
            auto_save_interval_ms: state.duration("auto_save_interval")?,
            unsaved_max: state.number("unsaved_max", 1, 1 << 20)?.unwrap_or(65_536),
            tracked_fields: state.tracked_fields()?,
        };
        keys.finish()?;
        state.finish()?;
        config.check()
    }

    /// What holds between keys.
    fn check(self) -> Result<Self, Error> {
        if self.edge_max < 2 * self.batch_size {
            let least = 2 * self.batch_size;
            return Err(Error::config(
                "edge_max",
                format!("must be at least {least}, twice batch_size"),
            ));
        }
        Ok(self)
    }
}

/// The keys of one table that were not taken yet.
struct Keys {
    prefix: &'static str,
    keys: Map<String, Value>,
}

impl Keys {
    fn error(&self, key: &str, message: impl Into<String>) -> Error {
        Error::config(format!("{}{key}", self.prefix), message)
    }

    fn table(&mut self, key: &str) -> Result<Self, Error> {
        match self.keys.remove(key) {
            None => Ok(Self {
                prefix: "state.",
                keys: Map::new(),
            }),
            Some(Value::Object(keys)) => Ok(Self {
                prefix: "state.",
                keys,
            }),
            Some(_) => Err(self.error(key, "must be a table")),
        }
    }

    fn text(&mut self, key: &str) -> Result<Option<String>, Error> {
        match self.keys.remove(key) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() || key == "id_namespace" => {
                Ok(Some(text))
            }
            Some(_) => Err(self.error(key, "must be a text that is not empty")),
        }
    }

    fn number(&mut self, key: &str, least: u64, most: u64) -> Result<Option<u64>, Error> {
        let Some(value) = self.keys.remove(key) else {
            return Ok(None);
        };
        match value.as_u64() {
            Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => Err(self.error(
                key,
                format!("must be a whole number from {least} to {most}, not {value}"),
            )),
        }
    }

    /// A duration in milliseconds.
    fn duration(&mut self, key: &str) -> Result<Option<u64>, Error> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        match parse_duration(&text) {
            Some(millis) => Ok(Some(millis)),
            None => Err(self.error(
                key,
                format!(
                    "must be a duration such as \"500ms\", \"30s\", \"5m\" or \"1h\", not {text:?}"
                ),
            )),
        }
    }

    fn pagination(&mut self) -> Result<(), Error> {
        match self.text("pagination")?.as_deref() {
            None | Some("timestamp") => Ok(()),
            Some(other) => Err(self.error(
                "pagination",
                format!("must be \"timestamp\", the one mode of this version, not {other:?}"),
            )),
        }
    }

    fn query(&mut self) -> Result<Value, Error> {
        let query = self
            .keys
            .remove("query")
            .unwrap_or_else(|| serde_json::json!({"match_all": {}}));
        if !query.is_object() {
            return Err(self.error(
                "query",
                "must be an object of the query language, such as {\"match_all\": {}}",
            ));
        }
        match find_now(&query, false) {
            Some(text) => Err(self.error("query", format!("must not contain {text:?}: \"now\" changes from page to page; write the date, or leave the limit to \"settle\""))),
            None => Ok(query),
        }
    }

    fn tracked_fields(&mut self) -> Result<Option<Vec<String>>, Error> {
        let Some(value) = self.keys.remove("tracked_fields") else {
            return Ok(None);
        };
        let fields: Vec<String> = serde_json::from_value(value)
            .map_err(|_| self.error("tracked_fields", "must be a list of field names"))?;
        match fields
            .iter()
            .find(|field| !TRACKABLE.contains(&field.as_str()))
        {
            Some(unknown) => Err(self.error(
                "tracked_fields",
                format!(
                    "names the unknown field {unknown:?}; known are {}",
                    TRACKABLE.join(", ")
                ),
            )),
            None => Ok(Some(fields)),
        }
    }

    fn finish(&self) -> Result<(), Error> {
        match self.keys.keys().next() {
            Some(unknown) => Err(self.error(
                unknown,
                format!("is not a known key; known are {}", known(self.prefix)),
            )),
            None => Ok(()),
        }
    }
}

fn known(prefix: &str) -> &'static str {
    match prefix {
        "" => {
            "index, timestamp_field, query, batch_size, pagination, settle, edge_max, id_namespace, state, and the host's own: url, username, password, polling_interval, timeout, max_response_bytes"
        }
        _ => {
            "auto_save_interval, tracked_fields, unsaved_max, and the host's own: enabled, storage_type, storage_config, state_id"
        }
    }
}

/// "5ms", "30s", "5m", "1h", "1d" in milliseconds.
fn parse_duration(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_ms)
}

/// Date math on the current time, in the bounds of a range or inside a query string.
fn find_now(query: &Value, in_range: bool) -> Option<&str> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn error(json: &str) -> String {
        Config::parse(json).unwrap_err().to_string()
    }

    #[test]
    fn defaults_stand_where_nothing_is_said() {
        let config =
            Config::parse(r#"{"index": "logs-*", "timestamp_field": "@timestamp"}"#).unwrap();
        assert_eq!(
            (config.batch_size, config.edge_max, config.unsaved_max),
            (1_000, 65_536, 65_536)
        );
        assert_eq!(
            (config.settle_ms, config.auto_save_interval_ms),
            (None, None)
        );
        assert_eq!(config.query, serde_json::json!({"match_all": {}}));
    }

    #[test]
    fn a_wrong_key_is_named_with_what_would_be_right() {
        let rows = [
            (r#"{"timestamp_field": "t"}"#, "index: is missing"),
            (r#"{"index": "i"}"#, "timestamp_field: is missing"),
            (
                r#"{"index": "i", "timestamp_field": "t", "batch_sise": 1}"#,
                "batch_sise: is not a known key",
            ),
            (
                r#"{"index": "i", "timestamp_field": "t", "batch_size": 1}"#,
                "batch_size: must be a whole number from 2 to 10000, not 1",
            ),
            (
                r#"{"index": "i", "timestamp_field": "t", "batch_size": "10"}"#,
                "batch_size: must be a whole number",
            ),
            (
                r#"{"index": "i", "timestamp_field": "t", "settle": "5 parsecs"}"#,
                "settle: must be a duration",
            ),
            (
                r#"{"index": "i", "timestamp_field": "t", "edge_max": 1000}"#,
                "edge_max: must be at least 2000",
            ),
            (
                r#"{"index": "i", "timestamp_field": "t", "pagination": "scroll"}"#,
                "pagination: must be \"timestamp\"",
            ),
            (
                r#"{"index": "i", "timestamp_field": "t", "query": []}"#,
                "query: must be an object",
            ),
            (
                r#"{"index": "i", "timestamp_field": "t", "state": {"tracked_fields": ["x"]}}"#,
                "state.tracked_fields: names the unknown field \"x\"",
            ),
            (
                r#"{"index": "i", "timestamp_field": "t", "state": {"autosave": 1}}"#,
                "state.autosave: is not a known key",
            ),
        ];
        for (json, start) in rows {
            assert!(error(json).starts_with(start), "{json}: {}", error(json));
        }
    }

    #[test]
    fn now_is_refused_where_it_is_date_math_and_only_there() {
        let with =
            |query: &str| format!(r#"{{"index": "i", "timestamp_field": "t", "query": {query}}}"#);
        for refused in [
            r#"{"range": {"t": {"gte": "now-1d"}}}"#,
            r#"{"bool": {"filter": [{"range": {"t": {"lt": "now"}}}]}}"#,
            r#"{"query_string": {"query": "t:[now-1d TO *]"}}"#,
            r#"{"query_string": {"query": "t:[* TO now]"}}"#,
        ] {
            assert!(
                error(&with(refused)).contains("\"now\" changes"),
                "{refused}"
            );
        }
        for fine in [
            r#"{"match": {"text": "now or never"}}"#,
            r#"{"range": {"t": {"gte": "2026-01-01"}}}"#,
        ] {
            assert!(Config::parse(&with(fine)).is_ok(), "{fine}");
        }
    }

    #[test]
    fn durations_are_read_in_milliseconds() {
        let rows = [
            ("5ms", Some(5)),
            ("30s", Some(30_000)),
            ("5m", Some(300_000)),
            ("1h", Some(3_600_000)),
            ("0s", Some(0)),
            ("s", None),
            ("5", None),
            ("-1s", None),
        ];
        for (text, millis) in rows {
            assert_eq!(parse_duration(text), millis, "{text}");
        }
    }
}
