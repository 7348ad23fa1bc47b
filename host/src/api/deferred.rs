//! A state store that keeps back what is saved, until the caller has what it covers.
//!
//! ```text
//! component ── save ──▶ newest ── give ──▶ given ── hand_on ──▶ the store
//!           ◀── load ─────┴──◀── at first ────────────────────────┘
//! ```
//!
//! A component that loads again, as it was replaced, goes on from what the one before it
//! saved: all that this covers was given or waits to be, and the outbox has forgotten it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::anyhow;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;

use crate::state_store::{StateStore, StoreError, Stored};

/// See the module.
pub(super) struct DeferredStore {
    store: Arc<dyn StateStore>,
    content: Mutex<Content>,
}

#[derive(Default)]
struct Content {
    /// What the component loaded, or has saved since.
    newest: Option<Stored>,
    /// Whether that covers more than the caller was given.
    ahead: bool,
    /// How often the component has saved, ever.
    saves: u64,
    /// A state that covers what the caller was given, and is not stored yet.
    given: Option<Bytes>,
    /// What the next save in the store must follow.
    stored: Option<String>,
}

impl DeferredStore {
    pub(super) fn new(store: Arc<dyn StateStore>) -> Self {
        let content = Mutex::default();
        Self { store, content }
    }

    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The caller was given all that the newest state covers. To be called only when nothing
    /// waits to be handed on.
    pub(super) fn give(&self) {
        let mut content = self.content();
        if std::mem::take(&mut content.ahead) {
            content.given = content.newest.as_ref().map(|newest| newest.bytes.clone());
        }
    }

    /// The caller has taken what it was given: stores the state that covers it.
    ///
    /// # Errors
    /// The store's. To be called again then, before anything else.
    pub(super) async fn hand_on(&self) -> Result<(), StoreError> {
        let (given, stored) = {
            let content = self.content();
            (content.given.clone(), content.stored.clone())
        };
        let Some(given) = given else { return Ok(()) };
        let revision = self.store.save(given, stored.as_deref()).await?;
        let mut content = self.content();
        content.given = None;
        content.stored = Some(revision);
        Ok(())
    }

    async fn load_newest(&self) -> Result<Option<Stored>, StoreError> {
        let newest = self.content().newest.clone();
        if newest.is_some() {
            return Ok(newest);
        }
        let loaded = self.store.load().await?;
        let mut content = self.content();
        content.stored = loaded.as_ref().map(|loaded| loaded.revision.clone());
        content.newest.clone_from(&loaded);
        Ok(loaded)
    }

    fn keep(&self, bytes: Bytes, expected: Option<&str>) -> Result<String, StoreError> {
        let mut content = self.content();
        let newest = content.newest.as_ref();
        if newest.map(|newest| newest.revision.as_str()) != expected {
            return Err(StoreError::Conflict(anyhow!(
                "{} was saved twice on top of the same state: this is a defect of the component",
                self.describe()
            )));
        }
        content.saves += 1;
        content.ahead = true;
        let revision = format!("deferred {}", content.saves);
        content.newest = Some(Stored {
            bytes,
            revision: revision.clone(),
        });
        Ok(revision)
    }
}

impl StateStore for DeferredStore {
    fn load(&self) -> BoxFuture<'_, Result<Option<Stored>, StoreError>> {
        self.load_newest().boxed()
    }

    fn save<'a>(
        &'a self,
        bytes: Bytes,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<String, StoreError>> {
        async move { self.keep(bytes, expected) }.boxed()
    }

    fn describe(&self) -> String {
        self.store.describe()
    }
}
