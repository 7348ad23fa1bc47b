//! The entries of an edge as bytes, about a dozen for each: a state is saved often.
//!
//! In order: how much later than the entry before and whether it was met, in one number;
//! the sequence number; the id, 8 bytes, little-endian. Numbers have 7 bits in a byte and
//! are as long as they need (LEB128).

use std::collections::BTreeMap;

use crate::key::Key;

/// Bytes for these entries.
pub(super) fn pack(entries: &BTreeMap<(Key, u64), bool>) -> Vec<u8> {
    let mut packed = Vec::with_capacity(entries.len() * 12);
    let mut before = i64::MIN;
    for ((key, id), met) in entries {
        let later = u128::from(key.timestamp.abs_diff(before));
        put(&mut packed, later << 1 | u128::from(*met));
        put(&mut packed, zigzag(key.seq_no).into());
        packed.extend(id.to_le_bytes());
        before = key.timestamp;
    }
    packed
}

/// The entries, if these bytes are some.
pub(super) fn unpack(mut packed: &[u8]) -> Option<BTreeMap<(Key, u64), bool>> {
    let mut entries = BTreeMap::new();
    let mut before = i64::MIN;
    while !packed.is_empty() {
        let first = take(&mut packed)?;
        let timestamp = before.checked_add_unsigned(u64::try_from(first >> 1).ok()?)?;
        let seq_no = unzigzag(u64::try_from(take(&mut packed)?).ok()?);
        let (id, rest) = packed.split_first_chunk()?;
        let key = Key { timestamp, seq_no };
        entries.insert((key, u64::from_le_bytes(*id)), first & 1 == 1);
        (packed, before) = (rest, timestamp);
    }
    Some(entries)
}

/// Small numbers of either sign as small ones without.
fn zigzag(number: i64) -> u64 {
    (number << 1 ^ number >> 63).cast_unsigned()
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1).cast_signed() ^ -(number & 1).cast_signed()
}

fn put(packed: &mut Vec<u8>, mut number: u128) {
    while number > 0x7f {
        packed.push(0x80 | (number & 0x7f) as u8);
        number >>= 7;
    }
    packed.push(number as u8);
}

fn take(packed: &mut &[u8]) -> Option<u128> {
    let mut number = 0;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = packed.split_first()?;
        *packed = rest;
        number |= u128::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_comes_back_and_most_are_short() {
        let key = |timestamp, seq_no| Key { timestamp, seq_no };
        let rows = [
            vec![],
            vec![((key(i64::MIN, i64::MIN), 0), true)],
            vec![
                ((key(-5, 3), 7), false),
                ((key(-5, 3), u64::MAX), true),
                ((key(i64::MAX, i64::MAX), 1), false),
            ],
        ];
        for row in rows {
            let entries = BTreeMap::from_iter(row);
            assert_eq!(unpack(&pack(&entries)), Some(entries));
        }
        let many = (0..10_000).map(|n| ((key(1_768_435_200_000 + n / 7, n), n as u64), true));
        let packed = pack(&many.collect());
        assert!(packed.len() < 10_000 * 13, "{}", packed.len());
    }

    #[test]
    fn what_is_cut_off_or_out_of_range_is_nothing() {
        let key = Key {
            timestamp: 1_768_435_200_000,
            seq_no: 5,
        };
        let packed = pack(&BTreeMap::from([((key, 9), true)]));
        for length in 1..packed.len() {
            assert_eq!(unpack(&packed[..length]), None, "{length}");
        }
        let mut too_late = vec![0xff; 9];
        too_late.extend([0x7f, 0]);
        too_late.extend([0; 8]);
        assert_eq!(unpack(&too_late), None);
    }
}
