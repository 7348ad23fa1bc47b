//! Reading in one order, with sequence numbers inside equal values, and knowing what is
//! delivered.
//!
//! A *pass* reads from `start` to the horizon. Each page begins at the place where the
//! last one ended, inclusive, and drops what the edge holds: several documents can share
//! that place, one per shard. A pass ends when it met as many documents as its first page
//! counted, or on a page that brings nothing new. Then, and before the edge may forget,
//! a *receipt* compares what the pass met with what the same point in time counts. If they
//! differ, the segment alone is read again; its ids are all in the edge.

mod pass;
mod settle;
#[cfg(test)]
pub(super) mod tests;

use serde::{Deserialize, Serialize};

pub use pass::Pass;
pub use settle::Settled;

use super::context::Context;
use super::{PAGE_MAX, Read};
use crate::edge::Edge;
use crate::key::{Key, Point};

/// A segment is settled after so many pages and documents, though the edge could hold more:
/// every saved state holds its ids, and a point in time that is lost has it read again.
const SEGMENT_PAGES: u64 = 8;
const SEGMENT_MIN: u64 = 4_096;

/// How far a slice of the source has come. It changes only after an acknowledgement.
///
/// ```text
/// forgotten  known_from         start                    after        horizon
///     ------------|--- overlap ---|--- segment: to settle ---|-- not read --|
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Everything before this place is delivered, and counted by a receipt.
    pub start: Key,
    /// From this place on the edge knows every document that is delivered; before it, all
    /// are delivered and forgotten.
    pub known_from: Key,
    /// The last delivered document.
    pub position: Option<Key>,
    /// What was delivered from `known_from` on.
    pub edge: Edge,
    /// What was delivered from `known_from` on and was not there any more when that was read
    /// again: deleted, changed, or in an index that is closed and may come back.
    #[serde(default, skip_serializing_if = "Edge::is_empty")]
    pub gone: Edge,
    /// What is forgotten of the group of equal timestamps in which `known_from` lies, or of the
    /// last group, if that was larger than the edge.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crowd: Option<Crowd>,
    /// The read under way.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pass: Option<Pass>,
}

/// How many documents of one value were delivered and forgotten.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Crowd {
    /// The value.
    #[serde(rename = "timestamp")]
    pub point: Point,
    /// The documents.
    pub count: u64,
}

/// A hit, as far as paging is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// Whether it repeats nothing, so that it is known beforehand how many hits it has.
    pub exact: bool,
    /// Whether all that follows is behind the end of the pass.
    pub is_last: bool,
}

/// What a page means, worked out before it is published.
#[derive(Debug, PartialEq, Eq)]
pub struct Plan {
    /// Which hits of the page to publish, in order, by index and message id.
    pub publish: Vec<(usize, u128)>,
    /// Whether another page of the same pass may follow at once.
    pub goes_on: bool,
    /// What is read then.
    pub read: Read,
}

/// What comes after a page.
#[derive(Debug, Clone, PartialEq, Eq)]
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
    /// A slice that has delivered everything before `start`.
    pub fn from(start: Key) -> Self {
        Self {
            known_from: start.clone(),
            start,
            position: None,
            edge: Edge::default(),
            gone: Edge::default(),
            crowd: None,
            pass: None,
        }
    }

    /// Begins a pass from the start to the horizon. The edge keeps what it delivered from
    /// `keep_from` on. False if there is nothing before the horizon.
    pub fn begin(&mut self, horizon: Point, keep_from: Point, size: u64) -> bool {
        if self.start.point >= horizon {
            return false;
        }
        self.edge.begin_pass();
        self.pass = Some(Pass {
            context: None,
            to: Key::at(horizon),
            keep_from: Key::at(keep_from),
            from: self.start.clone(),
            until: None,
            after: None,
            total: None,
            met: 0,
            hits: 0,
            rereads: 0,
            size,
            too_few: 0,
        });
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
        let Some(pass) = &self.pass else {
            return Plan {
                publish,
                goes_on: false,
                read: Read::NOTHING,
            };
        };
        // The page may repeat hits of the last one, so that more may follow than this says.
        let met = pass.met.saturating_add(hits.len() as u64);
        let is_over = page.is_short() || page.is_last;
        let goes_on = !is_over && pass.total.or(page.total).is_none_or(|total| met < total);
        Plan {
            publish,
            goes_on,
            read: pass.read_with(hits),
        }
    }

    /// What sorts before the edge was delivered there: a document with several dates is
    /// selected by any of them, but sorts by the smallest.
    fn is_new(&self, seen: &Seen) -> bool {
        let is_known = |edge: &Edge| edge.holds(&seen.key, seen.id);
        seen.key >= self.known_from && !is_known(&self.edge) && !is_known(&self.gone)
    }

    /// Applies an acknowledged page and says what comes next.
    pub fn apply(&mut self, page: Arrived<'_>, edge_max: u64) -> Next {
        self.make_room(page.hits.len() as u64, edge_max);
        let fresh = self.meet(page.hits);
        self.forget_gone(edge_max);
        let Some(pass) = &mut self.pass else {
            return Next::Page;
        };
        pass.met += fresh;
        pass.total = pass.total.or(page.total);
        Read {
            after: pass.after,
            hits: pass.hits,
        } = pass.read_with(page.hits);
        let stuck = fresh == 0 && (page.is_short() || page.size >= PAGE_MAX);
        let lacks_hits = page.exact && page.is_short();
        if pass.total == Some(pass.met) || stuck || lacks_hits || page.is_last {
            return Next::Receipt(pass.end());
        }
        pass.too_few = if fresh == 0 { page.size } else { 0 };
        if fresh == 0 {
            // More documents than the page holds share the place where it begins.
            pass.size = pass.size.max(page.size * 2).min(PAGE_MAX);
        }
        let (after, size) = (pass.after.clone(), pass.size);
        let border = after.map(|after| self.border(after));
        match border.filter(|border| self.is_to_settle(border, size, edge_max)) {
            Some(border) => Next::Receipt(border),
            None => Next::Page,
        }
    }

    /// Whether the segment ends here, as the edge could not hold the next page, or as it is
    /// long enough. A group of equal timestamps is cut only for the edge's sake. A segment that
    /// is read again in a scroll is counted exactly at its own end alone: the edge knows it, but
    /// for what came since, and only where that is too much for it, the end comes nearer.
    fn is_to_settle(&self, border: &Key, size: u64, edge_max: u64) -> bool {
        let pass = self.pass.as_ref();
        let again = pass.is_some_and(|pass| pass.in_scroll() && pass.until.is_some());
        let more = if again { 0 } else { size };
        let met = self.edge.met_from(&self.start) + size;
        let long = met > SEGMENT_MIN.max(SEGMENT_PAGES * size) && border.begins_group();
        let full = self.edge.count_from(&self.start) + more > edge_max;
        let keeps_all = self.keeps_all();
        *border > self.start && !keeps_all && (full || (long && !again))
    }

    /// Whether the edge has to hold everything, as everything is read again.
    fn keeps_all(&self) -> bool {
        let pass = self.pass.as_ref();
        pass.is_some_and(|pass| pass.keep_from == Key::MIN)
    }

    /// Remembers the hits. Returns how many of them the pass had not met before.
    fn meet(&mut self, hits: &[Seen]) -> u64 {
        let mut fresh = 0;
        for seen in hits {
            if self.is_new(seen) && self.position.as_ref() < Some(&seen.key) {
                self.position = Some(seen.key.clone());
            }
            self.gone.forget(&seen.key, seen.id);
            fresh += u64::from(self.edge.meet(&seen.key, seen.id));
        }
        fresh
    }

    /// Up to where a full edge can be settled: a whole group of equal timestamps where the
    /// segment has one, else a part of it.
    fn border(&self, after: Key) -> Key {
        let group = after.group();
        if self.start < group { group } else { after }
    }

    /// Forgets what is settled, oldest first, where the edge could not hold so many more.
    fn make_room(&mut self, more: u64, edge_max: u64) {
        let known = (self.edge.len() + self.gone.len()) as u64;
        let surplus = (known + more).saturating_sub(edge_max);
        if surplus > 0 && !self.keeps_all() {
            let last = self.edge.place_of(surplus - 1);
            let place = last.map_or(self.start.clone(), |key| Key::behind(&key.point));
            self.forget_before(place.min(self.start.clone()));
        }
    }

    /// Where all is read again, the edge itself has to stay, and what is gone is forgotten, oldest
    /// first, as far as there is no room for both.
    fn forget_gone(&mut self, edge_max: u64) {
        let known = (self.edge.len() + self.gone.len()) as u64;
        if self.keeps_all() {
            self.gone.forget_first(known.saturating_sub(edge_max));
        }
    }

    /// Forgets what is delivered before this place, and keeps the number of what it cuts off
    /// a group of equal timestamps.
    fn forget_before(&mut self, place: Key) {
        if place > self.known_from {
            let known = place.group().max(self.known_from.clone());
            let cut_off = self.edge.between(&known, &place).count();
            let crowd = self.crowd.take();
            let crowd = crowd.filter(|crowd| crowd.point == place.point);
            let count = crowd.map_or(0, |crowd| crowd.count) + cut_off as u64;
            let point = place.point.clone();
            self.crowd = (count > 0).then_some(Crowd { point, count });
            self.known_from = place;
        }
        self.edge.forget_before(&self.known_from);
        self.gone.forget_before(&self.known_from);
    }

    /// Begins the pass again at the segment's start, as what the cluster kept for it is gone.
    /// Returns what that was.
    pub fn reopen(&mut self, size: u64) -> Option<Context> {
        let pass = self.pass.take()?;
        self.begin(pass.to.point, pass.keep_from.point, size);
        pass.context
    }

    /// Gives up the read, not what was delivered in it: the next one begins at the segment's
    /// start. Returns what the cluster keeps for it.
    pub fn abandon(&mut self) -> Option<Context> {
        self.pass.take().and_then(|pass| pass.context)
    }
}
