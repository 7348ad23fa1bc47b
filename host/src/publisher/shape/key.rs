//! The key of a message: a header's value, or a field's in the document.

use std::collections::HashMap;

use bytes::Bytes;
use serde_json::value::RawValue;

use crate::publisher::destination::{HeaderValue, Message};

/// The bytes of a text, of a number as it is written, or of `true` and `false`. `None`
/// where the document lacks the field, or has null, a list or an object there: none of
/// these is a value that messages could share.
///
/// A dot in `name` leads into an object or is part of a field's name, as in Elasticsearch:
/// `{"user":{"id":1}}` and `{"user.id":1}` both have `user.id`.
pub(super) fn of(message: &Message, name: &str) -> Option<Bytes> {
    match message.header(name) {
        Some(HeaderValue::Text(text)) => Some(Bytes::from(text.clone())),
        Some(HeaderValue::Unsigned(number)) => Some(Bytes::from(number.to_string())),
        None => scalar(field(std::str::from_utf8(&message.payload).ok()?, name)?),
    }
}

/// Only what leads to the field is looked into; everything else stays raw.
fn field<'a>(object: &'a str, path: &str) -> Option<&'a str> {
    let fields: HashMap<String, &'a RawValue> = serde_json::from_str(object).ok()?;
    if let Some(value) = fields.get(path) {
        return Some(value.get());
    }
    path.match_indices('.').find_map(|(dot, _)| {
        let (first, rest) = (path.get(..dot)?, path.get(dot + 1..)?);
        field(fields.get(first)?.get(), rest)
    })
}

fn scalar(json: &str) -> Option<Bytes> {
    match json.bytes().next()? {
        b'"' => Some(Bytes::from(serde_json::from_str::<String>(json).ok()?)),
        b'{' | b'[' | b'n' => None,
        _ => Some(Bytes::copy_from_slice(json.as_bytes())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(document: &str, name: &str) -> Option<String> {
        let message = Message {
            id: 1,
            key: None,
            payload: Bytes::from(document.to_owned()),
            headers: vec![
                ("_id".to_owned(), HeaderValue::Text("doc-1".to_owned())),
                ("_seq_no".to_owned(), HeaderValue::Unsigned(12)),
            ],
        };
        of(&message, name).map(|key| String::from_utf8(key.to_vec()).unwrap())
    }

    #[test]
    fn a_key_is_a_header_or_the_text_number_or_flag_at_a_path() {
        let rows = [
            (r#"{"a":1}"#, "_id", Some("doc-1")),
            (r#"{"a":1}"#, "_seq_no", Some("12")),
            (r#"{"a":"ü\n\u00e9"}"#, "a", Some("ü\né")),
            (r#"{"a":""}"#, "a", Some("")),
            (r#"{ "a" : 1.50e3 }"#, "a", Some("1.50e3")),
            (
                r#"{"a":-12345678901234567890123}"#,
                "a",
                Some("-12345678901234567890123"),
            ),
            (r#"{"a":true,"b":false}"#, "b", Some("false")),
            (r#"{"user":{"id":"x","name":"y"}}"#, "user.id", Some("x")),
            (r#"{"user.id":"x"}"#, "user.id", Some("x")),
            (r#"{"a":{"b.c":{"d":4}}}"#, "a.b.c.d", Some("4")),
            (r#"{"a.b":{"x":1},"a":{"b":{"c":2}}}"#, "a.b.c", Some("2")),
            (r#"{"us\u0065r":1}"#, "user", Some("1")),
        ];
        for (document, name, expected) in rows {
            assert_eq!(
                key(document, name).as_deref(),
                expected,
                "{name} of {document}"
            );
        }
    }

    #[test]
    fn what_is_no_single_value_is_no_key() {
        let documents = [
            r#"{}"#,
            r#"{"b":1}"#,
            r#"{"a":null}"#,
            r#"{"a":["x"]}"#,
            r#"{"a":{"x":1}}"#,
            r#"["a"]"#,
            "not json",
        ];
        for document in documents {
            assert_eq!(key(document, "a"), None, "{document}");
        }
        assert_eq!(key(r#"{"a":"b"}"#, "a.b"), None);
        assert_eq!(key(r#"{"a":{}}"#, "a."), None);
    }
}
