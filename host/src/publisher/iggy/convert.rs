//! From the project's messages to the SDK's. Pure.
//!
//! Iggy's header values have 1 to 255 bytes. A longer text is continued in headers called
//! `NAME.2`, `NAME.3` and so on, and an empty one is left out, so that no document is held
//! up by a long id.

use std::collections::BTreeMap;

use ::iggy::prelude::{HeaderKey, HeaderValue as IggyValue, IggyError, IggyMessage};
use anyhow::{Context, ensure};

use crate::publisher::destination::{AppendError, HeaderValue, Message};

const VALUE_MAX: usize = 255;

/// The messages in order.
///
/// # Errors
/// Permanent when one cannot be one of Iggy's, as when it has more than 64 MB.
pub(super) fn all(messages: &[Message]) -> Result<Vec<IggyMessage>, AppendError> {
    let converted: anyhow::Result<_> = messages.iter().map(convert).collect();
    converted.map_err(AppendError::permanent)
}

fn convert(message: &Message) -> anyhow::Result<IggyMessage> {
    // The SDK would replace it by a random one.
    ensure!(
        message.id != 0,
        "a message has the id 0, which iggy cannot store"
    );
    let headers = headers(&message.headers)
        .with_context(|| format!("the headers of message {:032x} cannot be sent", message.id))?;
    IggyMessage::builder()
        .id(message.id)
        .payload(message.payload.clone())
        .maybe_user_headers((!headers.is_empty()).then_some(headers))
        .build()
        .with_context(|| {
            let (id, bytes) = (message.id, message.payload.len());
            format!("message {id:032x} of {bytes} bytes cannot be sent: iggy takes 1 to 64000000")
        })
}

fn headers(headers: &[(String, HeaderValue)]) -> Result<BTreeMap<HeaderKey, IggyValue>, IggyError> {
    let mut converted = BTreeMap::new();
    for (name, value) in headers {
        match value {
            HeaderValue::Unsigned(number) => {
                converted.insert(
                    HeaderKey::try_from(name.as_str())?,
                    IggyValue::from(*number),
                );
            }
            HeaderValue::Text(text) => {
                for (part, number) in parts(text).zip(1..) {
                    let name = if number == 1 {
                        name.clone()
                    } else {
                        format!("{name}.{number}")
                    };
                    converted.insert(HeaderKey::try_from(name)?, IggyValue::try_from(part)?);
                }
            }
        }
    }
    Ok(converted)
}

/// Pieces of at most 255 bytes, each of whole characters.
fn parts(mut text: &str) -> impl Iterator<Item = &str> {
    std::iter::from_fn(move || {
        let (part, rest) = text.split_at_checked(text.floor_char_boundary(VALUE_MAX))?;
        text = rest;
        (!part.is_empty()).then_some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn message(payload: usize, headers: Vec<(String, HeaderValue)>) -> Message {
        Message {
            id: 1,
            key: None,
            payload: Bytes::from(vec![b' '; payload]),
            headers,
        }
    }

    #[test]
    fn messages_that_iggy_cannot_store_are_permanent_errors() {
        let zero = Message {
            id: 0,
            ..message(1, vec![])
        };
        let long_name = vec![("n".repeat(256), HeaderValue::Unsigned(1))];
        for bad in [
            zero,
            message(0, vec![]),
            message(64_000_001, vec![]),
            message(1, long_name),
        ] {
            let error = all(&[message(1, vec![]), bad]).unwrap_err();
            assert!(!error.transient, "{error}");
        }
    }

    #[test]
    fn long_texts_are_continued_and_empty_ones_left_out() {
        let long = "é".repeat(200);
        let given = [
            ("empty".to_owned(), HeaderValue::Text(String::new())),
            ("id".to_owned(), HeaderValue::Text(long.clone())),
            ("seq".to_owned(), HeaderValue::Unsigned(7)),
        ];
        let headers = headers(&given).unwrap();
        let text = |name: &str| {
            let value = headers.get(&HeaderKey::try_from(name).unwrap()).unwrap();
            value.as_str().unwrap().to_owned()
        };
        assert_eq!(headers.len(), 3);
        assert_eq!(text("id").len(), 254);
        assert_eq!(text("id") + &text("id.2"), long);
        let seq = headers.get(&HeaderKey::try_from("seq").unwrap()).unwrap();
        assert_eq!(seq.as_uint64().unwrap(), 7);
    }
}
