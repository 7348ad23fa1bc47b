//! Where states are kept: opaque bytes under a name, changed by compare-and-swap.
//!
//! A store knows nothing of what it keeps; [`envelope`] is the document around it. Every
//! backend runs the same contract suite, `tests/state_store_contract.rs`. Nothing here
//! retries, waits, or starts over without a state that is there but unreadable.

pub mod envelope;
mod error;
mod file;
mod file_lease;
mod id;
mod memory;

use bytes::Bytes;
use futures::future::BoxFuture;

pub use error::StoreError;
pub use file::FileStore;
pub use id::check_id;
pub use memory::MemoryStore;

/// The largest state, in bytes.
pub const STATE_MAX: usize = 64 * 1024 * 1024;

/// A state as it was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What was saved.
    pub bytes: Bytes,
    /// What the next save must expect.
    pub revision: String,
}

/// The place of one state. It is held by one store at a time: opening it a second time,
/// from this process or another, is a [`StoreError::Conflict`] while the first is alive.
pub trait StateStore: Send + Sync {
    /// The state, or `None` if none was ever saved.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if something is there that no save left; it is never
    /// `None`, and it stays as it is.
    fn load(&self) -> BoxFuture<'_, Result<Option<Stored>, StoreError>>;

    /// Replaces the state of the expected revision (`None`: that there is none) and
    /// returns its new revision; durable when it returns, and all or nothing always.
    ///
    /// If the very same bytes are stored already, that is a success whatever was
    /// expected: they are those of a save whose answer was lost.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another revision is stored, and
    /// [`StoreError::Invalid`] if the bytes are none or more than [`STATE_MAX`].
    fn save<'a>(
        &'a self,
        bytes: Bytes,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<String, StoreError>>;

    /// The place, for messages.
    fn describe(&self) -> String;
}
