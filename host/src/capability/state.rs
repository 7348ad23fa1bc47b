//! `state`: the one slot of a source, scoped and wrapped by the host.

mod writer;

use std::sync::Arc;

use tokio::task::JoinHandle;
use wasmtime::component::{HasData, Resource, ResourceTable};

use crate::bindings::iggy::connector::state as wit;
use crate::capability::publisher::PublisherCtx;
use crate::state_store::StoreError;
use crate::state_store::envelope::Envelope;

pub use writer::Writer;

/// What a source's state needs.
pub struct StateCtx {
    writer: Arc<Writer>,
    /// The newest format that the component understands.
    newest: u32,
    /// What was loaded: fields that somebody else put there stay.
    loaded: Option<Arc<Envelope>>,
}

/// A save under way; the outcome is taken once.
pub struct Pending(Option<Save>);

struct Save {
    outcome: JoinHandle<Result<String, StoreError>>,
    /// The last publish that the saved state covers.
    covers: u64,
}

/// The view that implements the import.
pub struct StateView<'a> {
    /// The source's context.
    pub ctx: &'a mut StateCtx,
    /// Told what a save covers.
    pub publisher: &'a PublisherCtx,
    /// Where the guest's handles point to.
    pub table: &'a mut ResourceTable,
}

/// Names the view for the linker.
pub struct State;

impl HasData for State {
    type Data<'a> = StateView<'a>;
}

impl StateCtx {
    /// The slot that this writes, which all instances of a source share.
    pub fn new(writer: Arc<Writer>) -> Self {
        Self {
            writer,
            newest: 0,
            loaded: None,
        }
    }

    /// What the component says it understands, before it is opened.
    pub fn understands(&mut self, newest: u32) {
        self.newest = newest;
    }

    async fn load(&mut self) -> Result<Option<wit::Saved>, StoreError> {
        let loaded = self.writer.load(self.newest).await?;
        Ok(loaded.map(|(envelope, revision)| {
            let saved = wit::Saved {
                data: envelope.data().to_vec(),
                format: envelope.version(),
                revision,
            };
            self.loaded = Some(Arc::new(envelope));
            saved
        }))
    }
}

impl wit::Host for StateView<'_> {
    async fn load(&mut self) -> wasmtime::Result<Result<Option<wit::Saved>, wit::StateError>> {
        Ok(self.ctx.load().await.map_err(wit::StateError::from))
    }

    fn submit(
        &mut self,
        data: Vec<u8>,
        format: u32,
        expected: Option<String>,
    ) -> wasmtime::Result<Resource<Pending>> {
        let previous = self.ctx.loaded.clone();
        let outcome = self.ctx.writer.save(data, format, previous, expected);
        let save = Save {
            outcome: outcome.ok_or_else(|| wasmtime::Error::msg("a save is under way already"))?,
            covers: self.publisher.told(),
        };
        Ok(self.table.push(Pending(Some(save)))?)
    }
}

impl wit::HostPending for StateView<'_> {
    async fn wait(
        &mut self,
        pending: Resource<Pending>,
    ) -> wasmtime::Result<Result<String, wit::StateError>> {
        let save = self.table.get_mut(&pending)?.0.take();
        let save = save.ok_or_else(|| wasmtime::Error::msg("a save was waited for twice"))?;
        let saved = save.outcome.await;
        let saved = saved.map_err(|_| wasmtime::Error::msg("saving has ended"))?;
        if saved.is_ok() {
            self.publisher.covered(save.covers).await;
        }
        Ok(saved.map_err(wit::StateError::from))
    }

    fn drop(&mut self, pending: Resource<Pending>) -> wasmtime::Result<()> {
        self.table.delete(pending)?;
        Ok(())
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
