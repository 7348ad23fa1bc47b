//! The one state of a source, over the records of any backend.
//!
//! A save that took effect though its answer was lost is known again by the next one, which
//! takes its place. All instances of a source share the slot, so it does not matter which of
//! them saved.
//!
//! **Invariant:** that is so only while the lease is held. A process that lost it could
//! otherwise take the state of its successor, which is its own last one, for the outcome of
//! its own save, and go on from it.

use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::lease::Claim;
use super::unanswered::Unanswered;
use super::{MemoryRecords, Permit, Records, StateStore, StoreError, Stored};

/// One state, and what keeps others from it: held until this is dropped, and every
/// [`Permit`] of it.
pub struct Slot {
    records: Arc<dyn Records>,
    state_id: String,
    lease: Option<(Claim, Permit)>,
    unanswered: Unanswered,
}

impl Slot {
    /// A state that nobody else can hold, as its records see to it themselves.
    pub fn of(records: Arc<dyn Records>, state_id: &str) -> Self {
        Self {
            records,
            state_id: state_id.to_owned(),
            lease: None,
            unanswered: Unanswered::default(),
        }
    }

    /// A state in memory.
    pub fn in_memory() -> Self {
        Self::in_memory_as("kept")
    }

    /// The same under a name, which messages have as "state NAME in memory".
    pub fn in_memory_as(name: &str) -> Self {
        Self::of(Arc::new(MemoryRecords::default()), name)
    }

    /// A state with a lease beside it.
    pub(super) fn leased(
        records: Arc<dyn Records>,
        state_id: &str,
        claim: Claim,
        permit: Permit,
    ) -> Self {
        Self {
            lease: Some((claim, permit)),
            ..Self::of(records, state_id)
        }
    }

    /// Removes the state of the expected revision. Whoever took the lease since has given it
    /// another one.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another one is stored, or none.
    pub async fn remove(&self, expected: &str) -> Result<(), StoreError> {
        self.records.remove(&self.state_id, expected).await
    }

    /// Moves away what is no state: that of the expected revision, or for `None` what can not
    /// be loaded. Returns where it is kept, if it is.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if something else is there, or nothing.
    pub async fn set_aside(&self, expected: Option<&str>) -> Result<Option<String>, StoreError> {
        self.records.set_aside(&self.state_id, expected).await
    }

    /// The lease is asked for after the state: whoever took it since has yet to save the
    /// state once, which gives it another revision than the one that was read here.
    async fn load_held(&self) -> Result<Option<Stored>, StoreError> {
        let stored = self.records.load(&self.state_id).await?;
        if let Some((claim, _)) = &self.lease {
            claim.confirm(self.records.as_ref()).await?;
        }
        Ok(stored)
    }

    async fn save_or_know_again(
        &self,
        bytes: Bytes,
        expected: Option<&str>,
    ) -> Result<String, StoreError> {
        if let (None, Some((claim, _))) = (expected, &self.lease) {
            // A successor that found no state had nothing to save under another revision.
            claim.confirm(self.records.as_ref()).await?;
        }
        self.unanswered.begins(&bytes);
        let saved = self.records.save(&self.state_id, bytes.clone(), expected);
        let saved = match saved.await {
            Err(StoreError::Conflict(conflict)) => self.save_over_own(bytes, conflict).await,
            saved => saved,
        };
        if saved.is_ok() {
            self.unanswered.answered();
        }
        saved
    }

    /// Saves in the place of a save whose answer was lost, if it is one that was met.
    async fn save_over_own(
        &self,
        bytes: Bytes,
        conflict: anyhow::Error,
    ) -> Result<String, StoreError> {
        let met = match self.load_held().await? {
            Some(stored) if self.unanswered.has(&stored.bytes) => {
                let revision = Some(stored.revision.as_str());
                return self.records.save(&self.state_id, bytes, revision).await;
            }
            met => met,
        };
        Err(match self.lease {
            Some(_) => StoreError::set_back(&self.describe(), met.is_some()),
            None => StoreError::Conflict(conflict),
        })
    }
}

impl StateStore for Slot {
    fn load(&self) -> BoxFuture<'_, Result<Option<Stored>, StoreError>> {
        self.load_held().boxed()
    }

    fn save<'a>(
        &'a self,
        bytes: Bytes,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<String, StoreError>> {
        self.save_or_know_again(bytes, expected).boxed()
    }

    fn describe(&self) -> String {
        self.records.describe(&self.state_id)
    }
}

#[cfg(test)]
mod tests;
