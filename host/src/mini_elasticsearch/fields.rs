//! The `fields` of a hit: values as the mapping reads them, always in lists.

use serde_json::{Map, Value};

use super::date::Formats;
use super::document::{Document, FieldValue};
use super::error::Cause;
use super::mapping::{Field, Kind, Mapping};
use super::query::object;
use crate::wildcard::is_like;

/// One entry of a search's `fields`.
#[derive(Debug, Clone)]
pub(super) struct FieldRequest {
    pattern: String,
    /// How dates are written; as the mapping says where absent.
    formats: Option<Formats>,
}

impl FieldRequest {
    pub(super) fn parse_all(json: &Value) -> Result<Vec<Self>, Cause> {
        match json {
            Value::Null => Ok(Vec::new()),
            Value::Array(items) => items.iter().map(Self::parse).collect(),
            _ => Err(Cause::parsing("[fields] must be a list")),
        }
    }

    fn parse(json: &Value) -> Result<Self, Cause> {
        let (pattern, format) = match json {
            Value::String(pattern) => (Some(pattern.as_str()), None),
            json => {
                let keys = object("fields", json, &["field", "format"])?;
                let text = |key: &str| keys.get(key).and_then(Value::as_str);
                (text("field"), text("format"))
            }
        };
        let pattern = pattern.ok_or_else(|| Cause::parsing("[fields] needs a [field]"))?;
        let formats = format.map(Formats::parse).transpose();
        Ok(Self {
            pattern: pattern.to_owned(),
            formats: formats.map_err(Cause::argument)?,
        })
    }

    fn names(&self, field: &Field) -> bool {
        field.kind != Kind::Object && is_like(&self.pattern, &field.path)
    }

    fn formats<'a>(&'a self, field: &'a Field) -> &'a Formats {
        self.formats.as_ref().unwrap_or(&field.formats)
    }

    /// # Errors
    ///
    /// A format for what is no date, or one that can be read here and not written.
    pub(super) fn check(&self, mapping: &Mapping) -> Result<(), Cause> {
        for field in mapping.fields.iter().filter(|field| self.names(field)) {
            let (path, kind) = (&field.path, &field.type_name);
            if !field.kind.is_date() && self.formats.is_some() {
                return Err(Cause::argument(format!(
                    "Field [{path}] of type [{kind}] doesn't support formats."
                )));
            }
            let formats = self.formats(field);
            if field.kind.is_date() && formats.write(field.kind, 0).is_none() {
                let format = formats.text();
                return Err(Cause::argument(format!(
                    "[fields] of type [{kind}] in format [{format}] are not supported here"
                )));
            }
        }
        Ok(())
    }
}

/// The fields of a document that were asked for; those without a value are not there.
pub(super) fn values(
    requests: &[FieldRequest],
    mapping: &Mapping,
    document: &Document,
) -> Map<String, Value> {
    let mut values = Map::new();
    for (field, number) in mapping.fields.iter().zip(0_u16..) {
        let Some(request) = requests.iter().find(|request| request.names(field)) else {
            continue;
        };
        let formats = request.formats(field);
        let of_field = document.field(number);
        let list: Vec<_> = of_field.map(|value| json(field, formats, value)).collect();
        if !list.is_empty() {
            values.insert(field.path.to_string(), Value::Array(list));
        }
    }
    values
}

fn json(field: &Field, formats: &Formats, value: &FieldValue) -> Value {
    match (value, field.kind) {
        (FieldValue::Int(value), Kind::Boolean) => (*value != 0).into(),
        (FieldValue::Int(value), kind) if kind.is_date() => formats.write(kind, *value).into(),
        (FieldValue::Int(value), _) => (*value).into(),
        (FieldValue::Float(value), _) => (*value).into(),
        (FieldValue::Text(text), _) => Value::from(&**text),
    }
}
