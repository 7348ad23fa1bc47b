//! The states of all processes of a source become those of another number of them.
//!
//! ```text
//! hold all ── save the new ones ── read them back ── swap the number ── remove the old ones
//!             \---- cut off: the old ones count ---/ \-- cut off: the new ones count ----/
//! ```
//!
//! Whatever counts no more is none, and makes way when this is done again.

#[cfg(test)]
mod tests;

use std::future::Future;

use anyhow::anyhow;
use bytes::Bytes;
use futures::future::join_all;

use super::StateManager;
use crate::state_store::envelope::{self, Envelope};
use crate::state_store::slice::{check_number, forget_number, recorded, set_number};
use crate::state_store::{Held, Slice, StateStore as _, StoreError, Stored};

/// The data of a state, and the version of its format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// A JSON object.
    pub data: Vec<u8>,
    /// From 1.
    pub version: u32,
}

/// What asks the component: what a slice goes on from, and whether it would.
pub trait Resliced {
    /// What the process of this slice goes on from, after these of the slices before.
    fn divide(
        &self,
        before: &[Saved],
        slice: Slice,
    ) -> impl Future<Output = anyhow::Result<Saved>> + Send;

    /// Whether the component goes on from this document, as the state of this slice.
    fn try_out(
        &self,
        document: Bytes,
        slice: Slice,
    ) -> impl Future<Output = anyhow::Result<()>> + Send;
}

/// The states of a source before and after, in one place, each in the order of the slices.
struct Change<'a> {
    before: &'a [StateManager],
    after: &'a [StateManager],
    held_before: &'a [Held],
    held_after: &'a [Held],
}

impl StateManager {
    /// Has as many processes read a source as there are managers after, where there were as
    /// many as there are before. All are held meanwhile. Cut off at any moment, and done again,
    /// it is done once.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] names a process that still runs, [`StoreError::Invalid`] says
    /// why these states can not become those. It is said where they are not what they were.
    pub async fn reslice(
        before: &[Self],
        after: &[Self],
        component: &impl Resliced,
    ) -> Result<(), StoreError> {
        let all = before.iter().chain(after).map(Self::hold);
        let (held, refused): (Vec<_>, Vec<_>) =
            join_all(all).await.into_iter().partition(Result::is_ok);
        let held: Vec<_> = held.into_iter().flatten().collect();
        let done = match refused.into_iter().find_map(Result::err) {
            Some(error) => Err(error),
            None => {
                let (held_before, held_after) = held.split_at(before.len());
                let change = Change {
                    before,
                    after,
                    held_before,
                    held_after,
                };
                change.make(component).await
            }
        };
        join_all(held.into_iter().map(Held::release)).await;
        done
    }

    /// Forgets how many slices there were, if no state of them is left. Whether it did.
    pub(super) async fn forget_slices(&self) -> Result<bool, StoreError> {
        let (records, (whole, slice)) = (self.states.records(), Slice::find(self.state_id()));
        let known = recorded(records.as_ref(), whole).await?;
        let Some((_, revision)) = known.filter(|(known, _)| *known == slice.of()) else {
            return Ok(false);
        };
        for slice in Slice::all(slice.of()) {
            if records.load(&slice.state_id(whole)).await?.is_some() {
                return Ok(false);
            }
        }
        forget_number(records.as_ref(), whole, &revision).await?;
        Ok(true)
    }

    /// That the states of the place are those of so many slices.
    pub(super) async fn check_slices(&self) -> Result<(), StoreError> {
        let (whole, slice) = Slice::find(self.state_id());
        check_number(self.states.records().as_ref(), whole, slice).await
    }
}

impl Change<'_> {
    async fn make(&self, component: &impl Resliced) -> Result<(), StoreError> {
        let Some((first, last)) = self.before.first().zip(self.after.first()) else {
            return Err(StoreError::Invalid(anyhow!("there is no slice")));
        };
        let records = first.states.records().as_ref();
        let (whole, _) = Slice::find(first.state_id());
        let (known, of) = (
            recorded(records, whole).await?,
            Slice::find(last.state_id()).1.of(),
        );
        let (known, revision) = known.unzip();
        if known == Some(of) {
            return match self.remove_left().await.map_err(changed)? {
                true => Ok(()),
                false => Err(StoreError::Invalid(anyhow!(
                    "{whole} has this number of slices already: run it, there is nothing to do"
                ))),
            };
        }
        first.check_slices().await?;
        let documents = self.documents(component).await?;
        self.save(&documents).await.map_err(unchanged)?;
        let swapped = set_number(records, whole, of, revision.as_deref()).await;
        swapped.map_err(maybe_changed)?;
        self.remove_left().await.map_err(changed)?;
        Ok(())
    }

    /// What the slices after go on from.
    async fn documents(&self, component: &impl Resliced) -> Result<Vec<Bytes>, StoreError> {
        let mut envelopes = Vec::new();
        for (manager, held) in self.before.iter().zip(self.held_before) {
            let stored = held.slot.load().await?.ok_or_else(|| manager.missing())?;
            // That it is of this source.
            manager.adopt(&stored.bytes, false)?;
            envelopes.push(Envelope::of(
                &stored.bytes,
                manager.state_id(),
                &manager.place(),
            )?);
        }
        let saved = |envelope: &Envelope| Saved {
            data: envelope.data().to_vec(),
            version: envelope.version(),
        };
        let before: Vec<_> = envelopes.iter().map(saved).collect();
        let mut documents = Vec::new();
        for manager in self.after {
            let slice = Slice::find(manager.state_id()).1;
            let divided = component.divide(&before, slice).await;
            let Saved { data, version } = divided.map_err(StoreError::Invalid)?;
            let (owner, now) = (&manager.owner, manager.clock.now());
            let document = envelope::wrap(owner, &data, version, envelopes.first(), now)?;
            let tried = component.try_out(document.clone(), slice).await;
            tried.map_err(|cause| {
                let place = manager.place();
                StoreError::Invalid(cause.context(format!(
                    "the component would not go on from what {place} would be"
                )))
            })?;
            documents.push(document);
        }
        Ok(documents)
    }

    /// Saves them all, in the place of what was cut off before, and reads them back.
    async fn save(&self, documents: &[Bytes]) -> Result<(), StoreError> {
        for (held, document) in self.held_after.iter().zip(documents) {
            let left = held.slot.load().await?.map(|left| left.revision);
            held.slot.save(document.clone(), left.as_deref()).await?;
        }
        for (held, document) in self.held_after.iter().zip(documents) {
            let arrived = held.slot.load().await?;
            if arrived.is_none_or(|arrived| arrived.bytes != *document) {
                let place = held.slot.describe();
                return Err(StoreError::Unavailable(anyhow!(
                    "{place} gave back something else than what was saved there: look at that store"
                )));
            }
        }
        Ok(())
    }

    /// Removes the states of before. Whether there was one.
    async fn remove_left(&self) -> Result<bool, StoreError> {
        let mut any = false;
        for held in self.held_before {
            if let Some(Stored { revision, .. }) = held.slot.load().await? {
                held.slot.remove(&revision).await?;
                any = true;
            }
        }
        Ok(any)
    }
}

fn unchanged(error: StoreError) -> StoreError {
    error.context("the number of slices is what it was")
}

fn maybe_changed(error: StoreError) -> StoreError {
    error.context("it is not known whether the number of slices was changed, so do this again when the store answers")
}

fn changed(error: StoreError) -> StoreError {
    error.context("the number of slices is changed, but states of before are left, so do this again to remove them")
}
