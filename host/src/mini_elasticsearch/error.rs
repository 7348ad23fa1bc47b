//! Errors in the shape in which the real servers report them.
//!
//! A cause is one reason with its type. It becomes an answer by itself, or, when the
//! shards of a search report it, the cause of a `search_phase_execution_exception`.

use std::sync::Arc;

use serde_json::{Map, Value, json};

/// One reason, with the HTTP status that it leads to.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Cause {
    pub(super) status: u16,
    pub(super) json: Map<String, Value>,
}

impl Cause {
    pub(super) fn new(status: u16, kind: &str, reason: impl Into<String>) -> Self {
        let mut json = Map::new();
        json.insert("type".into(), kind.into());
        json.insert("reason".into(), Value::String(reason.into()));
        Self { status, json }
    }

    /// What the servers call an argument that they cannot accept.
    pub(super) fn argument(reason: impl Into<String>) -> Self {
        Self::new(400, "illegal_argument_exception", reason)
    }

    /// A body that is JSON but not the request that it should be.
    pub(super) fn parsing(reason: impl Into<String>) -> Self {
        Self::new(400, "parsing_exception", reason)
            .with("line", 1)
            .with("col", 1)
    }

    /// A request whose parts do not go together.
    pub(super) fn validation(reason: &str) -> Self {
        let reason = format!("Validation Failed: 1: {reason};");
        Self::new(400, "action_request_validation_exception", reason)
    }

    /// A query that cannot be created for one index.
    pub(super) fn query_shard(reason: impl Into<String>) -> Self {
        Self::new(400, "query_shard_exception", reason)
    }

    pub(super) fn no_such_index(name: &str) -> Self {
        Self::new(
            404,
            "index_not_found_exception",
            format!("no such index [{name}]"),
        )
        .with("resource.type", "index_or_alias")
        .with("resource.id", name)
        .with("index_uuid", "_na_")
        .with("index", name)
    }

    pub(super) fn context_missing(id: u64) -> Self {
        let reason = format!("No search context found for id [{id}]");
        Self::new(404, "search_context_missing_exception", reason)
    }

    pub(super) fn with(mut self, key: &str, value: impl Into<Value>) -> Self {
        self.json.insert(key.into(), value.into());
        self
    }

    pub(super) fn reason(&self) -> &str {
        self.json
            .get("reason")
            .and_then(Value::as_str)
            .unwrap_or_default()
    }
}

/// A cause, and the shard that it comes from.
#[derive(Debug, Clone)]
pub(super) struct ShardFailure {
    /// The shard's number; -1 where the search context that knew it is gone.
    pub(super) shard: i64,
    pub(super) index: Option<Arc<str>>,
    /// How many shards of that index failed for the same reason.
    pub(super) shards: usize,
    pub(super) cause: Cause,
}

impl ShardFailure {
    pub(super) fn json(&self) -> Value {
        let mut json =
            json!({"shard": self.shard, "index": self.index.as_deref(), "reason": self.cause.json});
        if let (Some(_), Some(fields)) = (&self.index, json.as_object_mut()) {
            fields.insert("node".into(), "mini".into());
        }
        json
    }
}

/// An answer that is not a success.
#[derive(Debug, Clone)]
pub(super) struct ApiError {
    pub(super) status: u16,
    pub(super) body: Value,
    pub(super) headers: Vec<(&'static str, String)>,
}

impl ApiError {
    /// An error that some routes report as a bare text.
    pub(super) fn text(status: u16, text: String) -> Self {
        let body = match status {
            400 => json!({"error": text}),
            _ => json!({"error": text, "status": status}),
        };
        Self {
            status,
            body,
            headers: Vec::new(),
        }
    }

    /// What a search answers whose shards failed, all of them or, where partial
    /// answers are refused, some.
    pub(super) fn shards(failures: &[ShardFailure], all: bool) -> Self {
        let reason = if all {
            "all shards failed"
        } else {
            "Partial shards failure"
        };
        let causes: Vec<_> = failures.iter().map(|failure| &failure.cause.json).collect();
        let mut error = json!({
            "root_cause": causes, "type": "search_phase_execution_exception", "reason": reason,
            "phase": "query", "grouped": true,
            "failed_shards": failures.iter().map(ShardFailure::json).collect::<Vec<_>>(),
        });
        if let (Some(cause), Some(fields)) = (causes.first(), error.as_object_mut()) {
            fields.insert("caused_by".into(), Value::Object((*cause).clone()));
        }
        let status = failures.first().map_or(503, |failure| failure.cause.status);
        Self {
            status,
            body: json!({"error": error, "status": status}),
            headers: Vec::new(),
        }
    }
}

impl From<Cause> for ApiError {
    fn from(cause: Cause) -> Self {
        let mut error = cause.json.clone();
        error.insert("root_cause".into(), json!([cause.json]));
        Self {
            status: cause.status,
            body: json!({"error": error, "status": cause.status}),
            headers: Vec::new(),
        }
    }
}
