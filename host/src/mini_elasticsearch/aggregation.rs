//! The few aggregations that a reader of time series needs: histograms, smallest and
//! largest value, the most frequent values, documents by queries, and how many they are.

mod parse;
mod tally;
mod values;

use serde_json::{Map, Value, json};

use super::Product;
use super::compile::matcher;
use super::error::Cause;
use super::query::Query;
use super::searcher::Searcher;
use tally::Tally;
use values::{Values, bucket_keys};

/// One aggregation over the documents that match.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Aggregation {
    kind: Kind,
    /// Under which name each bucket also says how many documents it has. Its `doc_count` says
    /// what they stand for, by their `_doc_count`.
    documents: Option<String>,
}

#[derive(Debug, Clone, PartialEq)]
enum Kind {
    /// Buckets as wide as the interval: milliseconds where the field is a date.
    Histogram {
        field: String,
        interval: i64,
        min_count: u64,
        dates: bool,
    },
    Min(String),
    Max(String),
    /// How many there are, as each has one `_index`.
    Documents,
    /// Documents that match, by the name of a query.
    Filters(Vec<(String, Query)>),
    /// The most frequent numbers or dates, the smaller first where two are as frequent.
    Terms {
        field: String,
        size: usize,
        by_documents: bool,
    },
}

impl Aggregation {
    /// Whether it is over the values of this field.
    pub(super) fn is_of(&self, name: &str) -> bool {
        match &self.kind {
            Kind::Histogram { field, .. }
            | Kind::Min(field)
            | Kind::Max(field)
            | Kind::Terms { field, .. } => field == name,
            Kind::Filters(_) | Kind::Documents => false,
        }
    }

    /// The result over the matching places of every searcher.
    pub(super) fn run(
        &self,
        found: &[(&Searcher, Vec<u32>)],
        product: Product,
    ) -> Result<Value, Cause> {
        let documents = self.documents.as_deref();
        match &self.kind {
            Kind::Histogram {
                field,
                interval,
                min_count,
                dates,
            } => {
                let counts = Values::of(field, found).counts(*interval, *min_count)?;
                let bucket = |(key, tally): (i64, Tally)| {
                    tally.bucket(bucket_keys(key, *dates, json!(key as f64)), documents)
                };
                Ok(json!({"buckets": counts.into_iter().map(bucket).collect::<Vec<_>>()}))
            }
            Kind::Min(field) => Ok(Values::of(field, found).best(f64::min)),
            Kind::Max(field) => Ok(Values::of(field, found).best(f64::max)),
            Kind::Documents => {
                let count: usize = found.iter().map(|(_, places)| places.len()).sum();
                Ok(json!({"value": count}))
            }
            Kind::Filters(filters) => {
                let bucket = |(name, query): &(String, Query)| {
                    let tally = matching(query, found, product)?;
                    Ok((name.clone(), tally.bucket(Map::new(), documents)))
                };
                let buckets: Result<Map<_, _>, Cause> = filters.iter().map(bucket).collect();
                Ok(json!({"buckets": buckets?}))
            }
            Kind::Terms {
                field,
                size,
                by_documents,
            } => Values::of(field, found).most_frequent(*size, *by_documents, documents),
        }
    }
}

impl Kind {
    /// Whether it divides documents, so that something can be counted in each part.
    fn has_buckets(&self) -> bool {
        matches!(
            self,
            Self::Histogram { .. } | Self::Filters(_) | Self::Terms { .. }
        )
    }
}

/// The documents that were found and match this, too.
fn matching(
    query: &Query,
    found: &[(&Searcher, Vec<u32>)],
    product: Product,
) -> Result<Tally, Cause> {
    let numbers_are_millis = product == Product::Elasticsearch;
    let mut tally = Tally::default();
    for (searcher, places) in found {
        let matcher = matcher(query, searcher, numbers_are_millis)?;
        let documents = places.iter();
        let documents = documents.filter_map(|place| searcher.document(*place as usize));
        let matching = documents.filter(|document| matcher.matches(document));
        matching.for_each(|document| tally += Tally::of(document));
    }
    Ok(tally)
}
