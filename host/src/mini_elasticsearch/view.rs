//! Several indices as one search sees them, with what is worth keeping between pages.
//!
//! A view never changes: it is what a PIT and a scroll hold on to. The sorted results of
//! queries are kept with it, so that a page is a binary search.

use std::sync::{Arc, Mutex, PoisonError};

use super::document::Document;
use super::order::Order;
use super::searcher::Searcher;

/// How many sorted results one view keeps.
const KEPT_MAX: usize = 8;

/// The documents of some indices at one moment. A document's *place* is its position
/// in the view: index by index, shard by shard, by sequence number.
#[derive(Debug, Default)]
pub(super) struct View {
    pub(super) searchers: Vec<Arc<Searcher>>,
    segments: Vec<Segment>,
    orders: Kept<Order>,
}

/// One shard of a view.
#[derive(Debug)]
pub(super) struct Segment {
    /// The place of its first document.
    base: u32,
    pub(super) searcher: usize,
    /// Its number in its index.
    pub(super) shard: usize,
    documents: Arc<[Arc<Document>]>,
}

impl View {
    pub(super) fn new(searchers: Vec<Arc<Searcher>>) -> Self {
        let mut segments = Vec::new();
        let mut base = 0;
        for (number, searcher) in searchers.iter().enumerate() {
            for (shard, documents) in searcher.shards.iter().enumerate() {
                segments.push(Segment {
                    base,
                    searcher: number,
                    shard,
                    documents: Arc::clone(documents),
                });
                base += u32::try_from(documents.len()).unwrap_or(u32::MAX);
            }
        }
        Self {
            searchers,
            segments,
            orders: Kept::default(),
        }
    }

    pub(super) fn shards(&self) -> usize {
        self.segments.len()
    }

    /// The shard with this number in the view.
    pub(super) fn shard(&self, number: usize) -> Option<&Segment> {
        self.segments.get(number)
    }

    /// The place of the first document of a searcher.
    pub(super) fn base(&self, searcher: usize) -> u32 {
        self.segments
            .iter()
            .find(|segment| segment.searcher == searcher)
            .map_or(0, |segment| segment.base)
    }

    fn segment_of(&self, place: u32) -> (u32, Option<&Segment>) {
        let number = self
            .segments
            .partition_point(|segment| segment.base <= place);
        // Empty shards begin where the next one begins, so that the last is the one.
        let number = number.saturating_sub(1);
        (
            u32::try_from(number).unwrap_or(u32::MAX),
            self.segments.get(number),
        )
    }

    pub(super) fn document(&self, place: u32) -> Option<&Arc<Document>> {
        self.entry(place).map(|(_, _, document)| document)
    }

    /// The number of a place's searcher, its (shard in the view, document), and the
    /// document.
    pub(super) fn entry(&self, place: u32) -> Option<(usize, (u32, u32), &Arc<Document>)> {
        let (number, segment) = self.segment_of(place);
        let segment = segment?;
        let doc = place - segment.base;
        let document = segment.documents.get(doc as usize)?;
        Some((segment.searcher, (number, doc), document))
    }

    /// The number in the view of the shard that a place belongs to.
    pub(super) fn shard_of(&self, place: u32) -> usize {
        self.segment_of(place).0 as usize
    }

    /// The value of `_shard_doc`: the shard in the upper half, the document below.
    pub(super) fn shard_doc(&self, place: u32) -> i64 {
        let (number, segment) = self.segment_of(place);
        i64::from(number) << 32 | i64::from(place - segment.map_or(0, |segment| segment.base))
    }

    /// The place that a `_shard_doc` names, or the nearest before it.
    pub(super) fn place_of(&self, shard_doc: i64) -> u32 {
        let segment = usize::try_from(shard_doc >> 32)
            .ok()
            .and_then(|number| self.segments.get(number));
        let doc = u32::try_from(shard_doc & 0xffff_ffff).unwrap_or(u32::MAX);
        segment.map_or(u32::MAX, |segment| segment.base.saturating_add(doc))
    }

    pub(super) fn order(&self, key: &str, make: impl FnOnce() -> Order) -> Arc<Order> {
        self.orders.get(key, make)
    }
}

/// A few results by what was asked, the one asked for last first.
#[derive(Debug)]
struct Kept<T>(Mutex<Vec<(String, Arc<T>)>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::new(Vec::new()))
    }
}

impl<T> Kept<T> {
    fn get(&self, key: &str, make: impl FnOnce() -> T) -> Arc<T> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = match kept.iter().position(|(other, _)| other == key) {
            Some(at) => kept.remove(at),
            None => (key.to_owned(), Arc::new(make())),
        };
        kept.truncate(KEPT_MAX - 1);
        kept.insert(0, entry.clone());
        entry.1
    }
}
