//! Reads aggregations. Anything else than those known here is refused, never ignored.

use serde_json::{Map, Value};

use super::{Aggregation, Kind};
use crate::mini_elasticsearch::contexts::parse_time;
use crate::mini_elasticsearch::error::Cause;
use crate::mini_elasticsearch::query::{Query, object};

impl Aggregation {
    pub(in crate::mini_elasticsearch) fn parse_all(
        json: Option<&Value>,
    ) -> Result<Vec<(String, Self)>, Cause> {
        let entries = json.and_then(Value::as_object).into_iter().flatten();
        entries
            .map(|(name, body)| Ok((name.clone(), Self::parse(name, body)?)))
            .collect()
    }

    fn parse(name: &str, body: &Value) -> Result<Self, Cause> {
        let is_below = |key: &str| ["aggs", "aggregations"].contains(&key);
        let entries = body.as_object().into_iter().flatten();
        let (below, types): (Vec<_>, Vec<_>) = entries.partition(|(key, _)| is_below(key));
        let &[(type_name, body)] = types.as_slice() else {
            return Err(Cause::parsing("an aggregation must have one type"));
        };
        let below = below.first().map(|(_, below)| Self::parse_all(Some(below)));
        let below = below.transpose()?.unwrap_or_default();
        let documents = match below.as_slice() {
            [] => None,
            [(below, count)] if count.kind == Kind::Documents => Some(below.clone()),
            _ => {
                return Err(Cause::parsing(
                    "only one value_count of [_index] is supported below an aggregation here",
                ));
            }
        };
        let kind = Kind::parse(type_name, body, documents.as_deref())?;
        if documents.is_some() && !kind.has_buckets() {
            return Err(Cause::argument(format!(
                "Aggregator [{name}] of type [{type_name}] cannot accept sub-aggregations"
            )));
        }
        Ok(Self { kind, documents })
    }
}

impl Kind {
    fn parse(name: &str, body: &Value, documents: Option<&str>) -> Result<Self, Cause> {
        match name {
            "date_histogram" => {
                let fields = object(name, body, &["field", "fixed_interval", "min_doc_count"])?;
                let interval = fields.get("fixed_interval").and_then(Value::as_str);
                let interval = parse_time(interval.unwrap_or_default(), "fixed_interval")?;
                Self::histogram(
                    fields,
                    i64::try_from(interval.as_millis()).unwrap_or(0),
                    true,
                )
            }
            "histogram" => {
                let fields = object(name, body, &["field", "interval", "min_doc_count"])?;
                let interval = fields.get("interval").and_then(Value::as_i64);
                Self::histogram(fields, interval.unwrap_or(0), false)
            }
            "min" => Ok(Self::Min(field(object(name, body, &["field"])?)?)),
            "max" => Ok(Self::Max(field(object(name, body, &["field"])?)?)),
            "value_count" => match &*field(object(name, body, &["field"])?)? {
                "_index" => Ok(Self::Documents),
                other => Err(Cause::argument(format!(
                    "[value_count] of [{other}] is not supported here"
                ))),
            },
            "filters" => {
                let filters = object(name, body, &["filters"])?.get("filters");
                let filters = filters.and_then(Value::as_object).into_iter().flatten();
                let filters = filters.map(|(name, query)| Ok((name.clone(), Query::parse(query)?)));
                Ok(Self::Filters(filters.collect::<Result<_, Cause>>()?))
            }
            "terms" => Self::terms(body, documents),
            _ => Err(Cause::parsing(format!("Unknown aggregation type [{name}]"))),
        }
    }

    fn histogram(fields: &Map<String, Value>, interval: i64, dates: bool) -> Result<Self, Cause> {
        if interval < 1 {
            return Err(Cause::argument(
                "[interval] must be a whole number of at least 1 here",
            ));
        }
        let min_count = fields.get("min_doc_count").and_then(Value::as_u64);
        Ok(Self::Histogram {
            field: field(fields)?,
            interval,
            min_count: min_count.unwrap_or(0),
            dates,
        })
    }

    fn terms(body: &Value, documents: Option<&str>) -> Result<Self, Cause> {
        let fields = object("terms", body, &["field", "size", "shard_size", "order"])?;
        let size = fields.get("size").map_or(Some(10), Value::as_u64);
        let size = size.filter(|size| *size > 0).ok_or_else(|| {
            Cause::argument("[size] must be greater than 0. Found [0] in [terms]")
        })?;
        Ok(Self::Terms {
            field: field(fields)?,
            size: usize::try_from(size).unwrap_or(usize::MAX),
            by_documents: by_documents(fields.get("order"), documents)?,
        })
    }
}

/// Whether the bucket with the most documents comes first, or by default that with the largest
/// `doc_count`.
fn by_documents(order: Option<&Value>, documents: Option<&str>) -> Result<bool, Cause> {
    let Some(order) = order else {
        return Ok(false);
    };
    let mut keys = order.as_object().into_iter().flatten();
    match (keys.next(), keys.next(), documents) {
        (Some((by, Value::String(way))), None, Some(documents))
            if by == documents && way == "desc" =>
        {
            Ok(true)
        }
        _ => Err(Cause::argument(format!(
            "Invalid aggregation order path [{order}]: only the name of a value_count below it, descending, is supported here"
        ))),
    }
}

fn field(fields: &Map<String, Value>) -> Result<String, Cause> {
    let field = fields.get("field").and_then(Value::as_str);
    field.map(str::to_owned).ok_or_else(|| {
        Cause::argument("Required one of fields [field, script], but none were specified. ")
    })
}
