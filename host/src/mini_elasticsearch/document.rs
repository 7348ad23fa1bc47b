//! A stored document: the bytes that were sent, and the values that can be searched.

use std::sync::Arc;

use bytes::Bytes;

/// A value as a field keeps it. Dates are integers in the field's own resolution,
/// booleans are 0 and 1.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum FieldValue {
    Int(i64),
    Float(f64),
    Text(Box<str>),
}

/// One version of a document.
#[derive(Debug)]
pub(super) struct Document {
    pub(super) id: Box<str>,
    pub(super) routing: Option<Box<str>>,
    pub(super) index: Arc<str>,
    pub(super) seq_no: i64,
    pub(super) version: u64,
    pub(super) source: Bytes,
    /// How many documents it counts for in a bucket.
    pub(super) doc_count: u64,
    /// Field numbers of the index's mapping with their values, ordered by number.
    pub(super) values: Box<[(u16, FieldValue)]>,
}

impl Document {
    /// All values of a field.
    pub(super) fn field(&self, number: u16) -> impl Iterator<Item = &FieldValue> {
        let start = self.values.partition_point(|(field, _)| *field < number);
        let values = self.values.iter().skip(start);
        values
            .take_while(move |(field, _)| *field == number)
            .map(|(_, value)| value)
    }
}
