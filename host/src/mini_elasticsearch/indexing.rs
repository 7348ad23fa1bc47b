//! From a document's JSON to the values of its fields, with dynamic mapping.

use serde_json::{Value, json};

use super::date::{Formats, Instant};
use super::document::FieldValue;
use super::error::Cause;
use super::mapping::{Field, Kind, Mapping};

/// The servers' own field for how many documents one counts for, where it was made of several.
const DOC_COUNT: &str = "_doc_count";

/// What searches know of a document.
pub(super) struct Indexed {
    /// How many documents it counts for in a bucket.
    pub(super) doc_count: u64,
    /// Field numbers with their values, ordered by number.
    pub(super) values: Box<[(u16, FieldValue)]>,
}

/// Reads the values of all fields of a document. Fields that the mapping lacks are
/// added to it where it is dynamic, and are not searchable otherwise.
///
/// # Errors
///
/// A value that its field cannot hold, in the words of the real servers.
pub(super) fn index(mapping: &mut Mapping, source: &[u8], id: &str) -> Result<Indexed, Cause> {
    let document: Value = serde_json::from_slice(source)
        .map_err(|error| malformed(format!("failed to parse: {error}")))?;
    if !document.is_object() {
        return Err(malformed(
            "Malformed content, must start with an object".into(),
        ));
    }
    let doc_count = document.get(DOC_COUNT);
    let doc_count = doc_count.map_or(Ok(1), |value| read_doc_count(value, id))?;
    let mut reader = Reader {
        mapping,
        id,
        values: Vec::new(),
    };
    reader.read(&mut String::new(), &document)?;
    let mut values = reader.values;
    values.sort_by_key(|(number, _)| *number);
    Ok(Indexed {
        doc_count,
        values: values.into_boxed_slice(),
    })
}

/// As Elasticsearch takes it; OpenSearch also takes larger ones.
fn read_doc_count(value: &Value, id: &str) -> Result<u64, Cause> {
    let count = value.as_u64();
    let count = count.filter(|count| (1..=i32::MAX as u64).contains(count));
    count.ok_or_else(|| malformed(unparsed(DOC_COUNT, DOC_COUNT, id, &text(value))))
}

fn malformed(reason: String) -> Cause {
    Cause::new(400, "document_parsing_exception", reason)
}

struct Reader<'a> {
    mapping: &'a mut Mapping,
    id: &'a str,
    values: Vec<(u16, FieldValue)>,
}

impl Reader<'_> {
    fn read(&mut self, path: &mut String, value: &Value) -> Result<(), Cause> {
        match value {
            Value::Null => Ok(()),
            Value::Array(values) => values.iter().try_for_each(|value| self.read(path, value)),
            Value::Object(fields) => fields
                .iter()
                .try_for_each(|(name, value)| self.read_below(path, name, value)),
            scalar => self.scalar(path, scalar),
        }
    }

    fn read_below(&mut self, path: &mut String, name: &str, value: &Value) -> Result<(), Cause> {
        let length = path.len();
        if length == 0 && name == DOC_COUNT {
            return Ok(());
        }
        if length > 0 {
            path.push('.');
        }
        path.push_str(name);
        if value.is_object() && self.mapping.dynamic && self.mapping.number(path).is_none() {
            self.mapping.add(path, &json!({"properties": {}}))?;
        }
        let read = self.read(path, value);
        path.truncate(length);
        read
    }

    fn scalar(&mut self, path: &str, value: &Value) -> Result<(), Cause> {
        if self.mapping.number(path).is_none() {
            if !self.mapping.dynamic {
                return Ok(());
            }
            self.mapping.add(path, &dynamic(value))?;
        }
        let Some((number, field)) = self.mapping.get(path) else {
            return Ok(());
        };
        let also = field.also.clone();
        self.push(number, value)?;
        also.into_iter()
            .try_for_each(|number| self.push(number, value))
    }

    fn push(&mut self, number: u16, value: &Value) -> Result<(), Cause> {
        let Some(field) = self.mapping.field(number) else {
            return Ok(());
        };
        match field_value(field, value) {
            Ok(Some(value)) => self.values.push((number, value)),
            Ok(None) => {}
            Err(why) => return Err(refused(field, value, self.id, why)),
        }
        Ok(())
    }
}

/// The definition that the servers give a field at its first value.
fn dynamic(value: &Value) -> Value {
    match value {
        Value::Bool(_) => json!({"type": "boolean"}),
        Value::Number(number) if number.is_f64() => json!({"type": "float"}),
        Value::Number(_) => json!({"type": "long"}),
        Value::String(text) if is_date(text, "strict_date_optional_time") && text.contains('-') => {
            json!({"type": "date"})
        }
        Value::String(text) if is_date(text, SLASHES) => json!({"type": "date", "format": SLASHES}),
        _ => {
            json!({"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 256}}})
        }
    }
}

const SLASHES: &str = "yyyy/MM/dd HH:mm:ss||yyyy/MM/dd||epoch_millis";

fn is_date(text: &str, formats: &str) -> bool {
    text.bytes().any(|b| b == b'-' || b == b'/')
        && Formats::parse(formats).is_ok_and(|formats| formats.instant(text, false).is_some())
}

fn field_value(field: &Field, value: &Value) -> Result<Option<FieldValue>, Option<String>> {
    let value = match field.kind {
        Kind::Date | Kind::DateNanos => FieldValue::Int(date(field, value)?),
        Kind::Long => FieldValue::Int(long(value).ok_or(None)?),
        Kind::Float => FieldValue::Float(float(value).ok_or(None)?),
        Kind::Boolean => FieldValue::Int(boolean(value).ok_or(None)?.into()),
        Kind::Keyword | Kind::Text => {
            let text = text(value);
            if text.chars().count() > field.ignore_above {
                return Ok(None);
            }
            FieldValue::Text(text.into())
        }
        Kind::Object => return Err(None),
    };
    Ok(Some(value))
}

fn date(field: &Field, value: &Value) -> Result<i64, Option<String>> {
    let instant = field.formats.instant(&text(value), false).ok_or(None)?;
    in_resolution(field.kind, instant).map_err(Some)
}

/// An instant as the integer that a date field keeps.
pub(super) fn in_resolution(kind: Kind, instant: Instant) -> Result<i64, String> {
    match kind {
        Kind::DateNanos => instant.nanos(),
        _ => Ok(instant.millis()),
    }
}

/// A scalar as text: a string without its quotes, anything else as it is written.
pub(super) fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

fn long(value: &Value) -> Option<i64> {
    match value {
        Value::String(text) => text.parse().ok(),
        // The servers cut the fraction off; a float beyond the range is refused.
        Value::Number(number) => number.as_i64().or_else(|| {
            let float = number.as_f64()?.trunc();
            (float.abs() < 9.2e18).then_some(float as i64)
        }),
        _ => None,
    }
}

fn float(value: &Value) -> Option<f64> {
    match value {
        Value::String(text) => text.parse().ok(),
        _ => value.as_f64(),
    }
}

fn boolean(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(value) => Some(*value),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

fn refused(field: &Field, value: &Value, id: &str, why: Option<String>) -> Cause {
    let text = text(value);
    let reason = unparsed(&field.path, &field.type_name, id, &text);
    let format = field.formats.text();
    let why = why.unwrap_or_else(|| match field.kind.is_date() {
        true => format!("failed to parse date field [{text}] with format [{format}]"),
        false => format!("For input string: \"{text}\""),
    });
    malformed(reason).with(
        "caused_by",
        json!({"type": "illegal_argument_exception", "reason": why}),
    )
}

fn unparsed(path: &str, type_name: &str, id: &str, text: &str) -> String {
    format!(
        "failed to parse field [{path}] of type [{type_name}] in document with id '{id}'. Preview of field's value: '{text}'"
    )
}
