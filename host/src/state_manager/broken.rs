//! What stands in the place of a state and is none: it makes way for one that is.
//!
//! Only a person can want that, with `reset` or a forced `import`. A source that meets it
//! stops, and leaves it where it is.

use std::fmt;

use serde::Serialize;

use super::StateManager;
use crate::state_store::envelope::Envelope;
use crate::state_store::{Slot, StateStore as _, StoreError, Stored};

/// Something that was in the place of a state, and made way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Broken {
    /// Why it was no state.
    pub error: String,
    /// Where it is kept; `None` is that it is gone, as the store could only remove it.
    pub kept: Option<String>,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("what was there was no readable state, and is ")?;
        match &self.kept {
            Some(place) => write!(f, "kept as {place}"),
            None => f.write_str("gone"),
        }
    }
}

/// What is in the place of a state.
pub(super) enum Found {
    Nothing,
    State(Stored),
    Broken {
        /// None if it could not even be loaded.
        revision: Option<String>,
        cause: anyhow::Error,
    },
}

impl StateManager {
    /// What is in this slot, which is that of the own state.
    pub(super) async fn find(&self, slot: &Slot) -> Result<Found, StoreError> {
        let (revision, error) = match slot.load().await {
            Ok(None) => return Ok(Found::Nothing),
            Ok(Some(stored)) => {
                match Envelope::of(&stored.bytes, self.state_id(), &slot.describe()) {
                    Ok(_) => return Ok(Found::State(stored)),
                    Err(error) => (Some(stored.revision), error),
                }
            }
            Err(error) => (None, error),
        };
        match error {
            StoreError::Corrupt(cause) => Ok(Found::Broken { revision, cause }),
            error => Err(error),
        }
    }
}

/// Moves it away, if it is still what was found.
pub(super) async fn set_aside(
    slot: &Slot,
    revision: Option<String>,
    cause: anyhow::Error,
) -> Result<Broken, StoreError> {
    let kept = slot.set_aside(revision.as_deref()).await?;
    let error = format!("{cause:#}");
    tracing::warn!(error, kept, "what was no readable state made way");
    Ok(Broken { error, kept })
}
