//! How many documents were delivered in each minute, to notice those that come later.
//!
//! A refresh makes documents visible late and not in the order of their timestamps, and
//! shippers buffer. What appears behind the place where reading goes on would never be read;
//! a count for each minute of the last hour shows that it is there.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::key::Point;

/// How many minutes are remembered.
pub(super) const MINUTES_MAX: i64 = 60;

/// Documents delivered in each minute, the minutes counted from the epoch.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Vec<(i64, u64)>", from = "Vec<(i64, u64)>")]
pub struct Counts(BTreeMap<i64, u64>);

/// What was delivered, from the last hour before the place on from which all is known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Minutes {
    /// The first minute in which it is known how many were delivered. What stands before it is
    /// as good as delivered when it is counted for the first time.
    pub since: i64,
    /// What stands before this value is never looked at.
    pub begin: Point,
    /// What was delivered in them.
    pub delivered: Counts,
}

/// The place from which on all is known, as far as minutes are concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Border {
    /// The minute in which it lies.
    pub minute: i64,
    /// What is delivered, but not before it, by the minute.
    pub ahead: Counts,
}

/// More documents than were delivered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Surplus {
    /// The first minute that has some.
    pub since: i64,
    /// How many more.
    pub documents: u64,
}

impl Counts {
    /// Counts as many more in this minute.
    pub fn add(&mut self, minute: i64, documents: u64) {
        if documents > 0 {
            *self.0.entry(minute).or_default() += documents;
        }
    }

    /// Counts what others counted, too.
    pub fn join(&mut self, others: Self) {
        for (minute, documents) in others.0 {
            self.add(minute, documents);
        }
    }

    /// How many in all.
    pub fn sum(&self) -> u64 {
        self.0.values().sum()
    }

    fn of(&self, minute: i64) -> u64 {
        self.0.get(&minute).copied().unwrap_or_default()
    }
}

impl From<Counts> for Vec<(i64, u64)> {
    fn from(counts: Counts) -> Self {
        counts.0.into_iter().collect()
    }
}

impl From<Vec<(i64, u64)>> for Counts {
    fn from(counts: Vec<(i64, u64)>) -> Self {
        counts.into_iter().collect()
    }
}

impl FromIterator<(i64, u64)> for Counts {
    fn from_iter<I: IntoIterator<Item = (i64, u64)>>(counts: I) -> Self {
        let mut all = Self::default();
        for (minute, documents) in counts {
            all.add(minute, documents);
        }
        all
    }
}

impl Minutes {
    /// Counts from this value on, which lies in this minute.
    pub fn since(since: i64, begin: impl Into<Point>) -> Self {
        Self {
            since,
            begin: begin.into(),
            delivered: Counts::default(),
        }
    }

    /// Of shards of which nobody counted what was delivered, from this value on.
    pub fn unknown(begin: Point) -> Self {
        Self::since(i64::MAX, begin)
    }

    /// From this minute on each has to be counted for itself; those before it together, as
    /// nothing was delivered in them. For the last hour before this one.
    pub fn each_from(&self, before: i64) -> i64 {
        match self.since <= first(before) {
            true => self.first_delivered().unwrap_or(i64::MAX),
            false => i64::MIN,
        }
    }

    fn first_delivered(&self) -> Option<i64> {
        self.delivered.0.first_key_value().map(|(first, _)| *first)
    }

    /// A document was delivered.
    pub fn deliver(&mut self, minute: i64) {
        self.delivered.add(minute, 1);
    }

    /// Forgets what is more than an hour before this minute.
    pub fn forget_before(&mut self, minute: i64) {
        let first = first(minute);
        if self.first_delivered().is_some_and(|minute| minute < first) {
            self.delivered.0 = self.delivered.0.split_off(&first);
        }
    }

    /// What the cluster counts before the border beyond what was delivered there.
    pub fn surplus(&self, counted: &Counts, border: &Border) -> Option<Surplus> {
        let beyond = |(minute, counted): (i64, u64)| {
            let delivered = self.delivered.of(minute);
            let more = counted.saturating_sub(delivered.saturating_sub(border.ahead_in(minute)));
            (more > 0).then_some((minute, more))
        };
        let known = self.since.max(first(border.minute));
        let counted = counted.0.iter().map(|(minute, count)| (*minute, *count));
        let counted = counted.filter(|(minute, _)| (known..=border.minute).contains(minute));
        let mut surplus = counted.filter_map(beyond).peekable();
        let (since, _) = *surplus.peek()?;
        Some(Surplus {
            since,
            documents: surplus.map(|(_, more)| more).sum(),
        })
    }

    /// From now on, what the cluster counts before the border is what was delivered there:
    /// more, as it is about to be or never can be; fewer, as some were deleted.
    pub fn accept(&mut self, counted: &Counts, border: &Border) {
        self.delivered = counted.clone();
        self.delivered.join(border.ahead.clone());
        self.since = self.since.min(first(border.minute));
    }
}

impl Border {
    fn ahead_in(&self, minute: i64) -> u64 {
        match minute == self.minute {
            true => self.ahead.of(minute),
            false => 0,
        }
    }
}

/// The first minute of the last hour before this one.
pub fn first(before: i64) -> i64 {
    before.saturating_sub(MINUTES_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn border() -> Border {
        Border {
            minute: 6,
            ahead: [(6, 4), (7, 9)].into_iter().collect(),
        }
    }

    fn delivered(counts: &[(i64, u64)]) -> Minutes {
        let delivered = counts.iter().copied().collect();
        let since = i64::MIN;
        Minutes {
            since,
            begin: Point::MIN,
            delivered,
        }
    }

    #[test]
    fn what_the_cluster_counts_beyond_what_was_delivered_is_a_surplus() {
        let rows = [
            (vec![(5, 10), (6, 3)], None),
            (vec![(5, 12), (6, 3)], Some((5, 2))),
            (vec![(4, 1), (5, 10), (6, 4)], Some((4, 2))),
            (vec![(5, 2)], None),
            (vec![(6, 5)], Some((6, 2))),
            (vec![(7, 99)], None),
        ];
        for (counted, expected) in rows {
            let minutes = delivered(&[(5, 10), (6, 7)]);
            let surplus = minutes.surplus(&counted.iter().copied().collect(), &border());
            let surplus = surplus.map(|surplus| (surplus.since, surplus.documents));
            assert_eq!(surplus, expected, "{counted:?}");
        }
    }

    #[test]
    fn what_is_accepted_is_no_surplus_again_but_what_comes_after_it_is() {
        let counted = Counts::from_iter([(5, 12), (6, 1)]);
        let mut minutes = delivered(&[(5, 10), (6, 7)]);
        minutes.accept(&counted, &border());
        assert_eq!(minutes.surplus(&counted, &border()), None);
        let one_more = Counts::from_iter([(5, 12), (6, 2)]);
        let surplus = minutes.surplus(&one_more, &border());
        assert_eq!(surplus.map(|surplus| surplus.documents), Some(1));
    }

    #[test]
    fn what_is_ahead_is_known_when_it_stands_before_the_border() {
        let mut minutes = Minutes::unknown(Point::MIN);
        minutes.deliver(7);
        let counted = Counts::from_iter([(5, 12), (6, 1)]);
        assert_eq!(
            minutes.surplus(&counted, &border()),
            None,
            "nobody knows what was delivered"
        );
        minutes.accept(&counted, &border());
        let later = Border {
            minute: 8,
            ahead: Counts::default(),
        };
        let counted = |late: u64| Counts::from_iter([(5, 12), (6, 5), (7, 9 + late)]);
        assert_eq!(minutes.surplus(&counted(0), &later), None);
        let surplus = minutes.surplus(&counted(2), &later);
        assert_eq!(surplus.map(|surplus| surplus.documents), Some(2));
    }

    #[test]
    fn the_last_hour_is_remembered_and_what_was_not_counted_is_not_looked_at() {
        let mut minutes = Minutes::since(100, 0);
        for minute in [100, 150, 170] {
            minutes.deliver(minute);
        }
        minutes.forget_before(200);
        assert_eq!(minutes.delivered, Counts::from_iter([(150, 1), (170, 1)]));
        assert_eq!(
            (minutes.each_from(110), minutes.each_from(200)),
            (i64::MIN, 150)
        );
        let before = Counts::from_iter([(99, 5), (171, 5)]);
        let border = Border {
            minute: 170,
            ahead: Counts::default(),
        };
        assert_eq!(minutes.surplus(&before, &border), None);
    }
}
