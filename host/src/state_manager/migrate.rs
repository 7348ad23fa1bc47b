//! A state moves to another place, where its source goes on exactly where it was.

use std::future::Future;

use anyhow::anyhow;
use bytes::Bytes;

use super::{Import, StateManager};
use crate::state_store::{Slot, StateStore as _, StoreError};

impl StateManager {
    /// Moves the own state to the other manager's place, under that one's name. Both places
    /// are held meanwhile. It is removed here only when it was saved there and read back:
    /// a state in two places would be two sources.
    ///
    /// `trial` is that of [`StateManager::import`], for the source over there.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] names the process that uses either of them, and
    /// [`StoreError::Invalid`] is that there is no state here, already one there, or that
    /// it belongs to another source. The state is where it was then, unless the error says
    /// that it is, or may be, in both places.
    pub async fn migrate<F>(
        &self,
        to: &Self,
        trial: impl FnOnce(Bytes) -> F,
    ) -> Result<(), StoreError>
    where
        F: Future<Output = anyhow::Result<()>>,
    {
        if self.place() == to.place() {
            let place = self.place();
            return Err(StoreError::Invalid(anyhow!(
                "both configurations keep the state in {place}: change storage_type, storage_config or state_id in the other one"
            )));
        }
        let here = self.hold().await?;
        let moved = match to.hold().await {
            Ok(there) => {
                let moved = self.hand_over(&here.slot, to, &there.slot, trial).await;
                there.release().await;
                moved
            }
            Err(error) => Err(error),
        };
        here.release().await;
        moved
    }

    async fn hand_over<F>(
        &self,
        here: &Slot,
        to: &Self,
        there: &Slot,
        trial: impl FnOnce(Bytes) -> F,
    ) -> Result<(), StoreError>
    where
        F: Future<Output = anyhow::Result<()>>,
    {
        self.check_slices().await?;
        to.check_slices().await?;
        let stored = here.load().await?.ok_or_else(|| self.missing())?;
        let (_, document) = to.adopt(&stored.bytes, false)?;
        to.prepare(there, &document, Import::default(), trial)
            .await?;
        let saved = there.save(document.clone(), None).await;
        saved.map_err(|error| match error {
            StoreError::Unavailable(_) => maybe_in_both(&error, here, there),
            refused => refused,
        })?;
        let arrived = there.load().await;
        let arrived = arrived.map_err(|error| maybe_in_both(&error, here, there))?;
        if arrived.is_none_or(|arrived| arrived.bytes != document) {
            let place = there.describe();
            return Err(StoreError::Unavailable(anyhow!(
                "{place} gave back something else than what was saved there: the state stays in {}, look at that store",
                here.describe()
            )));
        }
        let removed = here.remove(&stored.revision).await;
        removed.map_err(|error| in_both(error, here, there))?;
        self.forget_slices().await.map(drop)
    }
}

/// A save whose answer was lost may have taken effect, and what was saved may be unreadable.
fn maybe_in_both(error: &StoreError, here: &Slot, there: &Slot) -> StoreError {
    let (here, there) = (here.describe(), there.describe());
    StoreError::Unavailable(anyhow!(
        "the state is still in {here}, and may be in {there} as well ({error}): when that store answers, reset it there if it is, then migrate again"
    ))
}

fn in_both(error: StoreError, here: &Slot, there: &Slot) -> StoreError {
    let (here, there) = (here.describe(), there.describe());
    let cause = error.cause();
    StoreError::Unavailable(anyhow!(
        "the state is in {there} now and could not be removed from {here} ({cause:#}): reset one of them before anything runs"
    ))
}
