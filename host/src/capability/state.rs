//! `state`: the one slot of a source, scoped and wrapped by the host.

use std::collections::VecDeque;
use std::sync::Arc;

use sha2::{Digest as _, Sha256};
use wasmtime::component::HasData;

use crate::bindings::iggy::connector::state as wit;
use crate::capability::publisher::PublisherCtx;
use crate::clock::Clock;
use crate::state_store::envelope::{self, Envelope, Owner};
use crate::state_store::{StateStore, StoreError, Stored};

/// How many saves without an answer are remembered. A source that fails for longer than
/// that, more than a month, takes its own state for another writer's and stops.
const UNANSWERED_MAX: usize = 65_536;

/// What a source's state needs.
pub struct StateCtx {
    store: Arc<dyn StateStore>,
    owner: Owner,
    clock: Clock,
    /// The newest format that the component understands.
    newest: u32,
    /// What was loaded: fields that somebody else put there stay.
    loaded: Option<Envelope>,
    /// Hashes of what saves tried to write that failed since the last one that did not. Any
    /// one of them may have done so.
    unanswered: VecDeque<[u8; 32]>,
}

/// The view that implements the import.
pub struct StateView<'a> {
    /// The source's context.
    pub ctx: &'a mut StateCtx,
    /// Told what a save covers.
    pub publisher: &'a PublisherCtx,
}

/// Names the view for the linker.
pub struct State;

impl HasData for State {
    type Data<'a> = StateView<'a>;
}

impl StateCtx {
    /// The slot in this store, under this owner's name.
    pub fn new(store: Arc<dyn StateStore>, owner: Owner, clock: Clock) -> Self {
        Self {
            store,
            owner,
            clock,
            newest: 0,
            loaded: None,
            unanswered: VecDeque::new(),
        }
    }

    /// What the component says it understands, before it is opened.
    pub fn understands(&mut self, newest: u32) {
        self.newest = newest;
    }

    async fn load(&mut self) -> Result<Option<wit::Saved>, StoreError> {
        let Some(stored) = self.store.load().await? else {
            return Ok(None);
        };
        let place = self.store.describe();
        let envelope = Envelope::unwrap(&stored.bytes, &self.owner.state_id, self.newest, &place)?;
        let saved = wit::Saved {
            data: envelope.data().to_vec(),
            format: envelope.version(),
            revision: stored.revision,
        };
        self.loaded = Some(envelope);
        Ok(Some(saved))
    }

    async fn save(
        &mut self,
        data: &[u8],
        format: u32,
        expected: Option<&str>,
    ) -> Result<String, StoreError> {
        let (loaded, now) = (self.loaded.as_ref(), self.clock.now());
        let bytes = envelope::wrap(&self.owner, data, format, loaded, now)?;
        let saved = match self.store.save(bytes.clone(), expected).await {
            Err(StoreError::Conflict(conflict)) => match self.revision_of_lost_answer().await? {
                Some(ours) => self.store.save(bytes.clone(), Some(&ours)).await,
                None => Err(StoreError::Conflict(conflict)),
            },
            saved => saved,
        };
        match saved {
            Ok(_) => self.unanswered.clear(),
            Err(StoreError::Unavailable(_)) => self.remember(&bytes),
            Err(_) => {}
        }
        saved
    }

    fn remember(&mut self, bytes: &[u8]) {
        if self.unanswered.len() == UNANSWERED_MAX {
            self.unanswered.pop_front();
        }
        self.unanswered.push_back(Sha256::digest(bytes).into());
    }

    /// The stored revision, if it is that of a save which took effect though it failed: then
    /// nobody else has written in between.
    async fn revision_of_lost_answer(&self) -> Result<Option<String>, StoreError> {
        if self.unanswered.is_empty() {
            return Ok(None);
        }
        let ours = |stored: &Stored| {
            let hash: [u8; 32] = Sha256::digest(&stored.bytes).into();
            self.unanswered.contains(&hash)
        };
        let stored = self.store.load().await?.filter(ours);
        Ok(stored.map(|stored| stored.revision))
    }
}

impl wit::Host for StateView<'_> {
    async fn load(&mut self) -> wasmtime::Result<Result<Option<wit::Saved>, wit::StateError>> {
        Ok(self.ctx.load().await.map_err(wit::StateError::from))
    }

    async fn save(
        &mut self,
        data: Vec<u8>,
        format: u32,
        expected: Option<String>,
    ) -> wasmtime::Result<Result<String, wit::StateError>> {
        let saved = self.ctx.save(&data, format, expected.as_deref()).await;
        if saved.is_ok() {
            self.publisher.covered().await;
        }
        Ok(saved.map_err(wit::StateError::from))
    }
}

impl From<StoreError> for wit::StateError {
    fn from(error: StoreError) -> Self {
        let message = error.to_string();
        match error {
            StoreError::Conflict(_) => Self::Conflict(message),
            StoreError::Unavailable(_) => Self::Unavailable(message),
            StoreError::Corrupt(_) | StoreError::Invalid(_) => Self::Corrupt(message),
        }
    }
}
