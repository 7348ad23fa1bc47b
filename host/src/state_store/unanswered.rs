//! Saves of a state that may have taken effect though nobody was told: whoever finds one of
//! them stored knows that nobody else has written in between.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use sha2::{Digest as _, Sha256};

/// How many are remembered beside the last one. A source that fails for longer than that,
/// more than a month, takes its own state for another writer's and stops.
const EARLIER_MAX: usize = 65_536;

/// Those since the last save that was answered with success, dropped ones included.
#[derive(Default)]
pub(super) struct Unanswered(Mutex<Attempts>);

#[derive(Default)]
struct Attempts {
    /// The last one, which nobody has to hash when it is answered.
    last: Option<Bytes>,
    /// The hashes of those before.
    earlier: VecDeque<[u8; 32]>,
}

impl Unanswered {
    fn attempts(&self) -> MutexGuard<'_, Attempts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something is about to be saved.
    pub(super) fn begins(&self, bytes: &Bytes) {
        let mut attempts = self.attempts();
        if let Some(before) = attempts.last.replace(bytes.clone()) {
            if attempts.earlier.len() == EARLIER_MAX {
                attempts.earlier.pop_front();
            }
            attempts.earlier.push_back(Sha256::digest(before).into());
        }
    }

    /// A save was answered with success, after which none before it can take effect.
    pub(super) fn answered(&self) {
        *self.attempts() = Attempts::default();
    }

    /// Whether this may have been left by one of them.
    pub(super) fn has(&self, stored: &Bytes) -> bool {
        let attempts = self.attempts();
        let hash: [u8; 32] = Sha256::digest(stored).into();
        attempts.last.as_ref() == Some(stored) || attempts.earlier.contains(&hash)
    }
}
