//! From the project's messages to the SDK's. Pure.
//!
//! Iggy's header values have 1 to 255 bytes. A longer text is continued in headers called
//! `NAME.2`, `NAME.3` and so on, and an empty one is left out, so that no document is held
//! up by a long id.

use std::collections::BTreeMap;

use ::iggy::prelude::{HeaderKey, HeaderValue as IggyValue, IggyError, IggyMessage};
use anyhow::{Context as _, anyhow};

use super::limits::Limits;
use crate::publisher::destination::{AppendError, HeaderValue, Message, Refused};

/// The bytes of one header value.
pub(super) const VALUE_MAX: usize = 255;

/// The messages in order.
///
/// # Errors
/// Names every message that cannot be one of Iggy's, as when it has more than 64 MB or too
/// many headers.
pub(super) fn all(messages: &[Message], limits: Limits) -> Result<Vec<IggyMessage>, AppendError> {
    // The SDK would replace it by a random one.
    if messages.iter().any(|message| message.id == 0) {
        let cause = anyhow!("a message has the id 0, which iggy cannot store");
        return Err(AppendError::permanent(cause));
    }
    let (mut converted, mut refused) = (Vec::with_capacity(messages.len()), Vec::new());
    for (place, message) in messages.iter().enumerate() {
        match convert(message, limits) {
            Ok(message) => converted.push(message),
            Err(reason) => refused.push(Refused { place, reason }),
        }
    }
    match refused.is_empty() {
        true => Ok(converted),
        false => Err(AppendError::unfit(refused)),
    }
}

fn convert(message: &Message, limits: Limits) -> anyhow::Result<IggyMessage> {
    limits.check(message)?;
    let built = headers(&message.headers).and_then(|headers| {
        IggyMessage::builder()
            .id(message.id)
            .payload(message.payload.clone())
            .maybe_user_headers((!headers.is_empty()).then_some(headers))
            .build()
    });
    built.context("iggy takes headers of up to 100000 bytes, with names of 1 to 255")
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
    use crate::publisher::destination::Unfit;
    use bytes::Bytes;

    fn message(payload: usize, headers: Vec<(String, HeaderValue)>) -> Message {
        Message {
            id: 1,
            key: None,
            payload: Bytes::from(vec![b' '; payload]),
            headers,
        }
    }

    const LIMITS: Limits = Limits {
        batch_length: std::num::NonZeroUsize::MIN,
        request_bytes: 64 << 20,
    };

    #[test]
    fn messages_that_iggy_cannot_store_are_all_named_and_an_id_of_zero_is_a_defect() {
        let zero = Message {
            id: 0,
            ..message(1, vec![])
        };
        let long_name = vec![("n".repeat(256), HeaderValue::Unsigned(1))];
        let long_text = vec![("n".to_owned(), HeaderValue::Text("t".repeat(100_000)))];
        let good = || message(64_000_000, vec![]);
        let bad = [
            message(0, vec![]),
            message(64_000_001, vec![]),
            message(1, long_name),
            message(1, long_text),
        ];
        let mixed: Vec<_> = bad.into_iter().flat_map(|bad| [good(), bad]).collect();
        let error = all(&mixed, LIMITS).unwrap_err();
        let Unfit::Named(refused) = &error.unfit else {
            panic!("{error:?}")
        };
        let places: Vec<_> = refused.iter().map(|refused| refused.place).collect();
        assert_eq!((places, error.transient), (vec![1, 3, 5, 7], false));

        let error = all(&[good(), zero], LIMITS).unwrap_err();
        assert!(matches!(error.unfit, Unfit::None) && !error.transient);
        assert!(all(&[good()], LIMITS).is_ok());
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
