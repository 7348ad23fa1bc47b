//! `state`: the one slot of a source, scoped and wrapped by the host.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
    unanswered: Unanswered,
}

/// Hashes of what saves tried to write that failed since the last one that did not. Any one
/// of them may have done so. All instances of a source share them: a save of one that is gone
/// may take effect later.
#[derive(Clone, Default)]
pub struct Unanswered(Arc<Mutex<VecDeque<[u8; 32]>>>);

impl Unanswered {
    fn hashes(&self) -> MutexGuard<'_, VecDeque<[u8; 32]>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, bytes: &[u8]) {
        let mut hashes = self.hashes();
        if hashes.len() == UNANSWERED_MAX {
            hashes.pop_front();
        }
        hashes.push_back(Sha256::digest(bytes).into());
    }

    fn has(&self, bytes: &[u8]) -> bool {
        let hash: [u8; 32] = Sha256::digest(bytes).into();
        self.hashes().contains(&hash)
    }
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
    pub fn new(
        store: Arc<dyn StateStore>,
        owner: Owner,
        clock: Clock,
        unanswered: Unanswered,
    ) -> Self {
        Self {
            store,
            owner,
            clock,
            newest: 0,
            loaded: None,
            unanswered,
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
            Ok(_) => self.unanswered.hashes().clear(),
            Err(StoreError::Unavailable(_)) => self.unanswered.remember(&bytes),
            Err(_) => {}
        }
        saved
    }

    /// The stored revision, if it is that of a save which took effect though it failed: then
    /// nobody else has written in between.
    async fn revision_of_lost_answer(&self) -> Result<Option<String>, StoreError> {
        if self.unanswered.hashes().is_empty() {
            return Ok(None);
        }
        let ours = |stored: &Stored| self.unanswered.has(&stored.bytes);
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

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
    use bytes::Bytes;
    use futures::FutureExt as _;
    use futures::future::BoxFuture;

    use super::*;
    use crate::state_store::Slot;

    /// Loses the answers of some calls, and refuses others.
    struct Unreliable {
        store: Slot,
        calls: std::sync::Mutex<VecDeque<Trouble>>,
    }

    #[derive(Clone, Copy)]
    enum Trouble {
        None,
        Refused,
        AnswerLost,
    }

    impl Default for Unreliable {
        fn default() -> Self {
            Self {
                store: Slot::in_memory(),
                calls: std::sync::Mutex::default(),
            }
        }
    }

    impl Unreliable {
        async fn play<T>(
            &self,
            call: BoxFuture<'_, Result<T, StoreError>>,
        ) -> Result<T, StoreError> {
            let trouble = self.calls.lock().unwrap().pop_front();
            let down = || StoreError::Unavailable(anyhow!("down"));
            match trouble.unwrap_or(Trouble::None) {
                Trouble::None => call.await,
                Trouble::Refused => Err(down()),
                Trouble::AnswerLost => call.await.and_then(|_| Err(down())),
            }
        }
    }

    impl StateStore for Unreliable {
        fn load(&self) -> BoxFuture<'_, Result<Option<Stored>, StoreError>> {
            self.play(self.store.load()).boxed()
        }

        fn save<'a>(
            &'a self,
            bytes: Bytes,
            expected: Option<&'a str>,
        ) -> BoxFuture<'a, Result<String, StoreError>> {
            self.play(self.store.save(bytes, expected)).boxed()
        }

        fn describe(&self) -> String {
            "an unreliable store".to_owned()
        }
    }

    fn slot(store: Arc<Unreliable>) -> StateCtx {
        let owner = Owner {
            state_id: "s".to_owned(),
            connector_id: 1,
            index: "i".to_owned(),
            url: "http://127.0.0.1".parse().unwrap(),
        };
        StateCtx::new(store, owner, Clock::system(), Unanswered::default())
    }

    #[tokio::test]
    async fn saves_whose_answers_were_lost_are_known_again_however_many_failed_since() {
        use Trouble::{AnswerLost, None, Refused};
        let rows: [&[Trouble]; 4] = [
            &[AnswerLost],
            &[AnswerLost, Refused, Refused],
            &[Refused, AnswerLost, Refused],
            // The second save finds the first, and then loses its own answer.
            &[AnswerLost, None, None, AnswerLost, Refused],
        ];
        for troubles in rows {
            let store = Arc::new(Unreliable::default());
            let mut slot = slot(Arc::clone(&store));
            let first = slot.save(b"{\"n\":0}", 1, Option::None).await.unwrap();
            store.calls.lock().unwrap().extend(troubles);
            let mut number = 0;
            while !store.calls.lock().unwrap().is_empty() {
                number += 1;
                let data = format!("{{\"n\":{number}}}");
                slot.save(data.as_bytes(), 1, Some(&first))
                    .await
                    .unwrap_err();
            }
            let saved = slot.save(b"{\"n\":99}", 1, Some(&first)).await;
            assert!(saved.is_ok(), "{:?}", saved.unwrap_err());
        }
    }

    #[tokio::test]
    async fn another_writers_state_is_a_conflict_also_after_a_save_without_an_answer() {
        let store = Arc::new(Unreliable::default());
        let (mut ours, mut other) = (slot(Arc::clone(&store)), slot(Arc::clone(&store)));
        let first = ours.save(b"{}", 1, None).await.unwrap();
        store.calls.lock().unwrap().push_back(Trouble::Refused);
        ours.save(b"{\"n\":1}", 1, Some(&first)).await.unwrap_err();
        other.save(b"{\"n\":2}", 1, Some(&first)).await.unwrap();
        let saved = ours.save(b"{\"n\":3}", 1, Some(&first)).await;
        assert!(matches!(saved, Err(StoreError::Conflict(_))), "{saved:?}");
    }
}
