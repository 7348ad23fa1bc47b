//! What a refusal means depends on what worked before. Pure.
//!
//! Until the topic was found, somebody who has just started the source is there to read why
//! it stops. From then on nobody may be: what was allowed and is refused now can be allowed
//! again at any time, and the source waits for that.

use super::refusal::Action;
use crate::publisher::destination::AppendError;

/// Why a call failed.
#[derive(Debug)]
pub(super) struct Refusal {
    /// As if nothing had worked before.
    pub(super) error: AppendError,
    /// What somebody at the server can make work again.
    pub(super) revoked: Option<Action>,
}

impl From<AppendError> for Refusal {
    /// Whatever worked before, the error stays as it is.
    fn from(error: AppendError) -> Self {
        let revoked = None;
        Self { error, revoked }
    }
}

/// What has worked at least once.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Experience {
    /// The topic was found, or made, and is as it must be.
    pub(super) found: bool,
    /// The topic was read back.
    pub(super) read: bool,
}

impl Experience {
    /// The error for the caller.
    pub(super) fn judge(self, refusal: Refusal) -> AppendError {
        let worked = match refusal.revoked {
            None => false,
            // Finding a topic does not show that its messages may be read.
            Some(Action::Poll) => self.read,
            Some(_) => self.found,
        };
        let error = refusal.error;
        let transient = error.transient || worked;
        AppendError { transient, ..error }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::anyhow;

    #[test]
    fn what_was_taken_away_is_waited_for_once_it_worked() {
        let (new, found, read) = (
            Experience::default(),
            Experience {
                found: true,
                read: false,
            },
            Experience {
                found: true,
                read: true,
            },
        );
        let rows = [
            (None, [false, false, false]),
            (Some(Action::Connect), [false, true, true]),
            (Some(Action::Look), [false, true, true]),
            (Some(Action::Send), [false, true, true]),
            (Some(Action::Poll), [false, false, true]),
        ];
        for (revoked, expected) in rows {
            let judge = |experience: Experience| {
                let error = AppendError::permanent(anyhow!("no"));
                experience.judge(Refusal { error, revoked }).transient
            };
            assert_eq!([new, found, read].map(judge), expected, "{revoked:?}");
        }
        let passes = AppendError::transient(anyhow!("later"));
        assert!(new.judge(passes.into()).transient);
    }
}
