//! The order in which documents are read: by the value of a field, then by sequence number.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::time::Unit;

/// A value of the field that orders, as the cluster sorts it.
///
/// All values of a source are of one kind, but for the least number, which is before every
/// text as well.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Point {
    /// A timestamp in the source's [`Unit`], or a number that only grows.
    Number(i64),
    /// A text that only grows, in the order of its bytes.
    Text(Arc<str>),
}

impl Point {
    /// Before every value.
    pub const MIN: Self = Self::Number(i64::MIN);
    /// After every number.
    pub const MAX: Self = Self::Number(i64::MAX);

    /// The first value after this one.
    #[must_use]
    pub fn next(&self) -> Self {
        match self {
            Self::Number(number) => Self::Number(number.saturating_add(1)),
            Self::Text(text) => Self::Text(format!("{text}\0").into()),
        }
    }

    /// The number, of which a timestamp always is one.
    pub const fn number(&self) -> Option<i64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(_) => None,
        }
    }
}

impl From<i64> for Point {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<&str> for Point {
    fn from(text: &str) -> Self {
        Self::Text(text.into())
    }
}

impl Serialize for Point {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Number(number) => serializer.serialize_i64(*number),
            Self::Text(text) => serializer.serialize_str(text),
        }
    }
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(PointVisitor)
    }
}

struct PointVisitor;

impl de::Visitor<'_> for PointVisitor {
    type Value = Point;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an integer or a text")
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Point, E> {
        Ok(number.into())
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Point, E> {
        let number = i64::try_from(number);
        let number = number.map_err(|_| E::custom("the integer has more than 63 bits"))?;
        Ok(number.into())
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Point, E> {
        Ok(text.into())
    }
}

/// A value that is no date, for people.
impl fmt::Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => number.fmt(f),
            Self::Text(text) => write!(f, "{text:?}"),
        }
    }
}

/// A place in the reading order. Several documents can share one, one per shard at
/// the most: a sequence number is unique in its shard only.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "(Point, Option<i64>)", from = "(Point, Option<i64>)")]
pub struct Key {
    /// The sort value of the field that orders.
    pub point: Point,
    /// The document's `_seq_no`.
    pub seq_no: i64,
}

impl Key {
    /// Before every document.
    pub const MIN: Self = Self {
        point: Point::MIN,
        seq_no: i64::MIN,
    };

    /// Before every document of this value.
    pub fn at(point: impl Into<Point>) -> Self {
        Self {
            point: point.into(),
            seq_no: i64::MIN,
        }
    }

    /// Before every document of the same value.
    #[must_use]
    pub fn group(&self) -> Self {
        Self::at(self.point.clone())
    }

    /// Before every document of a later value.
    pub fn behind(point: &Point) -> Self {
        Self::at(point.next())
    }

    /// Whether it is before every document of its value.
    pub fn begins_group(&self) -> bool {
        self.seq_no == i64::MIN
    }

    /// For people: the value, as a date where it is one, with the sequence number where it
    /// matters.
    pub fn describe(&self, unit: Unit) -> String {
        let value = unit.describe(&self.point);
        match self {
            key if *key == Self::MIN => "the beginning".to_owned(),
            key if key.begins_group() => value,
            Self { seq_no, .. } => format!("{value} (sequence number {seq_no})"),
        }
    }
}

impl From<Key> for (Point, Option<i64>) {
    fn from(key: Key) -> Self {
        let seq_no = (!key.begins_group()).then_some(key.seq_no);
        (key.point, seq_no)
    }
}

impl From<(Point, Option<i64>)> for Key {
    fn from((point, seq_no): (Point, Option<i64>)) -> Self {
        let seq_no = seq_no.unwrap_or(i64::MIN);
        Self { point, seq_no }
    }
}

#[cfg(test)]
impl From<(i64, i64)> for Key {
    fn from((timestamp, seq_no): (i64, i64)) -> Self {
        let point = timestamp.into();
        Self { point, seq_no }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_sort_as_the_cluster_sorts_them_and_nothing_is_between_a_value_and_the_next() {
        let texts = [
            "",
            "a",
            "a\0",
            "a\0\0",
            "a\u{1}",
            "aa",
            "b",
            "ä",
            "\u{10000}",
        ];
        let points: Vec<Point> = texts.into_iter().map(Point::from).collect();
        assert!(points.is_sorted() && Point::MIN < points[0]);
        for (value, next) in [
            (Point::from("a"), Point::from("a\0")),
            (7.into(), 8.into()),
            (Point::MAX, Point::MAX),
        ] {
            assert_eq!(value.next(), next);
        }
    }

    #[test]
    fn a_place_survives_being_saved_and_is_what_it_was_before_texts() {
        let rows = [
            (Key::MIN, "[-9223372036854775808,null]"),
            ((5, 3).into(), "[5,3]"),
            (Key::at("doc_12345"), r#"["doc_12345",null]"#),
        ];
        for (key, json) in rows {
            assert_eq!(serde_json::to_string(&key).unwrap(), json);
            assert_eq!(serde_json::from_str::<Key>(json).unwrap(), key);
        }
    }
}
