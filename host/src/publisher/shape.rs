//! What one stream makes of a document's message: where its metadata goes, and its key.
//!
//! Pure. The message's id stays, whatever its shape: a stream that is configured anew
//! skips what it has already. Applied by [`super::shaped`].

mod key;

use bytes::Bytes;
use serde_json::Value;

use super::destination::Message;
use super::ndjson;

/// Where a document's `_index`, `_id`, `_seq_no` and `_primary_term` go; the numbers are
/// missing where the index keeps none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Metadata {
    /// Into headers; the payload is the document's bytes.
    #[default]
    Headers,
    /// Into the payload, around the document's bytes, which are its `_source`.
    Envelope,
    /// Nowhere; the payload is the document's bytes.
    None,
}

impl Metadata {
    /// The mode as the configuration writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Headers => "headers",
            Self::Envelope => "envelope",
            Self::None => "none",
        }
    }
}

/// The shape of the messages of one stream and topic.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Shape {
    /// Where the metadata goes.
    pub metadata: Metadata,
    /// What a message's key is taken from: a header, such as `_id`, or a field of the
    /// document, its path joined by dots. Without it, messages have no key.
    pub key: Option<String>,
}

impl Shape {
    /// Whether every message already has this shape.
    pub fn is_plain(&self) -> bool {
        *self == Self::default()
    }

    /// The message in this shape. Its key is that of the document, whose metadata may
    /// go nowhere.
    pub fn dress(&self, message: &Message) -> Message {
        let key = self.key.as_deref();
        let (payload, headers) = match self.metadata {
            Metadata::Headers => (message.payload.clone(), message.headers.clone()),
            Metadata::Envelope => (envelope(message), Vec::new()),
            Metadata::None => (message.payload.clone(), Vec::new()),
        };
        Message {
            id: message.id,
            key: key.and_then(|name| key::of(message, name)),
            payload,
            headers,
        }
    }
}

/// `{"_index":..,"_id":..,"_seq_no":..,"_primary_term":..,"_source":<the document>}`, without
/// numbers that the index does not keep.
fn envelope(message: &Message) -> Bytes {
    let mut text = String::from("{");
    for (name, value) in &message.headers {
        let name = Value::from(name.as_str());
        text.push_str(&format!("{name}:{},", ndjson::json(value)));
    }
    text.push_str("\"_source\":");
    let mut payload = Vec::with_capacity(text.len() + message.payload.len() + 1);
    payload.extend_from_slice(text.as_bytes());
    payload.extend_from_slice(&message.payload);
    payload.push(b'}');
    payload.into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publisher::destination::HeaderValue;

    const DOCUMENT: &str = "{ \"b\": 0.10,\n\"a\":123456789012345678901234567890}";

    fn message() -> Message {
        Message {
            id: 7,
            key: None,
            payload: Bytes::from_static(DOCUMENT.as_bytes()),
            headers: vec![
                ("_index".to_owned(), HeaderValue::Text("logs".to_owned())),
                ("_id".to_owned(), HeaderValue::Text("a\"\n\\".to_owned())),
                ("_seq_no".to_owned(), HeaderValue::Unsigned(u64::MAX)),
                ("_primary_term".to_owned(), HeaderValue::Unsigned(1)),
            ],
        }
    }

    #[test]
    fn metadata_goes_where_the_shape_says_and_the_document_keeps_its_bytes() {
        let envelope = format!(
            "{{\"_index\":\"logs\",\"_id\":\"a\\\"\\n\\\\\",\"_seq_no\":18446744073709551615,\
             \"_primary_term\":1,\"_source\":{DOCUMENT}}}"
        );
        let rows = [
            (Metadata::Headers, DOCUMENT, 4),
            (Metadata::Envelope, &*envelope, 0),
            (Metadata::None, DOCUMENT, 0),
        ];
        for (metadata, payload, headers) in rows {
            let key = Some("_index".to_owned());
            let dressed = Shape { metadata, key }.dress(&message());
            assert_eq!(dressed.payload, payload, "{metadata:?}");
            assert_eq!(dressed.headers.len(), headers, "{metadata:?}");
            assert_eq!(
                (dressed.id, dressed.key.as_deref()),
                (7, Some(&b"logs"[..]))
            );
        }
    }

    #[test]
    fn an_envelope_names_what_the_index_keeps() {
        let mut message = message();
        message.headers.truncate(2);
        let shape = Shape {
            metadata: Metadata::Envelope,
            key: None,
        };
        let envelope =
            format!("{{\"_index\":\"logs\",\"_id\":\"a\\\"\\n\\\\\",\"_source\":{DOCUMENT}}}");
        assert_eq!(shape.dress(&message).payload, envelope);
    }

    #[test]
    fn the_plain_shape_changes_nothing() {
        assert!(Shape::default().is_plain());
        assert_eq!(Shape::default().dress(&message()), message());
    }
}
