//! What people do with saved states: look, back up, restore, remove, move.
//!
//! ```text
//! list, stats, export     read whatever is there; a source may be running
//! import, reset, migrate  hold the state first, as a source does, so none can be running
//! reslice                 holds those of all slices
//! cleanup                 likewise, for each state that it removes
//! ```
//!
//! Written once over [`States`], for the commands and for the Rust API. A state is changed
//! by compare-and-swap only; what is refused leaves everything as it was.

mod broken;
mod cleanup;
mod entry;
mod import;
mod migrate;
mod reslice;
mod stats;

use std::collections::BTreeSet;

use anyhow::anyhow;
use bytes::Bytes;

use crate::clock::Clock;
use crate::state_store::envelope::{Envelope, Owner};
use crate::state_store::{Held, OnConflict, Slice, Slot, States, StoreError, Stored};
use broken::{Found, set_aside};

pub use broken::Broken;
pub use cleanup::{Cleaned, Kept};
pub use entry::Entry;
pub use import::{Import, Imported};
pub use reslice::{Resliced, Saved};
pub use stats::StateStats;

/// The states of one place, as seen from one source of a configuration.
pub struct StateManager {
    states: States,
    owner: Owner,
    /// Without their slices.
    configured: BTreeSet<String>,
    clock: Clock,
}

impl StateManager {
    /// For the state of this owner, the source's *own*, and those beside it. Those named
    /// `configured` belong to sources of the same configuration, and so do those of all slices
    /// of them.
    pub fn new(
        states: States,
        owner: Owner,
        configured: impl IntoIterator<Item = String>,
        clock: Clock,
    ) -> Self {
        let own = owner.state_id.clone();
        let manager = Self {
            states,
            owner,
            configured: BTreeSet::new(),
            clock,
        };
        manager.also_configured(configured.into_iter().chain([own]))
    }

    /// The same where these names belong to sources, too.
    #[must_use]
    pub fn also_configured(mut self, names: impl IntoIterator<Item = String>) -> Self {
        let whole = |name: String| Slice::find(&name).0.to_owned();
        self.configured.extend(names.into_iter().map(whole));
        self
    }

    /// Whether a source of the configuration has this name for its state, or did when it was
    /// read in another number of slices.
    fn is_configured(&self, name: &str) -> bool {
        self.configured.contains(Slice::find(name).0)
    }

    /// Where the own state is, without credentials.
    pub fn place(&self) -> String {
        self.states.records().describe(self.state_id())
    }

    /// The name of the own state.
    pub fn state_id(&self) -> &str {
        &self.owner.state_id
    }

    /// Who holds the own state, if somebody does; a process that shares no locks with this
    /// one may have died since.
    ///
    /// # Errors
    /// The store's.
    pub async fn holder(&self) -> Result<Option<String>, StoreError> {
        self.states.holder(self.state_id()).await
    }

    /// Whether there is an own state, which can be read.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the store does not answer.
    pub async fn has_state(&self) -> Result<bool, StoreError> {
        match self.export().await {
            Err(StoreError::Corrupt(_)) => Ok(false),
            exported => Ok(exported?.is_some()),
        }
    }

    /// The own state's document, byte for byte, `None` if none was ever saved. It is read
    /// at once, and so whole and loadable also while the source runs.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if what is there could not be restored.
    pub async fn export(&self) -> Result<Option<Bytes>, StoreError> {
        let stored = self.states.records().load(self.state_id()).await?;
        let Some(Stored { bytes, .. }) = stored else {
            return Ok(None);
        };
        Envelope::of(&bytes, self.state_id(), &self.place())?;
        Ok(Some(bytes))
    }

    /// Removes the own state: the next run begins as if there had never been one, and
    /// delivers everything again. What is there and no readable state is set aside, and
    /// returned. Where it was the last one of all slices, another number of them may begin.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] names the process that uses it, and [`StoreError::Invalid`]
    /// is that there is none.
    pub async fn reset(&self) -> Result<Option<Broken>, StoreError> {
        let held = self.hold().await?;
        let removed = match self.reset_in(&held.slot).await {
            Ok(broken) => self.forget_slices().await.map(|_| broken),
            // What is left of slices that are gone keeps no others from beginning.
            Err(error) => match self.forget_slices().await {
                Ok(true) => Ok(None),
                _ => Err(error),
            },
        };
        held.release().await;
        removed
    }

    /// The same for who holds the state, in this slot.
    pub(crate) async fn reset_in(&self, slot: &Slot) -> Result<Option<Broken>, StoreError> {
        match self.find(slot).await? {
            Found::Nothing => Err(self.missing()),
            Found::State(stored) => slot.remove(&stored.revision).await.map(|()| None),
            Found::Broken { revision, cause } => set_aside(slot, revision, cause).await.map(Some),
        }
    }

    async fn hold(&self) -> Result<Held, StoreError> {
        self.states.hold(self.state_id(), OnConflict::Stop).await
    }

    /// The error of who needs a state where there is none.
    pub(crate) fn missing(&self) -> StoreError {
        let place = self.place();
        StoreError::Invalid(anyhow!(
            "there is no {place}: check state_id and storage_config, or run the source first"
        ))
    }
}

#[cfg(test)]
mod tests;
