//! What stands in the dead-letter topic instead of a document that a stream refuses. Pure.
//!
//! A dead letter says which document it was, who refused it, and why. The document itself
//! is not in it: it may be too large for every topic, a part of it would be no JSON, and
//! the cluster still has it under its index and id.

use bytes::Bytes;
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::publisher::destination::{HeaderValue, Message, Refused, id_prefix};

/// The headers that say which document it was, where it has them. Others stay out, since
/// they may be what was refused.
const KEPT: [&str; 4] = ["_index", "_id", "_seq_no", "_primary_term"];

/// The dead letters of one batch.
#[derive(Debug, Default)]
pub(super) struct Letters {
    /// To be published.
    pub(super) messages: Vec<Message>,
    /// Where in the batch the refused message of each is.
    pub(super) places: Vec<usize>,
}

impl Letters {
    /// Adds one for each message that this stream and topic refuse.
    pub(super) fn add(&mut self, by: (&str, &str), messages: &[Message], refused: Vec<Refused>) {
        for Refused { place, reason } in refused {
            if let Some(message) = messages.get(place) {
                self.messages.push(write(message, by, &reason));
                self.places.push(place);
            }
        }
    }

    /// How many documents they are about: several streams may refuse the same one.
    pub(super) fn documents(&self) -> usize {
        let mut places = self.places.clone();
        places.sort_unstable();
        places.dedup();
        places.len()
    }
}

/// `document "7" of index "logs", 70000000 bytes`, as far as its headers say.
pub(super) fn name(message: &Message) -> String {
    let bytes = message.payload.len();
    match (text(message, "_index"), text(message, "_id")) {
        (Some(index), Some(id)) => format!("document {id:?} of index {index:?}, {bytes} bytes"),
        _ => format!("message {:032x}, {bytes} bytes", message.id),
    }
}

fn write(refused: &Message, (stream, topic): (&str, &str), reason: &anyhow::Error) -> Message {
    let text = |name: &str, text: &str| (name.to_owned(), HeaderValue::Text(text.to_owned()));
    let kept = refused.headers.iter();
    let mut headers: Vec<_> = kept
        .filter(|(name, _)| KEPT.contains(&name.as_str()))
        .cloned()
        .collect();
    headers.extend([
        text("_reason", &format!("{reason:#}")),
        text("_stream", stream),
        text("_topic", topic),
        (
            "_bytes".to_owned(),
            HeaderValue::Unsigned(refused.payload.len() as u64),
        ),
    ]);
    Message {
        id: id(refused.id, stream, topic),
        key: None,
        payload: Bytes::from(object(&headers).to_string()),
        headers,
    }
}

/// The same for the same message and whoever refuses it, always, and with the message's
/// prefix. Lengths stand before the names, so that no two pairs of names read alike.
pub(super) fn id(refused: u128, stream: &str, topic: &str) -> u128 {
    let mut hash = Sha256::new();
    hash.update(refused.to_le_bytes());
    for name in [stream, topic] {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
    }
    let digest: [u8; 32] = hash.finalize().into();
    let first = digest.iter().take(14);
    let prefix = u128::from(id_prefix(refused));
    first.fold(prefix, |id, byte| (id << 8) | u128::from(*byte))
}

fn object(headers: &[(String, HeaderValue)]) -> Value {
    let value = |value: &HeaderValue| match value {
        HeaderValue::Text(text) => Value::from(text.as_str()),
        HeaderValue::Unsigned(number) => Value::from(*number),
    };
    let facts = headers.iter();
    Value::Object(Map::from_iter(
        facts.map(|(name, fact)| (name.clone(), value(fact))),
    ))
}

fn text<'a>(message: &'a Message, wanted: &str) -> Option<&'a str> {
    match message.header(wanted)? {
        HeaderValue::Text(text) => Some(text),
        HeaderValue::Unsigned(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    fn refused(id: u128) -> Message {
        let headers = [
            ("_index", HeaderValue::Text("logs".to_owned())),
            ("_id", HeaderValue::Text("7".to_owned())),
            ("_seq_no", HeaderValue::Unsigned(3)),
            ("_primary_term", HeaderValue::Unsigned(1)),
            ("of_somebody_else", HeaderValue::Unsigned(9)),
        ];
        Message {
            id,
            key: None,
            payload: Bytes::from_static(b"{\"much\":1}"),
            headers: headers.map(|(name, value)| (name.to_owned(), value)).into(),
        }
    }

    #[test]
    fn a_dead_letter_says_what_was_refused_by_whom_and_why_and_holds_no_document() {
        let reason = anyhow!("it is large").context("no");
        let letter = write(&refused(1), ("s", "t"), &reason);
        let names: Vec<_> = letter.headers.iter().map(|(name, _)| &**name).collect();
        let facts = ["_reason", "_stream", "_topic", "_bytes"];
        assert_eq!(names, [&KEPT[..], &facts].concat());
        let payload: Value = serde_json::from_slice(&letter.payload).unwrap();
        assert_eq!(
            payload,
            serde_json::json!({
                "_index": "logs", "_id": "7", "_seq_no": 3, "_primary_term": 1,
                "_reason": "no: it is large", "_stream": "s", "_topic": "t", "_bytes": 10,
            })
        );
    }

    #[test]
    fn ids_differ_by_message_stream_and_topic_and_by_nothing_else() {
        let id = |message, stream, topic, reason: &'static str| {
            write(&refused(message), (stream, topic), &anyhow!(reason)).id
        };
        let first = id(1, "ab", "c", "large");
        assert_eq!(first, id(1, "ab", "c", "larger"));
        for other in [
            id(2, "ab", "c", ""),
            id(1, "a", "bc", ""),
            id(1, "c", "ab", ""),
        ] {
            assert_ne!(first, other);
        }
        assert_ne!(first, 1);
        let prefix = 0xabcd << 112;
        assert_eq!(id(prefix | 1, "ab", "c", "") >> 112, 0xabcd);
    }
}
