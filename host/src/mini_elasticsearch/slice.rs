//! A slice: the part of the documents whose values in a field hash to its number.

use serde_json::Value;

use super::document::{Document, FieldValue};
use super::error::Cause;
use super::mapping::Kind;
use super::query::object;
use super::searcher::Searcher;

/// Which part of a search is wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slice {
    id: u64,
    max: u64,
    field: String,
}

/// A slice of one index.
pub(super) struct Slicer {
    id: u64,
    max: u64,
    /// None: by the sequence number.
    field: Option<u16>,
}

impl Slice {
    /// Real servers split by documents where no field is named; here one must be.
    pub(super) fn parse(json: &Value) -> Result<Option<Self>, Cause> {
        if json.is_null() {
            return Ok(None);
        }
        let fields = object("slice", json, &["id", "max", "field"])?;
        let number = |key: &str| fields.get(key).and_then(Value::as_u64);
        let field = fields.get("field").and_then(Value::as_str);
        match (number("id"), number("max"), field) {
            (Some(id), Some(max), _) if id >= max => {
                Err(Cause::argument("max must be greater than id"))
            }
            (Some(_), Some(0 | 1), _) => Err(Cause::argument("max must be greater than 1")),
            (Some(id), Some(max), Some(field)) => Ok(Some(Self {
                id,
                max,
                field: field.to_owned(),
            })),
            _ => Err(Cause::argument(
                "[slice] needs [id], [max] and [field] here",
            )),
        }
    }

    /// # Errors
    /// The field can not be hashed, as real servers say it.
    pub(super) fn of(&self, searcher: &Searcher) -> Result<Slicer, Cause> {
        let field = match (self.field.as_str(), searcher.mapping.get(&self.field)) {
            ("_seq_no", _) => None,
            (_, Some((number, field))) if field.kind != Kind::Text => Some(number),
            (name, Some(_)) => {
                return Err(Cause::argument(format!(
                    "cannot load numeric doc values on {name}"
                )));
            }
            (name, None) => return Err(Cause::argument(format!("field {name} not found"))),
        };
        let (id, max) = (self.id, self.max);
        Ok(Slicer { id, max, field })
    }
}

impl Slicer {
    pub(super) fn holds(&self, document: &Document) -> bool {
        let value = match self.field {
            None => document.seq_no,
            Some(field) => match document.field(field).next() {
                Some(FieldValue::Int(value)) => *value,
                _ => 0,
            },
        };
        // The upper bits, so that neighbours spread.
        let hash = value.cast_unsigned().wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        hash % self.max == self.id
    }
}
