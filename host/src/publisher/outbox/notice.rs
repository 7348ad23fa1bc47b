//! Warnings about refused documents, few enough to be read: some are named in every
//! minute, the others are counted. The dead-letter topic names them all.

use std::time::Duration;

use tokio::time::Instant;

use super::letter;
use crate::publisher::destination::Message;

/// How many documents are named within [`WINDOW`].
const NAMED_MAX: u32 = 10;
const WINDOW: Duration = Duration::from_secs(60);

/// What was said lately.
#[derive(Debug)]
pub(super) struct Notices {
    since: Instant,
    named: u32,
    unnamed: u64,
}

impl Notices {
    pub(super) fn new() -> Self {
        Self {
            since: Instant::now(),
            named: 0,
            unnamed: 0,
        }
    }

    /// Warns of a document that is now in the dead-letter topic, or counts it.
    pub(super) fn warn(&mut self, document: &Message, dead_letter: &Message) {
        if self.since.elapsed() >= WINDOW {
            self.end_window();
        }
        if self.named == NAMED_MAX {
            self.unnamed += 1;
            return;
        }
        self.named += 1;
        tracing::warn!(
            document = letter::name(document),
            dead_letter = %String::from_utf8_lossy(&dead_letter.payload),
            "a document was refused and is in the dead-letter topic instead"
        );
    }

    fn end_window(&mut self) {
        if self.unnamed > 0 {
            let documents = self.unnamed;
            tracing::warn!(
                documents,
                "more documents were refused meanwhile, the dead-letter topic names them"
            );
        }
        *self = Self::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    #[tokio::test(start_paused = true)]
    async fn a_flood_is_counted_and_named_again_after_a_while() {
        let message = Message {
            id: 1,
            key: None,
            payload: Bytes::new(),
            headers: vec![],
        };
        let mut notices = Notices::new();
        for _ in 0..1_000 {
            notices.warn(&message, &message);
        }
        assert_eq!((notices.named, notices.unnamed), (NAMED_MAX, 990));
        tokio::time::advance(WINDOW).await;
        notices.warn(&message, &message);
        assert_eq!((notices.named, notices.unnamed), (1, 0));
    }
}
