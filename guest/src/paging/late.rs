//! Late documents: they appear behind the place where reading goes on.
//!
//! One look per cycle shows them:
//!
//! ```text
//!   counted by the minute        counted, and known one by one
//! -------------------------|------------------------------------|------>
//!                      known_from         the reach           start
//! ```
//!
//! In the reach of the edge the cluster must count as many documents in each minute as the edge
//! remembers. If not, reading begins at `known_from` again, and the edge suppresses what was
//! delivered.
//! Behind it a late document can not be told from what was delivered: where the cluster counts
//! more than were, it is reported, once.

use std::collections::BTreeSet;

use super::minutes::{self, Border, Counts, Minutes, Surplus};
use super::progress::Progress;
use super::slices::Slices;
use crate::key::{Key, Point};
use crate::time::Unit;

/// Where to look for late documents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Look {
    /// From here on documents are counted by the minute, as far as the reach.
    pub from: Point,
    /// The reach of the edge, its end exclusive.
    pub reach: (Key, Key),
    /// The first minute of the reach; all before the last hour of it are this one.
    pub first: i64,
    /// From this minute on each is counted for itself.
    pub each_from: i64,
}

/// What the cluster counts there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Looked {
    /// Before the reach, by the minute.
    pub minutes: Counts,
    /// In the reach, by the minute.
    pub reach: Counts,
}

/// Documents that can not be told from what was delivered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// How many.
    pub documents: u64,
    /// The first value at which one may stand.
    pub since: Point,
}

impl Look {
    /// Where the minutes end, and the reach begins.
    pub fn border(&self) -> &Point {
        &self.reach.0.point
    }

    /// As which minute of the reach a value is counted.
    pub fn minute(&self, point: &Point, unit: Unit) -> i64 {
        match unit.minute(point) {
            minute if minute < self.each_from => self.first,
            minute => minute,
        }
    }
}

impl Slices {
    /// Where to look. None where there is nothing to compare: what was delivered can not be
    /// compared with what the cluster counts where slices have come to different places.
    pub fn look(&self, unit: Unit) -> Option<Look> {
        let reach = (self.known_from(), self.start());
        let first = unit.minute(&reach.0.point);
        let hour = unit.begin_of_minute(minutes::first(first));
        let from = hour.max(self.minutes.begin.clone());
        let from = from.min(reach.0.point.clone());
        let is_empty = from == reach.0.point && reach.0 >= reach.1;
        let each_from = minutes::first(unit.minute(&reach.1.point));
        (self.is_comparable() && unit != Unit::Sequence && !is_empty).then(|| Look {
            from,
            reach,
            first,
            each_from: each_from.max(first.saturating_add(1)),
        })
    }

    /// Whether what was delivered can be compared with what the cluster counts. A group that one
    /// slice has left behind, as it was larger than the edge, others may still read.
    pub fn is_comparable(&self) -> bool {
        let known_from = self.known_from();
        let is_behind = |slice: &Progress| slice.start >= known_from;
        self.has_one_place() && self.slices.iter().all(is_behind)
    }

    /// How many documents are known in the reach, by the minute.
    pub fn known_in(&self, look: &Look, unit: Unit) -> Counts {
        let (from, to) = &look.reach;
        let edges = self.slices.iter().map(|slice| &slice.edge);
        let known: BTreeSet<_> = edges.flat_map(|edge| edge.between(from, to)).collect();
        let minute = |(key, _): &(Key, u64)| look.minute(&key.point, unit);
        known.into_iter().map(|entry| (minute(entry), 1)).collect()
    }

    /// Reads everything in the reach again.
    pub fn read_again(&mut self) {
        let from = self.known_from();
        let slices = self.slices.iter_mut();
        slices.for_each(|slice| slice.start = from.clone());
    }

    /// Takes note of what the cluster counts before the reach: what is more than was delivered
    /// is missed.
    pub fn take_note(&mut self, counted: &Counts, border: &Border, unit: Unit) -> Option<Missed> {
        let surplus = self.minutes.surplus(counted, border);
        self.minutes.accept(counted, border);
        let Surplus { since, documents } = surplus?;
        self.missed += documents;
        let since = unit.begin_of_minute(since).max(self.minutes.begin.clone());
        Some(Missed { documents, since })
    }

    /// Where what is only counted ends, and all that is known from there on. After their number
    /// changed, slices remember the same documents.
    pub fn border(&self, unit: Unit) -> Border {
        let place = self.known_from().group();
        let edges = self.slices.iter().map(|slice| &slice.edge);
        let ahead: BTreeSet<_> = edges.flat_map(|edge| edge.since(&place)).collect();
        let ahead = ahead
            .into_iter()
            .map(|(key, _)| (unit.minute(&key.point), 1));
        let minute = unit.minute(&place.point);
        let crowds = self.slices.iter().filter_map(|slice| slice.crowd.as_ref());
        let here = crowds.filter(|crowd| crowd.point == place.point);
        Border {
            minute,
            ahead: ahead
                .chain(here.map(|crowd| (minute, crowd.count)))
                .collect(),
        }
    }

    /// Forgets what was delivered so long before all is known that it is never looked at.
    pub fn forget_minutes(&mut self, unit: Unit) {
        let minute = unit.minute(&self.known_from().point);
        self.minutes.forget_before(minute);
    }

    /// Nobody looks for late documents, so that nothing need be counted.
    pub fn count_nothing(&mut self) {
        self.minutes = Minutes::unknown(self.minutes.begin.clone());
    }

    /// A document was delivered, or one that went is there again.
    pub fn deliver(&mut self, key: &Key, unit: Unit) {
        if unit != Unit::Sequence && key.point >= self.minutes.begin {
            self.minutes.deliver(unit.minute(&key.point));
        }
    }
}
