//! `state`: the one slot of a source, scoped and wrapped by the host.

mod withheld;
mod writer;

use std::sync::Arc;

use tokio::task::JoinHandle;
use wasmtime::component::{HasData, Resource, ResourceTable};

use crate::bindings::iggy::connector::state as wit;
use crate::capability::grants::Contexts;
use crate::capability::publisher::{PublisherCtx, undescribed};
use crate::state_store::StoreError;
use crate::state_store::envelope::Envelope;
use crate::stopwatch::Stopwatch;

pub use writer::Writer;

/// How often an instance may load its state: once to open, and some more, as it is the host that
/// reads it.
const LOADS_MAX: u32 = 16;

/// What a source's state needs.
pub struct StateCtx {
    writer: Arc<Writer>,
    /// The newest format that the component understands.
    newest: u32,
    /// What was loaded: fields that somebody else put there stay.
    loaded: Option<Arc<Envelope>>,
    /// The revision of what was loaded or saved last; none where that is not known.
    known: Option<Option<String>>,
    /// Whether the store has told of a conflict.
    conflict: bool,
    loads: u32,
}

/// A save under way; the outcome is taken once.
pub struct Pending(Option<Save>);

struct Save {
    outcome: JoinHandle<Result<String, StoreError>>,
    /// The last publish that the saved state covers.
    covers: u64,
    /// The revision that it follows.
    follows: Option<String>,
}

/// The view that implements the import.
pub struct StateView<'a> {
    /// The source's context.
    pub ctx: &'a mut StateCtx,
    /// Told what is in a state that is loaded.
    pub contexts: &'a Contexts,
    /// Told what a save covers.
    pub publisher: &'a PublisherCtx,
    /// Where the guest's handles point to.
    pub table: &'a mut ResourceTable,
    /// Stands still while the guest waits.
    pub stopwatch: &'a Stopwatch,
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
            known: None,
            conflict: false,
            loads: 0,
        }
    }

    /// Whether what is saved is kept from the store.
    pub(crate) fn withholds(&self) -> bool {
        self.writer.withholds()
    }

    /// Whether somebody else has changed the state, as far as the store has told.
    pub fn conflict(&self) -> bool {
        self.conflict
    }

    fn note<T>(&mut self, outcome: &Result<T, StoreError>) {
        self.conflict |= matches!(outcome, Err(StoreError::Conflict(_)));
    }

    /// What the component says it understands, before it is opened.
    pub fn understands(&mut self, newest: u32) {
        self.newest = newest;
    }

    async fn load(&mut self) -> Result<Option<wit::Saved>, StoreError> {
        let loaded = self.writer.load(self.newest).await?;
        self.known = Some(loaded.as_ref().map(|(_, revision)| revision.clone()));
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
        if self.ctx.newest == 0 {
            return Err(undescribed());
        }
        self.ctx.loads += 1;
        if self.ctx.loads > LOADS_MAX {
            return Err(wasmtime::Error::msg(format!(
                "it loads its state more than {LOADS_MAX} times"
            )));
        }
        let loaded = self.stopwatch.during(self.ctx.load()).await;
        self.ctx.note(&loaded);
        if loaded.is_ok() {
            self.contexts.restore(self.ctx.loaded.as_ref());
        }
        Ok(loaded.map_err(wit::StateError::from))
    }

    fn submit(
        &mut self,
        data: Vec<u8>,
        format: u32,
        expected: Option<String>,
    ) -> wasmtime::Result<Resource<Pending>> {
        let newest = self.ctx.newest;
        if !(1..=newest).contains(&format) {
            return Err(wasmtime::Error::msg(format!(
                "it saves a state of format {format}, and reads formats 1 to {newest} itself"
            )));
        }
        if self.ctx.known.as_ref() != Some(&expected) {
            let message = "it saves its state on top of another one than it loaded or saved last";
            return Err(wasmtime::Error::msg(message));
        }
        // Nothing can be saved on top of it again before the outcome is known.
        self.ctx.known = None;
        let previous = self.ctx.loaded.clone();
        let outcome = self
            .ctx
            .writer
            .save(data, format, previous, expected.clone());
        let save = Save {
            outcome: outcome.ok_or_else(|| wasmtime::Error::msg("a save is under way already"))?,
            covers: self.publisher.told(),
            follows: expected,
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
        let saved = self.stopwatch.during(save.outcome).await;
        let saved = saved.map_err(|_| wasmtime::Error::msg("saving has ended"))?;
        self.ctx.note(&saved);
        self.ctx.known = Some(saved.as_ref().ok().cloned().or(save.follows));
        // What is withheld may never be stored: until it is, no id may be forgotten.
        if saved.is_ok() && !self.ctx.withholds() {
            let covered = self.publisher.covered(save.covers);
            self.stopwatch.during(covered).await;
        }
        Ok(saved.map_err(wit::StateError::from))
    }

    fn drop(&mut self, pending: Resource<Pending>) -> wasmtime::Result<()> {
        // What came of it, nobody knows before the next load.
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

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::account::Account;
    use crate::bindings::iggy::connector::publisher as publish;
    use crate::bindings::iggy::connector::publisher::{Host as _, HostPending as _};
    use crate::bindings::iggy::connector::state::{Host as _, HostPending as _};
    use crate::capability::http::Body;
    use crate::capability::publisher::PublisherView;
    use crate::clock::Clock;
    use crate::publisher::discard::DiscardDestination;
    use crate::publisher::outbox::{Delivery, Outbox};
    use crate::publisher::queue::Queue;
    use crate::state_store::envelope::Owner;
    use crate::state_store::{Permit, Slice, Slot};

    /// What a component has.
    struct Imports {
        contexts: Contexts,
        publisher: PublisherCtx,
        state: StateCtx,
        table: ResourceTable,
        stopwatch: Stopwatch,
    }

    impl Imports {
        fn new() -> Self {
            let owner = Owner {
                state_id: "s".to_owned(),
                connector_id: 1,
                index: "i".to_owned(),
                slice: Slice::WHOLE,
                url: "http://127.0.0.1".parse().unwrap(),
            };
            let nowhere = Box::new(DiscardDestination::new("s", "t"));
            let outbox = Outbox::new(vec![nowhere], Delivery::AtLeastOnce);
            let queue = Queue::start(outbox, Permit::always(), Clock::system());
            let store = Arc::new(Slot::in_memory());
            let mut state = StateCtx::new(Writer::new(store, owner, Clock::system()));
            state.understands(1);
            let mut publisher = PublisherCtx::new(queue, Account::default());
            publisher.described();
            Self {
                contexts: Contexts::default(),
                publisher,
                state,
                table: ResourceTable::new(),
                stopwatch: Stopwatch::default(),
            }
        }

        fn publisher(&mut self) -> PublisherView<'_> {
            PublisherView {
                ctx: &mut self.publisher,
                withholds: self.state.withholds(),
                table: &mut self.table,
                stopwatch: &self.stopwatch,
            }
        }

        fn state(&mut self) -> StateView<'_> {
            StateView {
                ctx: &mut self.state,
                contexts: &self.contexts,
                publisher: &self.publisher,
                table: &mut self.table,
                stopwatch: &self.stopwatch,
            }
        }

        /// Has looked at its output and its state.
        async fn begun() -> Self {
            let mut imports = Self::new();
            let resumed = imports.publisher().resume(None, 0).await.unwrap();
            resumed.unwrap();
            imports.state().load().await.unwrap().unwrap();
            imports
        }

        /// Publishes a message of this id. Whether it is new.
        async fn publish(&mut self, low: u64) -> bool {
            let body = self.table.push(Body::of(Bytes::new())).unwrap();
            let message = publish::Message {
                id: publish::MessageId { high: 0, low },
                payload: publish::Payload::Bytes(Vec::new()),
                headers: Vec::new(),
            };
            let pending = self.publisher().submit(body, vec![message]).unwrap();
            let published = self.publisher().wait(pending).await.unwrap();
            published.unwrap().new == 1
        }
    }

    #[tokio::test]
    async fn a_save_covers_what_was_acknowledged_when_it_began_and_not_what_came_since() {
        let mut imports = Imports::begun().await;
        assert!(imports.publish(1).await);
        let save = imports.state().submit(b"{}".to_vec(), 1, None).unwrap();
        assert!(imports.publish(2).await);
        assert!(!imports.publish(1).await, "nothing is saved yet");
        let saved = imports.state().wait(save).await.unwrap();
        saved.unwrap();
        assert!(!imports.publish(2).await, "the save began before it");
    }

    #[tokio::test]
    async fn a_save_that_is_kept_from_the_store_covers_nothing() {
        for (withheld, forgotten) in [(false, true), (true, false)] {
            let mut imports = Imports::begun().await;
            if withheld {
                imports.state.writer.withhold().await;
            }
            assert!(imports.publish(1).await);
            let save = imports.state().submit(b"{}".to_vec(), 1, None).unwrap();
            imports.state().wait(save).await.unwrap().unwrap();
            assert_eq!(imports.publish(1).await, forgotten, "{withheld}");
        }
    }

    #[tokio::test]
    async fn what_nobody_offered_again_is_forgotten_unless_saves_are_kept_from_the_store() {
        for withheld in [false, true] {
            let mut imports = Imports::begun().await;
            assert!(imports.publish(1).await);
            // As another version would find it.
            imports.publisher().resume(None, 0).await.unwrap().unwrap();
            if withheld {
                imports.state.writer.withhold().await;
            }
            imports.publisher().forget_unclaimed().await.unwrap();
            assert_eq!(imports.publish(1).await, !withheld, "{withheld}");
        }
    }

    #[tokio::test]
    async fn a_state_of_a_format_that_its_component_could_not_read_again_is_not_saved() {
        for format in [0, 2] {
            let mut imports = Imports::new();
            let save = imports.state().submit(b"{}".to_vec(), format, None);
            let error = save.expect_err("it is no format").to_string();
            assert!(error.contains("reads formats 1 to 1"), "{error}");
        }
    }

    #[tokio::test]
    async fn a_save_goes_on_without_its_component_and_the_next_load_waits_for_it() {
        let mut imports = Imports::begun().await;
        let save = imports.state().submit(b"{}".to_vec(), 1, None).unwrap();
        let second = imports.state().submit(b"{}".to_vec(), 1, None);
        assert!(second.is_err(), "one save at a time");
        imports.state().drop(save).unwrap();
        let loaded = imports.state().load().await.unwrap().unwrap();
        assert_eq!(loaded.unwrap().data, b"{}");
    }

    #[tokio::test]
    async fn a_state_that_was_loaded_before_all_saves_tells_which_contexts_are_its_own() {
        let mut imports = Imports::new();
        for (id, own) in [("found", true), ("forged", false)] {
            let data = format!(r#"{{"id":"{id}"}}"#).into_bytes();
            let loaded = imports.state().load().await.unwrap().unwrap();
            let expected = loaded.map(|saved| saved.revision);
            let save = imports.state().submit(data, 1, expected).unwrap();
            imports.state().wait(save).await.unwrap().unwrap();
            if own {
                imports.contexts = Contexts::default();
            }
            imports.state().load().await.unwrap().unwrap();
            assert_eq!(imports.contexts.is_own(id), own, "{id}");
        }
    }
}
