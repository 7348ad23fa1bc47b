//! Where the values of a sort come from in one index.

use super::Product;
use super::date::Formats;
use super::document::{Document, FieldValue};
use super::error::Cause;
use super::mapping::Kind;
use super::searcher::Searcher;
use super::sort::SortKey;

/// Where one index takes the values of a key from.
#[derive(Debug)]
pub(super) enum Source {
    Field {
        number: u16,
        stored: Kind,
        kind: Kind,
        formats: Formats,
    },
    Unmapped(Kind),
    SeqNo,
    Doc,
    ShardDoc,
    Index,
    Id,
}

/// A sort value before it is made comparable.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Raw<'a> {
    Int(i64),
    Float(f64),
    Text(&'a str),
    Missing,
    /// Milliseconds that have no place among nanoseconds.
    OutOfRange(i64),
}

impl Source {
    /// Finds the source of a key. `in_pit`: `_shard_doc` has a meaning only there.
    pub(super) fn new(key: &SortKey, searcher: &Searcher, product: Product) -> Result<Self, Cause> {
        let refused = |cause: Cause| {
            cause
                .with("index", &*searcher.index)
                .with("index_uuid", &*searcher.uuid)
        };
        match (key.field.as_str(), product) {
            ("_seq_no", _) => return searcher.check_seq_nos().map(|()| Self::SeqNo),
            ("_doc", _) => return Ok(Self::Doc),
            ("_shard_doc", Product::Elasticsearch) => return Ok(Self::ShardDoc),
            ("_index", _) => return Ok(Self::Index),
            ("_id", Product::OpenSearch) => return Ok(Self::Id),
            ("_id", Product::Elasticsearch) => {
                return Err(Cause::argument(
                    "Fielddata access on the _id field is disallowed, you can re-enable it by updating the dynamic cluster setting: indices.id_field_data.enabled",
                ));
            }
            _ => {}
        }
        match (searcher.mapping.get(&key.field), key.unmapped) {
            (Some((_, field)), _) if matches!(field.kind, Kind::Text | Kind::Object) => {
                Err(Cause::argument(format!(
                    "Fielddata is disabled on [{}] in [{}]. Text fields are not optimised for operations that require per-document field data like aggregations and sorting, so these operations are disabled by default. Please use a keyword field instead.",
                    key.field, searcher.index
                )))
            }
            (Some((_, field)), _) if !field.doc_values => Err(Cause::argument(format!(
                "Can't load fielddata on [{}] because fielddata is unsupported on fields of type [{}]. Use doc values instead.",
                key.field, field.type_name
            ))),
            (Some((_, field)), _) if key.numeric.is_some() && !field.kind.is_whole() => {
                Err(refused(Cause::query_shard(format!(
                    "[numeric_type] option cannot be set on a non-numeric field, got {}",
                    field.type_name
                ))))
            }
            (Some((number, field)), _) => {
                let kind = key
                    .numeric
                    .filter(|_| field.kind.is_date())
                    .unwrap_or(field.kind);
                Ok(Self::Field {
                    number,
                    stored: field.kind,
                    kind,
                    formats: field.formats.clone(),
                })
            }
            (None, Some(kind)) => Ok(Self::Unmapped(kind)),
            (None, None) => Err(refused(Cause::query_shard(format!(
                "No mapping found for [{}] in order to sort on",
                key.field
            )))),
        }
    }

    /// Kind of the values; numbers that are not dates are longs.
    pub(super) fn kind(&self) -> Kind {
        match self {
            Self::Field { kind, .. } | Self::Unmapped(kind) => *kind,
            Self::SeqNo | Self::Doc | Self::ShardDoc => Kind::Long,
            Self::Index | Self::Id => Kind::Keyword,
        }
    }

    /// The value by which a document is sorted: the smallest it has, or the largest
    /// where the order descends. `shard_doc`: the shard's number in the search, and
    /// the document's place in it.
    pub(super) fn value<'a>(
        &self,
        key: &SortKey,
        document: &'a Document,
        shard_doc: (u32, u32),
    ) -> Raw<'a> {
        match self {
            Self::Field {
                number,
                stored,
                kind,
                ..
            } => {
                let values = document.field(*number);
                let value = if key.largest {
                    values.max_by(|a, b| compare(a, b))
                } else {
                    values.min_by(|a, b| compare(a, b))
                };
                match value {
                    None => Raw::Missing,
                    Some(FieldValue::Float(value)) => Raw::Float(*value),
                    Some(FieldValue::Text(value)) => Raw::Text(value),
                    Some(FieldValue::Int(value)) => convert(*stored, *kind, *value),
                }
            }
            Self::Unmapped(_) => Raw::Missing,
            Self::SeqNo => Raw::Int(document.seq_no),
            Self::Doc => Raw::Int(i64::from(shard_doc.1)),
            Self::ShardDoc => Raw::Int(i64::from(shard_doc.0) << 32 | i64::from(shard_doc.1)),
            Self::Index => Raw::Text(&document.index),
            Self::Id => Raw::Text(&document.id),
        }
    }
}

fn compare(a: &FieldValue, b: &FieldValue) -> std::cmp::Ordering {
    match (a, b) {
        (FieldValue::Int(a), FieldValue::Int(b)) => a.cmp(b),
        (FieldValue::Float(a), FieldValue::Float(b)) => a.total_cmp(b),
        (FieldValue::Text(a), FieldValue::Text(b)) => a.cmp(b),
        _ => std::cmp::Ordering::Equal,
    }
}

fn convert<'a>(stored: Kind, kind: Kind, value: i64) -> Raw<'a> {
    match (stored, kind) {
        (Kind::Date, Kind::DateNanos) if value < 0 => Raw::OutOfRange(value),
        (Kind::Date, Kind::DateNanos) => value
            .checked_mul(1_000_000)
            .map_or(Raw::OutOfRange(value), Raw::Int),
        (Kind::DateNanos, Kind::Date) => Raw::Int(value.div_euclid(1_000_000)),
        _ => Raw::Int(value),
    }
}
