//! All documents of a view in the order of a sort, to page through by binary search.

use std::cmp::Ordering;
use std::io::Write as _;

use serde_json::Value;

use super::date::Formats;
use super::error::Cause;
use super::indexing::{in_resolution, text};
use super::mapping::Kind;
use super::sort::{Missing, SortKey};
use super::sort_value::{Raw, Source};
use super::view::View;

/// The documents of a query in order. Ties are in the order of their places, which is
/// that of (shard, document) in the real servers too.
#[derive(Debug)]
pub(super) struct Order {
    keys: Vec<Column>,
    /// The place of the document at each position.
    pub(super) places: Vec<u32>,
    /// A place whose date has no nanoseconds, with its milliseconds.
    pub(super) out_of_range: Option<(u32, i64)>,
}

/// The values of one key as integers that sort like them, by position.
#[derive(Debug)]
struct Column {
    values: Vec<i64>,
    descending: bool,
    kind: Kind,
    formats: Option<Formats>,
    /// What the integers of a text key stand for: twice the index and one.
    texts: Vec<Box<str>>,
}

impl Order {
    /// Sorts the documents at these places, which belong to searchers with sources.
    pub(super) fn new(
        view: &View,
        keys: &[SortKey],
        sources: &[Option<&[Source]>],
        places: &[u32],
    ) -> Self {
        let mut out_of_range = None;
        let columns = keys.iter().enumerate();
        let mut columns: Vec<Column> = columns
            .map(|(number, key)| column(view, key, number, sources, places, &mut out_of_range))
            .collect();
        let mut order: Vec<usize> = (0..places.len()).collect();
        order.sort_unstable_by(|a, b| {
            let keys = columns.iter();
            let keys = keys.map(|column| column.values.get(*a).cmp(&column.values.get(*b)));
            keys.fold(Ordering::Equal, Ordering::then)
                .then_with(|| places.get(*a).cmp(&places.get(*b)))
        });
        for column in &mut columns {
            column.values = sorted(&column.values, &order);
        }
        Self {
            keys: columns,
            places: sorted(places, &order),
            out_of_range,
        }
    }

    /// The position after the last document that sorts at or before `after`; with a
    /// place for a tie, after that document.
    pub(super) fn after(&self, after: &[i64], tie: Option<u32>) -> usize {
        let (mut low, mut high) = (0, self.places.len());
        while low < high {
            let middle = low.midpoint(high);
            let here = self
                .keys
                .iter()
                .map(|column| column.values.get(middle).copied().unwrap_or(i64::MAX));
            let keys = here.cmp(after.iter().copied());
            let place = self.places.get(middle).copied();
            if keys
                .then_with(|| tie.map_or(Ordering::Equal, |tie| place.cmp(&Some(tie))))
                .is_gt()
            {
                high = middle;
            } else {
                low = middle + 1;
            }
        }
        low
    }

    /// The values of a `search_after` as integers that sort like them.
    pub(super) fn read_after(&self, keys: &[SortKey], values: &[Value]) -> Result<Vec<i64>, Cause> {
        let pairs = self.keys.iter().zip(keys).zip(values).enumerate();
        pairs
            .map(|(at, ((column, key), value))| column.read(&key.field, at, value))
            .collect()
    }

    /// Writes the sort values of the document at a position, with commas between.
    pub(super) fn write_values(&self, position: usize, into: &mut Vec<u8>) {
        for (number, column) in self.keys.iter().enumerate() {
            if number > 0 {
                into.push(b',');
            }
            column.write(position, into);
        }
    }
}

fn sorted<T: Copy>(values: &[T], order: &[usize]) -> Vec<T> {
    let values = order.iter().filter_map(|index| values.get(*index));
    values.copied().collect()
}

fn column(
    view: &View,
    key: &SortKey,
    number: usize,
    sources: &[Option<&[Source]>],
    places: &[u32],
    out_of_range: &mut Option<(u32, i64)>,
) -> Column {
    let source = |searcher: usize| sources.get(searcher).copied().flatten()?.get(number);
    let some = || (0..sources.len()).filter_map(source);
    let kind = some().map(Source::kind).next().unwrap_or(Kind::Long);
    let formats = some().find_map(|source| match source {
        Source::Field { formats, kind, .. } if kind.is_date() => Some(formats.clone()),
        _ => None,
    });
    let raw = |place: &u32| {
        let found = view.entry(*place);
        let raw = found.and_then(|(searcher, shard_doc, document)| {
            Some(source(searcher)?.value(key, document, shard_doc))
        });
        if let Some(Raw::OutOfRange(millis)) = raw {
            *out_of_range = Some((*place, millis));
        }
        raw.unwrap_or(Raw::Missing)
    };
    let raws: Vec<Raw<'_>> = places.iter().map(raw).collect();
    let mut texts: Vec<Box<str>> = raws
        .iter()
        .filter_map(|raw| {
            if let Raw::Text(text) = raw {
                Some((*text).into())
            } else {
                None
            }
        })
        .collect();
    texts.sort_unstable();
    texts.dedup();
    let values = raws.iter().map(|raw| sortable(key, &texts, *raw)).collect();
    Column {
        values,
        descending: key.descending,
        kind,
        formats,
        texts,
    }
}

fn sortable(key: &SortKey, texts: &[Box<str>], raw: Raw<'_>) -> i64 {
    let value = match raw {
        Raw::Int(value) => value,
        Raw::Float(value) => float_bits(value),
        Raw::Text(text) => text_rank(texts, text),
        Raw::Missing | Raw::OutOfRange(_) => match (key.missing, key.descending) {
            (Missing::As(value), _) => value,
            (Missing::First, false) | (Missing::Last, true) => i64::MIN,
            (Missing::Last, false) | (Missing::First, true) => i64::MAX,
        },
    };
    // The complement turns the order around and has no overflow.
    if key.descending { !value } else { value }
}

/// Odd where the text is known, even between its neighbours where it is not.
fn text_rank(texts: &[Box<str>], text: &str) -> i64 {
    match texts.binary_search_by(|other| (**other).cmp(text)) {
        Ok(index) => index as i64 * 2 + 1,
        Err(index) => index as i64 * 2,
    }
}

/// An integer that sorts like the number; its own inverse by way of the bits.
fn float_bits(value: f64) -> i64 {
    let bits = value.to_bits().cast_signed();
    if bits < 0 { bits ^ i64::MAX } else { bits }
}

impl Column {
    fn read(&self, field: &str, at: usize, value: &Value) -> Result<i64, Cause> {
        let failed = || {
            Cause::argument(format!(
                "Failed to parse search_after value for field [{field}]."
            ))
        };
        if value.is_null() && self.kind != Kind::Keyword {
            return Err(Cause::argument(format!(
                "[search_after] value at position {at} cannot be null for sort field [{field}] of type [LONG]."
            )));
        }
        let read = match (self.kind, value) {
            (Kind::Keyword, Value::Null) => i64::MAX,
            (Kind::Keyword, value) => text_rank(&self.texts, &text(value)),
            (Kind::Float, value) => float_bits(text(value).parse().map_err(|_| failed())?),
            (kind, Value::String(date)) if kind.is_date() => self
                .read_date(date)
                .ok_or_else(failed)?
                .map_err(Cause::argument)?,
            (_, value) => integer(value).ok_or_else(failed)?,
        };
        Ok(if self.descending { !read } else { read })
    }

    fn read_date(&self, date: &str) -> Option<Result<i64, String>> {
        let instant = self.formats.as_ref()?.instant(date, false)?;
        Some(in_resolution(self.kind, instant))
    }

    fn write(&self, position: usize, into: &mut Vec<u8>) {
        let stored = self.values.get(position).copied().unwrap_or_default();
        let value = if self.descending { !stored } else { stored };
        // Writing to memory cannot fail.
        let _ = match self.kind {
            Kind::Keyword => {
                let text = usize::try_from(value / 2)
                    .ok()
                    .and_then(|index| self.texts.get(index));
                serde_json::to_writer(into, &text.filter(|_| value != i64::MAX)).map_err(Into::into)
            }
            Kind::Float => {
                let bits = if value < 0 { value ^ i64::MAX } else { value };
                serde_json::to_writer(into, &f64::from_bits(bits.cast_unsigned()))
                    .map_err(Into::into)
            }
            _ => write!(into, "{value}"),
        };
    }
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number
            .as_i64()
            .or_else(|| number.as_f64().map(|float| float as i64)),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}
