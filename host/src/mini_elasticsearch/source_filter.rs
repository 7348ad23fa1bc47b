//! What of a document's `_source` a hit carries.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::error::Cause;
use super::query::object;
use crate::wildcard::is_like;

/// The `_source` of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum SourceFilter {
    All,
    Nothing,
    Part(Lists),
}

/// Names and patterns of fields, each with all that is below it; no includes are everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lists {
    includes: Vec<String>,
    excludes: Vec<String>,
}

impl SourceFilter {
    /// Reads `true`, `false`, a pattern, a list of them, or an object of two lists.
    pub(super) fn parse(json: &Value) -> Result<Self, Cause> {
        let part = |includes, excludes| Self::Part(Lists { includes, excludes });
        match json {
            Value::Null | Value::Bool(true) => Ok(Self::All),
            Value::Bool(false) => Ok(Self::Nothing),
            Value::Object(_) => {
                let lists = object("_source", json, &["includes", "excludes"])?;
                let list = |key: &str| lists.get(key).map_or(Ok(Vec::new()), patterns);
                Ok(part(list("includes")?, list("excludes")?))
            }
            includes => Ok(part(patterns(includes)?, Vec::new())),
        }
    }

    /// What is left of a document; nothing at all where none is wanted.
    pub(super) fn of<'a>(&self, source: &'a [u8]) -> Option<Cow<'a, [u8]>> {
        match self {
            Self::All => Some(Cow::Borrowed(source)),
            Self::Nothing => None,
            Self::Part(lists) => {
                let document: Map<String, Value> = serde_json::from_slice(source).ok()?;
                let left = lists.of_object("", &document);
                serde_json::to_vec(&left).ok().map(Cow::Owned)
            }
        }
    }
}

fn patterns(json: &Value) -> Result<Vec<String>, Cause> {
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let patterns = match json {
        Value::Array(patterns) => patterns.iter().map(text).collect(),
        one => text(one).map(|one| vec![one]),
    };
    patterns.ok_or_else(|| Cause::parsing("[_source] must name fields by texts"))
}

impl Lists {
    fn of_object(&self, path: &str, fields: &Map<String, Value>) -> Map<String, Value> {
        let left = fields.iter().filter_map(|(name, value)| {
            let path = match path {
                "" => name.clone(),
                path => format!("{path}.{name}"),
            };
            Some((name.clone(), self.of_value(&path, value)?))
        });
        left.collect()
    }

    /// Objects and arrays stay where something in them does, or where they are named.
    fn of_value(&self, path: &str, value: &Value) -> Option<Value> {
        if self.excludes.iter().any(|pattern| is_like(pattern, path)) {
            return None;
        }
        let named = self.includes.is_empty() || self.includes.iter().any(|p| covers(p, path));
        match value {
            Value::Object(fields) => {
                let left = self.of_object(path, fields);
                (named || !left.is_empty()).then_some(Value::Object(left))
            }
            Value::Array(items) => {
                let left = items.iter().filter_map(|item| self.of_value(path, item));
                let left: Vec<_> = left.collect();
                (named || !left.is_empty()).then_some(Value::Array(left))
            }
            scalar => named.then(|| scalar.clone()),
        }
    }
}

/// Whether a pattern means a path, or something that it lies in.
fn covers(pattern: &str, path: &str) -> bool {
    let parents = path.match_indices('.').filter_map(|(at, _)| path.get(..at));
    parents.chain([path]).any(|path| is_like(pattern, path))
}
