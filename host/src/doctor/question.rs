//! Every request that the doctor makes: what it asks, who may ask it, what it is good for.
//!
//! Only reading, but for a point in time or a scroll of the doctor's own.

use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Method;
use serde_json::{Value, json};

use super::field::{Field, Values};
use super::plan::Plan;
use crate::cluster::Request;

/// How long the source has a point in time stay open, which a cluster may find too long.
const KEEP_ALIVE: &str = "5m";
/// How many documents tell how large they are.
pub(super) const SAMPLE: u64 = 100;
/// How many groups each shard reports, so that the largest of all is rarely missed.
const GROUPS_OF_A_SHARD: u64 = 1_000;
/// The format that every kind of date field takes.
const FORMAT: &str = "strict_date_optional_time_nanos";

const SETTINGS: &str = "index.refresh_interval,index.max_result_window,index.max_slices_per_pit,index.max_slices_per_scroll,index.disable_sequence_numbers,index.mapping.source.mode,index.number_of_shards";

/// One question to the cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    Root,
    FieldCaps,
    FieldMappings,
    Settings,
    ClusterSettings,
    Stats,
    Matching,
    WithField,
    /// Later than this.
    Later(DateTime<Utc>),
    /// What a `date_nanos` can not hold.
    OutsideNanos,
    Span,
    Group,
    Sample,
    OpenPit,
    /// As OpenSearch names it.
    OpenPointInTime,
    OpenScroll,
}

impl Question {
    pub(super) fn request(self, plan: &Plan) -> Request {
        let index = encode(&plan.index);
        let by = plan.field();
        let field = by.map_or("_id", |by| by.name);
        let shards = shards(plan);
        let search = |mut body: Value| {
            if let (Some(mappings), Some(keys)) = (&plan.runtime_mappings, body.as_object_mut()) {
                keys.insert("runtime_mappings".to_owned(), mappings.clone());
            }
            let path = format!("/{index}/_search?allow_partial_search_results=false{shards}");
            post(path, Some(body))
        };
        let count = |query| search(json!({"size": 0, "track_total_hits": true, "query": query}));
        let aggregate = |aggs| {
            search(json!({"size": 0, "track_total_hits": false, "query": plan.query, "aggs": aggs}))
        };
        let range = |bounds| json!({"range": {field: bounds}});
        match self {
            Self::Root => get("/".to_owned()),
            Self::FieldCaps => get(format!(
                "/{index}/_field_caps?fields={}&include_unmapped=true",
                with_parents(field, plan.tiebreaker_field.as_deref())
            )),
            Self::FieldMappings => get(format!(
                "/{index}/_mapping/field/{},_source?include_defaults=true",
                encode(field)
            )),
            Self::Settings => get(format!(
                "/{index}/_settings/{SETTINGS}?expand_wildcards=open,closed&include_defaults=true&flat_settings=true"
            )),
            Self::ClusterSettings => get(
                "/_cluster/settings?include_defaults=true&filter_path=**.max_open_scroll_context,**.max_open_pit_context,**.id_field_data"
                    .to_owned(),
            ),
            Self::Stats => get(format!("/{index}/_stats/docs,store?filter_path=_all.primaries")),
            Self::Matching => count(plan.query.clone()),
            Self::WithField => count(also(plan, json!({"exists": {"field": field}}))),
            Self::Later(date) => count(also(plan, range(later(date, by)))),
            Self::OutsideNanos => count(also(
                plan,
                json!({"bool": {"minimum_should_match": 1, "should": [
                    range(json!({"lt": "1970-01-01T00:00:00Z", "format": FORMAT})),
                    range(json!({"gt": "2262-04-11T23:47:16.854775807Z", "format": FORMAT})),
                ]}}),
            )),
            Self::Span => {
                aggregate(json!({"oldest": {"min": {"field": field}}, "newest": {"max": {"field": field}}}))
            }
            // A `doc_count` is larger where a document stands for several (`_doc_count`).
            Self::Group => aggregate(json!({"group": {
                "terms": {
                    "field": field,
                    "size": 1,
                    "shard_size": GROUPS_OF_A_SHARD,
                    "order": {"documents": "desc"},
                },
                "aggs": {"documents": {"value_count": {"field": "_index"}}},
            }})),
            Self::Sample => {
                search(json!({
                    "size": SAMPLE.min(plan.batch_size),
                    "track_total_hits": false,
                    "query": plan.query,
                    "_source": plan.source.as_ref().unwrap_or(&json!(true)),
                }))
            }
            Self::OpenPit => post(format!("/{index}/_pit?keep_alive={KEEP_ALIVE}{shards}"), None),
            Self::OpenPointInTime => post(
                format!(
                    "/{index}/_search/point_in_time?keep_alive={KEEP_ALIVE}&allow_partial_pit_creation=false{shards}"
                ),
                None,
            ),
            Self::OpenScroll => {
                let mut opening =
                    search(json!({"size": 1, "query": plan.query, "_source": false}));
                let keep_alive = plan.scroll_timeout().as_millis();
                opening.path.push_str(&format!("&scroll={keep_alive}ms"));
                opening
            }
        }
    }

    /// Closes what was opened under this id.
    pub(super) fn close(self, id: &str) -> Request {
        let (path, body) = match self {
            Self::OpenPointInTime => ("/_search/point_in_time", json!({"pit_id": [id]})),
            Self::OpenScroll => ("/_search/scroll", json!({"scroll_id": [id]})),
            _ => ("/_pit", json!({"id": id})),
        };
        Request {
            method: Method::DELETE,
            ..post(path.to_owned(), Some(body))
        }
    }

    /// What the answer tells, as in "not known: ..".
    pub(super) fn tells(self) -> &'static str {
        match self {
            Self::Root => "which server answers",
            Self::FieldCaps => "which indices match, and how the fields that order are mapped",
            Self::FieldMappings => {
                "the format of the timestamp field, and whether documents are kept"
            }
            Self::Settings => "the settings of the indices, and which are closed",
            Self::ClusterSettings => "how many scrolls and points in time may be open",
            Self::Stats => "the size on disk",
            Self::Matching => "how many documents match",
            Self::WithField => "how many documents have a timestamp",
            Self::Later(_) => "how many documents lie in the future",
            Self::OutsideNanos => "how many documents lie outside of 1970 to 2262",
            Self::Span => "the oldest and the newest timestamp",
            Self::Group => "how many documents have the same timestamp",
            Self::Sample => "how large a document is",
            Self::OpenPit | Self::OpenPointInTime => "whether a point in time can be opened",
            Self::OpenScroll => "whether a scroll can be opened",
        }
    }

    /// What allows to ask: the privilege of Elasticsearch, the permission of OpenSearch.
    pub(super) fn privilege(self) -> (&'static str, &'static str) {
        match self {
            Self::Root => ("cluster privilege \"monitor\"", "cluster:monitor/main"),
            Self::ClusterSettings => ("cluster privilege \"monitor\"", "cluster:monitor/state"),
            Self::Stats => ("index privilege \"monitor\"", "indices:monitor/stats"),
            Self::Settings => (VIEW_METADATA, "indices:monitor/settings/get"),
            Self::FieldMappings => (VIEW_METADATA, "indices:admin/mappings/fields/get"),
            Self::FieldCaps => (READ, "indices:data/read/field_caps"),
            Self::OpenPit | Self::OpenPointInTime => {
                (READ, "indices:data/read/point_in_time/create")
            }
            Self::OpenScroll => (READ, "indices:data/read/scroll"),
            Self::Matching
            | Self::WithField
            | Self::Later(_)
            | Self::OutsideNanos
            | Self::Span
            | Self::Group
            | Self::Sample => (READ, "indices:data/read/search"),
        }
    }

    /// Whether the source would fail where this does.
    pub(super) fn is_needed(self) -> bool {
        matches!(
            self,
            Self::FieldCaps
                | Self::Matching
                | Self::Sample
                | Self::OpenPit
                | Self::OpenPointInTime
                | Self::OpenScroll
        )
    }
}

const READ: &str = "index privilege \"read\"";
const VIEW_METADATA: &str = "index privilege \"view_index_metadata\"";

fn get(path: String) -> Request {
    Request {
        method: Method::GET,
        path,
        headers: Vec::new(),
        body: None,
    }
}

fn post(path: String, body: Option<Value>) -> Request {
    let is_json = ("content-type".to_owned(), "application/json".to_owned());
    Request {
        method: Method::POST,
        path,
        headers: body.iter().map(|_| is_json.clone()).collect(),
        body: body.map(|body| body.to_string().into_bytes()),
    }
}

/// What the user selects, and this.
fn also(plan: &Plan, filter: Value) -> Value {
    json!({"bool": {"filter": [plan.query, filter]}})
}

/// What comes after this time, as the field counts it.
fn later(date: DateTime<Utc>, by: Option<Field<'_>>) -> Value {
    match by.map(|by| by.values) {
        Some(Values::Times(step)) => json!({"gt": step.of_ms(date.timestamp_millis())}),
        _ => json!({"gt": date.to_rfc3339_opts(SecondsFormat::Millis, true), "format": FORMAT}),
    }
}

/// Fields and the objects that they lie in, any of which may be nested.
fn with_parents(field: &str, another: Option<&str>) -> String {
    let mut all: Vec<_> = [Some(field), another]
        .into_iter()
        .flatten()
        .flat_map(|field| {
            let ends = field.match_indices('.').map(|(at, _)| at);
            ends.chain([field.len()]).filter_map(|end| field.get(..end))
        })
        .map(encode)
        .collect();
    all.sort();
    all.dedup();
    all.join(",")
}

/// The parameters that choose the shards which the source asks.
fn shards(plan: &Plan) -> String {
    let parameters = [("routing", &plan.routing), ("preference", &plan.preference)];
    let set = parameters
        .iter()
        .filter_map(|(name, value)| Some((name, value.as_deref()?)));
    set.map(|(name, value)| format!("&{name}={}", encode(value)))
        .collect()
}

/// Percent-encodes what may not stand in a path as it is, such as a slash.
fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.*,@:".contains(&byte);
    let encoded = text.bytes().map(|byte| match plain(byte) {
        true => char::from(byte).to_string(),
        false => format!("%{byte:02X}"),
    });
    encoded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::plan::tests::plan;

    #[test]
    fn every_object_around_the_field_is_asked_for_and_nothing_leaves_the_path() {
        let plan = plan(
            json!({"index": "a b,c/d?e", "timestamp_field": "a.b c.d", "tiebreaker_field": "a.n"}),
        );
        let path = Question::FieldCaps.request(&plan).path;
        assert_eq!(
            path,
            "/a%20b,c%2Fd%3Fe/_field_caps?fields=a,a.b%20c,a.b%20c.d,a.n&include_unmapped=true"
        );
    }

    #[test]
    fn what_lies_in_the_future_is_asked_for_as_the_field_counts() {
        let now = DateTime::from_timestamp_millis(1_767_225_600_000).unwrap();
        let rows = [
            (
                json!({}),
                json!({"gt": "2026-01-01T00:00:00.000Z", "format": FORMAT}),
            ),
            (
                json!({"timestamp_unit": "s"}),
                json!({"gt": 1_767_225_600_i64}),
            ),
        ];
        for (keys, expected) in rows {
            let body = Question::Later(now).request(&plan(keys)).body.unwrap();
            let body: Value = serde_json::from_slice(&body).unwrap();
            assert_eq!(body["query"]["bool"]["filter"][1]["range"]["t"], expected);
        }
    }

    #[test]
    fn what_is_held_open_is_held_as_long_as_the_source_asks_for() {
        let by_scroll = |timeout: Value| json!({"pagination": "scroll", "scroll_timeout": timeout});
        let rows = [
            (Question::OpenPit, json!({}), "keep_alive=5m"),
            (Question::OpenPointInTime, json!({}), "keep_alive=5m&"),
            (
                Question::OpenScroll,
                by_scroll(json!(null)),
                "scroll=300000ms",
            ),
            (
                Question::OpenScroll,
                by_scroll(json!("2h")),
                "scroll=7200000ms",
            ),
        ];
        for (question, keys, expected) in rows {
            let path = question.request(&plan(keys)).path;
            assert!(path.contains(expected), "{path}");
        }
    }

    #[test]
    fn a_count_is_of_what_the_user_selects() {
        let plan = plan(json!({"query": {"term": {"level": "error"}}}));
        let body = Question::WithField.request(&plan).body.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap();
        let selected = json!([{"term": {"level": "error"}}, {"exists": {"field": "t"}}]);
        assert_eq!(body["query"], json!({"bool": {"filter": selected}}));
    }

    #[test]
    fn what_the_source_selects_is_what_is_looked_at() {
        let fields = json!({"level": {"type": "keyword"}});
        let plan = plan(
            json!({"runtime_mappings": fields, "routing": "a b", "preference": "_local", "_source": ["c"]}),
        );
        for question in [
            Question::Matching,
            Question::Span,
            Question::Group,
            Question::Sample,
        ] {
            let Request { path, body, .. } = question.request(&plan);
            assert!(path.ends_with("&routing=a%20b&preference=_local"), "{path}");
            let body: Value = serde_json::from_slice(&body.unwrap()).unwrap();
            assert_eq!(body["runtime_mappings"], fields);
            let delivered = (question == Question::Sample).then(|| json!(["c"]));
            assert_eq!(body.get("_source"), delivered.as_ref());
        }
        for question in [Question::OpenPit, Question::OpenPointInTime] {
            let path = question.request(&plan).path;
            assert!(path.ends_with("&routing=a%20b&preference=_local"), "{path}");
        }
    }
}
