//! The values of a field as an aggregation sees them, and the buckets they fall into.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value, json};

use super::tally::Tally;
use crate::mini_elasticsearch::date::iso_millis;
use crate::mini_elasticsearch::document::FieldValue;
use crate::mini_elasticsearch::error::Cause;
use crate::mini_elasticsearch::mapping::Kind;
use crate::mini_elasticsearch::searcher::Searcher;

/// `search.max_buckets`.
const BUCKETS_MAX: i64 = 65_536;

/// The values of a field, document by document.
pub(super) struct Values {
    documents: Vec<(Tally, Vec<f64>)>,
    dates: bool,
}

impl Values {
    pub(super) fn of(field: &str, found: &[(&Searcher, Vec<u32>)]) -> Self {
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
                let values = match mapped {
                    _ if field == "_seq_no" => vec![document.seq_no as f64],
                    Some((number, kind)) => document
                        .field(number)
                        .filter_map(|value| as_float(value, kind))
                        .collect(),
                    None => Vec::new(),
                };
                (Tally::of(document), values)
            }));
        }
        values
    }

    pub(super) fn best(&self, better: fn(f64, f64) -> f64) -> Value {
        let values = self.documents.iter().flat_map(|(_, values)| values);
        match values.copied().reduce(better) {
            None => json!({"value": null}),
            Some(value) if self.dates => {
                json!({"value": value, "value_as_string": iso_millis(value as i64)})
            }
            Some(value) => json!({"value": value}),
        }
    }

    /// Exact, as all shards are looked through here; real ones report a part each.
    pub(super) fn most_frequent(
        &self,
        size: usize,
        by_documents: bool,
        documents: Option<&str>,
    ) -> Result<Value, Cause> {
        let mut counts: Vec<_> = self.counts(1, 1)?.into_iter().collect();
        counts.sort_by_key(|(_, tally)| {
            std::cmp::Reverse(match by_documents {
                true => tally.documents,
                false => tally.doc_count,
            })
        });
        let bucket = |(key, tally): &(i64, Tally)| {
            tally.bucket(bucket_keys(*key, self.dates, json!(key)), documents)
        };
        let others: u64 = counts.iter().skip(size).map(|(_, t)| t.doc_count).sum();
        let buckets: Vec<_> = counts.iter().take(size).map(bucket).collect();
        Ok(
            json!({"doc_count_error_upper_bound": 0, "sum_other_doc_count": others, "buckets": buckets}),
        )
    }

    /// Which documents have a value in each bucket.
    pub(super) fn counts(
        &self,
        interval: i64,
        min_count: u64,
    ) -> Result<BTreeMap<i64, Tally>, Cause> {
        let mut counts: BTreeMap<i64, Tally> = BTreeMap::new();
        for (tally, values) in &self.documents {
            let keys = values
                .iter()
                .map(|value| (*value as i64).div_euclid(interval) * interval);
            for key in keys.collect::<BTreeSet<_>>() {
                *counts.entry(key).or_default() += *tally;
            }
        }
        if let (0, Some((first, _)), Some((last, _))) =
            (min_count, counts.first_key_value(), counts.last_key_value())
        {
            fill(*first, *last, interval, &mut counts)?;
        }
        counts.retain(|_, tally| tally.doc_count >= min_count);
        Ok(counts)
    }
}

/// What a bucket is called: a date has a text beside its whole number, else it is the given one.
pub(super) fn bucket_keys(key: i64, is_date: bool, number: Value) -> Map<String, Value> {
    let text = is_date.then(|| ("key_as_string".to_owned(), iso_millis(key).into()));
    let number = if is_date { key.into() } else { number };
    let number = ("key".to_owned(), number);
    text.into_iter().chain([number]).collect()
}

/// Adds the empty buckets between the first and the last.
fn fill(
    first: i64,
    last: i64,
    interval: i64,
    counts: &mut BTreeMap<i64, Tally>,
) -> Result<(), Cause> {
    if (last - first) / interval >= BUCKETS_MAX {
        let reason = format!(
            "Trying to create too many buckets. Must be less than or equal to: [{BUCKETS_MAX}]"
        );
        return Err(Cause::new(400, "too_many_buckets_exception", reason));
    }
    for number in 1..=(last - first) / interval {
        counts.entry(first + number * interval).or_default();
    }
    Ok(())
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
