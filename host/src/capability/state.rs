//! `state`: the one slot of a source, scoped and wrapped by the host.

use std::sync::Arc;

use bytes::Bytes;
use wasmtime::component::HasData;

use crate::bindings::iggy::connector::state as wit;
use crate::capability::publisher::PublisherCtx;
use crate::clock::Clock;
use crate::state_store::envelope::{self, Envelope, Owner};
use crate::state_store::{StateStore, StoreError};

/// What a source's state needs.
pub struct StateCtx {
    store: Arc<dyn StateStore>,
    owner: Owner,
    clock: Clock,
    /// The newest format that the component understands.
    newest: u32,
    /// What was loaded: fields that somebody else put there stay.
    loaded: Option<Envelope>,
    /// What a save that failed tried to write; it may have done so.
    unanswered: Option<Bytes>,
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
            unanswered: None,
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
        let mut saved = self.store.save(bytes.clone(), expected).await;
        if matches!(saved, Err(StoreError::Conflict(_)))
            && let Some(ours) = self.revision_of_lost_answer().await
        {
            saved = self.store.save(bytes.clone(), Some(&ours)).await;
        }
        self.unanswered = matches!(saved, Err(StoreError::Unavailable(_))).then_some(bytes);
        saved
    }

    /// The stored revision, if it is that of a save which took effect though it failed: then
    /// nobody else has written in between.
    async fn revision_of_lost_answer(&self) -> Option<String> {
        let unanswered = self.unanswered.as_ref()?;
        let stored = self.store.load().await.ok()??;
        (stored.bytes == *unanswered).then_some(stored.revision)
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
