//! Slices: which shards of every index one of them reads.
//!
//! A document stays in its shard for as long as it is in its index, so that a slice is a pure
//! function of the document, whatever merges and whichever indices join. The servers' own
//! `slice` is not: in a point in time of Elasticsearch it also goes by the position of a shard
//! among those that a search does not skip, which changes with the query, and documents change
//! their slice.

/// The most shards that an index can have.
const SHARDS_MAX: u32 = 1_024;

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

    /// The `preference` that asks only its shards, by their numbers: those that an index does
    /// not have are passed over.
    pub fn preference(self) -> Option<String> {
        if self.of < 2 {
            return None;
        }
        let shards = (self.number..SHARDS_MAX).step_by(self.of as usize);
        let shards: Vec<_> = shards.map(|shard| shard.to_string()).collect();
        Some(format!("_shards:{}", shards.join(",")))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

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
