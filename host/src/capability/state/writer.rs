//! The one writer of a source's state.
//!
//! A save goes on to its outcome even when the component that asked for it is gone, and until
//! then nothing else is done with the state: what a new instance loads is what it follows.

use std::sync::Arc;

use tokio::sync::Mutex;
use tokio::task::JoinHandle;

use crate::clock::Clock;
use crate::state_store::envelope::{self, Envelope, Owner};
use crate::state_store::{StateStore, StoreError, Stored};

use super::withheld::Withheld;

/// From so many bytes on, a state is dealt with on a thread of its own.
const LARGE: usize = 1 << 20;

/// Writes a state, in its envelope. All instances of a source share it.
pub struct Writer {
    store: Withheld,
    owner: Owner,
    clock: Clock,
    /// Locked while the store is asked.
    busy: Arc<Mutex<()>>,
}

impl Writer {
    /// Of the state in this store, under this owner's name.
    pub fn new(store: Arc<dyn StateStore>, owner: Owner, clock: Clock) -> Arc<Self> {
        Arc::new(Self {
            store: Withheld::around(store),
            owner,
            clock,
            busy: Arc::default(),
        })
    }

    /// From now on, saves are kept from the store: it has the state that a version before can
    /// read until [`Self::release`].
    pub(crate) async fn withhold(&self) {
        let _no_save_is_under_way = self.busy.lock().await;
        self.store.begin();
    }

    /// Forgets what was kept from the store.
    pub(crate) async fn discard(&self) {
        let _no_save_is_under_way = self.busy.lock().await;
        self.store.discard();
    }

    /// Gives the store what was kept from it.
    ///
    /// # Errors
    /// The store's; everything is as before then.
    pub(crate) async fn release(&self) -> Result<(), StoreError> {
        let _no_save_is_under_way = self.busy.lock().await;
        self.store.release().await
    }

    /// Whether saves are kept from the store, and so do not cover anything yet.
    pub(super) fn withholds(&self) -> bool {
        self.store.withholds()
    }

    /// The state and its revision. `newest` is the newest version that is understood.
    pub(super) async fn load(&self, newest: u32) -> Result<Option<(Envelope, String)>, StoreError> {
        let _no_save_is_under_way = self.busy.lock().await;
        let Some(stored) = self.store.load().await? else {
            return Ok(None);
        };
        let (place, state_id) = (self.store.describe(), self.owner.state_id.clone());
        let Stored { bytes, revision } = stored;
        let length = bytes.len();
        let read = move || Envelope::unwrap(&bytes, &state_id, newest, &place);
        Ok(Some((apart(length, read).await?, revision)))
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
        let busy = Arc::clone(&self.busy).try_lock_owned().ok()?;
        let writer = Arc::clone(self);
        Some(tokio::spawn(async move {
            let (_busy, now) = (busy, writer.clock.now());
            let (owner, length) = (writer.owner.clone(), data.len());
            let wrap = move || envelope::wrap(&owner, &data, format, previous.as_deref(), now);
            let bytes = apart(length, wrap).await?;
            writer.store.save(bytes, expected.as_deref()).await
        }))
    }
}

/// A state may be so large that others would be kept from their turn while it is taken apart or
/// put together.
async fn apart<T: Send + 'static>(
    bytes: usize,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    if bytes < LARGE {
        return work();
    }
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|ended| Err(StoreError::Unavailable(ended.into())))
}
