//! The entries of an edge as bytes, about a dozen for each: a state is saved often.
//!
//! In order, of numbers: how much later than the entry before and whether it was met, in one
//! number; of texts: how many bytes it shares with the entry before and whether it was met, how
//! many follow, and these. Then the sequence number, and the id, 8 bytes, little-endian. Numbers
//! have 7 bits in a byte and are as long as they need (LEB128).

use super::Entries;
use crate::key::{Key, Point};

/// Bytes for these entries, if all of their places are numbers.
pub(super) fn pack_numbers(entries: &Entries) -> Option<Vec<u8>> {
    let mut packed = Vec::with_capacity(entries.len() * 12);
    let mut before = i64::MIN;
    for ((key, id), met) in entries {
        let number = key.point.number()?;
        let later = u128::from(number.abs_diff(before));
        put(&mut packed, later << 1 | u128::from(*met));
        put_rest(&mut packed, key.seq_no, *id);
        before = number;
    }
    Some(packed)
}

/// The entries, if these bytes are some.
pub(super) fn unpack_numbers(mut packed: &[u8]) -> Option<Entries> {
    let mut entries = Entries::new();
    let mut before = i64::MIN;
    while !packed.is_empty() {
        let first = take(&mut packed)?;
        before = before.checked_add_unsigned(u64::try_from(first >> 1).ok()?)?;
        let (seq_no, id) = take_rest(&mut packed)?;
        let point = before.into();
        entries.insert((Key { point, seq_no }, id), first & 1 == 1);
    }
    Some(entries)
}

/// Bytes for these entries, if all of their places are texts.
pub(super) fn pack_texts(entries: &Entries) -> Option<Vec<u8>> {
    let mut packed = Vec::with_capacity(entries.len() * 16);
    let mut before: &[u8] = &[];
    for ((key, id), met) in entries {
        let Point::Text(text) = &key.point else {
            return None;
        };
        let text = text.as_bytes();
        let shared = text.iter().zip(before).take_while(|(a, b)| a == b).count();
        let rest = text.get(shared..).unwrap_or_default();
        put(&mut packed, (shared as u128) << 1 | u128::from(*met));
        put(&mut packed, rest.len() as u128);
        packed.extend(rest);
        put_rest(&mut packed, key.seq_no, *id);
        before = text;
    }
    Some(packed)
}

/// The entries, if these bytes are some.
pub(super) fn unpack_texts(mut packed: &[u8]) -> Option<Entries> {
    let mut entries = Entries::new();
    let mut text = Vec::new();
    while !packed.is_empty() {
        let first = take(&mut packed)?;
        let shared = usize::try_from(first >> 1).ok()?;
        let length = usize::try_from(take(&mut packed)?).ok()?;
        let (rest, behind) = packed.split_at_checked(length)?;
        text = [text.get(..shared)?, rest].concat();
        packed = behind;
        let (seq_no, id) = take_rest(&mut packed)?;
        let point = Point::from(std::str::from_utf8(&text).ok()?);
        entries.insert((Key { point, seq_no }, id), first & 1 == 1);
    }
    Some(entries)
}

fn put_rest(packed: &mut Vec<u8>, seq_no: i64, id: u64) {
    put(packed, zigzag(seq_no).into());
    packed.extend(id.to_le_bytes());
}

fn take_rest(packed: &mut &[u8]) -> Option<(i64, u64)> {
    let seq_no = unzigzag(u64::try_from(take(packed)?).ok()?);
    let (id, rest) = packed.split_first_chunk()?;
    *packed = rest;
    Some((seq_no, u64::from_le_bytes(*id)))
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

    fn key(point: impl Into<Point>, seq_no: i64) -> Key {
        let point = point.into();
        Key { point, seq_no }
    }

    #[test]
    fn every_entry_comes_back_and_most_are_short() {
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
            let entries = Entries::from_iter(row);
            let packed = pack_numbers(&entries).unwrap();
            assert_eq!(unpack_numbers(&packed), Some(entries));
        }
        let many = (0..10_000).map(|n| ((key(1_768_435_200_000 + n / 7, n), n as u64), true));
        let packed = pack_numbers(&many.collect()).unwrap();
        assert!(packed.len() < 10_000 * 13, "{}", packed.len());
    }

    #[test]
    fn texts_share_their_beginnings() {
        let texts = ["", "doc_1", "doc_10", "doc_10", "e", "é", "\u{10000}"];
        let numbered = texts.into_iter().zip(0..);
        let entries = numbered.map(|(text, n)| ((key(text, n), u64::MAX), n % 2 == 0));
        let entries = Entries::from_iter(entries);
        let packed = pack_texts(&entries).unwrap();
        assert_eq!(unpack_texts(&packed), Some(entries));
        let many = (0..10_000).map(|n| ((key(&*format!("order-2026-{n:07}"), n), 1), true));
        let packed = pack_texts(&many.collect()).unwrap();
        assert!(packed.len() < 10_000 * 14, "{}", packed.len());
    }

    #[test]
    fn numbers_beside_texts_are_not_packed() {
        let mixed = Entries::from([((key(5, 0), 1), true), ((key("a", 0), 1), true)]);
        assert_eq!((pack_numbers(&mixed), pack_texts(&mixed)), (None, None));
    }

    #[test]
    fn what_is_cut_off_or_out_of_range_is_nothing() {
        let packed =
            pack_numbers(&Entries::from([((key(1_768_435_200_000, 5), 9), true)])).unwrap();
        for length in 1..packed.len() {
            assert_eq!(unpack_numbers(&packed[..length]), None, "{length}");
        }
        let packed = pack_texts(&Entries::from([((key("doc", 5), 9), true)])).unwrap();
        for length in 1..packed.len() {
            assert_eq!(unpack_texts(&packed[..length]), None, "{length}");
        }
        let mut too_late = vec![0xff; 9];
        too_late.extend([0x7f, 0]);
        too_late.extend([0; 8]);
        assert_eq!(unpack_numbers(&too_late), None);
        let shares_more_than_there_is = [2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        assert_eq!(unpack_texts(&shares_more_than_there_is), None);
    }
}
