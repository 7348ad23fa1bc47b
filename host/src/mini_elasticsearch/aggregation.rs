//! The few aggregations that a reader of time series needs: histograms, smallest and
//! largest value, the most frequent values, documents by queries.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::Product;
use super::compile::matcher;
use super::date::iso_millis;
use super::document::FieldValue;
use super::error::Cause;
use super::mapping::Kind;
use super::query::{Query, object};
use super::searcher::Searcher;

/// `search.max_buckets`.
const BUCKETS_MAX: i64 = 65_536;

/// One aggregation over the documents that match.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Aggregation {
    /// Buckets as wide as the interval: milliseconds where the field is a date.
    Histogram {
        field: String,
        interval: i64,
        min_count: u64,
        dates: bool,
    },
    Min(String),
    Max(String),
    /// Documents that match, by the name of a query.
    Filters(Vec<(String, Query)>),
    /// The most frequent numbers or dates, the smaller first where two are as frequent.
    Terms {
        field: String,
        size: usize,
    },
}

/// The values of a field as an aggregation sees them, document by document.
struct Values {
    documents: Vec<Vec<f64>>,
    dates: bool,
}

impl Aggregation {
    pub(super) fn parse_all(json: Option<&Value>) -> Result<Vec<(String, Self)>, Cause> {
        let Some(json) = json else {
            return Ok(Vec::new());
        };
        let entries = json.as_object().into_iter().flatten();
        entries
            .map(|(name, body)| Ok((name.clone(), Self::parse(body)?)))
            .collect()
    }

    fn parse(body: &Value) -> Result<Self, Cause> {
        let mut entries = body.as_object().into_iter().flatten();
        let (Some((kind, body)), None) = (entries.next(), entries.next()) else {
            return Err(Cause::parsing(
                "an aggregation must have one type, and none below it here",
            ));
        };
        match kind.as_str() {
            "date_histogram" => {
                let fields = object(kind, body, &["field", "fixed_interval", "min_doc_count"])?;
                let interval = fields
                    .get("fixed_interval")
                    .and_then(Value::as_str)
                    .unwrap_or_default();
                let interval = super::contexts::parse_time(interval, "fixed_interval")?.as_millis();
                Self::histogram(fields, i64::try_from(interval).unwrap_or(0), true)
            }
            "histogram" => {
                let fields = object(kind, body, &["field", "interval", "min_doc_count"])?;
                let interval = fields.get("interval").and_then(Value::as_i64);
                Self::histogram(fields, interval.unwrap_or(0), false)
            }
            "min" => Ok(Self::Min(field(object(kind, body, &["field"])?)?)),
            "max" => Ok(Self::Max(field(object(kind, body, &["field"])?)?)),
            "filters" => {
                let filters = object(kind, body, &["filters"])?.get("filters");
                let filters = filters.and_then(Value::as_object).into_iter().flatten();
                let filters = filters.map(|(name, query)| Ok((name.clone(), Query::parse(query)?)));
                Ok(Self::Filters(filters.collect::<Result<_, Cause>>()?))
            }
            "terms" => {
                let fields = object(kind, body, &["field", "size", "shard_size"])?;
                let size = fields.get("size").map_or(Some(10), Value::as_u64);
                let size = size.filter(|size| *size > 0).ok_or_else(|| {
                    Cause::argument("[size] must be greater than 0. Found [0] in [terms]")
                })?;
                Ok(Self::Terms {
                    field: field(fields)?,
                    size: usize::try_from(size).unwrap_or(usize::MAX),
                })
            }
            _ => Err(Cause::parsing(format!("Unknown aggregation type [{kind}]"))),
        }
    }

    /// Whether it is over the values of this field.
    pub(super) fn is_of(&self, name: &str) -> bool {
        match self {
            Self::Histogram { field, .. }
            | Self::Min(field)
            | Self::Max(field)
            | Self::Terms { field, .. } => field == name,
            Self::Filters(_) => false,
        }
    }

    fn histogram(fields: &Map<String, Value>, interval: i64, dates: bool) -> Result<Self, Cause> {
        if interval < 1 {
            return Err(Cause::argument(
                "[interval] must be a whole number of at least 1 here",
            ));
        }
        let min_count = fields
            .get("min_doc_count")
            .and_then(Value::as_u64)
            .unwrap_or(0);
        Ok(Self::Histogram {
            field: field(fields)?,
            interval,
            min_count,
            dates,
        })
    }

    /// The result over the matching places of every searcher.
    pub(super) fn run(
        &self,
        found: &[(&Searcher, Vec<u32>)],
        product: Product,
    ) -> Result<Value, Cause> {
        match self {
            Self::Histogram {
                field,
                interval,
                min_count,
                dates,
            } => {
                let counts = counts(&Values::of(field, found), *interval, *min_count)?;
                let bucket = |(key, count)| match dates {
                    true => {
                        json!({"key_as_string": iso_millis(key), "key": key, "doc_count": count})
                    }
                    false => json!({"key": key as f64, "doc_count": count}),
                };
                Ok(json!({"buckets": counts.into_iter().map(bucket).collect::<Vec<_>>()}))
            }
            Self::Min(field) => Ok(Values::of(field, found).best(f64::min)),
            Self::Max(field) => Ok(Values::of(field, found).best(f64::max)),
            Self::Filters(filters) => {
                let bucket = |(name, query): &(String, Query)| {
                    let count = matching(query, found, product)?;
                    Ok((name.clone(), json!({"doc_count": count})))
                };
                let buckets: Result<Map<_, _>, Cause> = filters.iter().map(bucket).collect();
                Ok(json!({"buckets": buckets?}))
            }
            Self::Terms { field, size } => Values::of(field, found).most_frequent(*size),
        }
    }
}

/// How many of the documents that were found match this, too.
fn matching(
    query: &Query,
    found: &[(&Searcher, Vec<u32>)],
    product: Product,
) -> Result<usize, Cause> {
    let numbers_are_millis = product == Product::Elasticsearch;
    let mut count = 0;
    for (searcher, places) in found {
        let matcher = matcher(query, searcher, numbers_are_millis)?;
        let documents = places.iter();
        let documents = documents.filter_map(|place| searcher.document(*place as usize));
        count += documents
            .filter(|document| matcher.matches(document))
            .count();
    }
    Ok(count)
}

fn field(fields: &Map<String, Value>) -> Result<String, Cause> {
    let field = fields.get("field").and_then(Value::as_str);
    field.map(str::to_owned).ok_or_else(|| {
        Cause::argument("Required one of fields [field, script], but none were specified. ")
    })
}

impl Values {
    fn of(field: &str, found: &[(&Searcher, Vec<u32>)]) -> Self {
        let mut values = Self {
            documents: Vec::new(),
            dates: false,
        };
        for (searcher, places) in found {
            let mapped = searcher
                .mapping
                .get(field)
                .map(|(number, field)| (number, field.kind));
            values.dates |= mapped.is_some_and(|(_, kind)| kind.is_date());
            let documents = places
                .iter()
                .filter_map(|place| searcher.document(*place as usize));
            values.documents.extend(documents.map(|document| {
                match mapped {
                    _ if field == "_seq_no" => vec![document.seq_no as f64],
                    Some((number, kind)) => document
                        .field(number)
                        .filter_map(|value| as_float(value, kind))
                        .collect(),
                    None => Vec::new(),
                }
            }));
        }
        values
    }

    fn best(&self, better: fn(f64, f64) -> f64) -> Value {
        match self.documents.iter().flatten().copied().reduce(better) {
            None => json!({"value": null}),
            Some(value) if self.dates => {
                json!({"value": value, "value_as_string": iso_millis(value as i64)})
            }
            Some(value) => json!({"value": value}),
        }
    }
}

impl Values {
    /// Exact, as all shards are looked through here; real ones report a part each.
    fn most_frequent(&self, size: usize) -> Result<Value, Cause> {
        let mut counts: Vec<_> = counts(self, 1, 1)?.into_iter().collect();
        counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
        let bucket = |(key, count): &(i64, u64)| match self.dates {
            true => json!({"key": key, "key_as_string": iso_millis(*key), "doc_count": count}),
            false => json!({"key": key, "doc_count": count}),
        };
        let others: u64 = counts.iter().skip(size).map(|(_, count)| count).sum();
        let buckets: Vec<_> = counts.iter().take(size).map(bucket).collect();
        Ok(
            json!({"doc_count_error_upper_bound": 0, "sum_other_doc_count": others, "buckets": buckets}),
        )
    }
}

/// Dates of either resolution are milliseconds to an aggregation.
fn as_float(value: &FieldValue, kind: Kind) -> Option<f64> {
    match (value, kind) {
        (FieldValue::Int(value), Kind::DateNanos) => Some(value.div_euclid(1_000_000) as f64),
        (FieldValue::Int(value), _) => Some(*value as f64),
        (FieldValue::Float(value), _) => Some(*value),
        (FieldValue::Text(_), _) => None,
    }
}

/// How many documents have a value in each bucket.
fn counts(values: &Values, interval: i64, min_count: u64) -> Result<BTreeMap<i64, u64>, Cause> {
    let mut counts: BTreeMap<i64, u64> = BTreeMap::new();
    for document in &values.documents {
        let keys = document
            .iter()
            .map(|value| (*value as i64).div_euclid(interval) * interval);
        for key in keys.collect::<BTreeSet<_>>() {
            *counts.entry(key).or_default() += 1;
        }
    }
    if let (0, Some((first, _)), Some((last, _))) =
        (min_count, counts.first_key_value(), counts.last_key_value())
    {
        let (first, last) = (*first, *last);
        if (last - first) / interval >= BUCKETS_MAX {
            let reason = format!(
                "Trying to create too many buckets. Must be less than or equal to: [{BUCKETS_MAX}]"
            );
            return Err(Cause::new(400, "too_many_buckets_exception", reason));
        }
        for number in 1..=(last - first) / interval {
            counts.entry(first + number * interval).or_default();
        }
    }
    counts.retain(|_, count| *count >= min_count);
    Ok(counts)
}
