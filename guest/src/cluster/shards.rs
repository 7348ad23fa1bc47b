//! Slices: which shards of every index one of them reads.
//!
//! One process has all shards, or the slice of them that is configured, and divides it again
//! into parts that it reads side by side: a part of a slice is a slice.
//!
//! A document stays in its shard for as long as it is in its index, so that a slice is a pure
//! function of the document, whatever merges and whichever indices join. The servers' own
//! `slice` is not: in a point in time of Elasticsearch it also goes by the position of a shard
//! among those that a search does not skip, which changes with the query, and documents change
//! their slice.

use std::fmt;

/// The most shards that an index can have, and the most slices of them.
pub const SHARDS_MAX: u32 = 1_024;
/// The most slices that are read by a process each.
const PROCESSES_MAX: u32 = 64;

/// One part of the shards, and how many parts there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Slice {
    /// Which one, from 0.
    pub number: u32,
    /// How many there are.
    pub of: u32,
}

impl Slice {
    /// All of it.
    pub const WHOLE: Self = Self { number: 0, of: 1 };

    /// `"1/3"`: the second of three, of at least two and at most 64.
    pub fn parse(text: &str) -> Option<Self> {
        let (number, of) = text.split_once('/')?;
        let slice = Self {
            number: number.parse().ok()?,
            of: of.parse().ok()?,
        };
        let is_part = slice.number < slice.of && (2..=PROCESSES_MAX).contains(&slice.of);
        (is_part && slice.to_string() == text).then_some(slice)
    }

    /// One of so many parts of it: every so manieth of its shards.
    pub fn part(self, number: u32, of: u32) -> Self {
        Self {
            number: self.of.saturating_mul(number).saturating_add(self.number),
            of: self.of.saturating_mul(of),
        }
    }

    /// Whether it is not all of them.
    pub fn is_part(self) -> bool {
        self.of > 1
    }

    /// The `preference` that asks only its shards, by their numbers: those that an index does
    /// not have are passed over.
    pub fn preference(self) -> Option<String> {
        if !self.is_part() {
            return None;
        }
        let shards = (self.number..SHARDS_MAX).step_by(self.of as usize);
        let shards: Vec<_> = shards.map(|shard| shard.to_string()).collect();
        Some(format!("_shards:{}", shards.join(",")))
    }
}

impl fmt::Display for Slice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    /// The shards that are asked.
    fn shards(slice: Slice) -> BTreeSet<u32> {
        let preference = slice.preference().unwrap();
        let shards = preference.strip_prefix("_shards:").unwrap().split(',');
        shards.map(|shard| shard.parse().unwrap()).collect()
    }

    #[test]
    fn the_parts_of_a_slice_are_its_shards_and_each_is_in_one() {
        for (of, parts) in [(2, 2), (3, 1), (3, 2), (5, 16), (64, 16)] {
            for slice in (0..of).map(|number| Slice { number, of }) {
                let parts: Vec<_> = (0..parts).map(|part| slice.part(part, parts)).collect();
                let all: Vec<_> = parts.iter().flat_map(|part| shards(*part)).collect();
                let distinct: BTreeSet<_> = all.iter().copied().collect();
                assert_eq!((all.len(), distinct), (shards(slice).len(), shards(slice)));
                assert!(
                    parts.iter().all(|part| !shards(*part).is_empty()),
                    "{slice}"
                );
                assert!(shards(slice).iter().all(|shard| shard % of == slice.number));
            }
        }
        assert_eq!(Slice::WHOLE.part(2, 5), Slice { number: 2, of: 5 });
    }

    #[test]
    fn a_slice_is_read_as_it_is_written() {
        assert_eq!(Slice::parse("2/3"), Some(Slice { number: 2, of: 3 }));
        assert_eq!(Slice::parse("63/64").unwrap().to_string(), "63/64");
        let wrong = [
            "3/3", "0/1", "0/65", "0/0", "-1/3", "+1/3", "01/3", "1", "1/3/5", "1 / 3", "", "/",
        ];
        for text in wrong {
            assert_eq!(Slice::parse(text), None, "{text}");
        }
    }

    #[test]
    fn every_shard_is_in_one_slice() {
        assert_eq!(Slice::WHOLE.preference(), None);
        for of in 2..=16 {
            let all = (0..of).flat_map(|number| {
                let preference = Slice { number, of }.preference().unwrap();
                let shards = preference.strip_prefix("_shards:").unwrap().split(',');
                shards
                    .map(|shard| shard.parse::<u32>().unwrap())
                    .collect::<Vec<_>>()
            });
            let all: Vec<_> = all.collect();
            assert_eq!(all.len(), 1_024);
            assert_eq!(
                all.into_iter().collect::<BTreeSet<_>>(),
                (0..1_024).collect()
            );
        }
    }
}
