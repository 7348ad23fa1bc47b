//! A search answer, read without copying a document.

mod unreadable;

use std::borrow::Cow;
use std::fmt;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::cluster::failure::{Failure, Shards};
use crate::error::Error;
use crate::key::{Key, Point};
use crate::paging::context::Context;

/// One page of hits.
#[derive(Debug)]
pub struct Page<'a> {
    /// The id under which the point in time or the scroll goes on.
    pub context: Option<Context>,
    /// How many documents the search selects, where it was asked to count.
    pub total: Option<u64>,
    /// The hits, in reading order.
    pub hits: Vec<Hit<'a>>,
}

/// One document.
#[derive(Debug)]
pub struct Hit<'a> {
    /// Its place in the reading order, from the sort values and never from `_source`.
    pub key: Key,
    /// `_index`.
    pub index: Cow<'a, str>,
    /// `_id`.
    pub id: Cow<'a, str>,
    /// `_routing`, where the document was written with one; none where its id chose the shard.
    pub routing: Option<Cow<'a, str>>,
    /// Which write made this version of it; none in an index that keeps no sequence numbers.
    pub write: Option<Write>,
    /// `_source`, byte for byte, where the search asked for it and the index keeps it.
    pub source: Option<&'a str>,
    /// `fields`, byte for byte, where the search asked for some and the document has one.
    pub fields: Option<&'a str>,
}

/// A write, as its shard numbers them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Write {
    /// `_seq_no`.
    pub seq_no: u64,
    /// `_primary_term`.
    pub primary_term: u64,
}

#[derive(Deserialize)]
struct RawPage<'a> {
    #[serde(borrow)]
    pit_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    _scroll_id: Option<Cow<'a, str>>,
    timed_out: bool,
    _shards: Shards,
    #[serde(borrow)]
    hits: RawHits<'a>,
}

#[derive(Deserialize)]
struct RawHits<'a> {
    total: Option<Total>,
    #[serde(borrow)]
    hits: Vec<RawHit<'a>>,
}

#[derive(Deserialize)]
struct Total {
    value: u64,
    relation: String,
}

#[derive(Deserialize)]
struct RawHit<'a> {
    #[serde(borrow)]
    _index: Cow<'a, str>,
    #[serde(borrow)]
    _id: Cow<'a, str>,
    #[serde(borrow)]
    _routing: Option<Cow<'a, str>>,
    _seq_no: Option<i64>,
    _primary_term: Option<u64>,
    #[serde(borrow)]
    _source: Option<&'a RawValue>,
    #[serde(borrow)]
    fields: Option<&'a RawValue>,
    sort: Sort,
}

/// The value that orders and the sequence number; a point in time may add a third value.
struct Sort(Key);

impl<'de> Deserialize<'de> for Sort {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(SortVisitor)
    }
}

struct SortVisitor;

impl<'de> Visitor<'de> for SortVisitor {
    type Value = Sort;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer or a text, and the sequence number")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<Sort, A::Error> {
        let missing = |at| serde::de::Error::invalid_length(at, &self);
        let point: Point = values.next_element()?.ok_or_else(|| missing(0))?;
        let seq_no = values.next_element()?.ok_or_else(|| missing(1))?;
        while values.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Sort(Key { point, seq_no }))
    }
}

impl<'a> Page<'a> {
    /// Reads a page that the cluster answered completely.
    ///
    /// # Errors
    /// Transient, if it is partial or no search answer.
    pub fn parse(body: &'a [u8]) -> Result<Self, Failure> {
        let raw: RawPage<'a> = serde_json::from_slice(body).map_err(|e| {
            Error::transient(format!(
                "the cluster's answer is not a search result this connector can read: {}",
                unreadable::describe(body, &e)
            ))
        })?;
        raw._shards.complete()?;
        if raw.timed_out {
            return Err(Error::transient(
                "the search timed out on the cluster; a partial answer is not used",
            )
            .into());
        }
        let hits: Vec<_> = raw.hits.hits.into_iter().map(Hit::from_raw).collect();
        if !hits.is_sorted_by(|one, next| one.key <= next.key) {
            return Err(Error::transient(
                "the cluster's answer is not in the order that was asked for",
            )
            .into());
        }
        Ok(Self {
            context: kept(raw.pit_id, raw._scroll_id),
            total: raw.hits.total.and_then(Total::exact),
            hits,
        })
    }
}

/// What the cluster keeps for a search whose answer can not be used, so that it can be closed.
pub fn context(body: &[u8]) -> Option<Context> {
    #[derive(Deserialize)]
    struct Ids<'a> {
        #[serde(borrow)]
        pit_id: Option<Cow<'a, str>>,
        #[serde(borrow)]
        _scroll_id: Option<Cow<'a, str>>,
    }
    let ids: Ids<'_> = serde_json::from_slice(body).ok()?;
    kept(ids.pit_id, ids._scroll_id)
}

fn kept(pit: Option<Cow<'_, str>>, scroll: Option<Cow<'_, str>>) -> Option<Context> {
    let pit = pit.map(|id| Context::Pit(id.into_owned()));
    pit.or_else(|| Some(Context::Scroll(scroll?.into_owned())))
}

impl Total {
    fn exact(self) -> Option<u64> {
        (self.relation == "eq").then_some(self.value)
    }
}

impl<'a> Hit<'a> {
    fn from_raw(raw: RawHit<'a>) -> Self {
        // With `index.disable_sequence_numbers` all documents say -2, and 0 for the term.
        let seq_no = raw._seq_no.and_then(|seq_no| u64::try_from(seq_no).ok());
        let write = seq_no.zip(raw._primary_term);
        Self {
            key: raw.sort.0,
            index: raw._index,
            id: raw._id,
            routing: raw._routing,
            write: write.map(|(seq_no, primary_term)| Write {
                seq_no,
                primary_term,
            }),
            source: raw._source.map(RawValue::get),
            fields: raw.fields.map(RawValue::get),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"{"pit_id":"p2","took":1,"timed_out":false,"_shards":{"total":1,"successful":1,"skipped":0,"failed":0},"hits":{"total":{"value":2,"relation":"eq"},"hits":[
        {"_index":"i","_id":"\u0061","_seq_no":3,"_primary_term":1,"_source":{"b": 0.10,"a":1},"sort":[5,3,8589934592]},
        {"_index":"i","_id":"c","_routing":"r\u0061","_seq_no":4,"_primary_term":2,"_source":{ },"sort":[5,4]}]}}"#;

    #[test]
    fn a_page_is_read_with_its_bytes_untouched() {
        let page = Page::parse(PAGE.as_bytes()).unwrap();
        let pit = Context::Pit("p2".to_owned());
        assert_eq!((page.context, page.total), (Some(pit), Some(2)));
        let hit = page.hits.first().unwrap();
        assert_eq!(
            (hit.id.as_ref(), hit.key.clone(), hit.source),
            ("a", (5, 3).into(), Some(r#"{"b": 0.10,"a":1}"#))
        );
        let routings: Vec<_> = page.hits.iter().map(|hit| hit.routing.as_deref()).collect();
        assert_eq!(routings, [None, Some("ra")]);
    }

    #[test]
    fn a_page_that_can_not_be_delivered_exactly_is_refused() {
        let rows = [
            ("\"sort\":[5,4]", "\"sort\":[4,4]", "not in the order"),
            ("\"sort\":[5,4]", "\"sort\":[4.5,4]", "not a search result"),
            ("]}}", "", "not a search result"),
            ("\"timed_out\":false", "\"timed_out\":true", "timed out"),
            ("\"failed\":0", "\"failed\":1", "1 shards did not answer"),
        ];
        for (part, instead, message) in rows {
            let error =
                Error::from(Page::parse(PAGE.replace(part, instead).as_bytes()).unwrap_err());
            assert!(error.to_string().contains(message), "{error}");
        }
    }

    #[test]
    fn a_document_of_an_index_that_keeps_no_sequence_numbers_has_none() {
        let writes = |instead: &str| {
            let page = PAGE.replace("\"_seq_no\":3,\"_primary_term\":1", instead);
            let page = Page::parse(page.as_bytes()).unwrap();
            let numbers = page.hits.iter().map(|hit| hit.write);
            numbers
                .map(|write| write.map(|write| (write.seq_no, write.primary_term)))
                .collect::<Vec<_>>()
        };
        let rows = [
            ("\"_seq_no\":3,\"_primary_term\":1", Some((3, 1))),
            ("\"_seq_no\":-2,\"_primary_term\":0", None),
            ("\"_seq_no\":null", None),
            ("\"_score\":null", None),
        ];
        for (instead, expected) in rows {
            assert_eq!(writes(instead), [expected, Some((4, 2))], "{instead}");
        }
    }

    #[test]
    fn a_total_that_is_only_a_lower_bound_is_none() {
        let page = PAGE.replace("\"eq\"", "\"gte\"");
        assert_eq!(Page::parse(page.as_bytes()).unwrap().total, None);
    }
}
