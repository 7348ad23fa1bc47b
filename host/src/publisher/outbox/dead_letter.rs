//! The lane of the dead-letter topic, and what happens without one.

use super::lane::Lane;
use super::letter::{self, Letters};
use super::{Outbox, PublishError, REMEMBERED_MAX, located};
use crate::publisher::destination::{AppendError, Destination, Message, Refused};

impl Outbox {
    /// The same with a destination for the dead letters of messages that another one can
    /// never take. Without it, such a message is a permanent error.
    #[must_use]
    pub fn with_dead_letters(self, destination: Box<dyn Destination>) -> Self {
        let lane = Lane::new(destination, self.delivery, REMEMBERED_MAX);
        Self {
            dead_letters: Some(lane),
            ..self
        }
    }

    /// Publishes the dead letters of a batch, and warns of those that were not there yet.
    pub(super) async fn dead_letter(
        &mut self,
        letters: &Letters,
        messages: &[Message],
        written: &mut [bool],
    ) -> Result<(), PublishError> {
        let Some(lane) = &mut self.dead_letters else {
            return Ok(());
        };
        let mut new = vec![false; letters.messages.len()];
        let published = lane.publish(&letters.messages, &mut new).await;
        let all_taken = published.and_then(|refused| match refused.is_empty() {
            true => Ok(()),
            false => Err(cannot_be_taken(
                &letters.messages,
                refused,
                REMEDY_OF_LETTER,
            )),
        });
        if let Err(error) = all_taken {
            let error = located(lane, error);
            return Err(self.failed(error, messages));
        }
        let letters = letters.places.iter().zip(&letters.messages);
        for ((place, letter), _) in letters.zip(new).filter(|(_, new)| *new) {
            if let (Some(document), Some(written)) = (messages.get(*place), written.get_mut(*place))
            {
                *written = true;
                self.notices.warn(document, letter);
            }
        }
        Ok(())
    }
}

pub(super) const REMEDY: &str = "shrink or remove it, or set dead_letter of the source, \
                                 whose stream and topic then get a note of it instead";
const REMEDY_OF_LETTER: &str = "even the note of a refused document is refused: choose \
                                another stream and topic in dead_letter of the source";

/// The first refused message is the error, which names it.
pub(super) fn cannot_be_taken(
    messages: &[Message],
    refused: Vec<Refused>,
    remedy: &str,
) -> AppendError {
    let first = refused.into_iter().next();
    let error = first.and_then(|Refused { place, reason }| {
        let name = letter::name(messages.get(place)?);
        Some(reason.context(format!("{name}, cannot be taken, {remedy}")))
    });
    AppendError::permanent(error.unwrap_or_else(|| anyhow::anyhow!("{remedy}")))
}
