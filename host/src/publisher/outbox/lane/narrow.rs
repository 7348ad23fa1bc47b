//! Finds the messages that a destination can never take, and appends all others.
//!
//! Those that the destination names are taken out at once. A request that it refuses for
//! the sake of a message that it does not name is halved until that message is alone, so
//! that one culprit among a thousand costs about ten requests. Each is one attempt with one
//! outcome; any other failure ends the publish.

use super::Lane;
use crate::publisher::destination::{AppendError, Committed, Message, Refused, Unfit};

impl Lane {
    /// Appends the messages in these places, in order, and returns those that were refused.
    pub(super) async fn append_what_fits(
        &mut self,
        messages: &[Message],
        places: Vec<usize>,
        written: &mut [bool],
    ) -> Result<Vec<Refused>, AppendError> {
        let (mut refused, mut parts) = (Vec::new(), vec![places]);
        while let Some(part) = parts.pop() {
            let appended = self.append_at(messages, part.clone(), written).await;
            let Err(error) = appended else { continue };
            match error.unfit {
                Unfit::Named(named) if names_one_of(&part, &named) => {
                    parts.push(take_out(part, named, &mut refused));
                }
                // Without a clear outcome the message may be in.
                Unfit::Unnamed if error.committed != Committed::Unknown => {
                    let mut rest = self.still_missing(messages, part);
                    if let [place] = *rest.as_slice() {
                        let reason = error.cause;
                        refused.push(Refused { place, reason });
                    } else {
                        let second_half = rest.split_off(rest.len() / 2);
                        parts.extend([second_half, rest]);
                    }
                }
                _ => return Err(error),
            }
        }
        refused.sort_by_key(|refused| refused.place);
        Ok(refused)
    }

    fn still_missing(&self, messages: &[Message], mut places: Vec<usize>) -> Vec<usize> {
        let lacks = |message: &Message| !self.known.contains(message.id);
        places.retain(|place| messages.get(*place).is_some_and(lacks));
        places
    }
}

/// Otherwise the same part would be appended for ever.
fn names_one_of(part: &[usize], named: &[Refused]) -> bool {
    named.iter().any(|refused| refused.place < part.len())
}

/// The part without the messages that are named by their places in it.
fn take_out(part: Vec<usize>, named: Vec<Refused>, refused: &mut Vec<Refused>) -> Vec<usize> {
    let mut left: Vec<_> = part.into_iter().map(Some).collect();
    for Refused { place, reason } in named {
        let place = left.get_mut(place).and_then(Option::take);
        refused.extend(place.map(|place| Refused { place, reason }));
    }
    left.into_iter().flatten().collect()
}
