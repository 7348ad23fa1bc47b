//! Reads the body of a search. A key that is not supported is refused.

use serde_json::{Map, Value};

use super::Product;
use super::aggregation::Aggregation;
use super::error::{ApiError, Cause};
use super::fields::FieldRequest;
use super::query::{Query, object};
use super::sort::SortKey;
use super::source_filter::SourceFilter;

/// What a search asks for.
#[derive(Debug, Clone)]
pub(super) struct SearchRequest {
    pub(super) size: usize,
    pub(super) from: usize,
    pub(super) query: Query,
    /// The query as text, to find its results again.
    pub(super) query_text: String,
    pub(super) sort: Vec<SortKey>,
    pub(super) sort_text: String,
    pub(super) search_after: Option<Vec<Value>>,
    pub(super) pit: Option<Pit>,
    pub(super) total: TrackTotal,
    pub(super) source: SourceFilter,
    pub(super) fields: Vec<FieldRequest>,
    pub(super) seq_no_primary_term: bool,
    pub(super) version: bool,
    pub(super) aggregations: Vec<(String, Aggregation)>,
}

/// The point in time that a search reads.
#[derive(Debug, Clone)]
pub(super) struct Pit {
    pub(super) id: String,
    pub(super) keep_alive: Option<String>,
}

/// How far the total is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TrackTotal {
    Not,
    UpTo(usize),
}

const KEYS: [&str; 15] = [
    "size",
    "from",
    "query",
    "sort",
    "search_after",
    "pit",
    "track_total_hits",
    "track_scores",
    "_source",
    "fields",
    "seq_no_primary_term",
    "version",
    "aggs",
    "aggregations",
    "timeout",
];

impl SearchRequest {
    /// Reads a body; an empty one asks for everything.
    pub(super) fn parse(body: &[u8], product: Product) -> Result<Self, ApiError> {
        let json = json_object(body)?;
        if let Some((key, value)) = json.iter().find(|(key, _)| !KEYS.contains(&key.as_str())) {
            let what = match value {
                Value::Object(_) => "START_OBJECT",
                Value::Array(_) => "START_ARRAY",
                Value::Number(_) => "VALUE_NUMBER",
                Value::Bool(_) => "VALUE_BOOLEAN",
                _ => "VALUE_STRING",
            };
            return Err(Cause::parsing(format!("Unknown key for a {what} in [{key}].")).into());
        }
        let get = |key: &str| json.get(key).unwrap_or(&Value::Null);
        let flag = |key: &str| get(key).as_bool();
        let sort = SortKey::parse_all(get("sort"), product)?;
        Ok(Self {
            size: number(&json, "size", 10)?,
            from: number(&json, "from", 0)?,
            query: json.get("query").map_or(Ok(Query::All), Query::parse)?,
            query_text: get("query").to_string(),
            sort_text: get("sort").to_string(),
            sort,
            search_after: get("search_after").as_array().cloned(),
            pit: pit(get("pit"))?,
            total: track_total(get("track_total_hits"))?,
            source: SourceFilter::parse(get("_source"))?,
            fields: FieldRequest::parse_all(get("fields"))?,
            seq_no_primary_term: flag("seq_no_primary_term").unwrap_or(false),
            version: flag("version").unwrap_or(false),
            aggregations: Aggregation::parse_all(
                json.get("aggs").or_else(|| json.get("aggregations")),
            )?,
        })
    }

    /// Refuses what does not go together, before any shard is asked.
    pub(super) fn validate(&self, product: Product, scroll: bool) -> Result<(), ApiError> {
        let fault = match (scroll, self) {
            (true, Self { pit: Some(_), .. }) => {
                "using [point in time] is not allowed in a scroll context"
            }
            (true, Self { from: 1.., .. }) => "using [from] is not allowed in a scroll context",
            (true, Self { size: 0, .. }) => "[size] cannot be [0] in a scroll context",
            (
                true,
                Self {
                    total: TrackTotal::Not,
                    ..
                },
            ) => "disabling [track_total_hits] is not allowed in a scroll context",
            (
                true,
                Self {
                    search_after: Some(_),
                    ..
                },
            ) => "[search_after] cannot be used in a scroll context",
            (
                false,
                Self {
                    from: 1..,
                    search_after: Some(_),
                    ..
                },
            ) => "[from] parameter must be set to 0 when [search_after] is used",
            _ => return Ok(()),
        };
        Err(match (product, &self.search_after) {
            (Product::OpenSearch, Some(_)) => Cause::new(500, "search_exception", fault).into(),
            _ => Cause::validation(fault).into(),
        })
    }
}

/// A body as a JSON object; nothing at all is an empty one.
pub(super) fn json_object(body: &[u8]) -> Result<Map<String, Value>, ApiError> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    match serde_json::from_slice(body) {
        Ok(Value::Object(json)) => Ok(json),
        Ok(_) => Err(Cause::parsing("Expected [START_OBJECT] but found another value").into()),
        Err(error) => {
            Err(Cause::new(400, "x_content_parse_exception", format!("[1:1] {error}")).into())
        }
    }
}

fn number(json: &Map<String, Value>, key: &str, default: usize) -> Result<usize, Cause> {
    match json.get(key).map(|value| value.as_i64()) {
        None => Ok(default),
        // `from` may be -1, which means that it was not given.
        Some(Some(-1)) if key == "from" => Ok(0),
        Some(Some(number)) => usize::try_from(number).map_err(|_| {
            Cause::argument(format!(
                "[{key}] parameter cannot be negative, found [{number}]"
            ))
        }),
        Some(None) => Err(Cause::parsing(format!("[{key}] must be an integer"))),
    }
}

fn pit(json: &Value) -> Result<Option<Pit>, Cause> {
    if json.is_null() {
        return Ok(None);
    }
    let fields = object("pit", json, &["id", "keep_alive"])?;
    let text = |key: &str| fields.get(key).and_then(Value::as_str).map(str::to_owned);
    let id = text("id").ok_or_else(|| {
        Cause::new(
            400,
            "x_content_parse_exception",
            "[1:1] [pit] id doesn't support values of this type",
        )
    })?;
    Ok(Some(Pit {
        id,
        keep_alive: text("keep_alive"),
    }))
}

fn track_total(json: &Value) -> Result<TrackTotal, Cause> {
    match json {
        Value::Null => Ok(TrackTotal::UpTo(10_000)),
        Value::Bool(true) => Ok(TrackTotal::UpTo(usize::MAX)),
        Value::Bool(false) => Ok(TrackTotal::Not),
        value => {
            let count = value.as_u64().and_then(|count| usize::try_from(count).ok());
            count
                .map(TrackTotal::UpTo)
                .ok_or_else(|| Cause::parsing("[track_total_hits] must be a boolean or a number"))
        }
    }
}
