//! Where states are kept: bytes under a name, changed by compare-and-swap.
//!
//! ```text
//! StateStore: the one state of a source    Slot ── Hold: a lock or a lease, one process at a time
//! Records: named bytes                      ├─ file   redis   elasticsearch   memory
//! ```
//!
//! A backend is [`Records`] and nothing else. What a source gets of it ([`Slot`]), and who
//! may have it ([`States`], the lease), is written once over that trait; [`envelope`] is the
//! document around a state. Every backend runs the same contract suite,
//! `tests/state_store_contract`. Nothing here retries a call, or starts over without a state
//! that is there but unreadable.

mod elasticsearch;
pub mod envelope;
mod error;
mod file;
mod holder;
mod id;
mod lease;
mod locked;
mod memory;
mod numbers;
mod permit;
mod redis;
pub(crate) mod slice;
mod slot;
mod states;
#[cfg(test)]
mod troubled;
mod unanswered;

use anyhow::anyhow;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::future::BoxFuture;

pub use elasticsearch::ElasticsearchRecords;
pub use error::StoreError;
pub use file::FileRecords;
pub use holder::Holder;
pub use id::check_id;
pub use memory::MemoryRecords;
pub use numbers::{Calls, Counted, Numbers, StateNumbers};
pub use permit::{Permit, Refusal};
pub use redis::{RedisConfig, RedisRecords};
pub use slice::Slice;
pub use slot::Slot;
pub use states::{Held, LeaseTerms, OnConflict, States};

/// The largest record, in bytes.
pub const STATE_MAX: usize = 64 * 1024 * 1024;

/// The most records that [`Records::list`] looks through; more is an error.
pub const LISTED_MAX: usize = 10_000;

/// A record as it was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stored {
    /// What was saved.
    pub bytes: Bytes,
    /// What the next save must expect.
    pub revision: String,
}

/// A state that a backend has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: String,
    /// Its size, if the backend tells without reading it.
    pub bytes: Option<u64>,
    /// When it was saved last, likewise; by the backend's clock.
    pub changed: Option<DateTime<Utc>>,
}

/// A place for records: a JSON object of 1 to [`STATE_MAX`] bytes under every name.
///
/// Names are those that [`check_id`] allows, which are states, and the same with `.lease`,
/// `.slices` or `.broken` behind them. Every call is one attempt and has a time limit.
pub trait Records: Send + Sync {
    /// The record of this name, or `None` if there is none.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if something is there that no save left; it is never `None`,
    /// and it stays as it is.
    fn load<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>>;

    /// Replaces the record of the expected revision (`None`: that there is none) and returns
    /// its new revision; durable when it returns, and all or nothing always.
    ///
    /// A revision never comes again, also where the same bytes are saved again, unless it is
    /// a hash of them.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another revision is stored, and [`StoreError::Invalid`]
    /// if the bytes are none or more than [`STATE_MAX`]. After [`StoreError::Unavailable`]
    /// the record is the old one or the new one.
    fn save<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<String, StoreError>>;

    /// Removes the record of the expected revision.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another one is stored, or none.
    fn remove<'a>(
        &'a self,
        name: &'a str,
        expected: &'a str,
    ) -> BoxFuture<'a, Result<(), StoreError>>;

    /// Moves away what is no state, so that there is no record: that of the expected
    /// revision, or for `None` what can not be loaded. It is kept as `NAME.broken`, instead
    /// of what was set aside earlier, if the backend can keep it: then its place is returned.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if something else is there, or nothing.
    fn set_aside<'a>(
        &'a self,
        name: &'a str,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<String>, StoreError>>;

    /// All states, without the other records, in the order of their names.
    ///
    /// # Errors
    /// [`StoreError::Invalid`] if there are more than [`LISTED_MAX`] records.
    fn list(&self) -> BoxFuture<'_, Result<Vec<Listed>, StoreError>>;

    /// The place of a record, for messages; without credentials.
    fn describe(&self, name: &str) -> String;
}

/// The place of one state: all of a store that a source sees.
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
    /// What an earlier save left whose answer was lost counts as what was expected, and so
    /// do the very same bytes.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another revision is stored, or somebody else holds the
    /// state now, and [`StoreError::Invalid`] if the bytes are none or more than
    /// [`STATE_MAX`].
    fn save<'a>(
        &'a self,
        bytes: Bytes,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<String, StoreError>>;

    /// The place, for messages.
    fn describe(&self) -> String;
}

/// Whether these bytes can be a record at all, before a backend writes them.
pub(crate) fn check_size(place: &str, bytes: &[u8]) -> Result<(), StoreError> {
    match bytes.len() {
        1..=STATE_MAX => Ok(()),
        length => Err(StoreError::Invalid(anyhow!(
            "{place} takes 1 to {STATE_MAX} bytes, not {length}: this state can not be saved"
        ))),
    }
}

/// What a backend has read, if it can be a record at all.
fn check_stored(place: &str, bytes: Bytes, revision: String) -> Result<Stored, StoreError> {
    match bytes.len() {
        0 => Err(StoreError::corrupt(place, "it is empty")),
        1..=STATE_MAX => Ok(Stored { bytes, revision }),
        _ => Err(StoreError::too_large(place)),
    }
}

/// The record that is to be set aside, `None` if it is what can not be loaded; `loaded` is
/// what a backend says of its place.
fn check_aside(
    place: &str,
    loaded: Result<Option<Stored>, StoreError>,
    expected: Option<&str>,
) -> Result<Option<Stored>, StoreError> {
    let stored = match loaded {
        Err(StoreError::Corrupt(_)) if expected.is_none() => return Ok(None),
        loaded => loaded?,
    };
    let revision = stored.as_ref().map(|stored| stored.revision.as_str());
    match revision.is_some() && revision == expected {
        true => Ok(stored),
        false => Err(StoreError::conflict(place, revision, expected)),
    }
}

/// Under which name something is set aside.
fn aside(name: &str) -> String {
    format!("{name}.broken")
}

/// The error of a listing that would go on for ever.
fn too_many(place: &str) -> StoreError {
    StoreError::Invalid(anyhow!(
        "{place} holds more than {LISTED_MAX} records: give other things a place of their own"
    ))
}
