//! Tells whether a document matches a query that was made ready for its index.

use std::collections::HashSet;

use super::document::{Document, FieldValue};
use super::query::Side;

/// Tells whether a document matches.
#[derive(Debug)]
pub(super) enum Matcher {
    All,
    Nothing,
    Bool {
        must: Vec<Matcher>,
        must_not: Vec<Matcher>,
        should: Vec<Matcher>,
        should_min: usize,
    },
    /// An integer from the first to the last, both included.
    Ints(u16, i64, i64),
    Floats(u16, f64, f64),
    Texts(u16, Vec<(Side, String)>),
    SeqNos(i64, i64),
    Exists(Vec<u16>),
    AnyText(u16, HashSet<String>),
    Tokens {
        field: u16,
        tokens: Vec<String>,
        all: bool,
    },
    Ids(HashSet<String>),
}

impl Matcher {
    /// Whether a document matches.
    pub(super) fn matches(&self, document: &Document) -> bool {
        match self {
            Self::All => true,
            Self::Nothing => false,
            Self::Bool {
                must,
                must_not,
                should,
                should_min,
            } => {
                must.iter().all(|clause| clause.matches(document))
                    && !must_not.iter().any(|clause| clause.matches(document))
                    && (*should_min == 0
                        || should
                            .iter()
                            .filter(|clause| clause.matches(document))
                            .count()
                            >= *should_min)
            }
            Self::Ints(field, low, high) => document
                .field(*field)
                .any(|value| matches!(value, FieldValue::Int(n) if low <= n && n <= high)),
            Self::Floats(field, low, high) => document
                .field(*field)
                .any(|value| matches!(value, FieldValue::Float(n) if low <= n && n <= high)),
            Self::Texts(field, bounds) => {
                texts(document, *field).any(|text| bounds.iter().all(|bound| within(text, bound)))
            }
            Self::SeqNos(low, high) => (*low..=*high).contains(&document.seq_no),
            Self::Exists(fields) => fields
                .iter()
                .any(|field| document.field(*field).next().is_some()),
            Self::AnyText(field, any) => texts(document, *field).any(|text| any.contains(text)),
            Self::Tokens {
                field,
                tokens: wanted,
                all,
            } => {
                let found: HashSet<String> = texts(document, *field).flat_map(tokens).collect();
                let mut hits = wanted.iter().map(|token| found.contains(token));
                if *all {
                    hits.all(|hit| hit)
                } else {
                    hits.any(|hit| hit)
                }
            }
            Self::Ids(ids) => ids.contains(&*document.id),
        }
    }

    /// A range over integers that every match lies in, to look it up in a column.
    pub(super) fn narrowing(&self) -> Option<(u16, i64, i64)> {
        match self {
            Self::Ints(field, low, high) => Some((*field, *low, *high)),
            Self::Bool { must, .. } => must.iter().find_map(Self::narrowing),
            _ => None,
        }
    }

    /// Whether everything in [`Self::narrowing`] is a match too.
    pub(super) fn is_narrowing(&self, range: (u16, i64, i64)) -> bool {
        match self {
            Self::All => true,
            Self::Ints(..) => self.narrowing() == Some(range),
            Self::Exists(fields) => *fields == [range.0],
            Self::Bool {
                must,
                must_not,
                should_min,
                ..
            } => {
                *should_min == 0
                    && must_not.is_empty()
                    && must.iter().all(|clause| clause.is_narrowing(range))
            }
            _ => false,
        }
    }
}

fn texts(document: &Document, field: u16) -> impl Iterator<Item = &str> {
    document.field(field).filter_map(|value| match value {
        FieldValue::Text(text) => Some(&**text),
        _ => None,
    })
}

fn within(text: &str, (side, bound): &(Side, String)) -> bool {
    match side {
        Side::Gte => text >= bound.as_str(),
        Side::Gt => text > bound.as_str(),
        Side::Lte => text <= bound.as_str(),
        Side::Lt => text < bound.as_str(),
    }
}

/// The words of a text in lower case.
pub(super) fn tokens(text: &str) -> impl Iterator<Item = String> {
    text.split(|c: char| !c.is_alphanumeric())
        .filter(|token| !token.is_empty())
        .map(str::to_lowercase)
}
