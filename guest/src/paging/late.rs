//! Late documents: they appear behind the place where reading goes on.
//!
//! One count per cycle shows them ([`Minutes`]). The next pass then begins at the first minute that
//! has some, and the edge suppresses what was delivered there before. What lies further back
//! than the edge reaches can not be told from what was delivered, and is reported.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::minutes::{Border, Counts, Surplus};
use super::slices::Slices;
use crate::key::{Key, Point};
use crate::time::Unit;

/// Late documents that are being read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Late {
    /// Where reading went on before they were noticed.
    pub before: Point,
    /// How many of them are not delivered yet.
    pub missing: u64,
    /// Whether everything that was counted is read, and not a part of a minute.
    pub whole: bool,
}

/// Where late documents stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// How many.
    pub documents: u64,
    /// The first value at which one may stand.
    pub since: Point,
    /// Whether at least some of them can be delivered.
    pub within_reach: bool,
}

impl Slices {
    /// Whether what was delivered can be compared with what the cluster counts: not where slices
    /// have come to different places, and not while late documents are being read.
    pub fn is_comparable(&self) -> bool {
        self.late.is_none() && self.has_one_place()
    }

    /// The values between which to count by the minute, the second exclusive. None where
    /// there is nothing to compare.
    pub fn last_hour(&self, unit: Unit) -> Option<(Point, Point)> {
        self.position().filter(|_| unit != Unit::Sequence)?;
        let before = self.start().point;
        let first = self.minutes.first(unit.minute(&before));
        let from = unit.begin_of_minute(first).max(self.minutes.begin.clone());
        (self.is_comparable() && from < before).then_some((from, before))
    }

    /// Compares what the cluster counts in the last hour with what was delivered there.
    pub fn surplus(&self, counted: &Counts, unit: Unit) -> Option<Surplus> {
        self.minutes.surplus(counted, self.border(unit))
    }

    /// Takes note of what the cluster counts, between cycles. The next cycle reads what is late
    /// and within reach.
    pub fn take_note(&mut self, counted: &Counts, unit: Unit) -> Option<Found> {
        let (border, surplus) = (self.border(unit), self.surplus(counted, unit));
        self.minutes.accept(counted, border);
        let Surplus { since, documents } = surplus?;
        let since = unit.begin_of_minute(since).max(self.minutes.begin.clone());
        let (begin, start) = (Key::at(since.clone()), self.start());
        let from = self.known_from().max(begin.clone());
        let within_reach = from < start;
        if within_reach {
            self.late = Some(Late {
                before: start.point,
                missing: documents,
                whole: from == begin,
            });
            let slices = self.slices.iter_mut();
            slices.for_each(|slice| slice.start = from.clone());
        } else {
            self.missed += documents;
        }
        Some(Found {
            documents,
            since,
            within_reach,
        })
    }

    /// After their number changed, slices remember the same documents.
    fn border(&self, unit: Unit) -> Border {
        let start = self.start().group();
        let minute = unit.minute(&start.point);
        let within = |(key, _): &&(Key, u64)| unit.minute(&key.point) == minute;
        let edges = self.slices.iter().map(|slice| &slice.edge);
        let ahead = edges.flat_map(|edge| edge.since(&start).take_while(within));
        let ahead: BTreeSet<_> = ahead.collect();
        let crowds = self.slices.iter().filter_map(|slice| slice.crowd.as_ref());
        let here = crowds.filter(|crowd| crowd.point == start.point);
        let forgotten: u64 = here.map(|crowd| crowd.count).sum();
        Border {
            minute,
            ahead: ahead.len() as u64 + forgotten,
        }
    }

    /// A document was delivered. What stands behind the place where late ones were noticed is
    /// counted already; an update of what was delivered before is there, too.
    pub fn deliver(&mut self, key: &Key, unit: Unit) {
        match &mut self.late {
            Some(late) if key.point < late.before => {
                late.missing = late.missing.saturating_sub(1);
            }
            _ if unit != Unit::Sequence && key.point >= self.minutes.begin => {
                self.minutes.deliver(unit.minute(&key.point));
            }
            _ => {}
        }
    }

    /// The cycle that read late documents is over. Returns how many it could not deliver: they
    /// stand in the part of a minute that the edge does not reach.
    ///
    /// Where it read the whole minute, what is left was counted twice: a document with several
    /// dates is in the minute of each.
    ///
    /// A cycle whose horizon is before the place where they were noticed leaves some to the
    /// next one.
    pub fn end_late(&mut self) -> u64 {
        let start = self.start().point;
        let Some(late) = self.late.take_if(|late| late.before <= start) else {
            return 0;
        };
        let missed = if late.whole { 0 } else { late.missing };
        self.missed += missed;
        missed
    }
}
