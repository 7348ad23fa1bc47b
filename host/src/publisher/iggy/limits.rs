//! How large a message and a request to a server may be. Pure.
//!
//! A server closes the connection on a request that is larger than it takes, which looks
//! like any other lost answer, so that none may be sent.

use std::num::NonZeroUsize;

use ::iggy::prelude::{IGGY_MESSAGE_HEADER_SIZE, MAX_PAYLOAD_SIZE};
use anyhow::ensure;

use super::convert::VALUE_MAX;
use crate::publisher::destination::{HeaderValue, Message};

/// The most bytes of messages in one request, unless a single message has more.
const MESSAGES_BYTES: usize = 8 << 20;
/// What a request has around its messages, at most: two headers of 256 bytes, two names of
/// 255, and some numbers.
const AROUND_MESSAGES: usize = 2 << 10;
/// What a header has beside name and value.
const AROUND_HEADER: usize = 10;

/// The largest request, and with it the largest message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limits {
    /// In messages.
    pub(super) batch_length: NonZeroUsize,
    /// In bytes, with all that is around the messages: `max_message_size` of the server.
    pub(super) request_bytes: usize,
}

impl Limits {
    /// Whether a message is neither too large for any request, nor too small.
    pub(super) fn check(&self, message: &Message) -> anyhow::Result<()> {
        let (payload, most) = (message.payload.len(), MAX_PAYLOAD_SIZE as usize);
        ensure!(
            (1..=most).contains(&payload),
            "iggy takes payloads of 1 to {most} bytes"
        );
        ensure!(
            size(message) <= self.message_bytes(),
            "max_message_size in [iggy] is {} bytes, headers included",
            self.request_bytes
        );
        Ok(())
    }

    /// How many bytes of messages go into one request, if they are several.
    pub(super) fn messages_bytes(&self) -> usize {
        MESSAGES_BYTES.min(self.message_bytes())
    }

    fn message_bytes(&self) -> usize {
        self.request_bytes.saturating_sub(AROUND_MESSAGES)
    }
}

/// The bytes of a message in a request, or a few more.
fn size(message: &Message) -> usize {
    let header = |(name, value): &(String, HeaderValue)| match value {
        HeaderValue::Unsigned(_) => AROUND_HEADER + name.len() + size_of::<u64>(),
        HeaderValue::Text(text) => {
            // A part ends with a whole character.
            let parts = text.len() / (VALUE_MAX - 3) + 1;
            text.len() + parts * (AROUND_HEADER + name.len() + ".NUMBER".len())
        }
    };
    let headers: usize = message.headers.iter().map(header).sum();
    IGGY_MESSAGE_HEADER_SIZE + message.payload.len() + headers
}

#[cfg(test)]
mod tests {
    use super::super::{convert, requests};
    use super::*;
    use ::iggy::prelude::Sizeable;
    use bytes::Bytes;

    fn message(payload: usize) -> Message {
        let name = "n".repeat(250);
        let text = HeaderValue::Text("é".repeat(2_000));
        let headers = vec![
            (name.clone(), text),
            (name[1..].into(), HeaderValue::Unsigned(1)),
        ];
        Message {
            id: 1,
            key: None,
            payload: Bytes::from(vec![b' '; payload]),
            headers,
        }
    }

    #[test]
    fn no_request_is_larger_than_the_server_takes() {
        for request_bytes in [50_000, 100_000, 1_000_000] {
            let limits = Limits {
                batch_length: NonZeroUsize::new(1_000).unwrap(),
                request_bytes,
            };
            let most = request_bytes - AROUND_MESSAGES - size(&message(0));
            assert!(limits.check(&message(most + 1)).is_err());
            limits.check(&message(most)).unwrap();
            for messages in [vec![message(most)], vec![message(400); 500]] {
                let converted = convert::all(&messages, limits).unwrap();
                let anywhere = vec![None; messages.len()];
                for request in requests::cut(converted, &anywhere, limits) {
                    let sizes = request.messages.iter().map(Sizeable::get_size_bytes);
                    let bytes: usize = sizes.map(|size| size.as_bytes_usize()).sum();
                    assert!(bytes + AROUND_MESSAGES <= request_bytes, "{bytes}");
                }
            }
        }
    }
}
