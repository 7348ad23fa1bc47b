//! A document from elsewhere becomes the own state: what must be so for that.

use std::future::Future;

use anyhow::{Context as _, anyhow};
use bytes::Bytes;
use reqwest::Url;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::StateManager;
use super::broken::{Broken, Found, set_aside};
use crate::state_store::envelope::{self, Envelope, Owner};
use crate::state_store::{Slot, StateStore as _, StoreError};

/// What an import may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Import {
    /// Take the place of a state that is there; otherwise that is an error.
    pub replace: bool,
    /// Take a document that names another index or cluster, or none, and take the place of
    /// what is there and can not be read.
    pub force: bool,
}

/// What an import did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// What the document was called before.
    pub id: String,
    /// Whether it took the place of another state.
    pub replaced: bool,
    /// What was there instead of one.
    pub broken: Option<Broken>,
    /// Whether the document names no place to go on from, so that the next run reads from the
    /// beginning.
    pub from_the_beginning: bool,
}

/// What of a document's data says where reading goes on.
#[derive(Deserialize)]
struct Place {
    last_poll_timestamp: Option<IgnoredAny>,
    last_document_id: Option<IgnoredAny>,
    reading: Option<IgnoredAny>,
}

/// Whether this data names no place to go on from. It is only said, and never a reason to
/// refuse it: a source that has read nothing yet saves such a state as well.
fn is_of_the_beginning(data: &[u8]) -> bool {
    serde_json::from_slice::<Place>(data).is_ok_and(|place| {
        let places = [
            place.last_poll_timestamp,
            place.last_document_id,
            place.reading,
        ];
        places.iter().all(Option::is_none)
    })
}

impl StateManager {
    /// Makes a document the own state. Its `id`, `last_updated` and the metadata that say
    /// whose it is become those of the own state; its data stays byte for byte, and so does
    /// what is not known here.
    ///
    /// `trial` is given the document as it would be saved, and says whether the component
    /// goes on from it, as [`Assembly::try_state`](crate::assembly::Assembly::try_state)
    /// does. What it refuses could never run, and is not forced.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] names the process that uses the state,
    /// [`StoreError::Corrupt`] is that what is there can not be read and this is not forced,
    /// and [`StoreError::Invalid`] says what keeps this document from being it.
    pub async fn import<F>(
        &self,
        document: &[u8],
        how: Import,
        trial: impl FnOnce(Bytes) -> F,
    ) -> Result<Imported, StoreError>
    where
        F: Future<Output = anyhow::Result<()>>,
    {
        let held = self.hold().await?;
        let imported = self.import_into(&held.slot, document, how, trial).await;
        held.release().await;
        imported
    }

    /// The same for who holds the state, in this slot.
    pub(crate) async fn import_into<F>(
        &self,
        slot: &Slot,
        document: &[u8],
        how: Import,
        trial: impl FnOnce(Bytes) -> F,
    ) -> Result<Imported, StoreError>
    where
        F: Future<Output = anyhow::Result<()>>,
    {
        self.check_slices().await?;
        let (id, adopted) = self.adopt(document, how.force)?;
        let found = self.prepare(slot, &adopted, how, trial).await?;
        let replaced = matches!(found, Found::State(_));
        let (revision, broken) = match found {
            Found::Nothing => (None, None),
            Found::State(stored) => (Some(stored.revision), None),
            Found::Broken { revision, cause } => {
                (None, Some(set_aside(slot, revision, cause).await?))
            }
        };
        let from_the_beginning =
            Envelope::read(&adopted).is_ok_and(|envelope| is_of_the_beginning(envelope.data()));
        slot.save(adopted, revision.as_deref()).await?;
        if from_the_beginning {
            tracing::warn!(
                "the imported state names no place to go on from: the next run reads from the beginning"
            );
        }
        Ok(Imported {
            id,
            replaced,
            broken,
            from_the_beginning,
        })
    }

    /// The document as that of the own state, and what it was called before.
    pub(super) fn adopt(
        &self,
        document: &[u8],
        force: bool,
    ) -> Result<(String, Bytes), StoreError> {
        let envelope = Envelope::read(document)
            .context("this is no state document, as `state export` prints it")
            .map_err(StoreError::Invalid)?;
        match strange(&envelope, &self.owner) {
            Some(strange) if !force => Err(StoreError::Invalid(anyhow!(
                "this is the state of another source, as {strange}: force it only if the index and the cluster are the same under another name"
            ))),
            _ => {
                let (data, version) = (envelope.data(), envelope.version());
                let now = self.clock.now();
                let adopted = envelope::wrap(&self.owner, data, version, Some(&envelope), now)?;
                Ok((envelope.id().to_owned(), adopted))
            }
        }
    }

    /// What is in the slot, if this document may take its place and the component goes on
    /// from it.
    pub(super) async fn prepare<F>(
        &self,
        slot: &Slot,
        document: &Bytes,
        how: Import,
        trial: impl FnOnce(Bytes) -> F,
    ) -> Result<Found, StoreError>
    where
        F: Future<Output = anyhow::Result<()>>,
    {
        let found = self.find(slot).await?;
        match found {
            Found::State(_) if !how.replace => {
                let place = self.place();
                return Err(StoreError::Invalid(anyhow!(
                    "there is a {place} already: export and reset it first, or choose another state_id"
                )));
            }
            Found::Broken { cause, .. } if !how.force => return Err(StoreError::Corrupt(cause)),
            _ => {}
        }
        let tried = trial(document.clone()).await;
        tried
            .context("the component would not go on from this state")
            .map_err(StoreError::Invalid)?;
        Ok(found)
    }
}

/// What in a document does not belong to this owner.
fn strange(envelope: &Envelope, owner: &Owner) -> Option<String> {
    let known = |url: String| Url::parse(&url).map_or(url, |url| envelope::public(&url));
    let rows = [
        ("index", envelope.metadata("index"), owner.index.clone()),
        (
            "url",
            envelope.metadata("url").map(known),
            envelope::public(&owner.url),
        ),
    ];
    let strange = rows.into_iter().filter_map(|(key, said, own)| match said {
        Some(said) if said == own => None,
        Some(said) => Some(format!("its {key} is {said:?} and not {own:?}")),
        None => Some(format!("it does not say its {key}, here {own:?}")),
    });
    let strange: Vec<_> = strange.collect();
    (!strange.is_empty()).then(|| strange.join(" and "))
}
