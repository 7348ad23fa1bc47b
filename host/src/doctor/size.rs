//! How large the first read is, estimated from a few documents and from what the indices
//! take on disk.

use serde::Deserialize;
use serde_json::value::RawValue;

use super::documents::Counted;
use super::finding::{Finding, Topic::Size};
use super::plan::Plan;
use super::words::{bytes, documents};

/// A few documents, of which only their sizes count.
#[derive(Debug, Deserialize)]
pub(super) struct Sample {
    hits: Hits,
}

#[derive(Debug, Deserialize)]
struct Hits {
    hits: Vec<Hit>,
}

#[derive(Debug, Deserialize)]
struct Hit {
    #[serde(rename = "_index")]
    index: String,
    #[serde(rename = "_source")]
    source: Option<Box<RawValue>>,
}

/// The answer to `_stats`, of primary shards.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Stats {
    #[serde(rename = "_all")]
    all: All,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct All {
    primaries: Primaries,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Primaries {
    docs: Docs,
    store: Store,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Docs {
    count: u64,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Store {
    size_in_bytes: u64,
}

impl Sample {
    /// The average size of a document in bytes; none without any.
    pub(super) fn average(&self) -> Option<u64> {
        let sizes = self
            .hits
            .hits
            .iter()
            .filter_map(|hit| Some(hit.source.as_ref()?.get().len()));
        let (count, total) = sizes.fold((0_u64, 0_u64), |(count, total), size| {
            (count + 1, total + size as u64)
        });
        total.checked_div(count)
    }

    /// The indices of documents that are not kept.
    pub(super) fn not_kept(&self) -> Vec<&str> {
        let hits = self.hits.hits.iter().filter(|hit| hit.source.is_none());
        let mut indices: Vec<_> = hits.map(|hit| hit.index.as_str()).collect();
        indices.sort_unstable();
        indices.dedup();
        indices
    }
}

/// Judges the size of the first read, and that of a page.
pub(super) fn judge(
    plan: &Plan,
    counted: &Counted,
    sample: Option<&Sample>,
    stats: Option<Stats>,
) -> Vec<Finding> {
    let average = sample.and_then(Sample::average);
    let (Some(readable), Some(average)) = (counted.readable(), average) else {
        return Vec::new();
    };
    let disk = stats.map(|Stats { all }| {
        let (docs, store) = (all.primaries.docs.count, all.primaries.store.size_in_bytes);
        format!(
            "; on disk, {} of these indices take {}",
            documents(docs),
            bytes(store)
        )
    });
    let start = plan
        .start
        .as_ref()
        .map(|start| format!(", less what lies before \"start\", {start}"));
    let mut findings = vec![Size.ok(format!(
        "the first read is {}, about {} ({} each){}{}",
        documents(readable),
        bytes(readable.saturating_mul(average)),
        bytes(average),
        start.unwrap_or_default(),
        disk.unwrap_or_default()
    ))];
    let (page, limit) = (
        average.saturating_mul(plan.batch_size),
        plan.max_response_bytes,
    );
    if page > limit {
        let fits = (limit / average.max(1)).max(2);
        findings.push(Size.problem(format!(
            "a page of {} is about {}, more than \"max_response_bytes\" allows, {}: set \"batch_size\" to {fits} or less, or raise that limit",
            documents(plan.batch_size),
            bytes(page),
            bytes(limit)
        )));
    }
    findings
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::finding::Level;
    use crate::doctor::plan::tests::plan;

    fn sample(sources: &[Option<&str>]) -> Sample {
        let hit = |source: &Option<&str>| match source {
            Some(source) => format!(r#"{{"_index":"i","_source":{source}}}"#),
            None => r#"{"_index":"j"}"#.to_owned(),
        };
        let hits: Vec<_> = sources.iter().map(hit).collect();
        let json = format!(r#"{{"hits":{{"hits":[{}]}}}}"#, hits.join(","));
        serde_json::from_str(&json).unwrap()
    }

    #[test]
    fn documents_are_as_large_as_the_bytes_that_came() {
        assert_eq!(sample(&[]).average(), None);
        assert_eq!(sample(&[None]).average(), None);
        let mixed = sample(&[Some("{}"), Some(r#"{ "a": 1}"#), None, None]);
        assert_eq!((mixed.average(), mixed.not_kept()), (Some(5), vec!["j"]));
    }

    #[test]
    fn a_page_that_would_be_too_large_is_a_problem() {
        let counted = Counted {
            matching: Some(3_000_000),
            ..Counted::default()
        };
        let stats = json!({"_all": {"primaries": {"docs": {"count": 7}, "store": {"size_in_bytes": 7_000}}}});
        let stats: Stats = serde_json::from_value(stats).unwrap();
        let sample = sample(&[Some(r#"{"a":1234}"#)]);
        let fits = judge(&plan(json!({})), &counted, Some(&sample), Some(stats));
        assert_eq!(fits.len(), 1, "{fits:?}");
        assert_eq!(
            fits[0].message,
            "the first read is 3000000 documents, about 30.0 MB (10 bytes each); on disk, 7 documents of these indices take 7.0 KB"
        );
        let mut small = plan(json!({}));
        small.max_response_bytes = 1_024;
        let too_large = judge(&small, &counted, Some(&sample), None);
        assert_eq!(too_large[1].level, Level::Problem);
        assert!(
            too_large[1].message.contains("\"batch_size\" to 102"),
            "{too_large:?}"
        );
    }
}
