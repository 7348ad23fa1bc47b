//! Defaults, and what is said of wrong keys.

use super::keys::parse_duration;
use super::*;

fn error(json: &str) -> String {
    Config::parse(json).unwrap_err().to_string()
}

#[test]
fn defaults_stand_where_nothing_is_said() {
    let config = Config::parse(r#"{"index": "logs-*", "timestamp_field": "@timestamp"}"#).unwrap();
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
            r#"{"index": "i", "timestamp_field": "t", "start": "yesterday"}"#,
            "start: must be \"now\" or a date such as",
        ),
        (
            r#"{"index": "i", "timestamp_field": "t", "edge_max": 1000}"#,
            "edge_max: must be at least 2000",
        ),
        (
            r#"{"index": "i", "timestamp_field": "t", "pagination": "cursor"}"#,
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

/// The host compares it with what it was.
#[test]
fn a_number_in_the_query_stays_what_it_is() {
    let query = r#"{"range":{"n":{"gte":97.45365320034685,"lt":1e300}}}"#;
    let config = format!(r#"{{"index": "i", "timestamp_field": "t", "query": {query}}}"#);
    let kept = Config::parse(&config).unwrap().query;
    assert_eq!(kept.to_string(), query.replace("1e300", "1e+300"));
}

#[test]
fn now_is_refused_where_it_is_date_math_and_only_there() {
    let with =
        |query: &str| format!(r#"{{"index": "i", "timestamp_field": "t", "query": {query}}}"#);
    for refused in [
        r#"{"range": {"t": {"gte": "now-1d"}}}"#,
        r#"{"range": {"t": {"gte": "2026-01-01", "lt": "now"}}}"#,
        r#"{"bool": {"filter": [{"range": {"t": {"lt": "now"}}}]}}"#,
        r#"{"match": {"t": "now/d"}}"#,
        r#"{"match": {"t": {"query": "now+1h/h"}}}"#,
        r#"{"term": {"t": "now/d"}}"#,
        r#"{"term": {"t": {"value": "now"}}}"#,
        r#"{"terms": {"t": ["2026-01-01", "now/d"]}}"#,
        r#"{"query_string": {"query": "t:[now-1d TO *]"}}"#,
        r#"{"query_string": {"query": "t:{* TO now}"}}"#,
        r#"{"query_string": {"query": "a:b AND t:>=now-5m"}}"#,
        r#"{"query_string": {"query": "t:now\\/d"}}"#,
        r#"{"query_string": {"query": "t:n\\ow"}}"#,
        r#"{"query_string": {"query": "+t:(\"now-1d\")"}}"#,
        r#"{"query_string": {"query": "a:b !t:now"}}"#,
        r#"{"simple_query_string": {"query": "-now-1d", "fields": ["t"]}}"#,
        r#"{"simple_query_string": {"query": "a|now", "fields": ["t"]}}"#,
    ] {
        assert!(
            error(&with(refused)).contains("\"now\" changes"),
            "{refused}"
        );
    }
    // {"range":{"t":{"lt":"now"}}}, encoded.
    let hidden = r#"{"wrapper": {"query": "eyJyYW5nZSI6eyJ0Ijp7Imx0Ijoibm93In19fQ=="}}"#;
    for around in [
        r#"{"bool": {"filter": [HIDDEN]}}"#,
        r#"{"knn": {"match": {"vector": [1], "filter": HIDDEN}}}"#,
        r#"{"knn": {"wrapper": {"vector": [1], "filter": HIDDEN}}}"#,
    ] {
        let query = around.replace("HIDDEN", hidden);
        assert!(
            error(&with(&query)).contains("must not have a \"wrapper\""),
            "{query}"
        );
    }
    for fine in [
        r#"{"match": {"wrapper": "paper"}}"#,
        r#"{"bool": {"must": {"match_phrase": {"wrapper": {"query": "paper"}}}}}"#,
        r#"{"range": {"wrapper": {"gte": 1}}}"#,
        r#"{"match": {"text": "now or never"}}"#,
        r#"{"match_phrase": {"text": "WELCOME TO nowhere"}}"#,
        r#"{"match_phrase": {"text": "from [now on"}}"#,
        r#"{"term": {"now": "nowhere"}}"#,
        r#"{"range": {"name": {"gte": "nowak"}}}"#,
        r#"{"range": {"t": {"gte": "2026-01-01"}}}"#,
        r#"{"range": {"t": {"gte": "2026-01-01||+1d/d"}}}"#,
        r#"{"query_string": {"query": "t:[2026-01-01 TO *] AND know nowhere NOW"}}"#,
        r#"{"query_string": {"query": "what now? /now/"}}"#,
        r#"{"simple_query_string": {"query": "nowak snow-5"}}"#,
    ] {
        assert_eq!(Config::parse(&with(fine)).map(drop), Ok(()), "{fine}");
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
