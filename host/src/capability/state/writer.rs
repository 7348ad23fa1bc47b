//! The one writer of a source's state.
//!
//! A save goes on to its outcome even when the component that asked for it is gone, and until
//! then nothing else is done with the state: what a new instance loads is what it follows.

use std::collections::VecDeque;
use std::sync::Arc;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::state_store::envelope::{self, Envelope, Owner};
use crate::state_store::{StateStore, StoreError, Stored};

/// How many saves without an answer are remembered. A source that fails for longer than
/// that, more than a month, takes its own state for another writer's and stops.
const UNANSWERED_MAX: usize = 65_536;

/// Writes a state, in its envelope. All instances of a source share it.
pub struct Writer {
    store: Arc<dyn StateStore>,
    owner: Owner,
    clock: Clock,
    /// Locked while the store is asked.
    unanswered: Arc<Mutex<Unanswered>>,
}

/// Hashes of what saves tried to write that failed since the last one that did not. Any one
/// of them may have done so.
#[derive(Default)]
struct Unanswered(VecDeque<[u8; 32]>);

impl Unanswered {
    fn remember(&mut self, bytes: &[u8]) {
        if self.0.len() == UNANSWERED_MAX {
            self.0.pop_front();
        }
        self.0.push_back(Sha256::digest(bytes).into());
    }

    fn has(&self, bytes: &[u8]) -> bool {
        let hash: [u8; 32] = Sha256::digest(bytes).into();
        self.0.contains(&hash)
    }
}

impl Writer {
    /// Of the state in this store, under this owner's name.
    pub fn new(store: Arc<dyn StateStore>, owner: Owner, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            store,
            owner,
            clock,
            unanswered: Arc::default(),
        })
    }

    /// The state and its revision. `newest` is the newest version that is understood.
    pub(super) async fn load(&self, newest: u32) -> Result<Option<(Envelope, String)>, StoreError> {
        let _no_save_is_under_way = self.unanswered.lock().await;
        let Some(stored) = self.store.load().await? else {
            return Ok(None);
        };
        let (place, state_id) = (self.store.describe(), &self.owner.state_id);
        let envelope = Envelope::unwrap(&stored.bytes, state_id, newest, &place)?;
        Ok(Some((envelope, stored.revision)))
    }

    /// Starts a save on top of a revision; it keeps what else was in the `previous` document.
    /// None while another one is under way.
    pub(super) fn save(
        self: &Arc<Self>,
        data: Vec<u8>,
        format: u32,
        previous: Option<Arc<Envelope>>,
        expected: Option<String>,
    ) -> Option<JoinHandle<Result<String, StoreError>>> {
        let mut unanswered = Arc::clone(&self.unanswered).try_lock_owned().ok()?;
        let writer = Arc::clone(self);
        Some(tokio::spawn(async move {
            let (owner, now) = (&writer.owner, writer.clock.now());
            let bytes = envelope::wrap(owner, &data, format, previous.as_deref(), now)?;
            let saved = writer.swap(&bytes, expected.as_deref(), &unanswered).await;
            match saved {
                Ok(_) => unanswered.0.clear(),
                Err(StoreError::Unavailable(_)) => unanswered.remember(&bytes),
                Err(_) => {}
            }
            saved
        }))
    }

    /// On top of a save of ours, if that took effect though it failed: then nobody else has
    /// written in between.
    async fn swap(
        &self,
        bytes: &Bytes,
        expected: Option<&str>,
        unanswered: &Unanswered,
    ) -> Result<String, StoreError> {
        match self.store.save(bytes.clone(), expected).await {
            Err(StoreError::Conflict(conflict)) if !unanswered.0.is_empty() => {
                let ours = |stored: &Stored| unanswered.has(&stored.bytes);
                match self.store.load().await?.filter(ours) {
                    Some(ours) => self.store.save(bytes.clone(), Some(&ours.revision)).await,
                    None => Err(StoreError::Conflict(conflict)),
                }
            }
            saved => saved,
        }
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;
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

    fn writer(store: Arc<Unreliable>) -> Arc<Writer> {
        let owner = Owner {
            state_id: "s".to_owned(),
            connector_id: 1,
            index: "i".to_owned(),
            url: "http://127.0.0.1".parse().unwrap(),
        };
        Writer::new(store, owner, Clock::system())
    }

    async fn save(
        writer: &Arc<Writer>,
        data: &str,
        expected: Option<&str>,
    ) -> Result<String, StoreError> {
        let (data, expected) = (data.as_bytes().to_vec(), expected.map(str::to_owned));
        writer.save(data, 1, None, expected).unwrap().await.unwrap()
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
            let writer = writer(Arc::clone(&store));
            let first = save(&writer, "{\"n\":0}", Option::None).await.unwrap();
            store.calls.lock().unwrap().extend(troubles);
            let mut number = 0;
            while !store.calls.lock().unwrap().is_empty() {
                number += 1;
                let data = format!("{{\"n\":{number}}}");
                save(&writer, &data, Some(&first)).await.unwrap_err();
            }
            let saved = save(&writer, "{\"n\":99}", Some(&first)).await;
            assert!(saved.is_ok(), "{:?}", saved.unwrap_err());
        }
    }

    #[tokio::test]
    async fn another_writers_state_is_a_conflict_also_after_a_save_without_an_answer() {
        let store = Arc::new(Unreliable::default());
        let (ours, other) = (writer(Arc::clone(&store)), writer(Arc::clone(&store)));
        let first = save(&ours, "{}", None).await.unwrap();
        store.calls.lock().unwrap().push_back(Trouble::Refused);
        save(&ours, "{\"n\":1}", Some(&first)).await.unwrap_err();
        save(&other, "{\"n\":2}", Some(&first)).await.unwrap();
        let saved = save(&ours, "{\"n\":3}", Some(&first)).await;
        assert!(matches!(saved, Err(StoreError::Conflict(_))), "{saved:?}");
    }
}
