//! Reads the query language, as much of it as the connector and its users' filters
//! need. Anything else is refused, never ignored.

use serde_json::{Map, Value};

use super::error::Cause;
use super::indexing::text;

/// How deep queries may be nested.
const DEPTH_MAX: usize = 30;

/// A query that does not know its indices yet.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Query {
    All,
    Nothing,
    Bool {
        must: Vec<Query>,
        must_not: Vec<Query>,
        should: Vec<Query>,
        should_min: usize,
    },
    Range {
        field: String,
        bounds: Vec<(Side, Value)>,
        format: Option<String>,
    },
    Exists(String),
    Terms {
        field: String,
        values: Vec<Value>,
    },
    Ids(Vec<String>),
    Match {
        field: String,
        text: String,
        all_tokens: bool,
    },
}

/// One side of a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Side {
    Gte,
    Gt,
    Lte,
    Lt,
}

impl Query {
    /// Reads a `query` object.
    pub(super) fn parse(json: &Value) -> Result<Self, Cause> {
        Self::parse_at(json, 0)
    }

    fn parse_at(json: &Value, depth: usize) -> Result<Self, Cause> {
        if depth > DEPTH_MAX {
            return Err(Cause::argument(format!(
                "The nested depth of the query exceeds the maximum nested depth for queries set in [{DEPTH_MAX}]"
            )));
        }
        let (name, body) = only_entry(json, "query")?;
        match name {
            "match_all" => object(name, body, &["boost"]).map(|_| Self::All),
            "match_none" => object(name, body, &["boost"]).map(|_| Self::Nothing),
            "bool" => bool_query(body, depth),
            "constant_score" => {
                let fields = object(name, body, &["filter", "boost"])?;
                Self::parse_at(fields.get("filter").unwrap_or(&Value::Null), depth + 1)
            }
            "range" => range(body),
            "exists" => {
                let field = object(name, body, &["field", "boost"])?
                    .get("field")
                    .and_then(Value::as_str);
                let field = field
                    .ok_or_else(|| Cause::parsing("[exists] must be provided with a [field]"))?;
                Ok(Self::Exists(field.to_owned()))
            }
            "term" => term(body),
            "terms" => terms(body),
            "ids" => ids(body),
            "match" => match_query(body),
            _ => Err(Cause::parsing(format!("unknown query [{name}]"))),
        }
    }
}

/// The name and body of an object with one entry.
fn only_entry<'a>(json: &'a Value, what: &str) -> Result<(&'a str, &'a Value), Cause> {
    let fields = json
        .as_object()
        .ok_or_else(|| Cause::parsing(format!("[{what}] must be an object")))?;
    let mut entries = fields.iter();
    match (entries.next(), entries.next()) {
        (Some((name, body)), None) => Ok((name, body)),
        (None, _) => Err(Cause::argument(format!(
            "{what} malformed, empty clause found at [1:1]"
        ))),
        (Some((name, _)), Some(_)) => Err(Cause::parsing(format!(
            "[{name}] malformed query, expected [END_OBJECT] but found [FIELD_NAME]"
        ))),
    }
}

/// An object that may only have the known keys.
pub(super) fn object<'a>(
    name: &str,
    body: &'a Value,
    known: &[&str],
) -> Result<&'a Map<String, Value>, Cause> {
    let fields = body.as_object().ok_or_else(|| {
        Cause::parsing(format!(
            "[{name}] query malformed, no start_object after query name"
        ))
    })?;
    match fields.keys().find(|key| !known.contains(&key.as_str())) {
        Some(key) => Err(Cause::parsing(format!(
            "[{name}] query does not support [{key}]"
        ))),
        None => Ok(fields),
    }
}

fn bool_query(body: &Value, depth: usize) -> Result<Query, Cause> {
    let known = [
        "must",
        "filter",
        "must_not",
        "should",
        "minimum_should_match",
        "boost",
    ];
    let fields = object("bool", body, &known)?;
    let clauses = |name: &str| match fields.get(name) {
        None => Ok(Vec::new()),
        Some(Value::Array(clauses)) => clauses
            .iter()
            .map(|clause| Query::parse_at(clause, depth + 1))
            .collect(),
        Some(clause) => Query::parse_at(clause, depth + 1).map(|clause| vec![clause]),
    };
    let mut must: Vec<Query> = clauses("must")?;
    must.extend(clauses("filter")?);
    let should: Vec<Query> = clauses("should")?;
    let default = usize::from(must.is_empty() && !should.is_empty());
    let should_min = match fields.get("minimum_should_match").map(text) {
        None => default,
        Some(count) => count.parse().map_err(|_| {
            Cause::argument(format!(
                "[minimum_should_match] of [{count}] is not supported here"
            ))
        })?,
    };
    Ok(Query::Bool {
        must,
        must_not: clauses("must_not")?,
        should,
        should_min,
    })
}

fn range(body: &Value) -> Result<Query, Cause> {
    if let Some([first, second]) = body
        .as_object()
        .map(|fields| fields.keys().take(2).collect::<Vec<_>>())
        .as_deref()
    {
        return Err(Cause::parsing(format!(
            "[range] query doesn't support multiple fields, found [{first}] and [{second}]"
        )));
    }
    let (field, options) = only_entry(body, "range")?;
    let options = object(
        "range",
        options,
        &["gte", "gt", "lte", "lt", "format", "boost"],
    )?;
    let sides = [
        ("gte", Side::Gte),
        ("gt", Side::Gt),
        ("lte", Side::Lte),
        ("lt", Side::Lt),
    ];
    let bound = |(name, side): (&str, Side)| {
        options
            .get(name)
            .filter(|value| !value.is_null())
            .map(|value| (side, value.clone()))
    };
    let format = options.get("format").map(text);
    Ok(Query::Range {
        field: field.to_owned(),
        bounds: sides.into_iter().filter_map(bound).collect(),
        format,
    })
}

fn term(body: &Value) -> Result<Query, Cause> {
    let (field, value) = only_entry(body, "term")?;
    let value = match value {
        Value::Object(_) => object("term", value, &["value", "boost"])?
            .get("value")
            .unwrap_or(&Value::Null),
        scalar => scalar,
    };
    if value.is_null() {
        return Err(Cause::argument("value cannot be null"));
    }
    Ok(Query::Terms {
        field: field.to_owned(),
        values: vec![value.clone()],
    })
}

fn terms(body: &Value) -> Result<Query, Cause> {
    let (field, values) = only_entry(body, "terms")?;
    let values = values
        .as_array()
        .ok_or_else(|| Cause::parsing("[terms] query does not support this value"))?;
    Ok(Query::Terms {
        field: field.to_owned(),
        values: values.clone(),
    })
}

fn ids(body: &Value) -> Result<Query, Cause> {
    let values = object("ids", body, &["values", "boost"])?
        .get("values")
        .and_then(Value::as_array);
    let values = values
        .ok_or_else(|| Cause::parsing("[ids] requires providing a non-null value for [values]"))?;
    Ok(Query::Ids(values.iter().map(text).collect()))
}

fn match_query(body: &Value) -> Result<Query, Cause> {
    let (field, options) = only_entry(body, "match")?;
    let (words, operator) = match options {
        Value::Object(_) => {
            let options = object("match", options, &["query", "operator", "boost"])?;
            (
                options.get("query").map(text),
                options.get("operator").map(text),
            )
        }
        scalar => (Some(text(scalar)), None),
    };
    let words = words.ok_or_else(|| Cause::parsing("No text specified for text query"))?;
    let all_tokens = operator.is_some_and(|operator| operator.eq_ignore_ascii_case("and"));
    Ok(Query::Match {
        field: field.to_owned(),
        text: words,
        all_tokens,
    })
}
