//! Finds the messages that a destination can never take, and appends all others.
//!
//! What can be told by looking is told before anything is sent. A request that the
//! destination refuses for the sake of one message is halved until that message is alone,
//! so that one culprit among a thousand costs about ten requests. Each is one attempt with
//! one outcome; any other failure ends the publish.

use super::{Lane, Refused};
use crate::publisher::destination::{AppendError, Committed, Message};

impl Lane {
    /// Appends the messages in these places, in order, and returns those that were refused.
    pub(super) async fn append_what_fits(
        &mut self,
        messages: &[Message],
        places: Vec<usize>,
        written: &mut [bool],
    ) -> Result<Vec<Refused>, AppendError> {
        let (mut refused, fitting) = self.look(messages, places);
        let mut parts = vec![fitting];
        while let Some(part) = parts.pop() {
            let appended = self.append_at(messages, part.clone(), written).await;
            let reason = match appended {
                Ok(()) => continue,
                Err(error) if is_one_message(&error) => error.cause,
                Err(error) => return Err(error),
            };
            let mut rest = self.still_missing(messages, part);
            if let [place] = *rest.as_slice() {
                refused.push(Refused { place, reason });
            } else {
                let second_half = rest.split_off(rest.len() / 2);
                parts.extend([second_half, rest]);
            }
        }
        refused.sort_by_key(|refused| refused.place);
        Ok(refused)
    }

    /// What can be told to be refused, and where the others are.
    fn look(&self, messages: &[Message], places: Vec<usize>) -> (Vec<Refused>, Vec<usize>) {
        let refusal = |place: &usize| {
            let reason = self.destination.refuses(messages.get(*place)?)?;
            Some(anyhow::Error::msg(reason))
        };
        let (mut refused, mut fitting) = (Vec::new(), Vec::with_capacity(places.len()));
        for place in places {
            match refusal(&place) {
                Some(reason) => refused.push(Refused { place, reason }),
                None => fitting.push(place),
            }
        }
        (refused, fitting)
    }

    fn still_missing(&self, messages: &[Message], mut places: Vec<usize>) -> Vec<usize> {
        let lacks = |message: &Message| !self.known.contains(message.id);
        places.retain(|place| messages.get(*place).is_some_and(lacks));
        places
    }
}

/// A refusal without a clear outcome is not one: the message may be in.
fn is_one_message(error: &AppendError) -> bool {
    error.unfit && error.committed != Committed::Unknown
}
