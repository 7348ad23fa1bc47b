//! The largest value over time, where values only grow but do not say when.
//!
//! A document becomes visible some time after it was written, and not in the order of its
//! value. What a look at the cluster saw is therefore read only when that was long enough ago:
//! by then, whatever is smaller is visible, too.

use serde::{Deserialize, Serialize};

use crate::key::Point;

/// More than so many are thinned out, which only makes reading wait longer.
const SIGHTINGS_MAX: usize = 64;
/// The longest wait that a poll may ask for, 30 days: the next one asks for the rest.
const WAIT_MAX_MS: u64 = 30 * 86_400_000;

/// When the largest value was first seen to be which, in milliseconds and in order.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sightings(Vec<(u64, Point)>);

/// How far a poll reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Horizon {
    /// The last value to read; none where nothing was seen long enough ago.
    pub last: Option<Point>,
    /// What was there by this time is read with it, in milliseconds; 0 without a last value.
    pub until_ms: u64,
    /// The value that was the last one so much earlier that the edge need not reach back further;
    /// none where nothing was seen so long ago.
    pub keep_from: Option<Point>,
    /// In how many milliseconds what was there at the time of the poll can be read, if it can not
    /// be read now.
    pub wait_ms: Option<u64>,
}

impl Sightings {
    /// Whether nothing was ever seen.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The largest value is this now. What seems to have been seen later was seen before a clock
    /// was set back.
    pub fn note(&mut self, now_ms: u64, largest: Point) {
        self.0
            .iter_mut()
            .for_each(|(at_ms, _)| *at_ms = now_ms.min(*at_ms));
        if self.0.last().is_none_or(|(_, last)| *last < largest) {
            self.0.push((now_ms, largest));
        }
        if self.0.len() > SIGHTINGS_MAX {
            let mut number = 0..;
            self.0
                .retain(|_| number.next().is_some_and(|number| number % 2 == 0));
        }
    }

    /// How far to read now for a poll of this time, which may be earlier: then up to what was
    /// seen first since.
    pub fn horizon(&self, poll_ms: u64, now_ms: u64, settle_ms: u64, overlap_ms: u64) -> Horizon {
        let first = self.0.iter().find(|(at_ms, _)| *at_ms >= poll_ms);
        let goal = first.or(self.0.last());
        let goal_ms = goal.map_or(0, |(at_ms, _)| *at_ms);
        let old_ms = now_ms.saturating_sub(settle_ms);
        let ready_ms = goal_ms.saturating_add(settle_ms);
        let last = self.seen_by(old_ms.min(goal_ms));
        let keep_from = self.seen_by(old_ms.saturating_sub(overlap_ms));
        Horizon {
            // What is larger than this one came after it was seen; none, as far as any look saw,
            // if it is the newest.
            until_ms: match last {
                None => 0,
                Some((at_ms, _)) if last == self.0.last() => {
                    poll_ms.saturating_sub(settle_ms).max(*at_ms)
                }
                Some((at_ms, _)) => *at_ms,
            },
            last: last.map(|(_, point)| point.clone()),
            keep_from: keep_from.map(|(_, point)| point.clone()),
            // Never longer than to settle, though a clock may have been set back.
            wait_ms: ready_ms
                .checked_sub(now_ms)
                .map(|wait_ms| wait_ms.min(settle_ms).min(WAIT_MAX_MS))
                .filter(|wait_ms| *wait_ms > 0),
        }
    }

    /// Forgets what is older than the value that the edge reaches back to.
    pub fn forget_before(&mut self, time_ms: u64) {
        let older = self.0.partition_point(|(at_ms, _)| *at_ms <= time_ms);
        self.0.drain(..older.saturating_sub(1));
    }

    fn seen_by(&self, time_ms: u64) -> Option<&(u64, Point)> {
        let older = self.0.partition_point(|(at_ms, _)| *at_ms <= time_ms);
        self.0.get(older.checked_sub(1)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SETTLE: u64 = 5;
    const OVERLAP: u64 = 100;

    fn seen(sightings: &[(u64, i64)]) -> Sightings {
        let mut all = Sightings::default();
        for (at_ms, number) in sightings {
            all.note(*at_ms, (*number).into());
        }
        all
    }

    #[test]
    fn what_was_seen_long_enough_ago_is_read_and_the_rest_waits() {
        let sightings = [(10, 1), (20, 2), (21, 2), (30, 3)];
        let rows = [
            ("before anything is old enough", 12, 12, None, Some(5)),
            ("one is", 20, 20, Some(1), Some(5)),
            (
                "a value that did not grow is as old as it was first seen",
                26,
                26,
                Some(2),
                Some(5),
            ),
            ("all are", 40, 40, Some(3), None),
            (
                "an earlier poll reads what was there first since",
                11,
                50,
                Some(2),
                None,
            ),
            ("or waits for it", 25, 32, Some(2), Some(3)),
        ];
        for (what, poll, now, last, wait_ms) in rows {
            let horizon = seen(&sightings).horizon(poll, now, SETTLE, OVERLAP);
            let last = last.map(Point::Number);
            assert_eq!((horizon.last, horizon.wait_ms), (last, wait_ms), "{what}");
        }
        let horizon = seen(&sightings).horizon(125, 125, SETTLE, OVERLAP);
        assert_eq!(horizon.keep_from, Some(2.into()));
        let nothing = Sightings::default().horizon(9, 9, SETTLE, OVERLAP);
        assert_eq!((nothing.last, nothing.wait_ms), (None, None));
    }

    /// What was found in the output is ours until all that was there then is offered again.
    #[test]
    fn all_that_was_there_when_a_value_was_seen_is_read_with_it_and_no_more() {
        let until = |now| {
            let horizon = seen(&[(10, 1), (20, 2)]).horizon(now, now, SETTLE, OVERLAP);
            (horizon.last, horizon.until_ms)
        };
        assert_eq!(until(12), (None, 0));
        assert_eq!(until(24), (Some(1.into()), 10));
        assert_eq!(until(90), (Some(2.into()), 85));
        let after_a_long_cycle = seen(&[(10, 1), (20, 2)]).horizon(22, 30, SETTLE, OVERLAP);
        assert_eq!(
            after_a_long_cycle.until_ms, 20,
            "never less than for the one before"
        );
    }

    #[test]
    fn a_clock_that_is_set_back_delays_by_the_settle_time_and_no_more() {
        let mut sightings = seen(&[(1_000, 1), (2_000, 2)]);
        sightings.note(10, 2.into());
        let at = |now| sightings.horizon(now, now, SETTLE, OVERLAP).last;
        assert_eq!((at(14), at(15)), (None, Some(2.into())));
    }

    #[test]
    fn a_poll_asks_for_thirty_days_at_the_most_however_long_settling_takes() {
        let day = 86_400_000;
        let rows = [
            (29 * day, 29 * day),
            (30 * day, 30 * day),
            (45 * day, 30 * day),
            (u64::MAX, 30 * day),
        ];
        for (settle_ms, expected) in rows {
            let horizon = seen(&[(10, 1)]).horizon(10, 10, settle_ms, OVERLAP);
            assert_eq!(horizon.wait_ms, Some(expected), "{settle_ms}");
        }
    }

    #[test]
    fn few_are_kept_and_forgetting_takes_what_is_needed_last() {
        let mut many = seen(&Vec::from_iter((0..1_000).map(|n| (n, n as i64))));
        assert!(many.0.len() <= SIGHTINGS_MAX, "{}", many.0.len());
        assert!(many.horizon(2_000, 2_000, SETTLE, OVERLAP).last >= Some(900.into()));
        many.forget_before(500);
        assert!(many.0.first().is_some_and(|(at_ms, _)| *at_ms <= 500));
        many.forget_before(5_000);
        assert_eq!(many.0.len(), 1);
    }
}
