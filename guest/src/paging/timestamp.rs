//! Reading in the order of a timestamp, with sequence numbers inside equal ones.
//!
//! ```text
//! start                     after                horizon
//!   |--- segment: ids held ---|---- not read yet ----|
//! ```
//!
//! A *pass* reads from `start` to the horizon. Each page begins at the place where the
//! last one ended, inclusive, and drops what the edge holds: several documents can share
//! that place, one per shard. A pass ends when it met as many documents as its first page
//! counted, or on a page that brings nothing new. Then, and before the edge may forget,
//! a *receipt* compares what the pass met with what the same point in time counts. If they
//! differ, the segment alone is read again; its ids are all in the edge.

mod settle;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

pub use settle::Settled;

use crate::edge::Edge;
use crate::key::Key;

/// The largest page a cluster answers.
const PAGE_MAX: u64 = 10_000;

/// A segment is settled after so many pages and documents, though the edge could hold more:
/// every saved state holds its ids, and a point in time that is lost has it read again.
const SEGMENT_PAGES: u64 = 8;
const SEGMENT_MIN: u64 = 4_096;

/// How far the source has come. It changes only after an acknowledgement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Everything before this place is delivered and forgotten.
    pub start: Key,
    /// The last delivered document.
    pub position: Option<Key>,
    /// What was delivered from `start` on.
    pub edge: Edge,
    /// A group of equal timestamps that was larger than the edge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crowd: Option<Crowd>,
    /// The read under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cycle: Option<Cycle>,
}

/// How many documents of one timestamp were delivered and forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crowd {
    /// The timestamp.
    pub timestamp: i64,
    /// The documents.
    pub count: u64,
}

/// One scheduled read, to the horizon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cycle {
    /// None while one search may be all of it.
    pub pit: Option<String>,
    /// The timestamp at which the cycle ends, exclusive.
    pub horizon: i64,
    /// Where the pass began; the segment's start, if it is not known. All its pages ask for the
    /// same documents, so that a cluster that keeps what it worked out for one can use it.
    #[serde(default)]
    pub from: Option<Key>,
    /// Set while a segment is read again: where it ends.
    #[serde(default)]
    pub until: Option<Key>,
    /// Where the last page of the pass ended.
    #[serde(default)]
    pub after: Option<Key>,
    /// What the first page of the pass counted.
    #[serde(default)]
    pub total: Option<u64>,
    /// How many documents the pass met.
    #[serde(default)]
    pub met: u64,
    /// How often this segment was read again.
    #[serde(default)]
    pub rereads: u32,
    /// Hits asked for; more than configured where a page brought nothing new.
    pub size: u64,
    /// Documents published in this cycle.
    #[serde(default)]
    pub documents: u64,
}

/// A hit, as far as paging is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// Its place.
    pub key: Key,
    /// Its message id.
    pub id: u128,
}

/// A page, as far as paging is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Arrived<'a> {
    /// Its hits, in reading order.
    pub hits: &'a [Seen],
    /// What it counted, if it was asked to.
    pub total: Option<u64>,
    /// How many hits it was asked for, which may be fewer than the next one is.
    pub size: u64,
}

/// What a page means, worked out before it is published.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    /// Which hits of the page to publish, in order, by index and message id.
    pub publish: Vec<(usize, u128)>,
    /// Whether another page of the same pass may follow at once.
    pub goes_on: bool,
    /// Where that page begins.
    pub after: Option<Key>,
}

/// What comes after a page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Another page.
    Page,
    /// A receipt for everything before this place.
    Receipt(Key),
}

impl Arrived<'_> {
    fn is_short(&self) -> bool {
        (self.hits.len() as u64) < self.size
    }
}

impl Progress {
    /// A source that has delivered everything before `start`.
    pub fn from(start: Key) -> Self {
        Self {
            start,
            position: None,
            edge: Edge::default(),
            crowd: None,
            cycle: None,
        }
    }

    /// Begins a cycle. False if there is nothing before the horizon.
    pub fn begin(&mut self, horizon: i64, size: u64) -> bool {
        if self.start.timestamp >= horizon {
            return false;
        }
        self.edge.begin_pass();
        let cycle = Cycle {
            pit: None,
            horizon,
            from: Some(self.start),
            until: None,
            after: None,
            total: None,
            met: 0,
            rereads: 0,
            size,
            documents: 0,
        };
        self.cycle = Some(cycle);
        true
    }

    /// Reads a page: which hits are new, and where the next page begins.
    pub fn plan(&self, page: Arrived<'_>) -> Plan {
        let hits = page.hits;
        let new = hits
            .iter()
            .enumerate()
            .filter(|(_, seen)| self.is_new(seen));
        let publish = new.map(|(at, seen)| (at, seen.id)).collect();
        let Some(cycle) = &self.cycle else {
            return Plan {
                publish,
                goes_on: false,
                after: None,
            };
        };
        // The page may repeat hits of the last one, so that more may follow than this says.
        let met = cycle.met.saturating_add(hits.len() as u64);
        let goes_on =
            !page.is_short() && cycle.total.or(page.total).is_none_or(|total| met < total);
        Plan {
            publish,
            goes_on,
            after: cycle.after_page(hits),
        }
    }

    /// What sorts before the start was delivered there: a document with several dates is
    /// selected by any of them, but sorts by the smallest.
    fn is_new(&self, seen: &Seen) -> bool {
        seen.key >= self.start && !self.edge.holds(seen.key, seen.id)
    }

    /// Applies an acknowledged page and says what comes next.
    pub fn apply(&mut self, page: Arrived<'_>, edge_max: u64) -> Next {
        let fresh = self.meet(page.hits);
        let Some(cycle) = &mut self.cycle else {
            return Next::Page;
        };
        cycle.met += fresh;
        cycle.total = cycle.total.or(page.total);
        cycle.after = cycle.after_page(page.hits);
        let stuck = fresh == 0 && (page.is_short() || page.size >= PAGE_MAX);
        if cycle.total == Some(cycle.met) || stuck {
            return Next::Receipt(cycle.end());
        }
        if fresh == 0 {
            // More documents than the page holds share the place where it begins.
            cycle.size = cycle.size.max(page.size * 2).min(PAGE_MAX);
        }
        let (after, size) = (cycle.after, cycle.size);
        let border = after.map(|after| self.border(after));
        match border.filter(|border| self.is_to_settle(*border, size, edge_max)) {
            Some(border) => Next::Receipt(border),
            None => Next::Page,
        }
    }

    /// Whether the segment ends here, as the edge could not hold the next page, or as it is
    /// long enough. A group of equal timestamps is cut only for the edge's sake.
    fn is_to_settle(&self, border: Key, size: u64, edge_max: u64) -> bool {
        let held = self.edge.len() as u64 + size;
        let long = held > SEGMENT_MIN.max(SEGMENT_PAGES * size) && border.begins_group();
        border > self.start && (long || held > edge_max)
    }

    /// Remembers the hits. Returns how many of them the pass had not met before.
    fn meet(&mut self, hits: &[Seen]) -> u64 {
        let (mut fresh, mut documents) = (0, 0);
        for seen in hits {
            if self.is_new(seen) {
                documents += 1;
                self.position = self.position.max(Some(seen.key));
            }
            fresh += u64::from(self.edge.meet(seen.key, seen.id));
        }
        if let Some(cycle) = &mut self.cycle {
            cycle.documents += documents;
        }
        fresh
    }

    /// Up to where a full edge can be settled: a whole group of equal timestamps where the
    /// segment has one, else a part of it.
    fn border(&self, after: Key) -> Key {
        let group = Key::at(after.timestamp);
        if self.start < group { group } else { after }
    }

    /// Gives up the point in time, not what was delivered in it: the next cycle begins at
    /// the segment's start.
    pub fn abandon(&mut self) -> Option<String> {
        self.cycle.take().and_then(|cycle| cycle.pit)
    }
}

impl Cycle {
    /// Nothing of the pass that begins here was met yet.
    fn begin_pass(&mut self, from: Key) {
        self.from = Some(from);
        (self.after, self.total, self.met) = (None, None, 0);
    }

    /// Where the running pass ends.
    pub fn end(&self) -> Key {
        self.until.unwrap_or(self.horizon_key())
    }

    fn horizon_key(&self) -> Key {
        Key::at(self.horizon)
    }

    fn after_page(&self, hits: &[Seen]) -> Option<Key> {
        hits.last().map(|seen| seen.key).or(self.after)
    }
}
