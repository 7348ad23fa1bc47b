//! All states of one place, and how a process comes to hold one of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use tokio::task::JoinHandle;

use super::lease::{self, Lease};
use super::locked;
use super::{FileRecords, Permit, Records, Slot, StoreError, check_id};

/// How often taking over is tried while the old holder still saves.
const FENCES_MAX: u32 = 10;

/// What to do when another process holds the state.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// An error that names it.
    #[default]
    Stop,
    /// Stand by until it is gone.
    Wait,
}

/// The lengths of a lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LeaseTerms {
    /// How long it lasts without being renewed.
    pub time: Duration,
    /// How long one request to the output may take; a lease outlives it when it begins.
    pub request: Duration,
}

/// A state that this process holds.
pub struct Held {
    /// The state.
    pub slot: Arc<Slot>,
    /// The right to publish.
    pub permit: Permit,
    /// Ends when slot and permits are dropped and the lease is released, where there is one.
    pub keeper: Option<JoinHandle<()>>,
}

impl Held {
    /// A state in memory, which nobody else can hold.
    pub fn in_memory() -> Self {
        Self {
            slot: Arc::new(Slot::in_memory()),
            permit: Permit::always(),
            keeper: None,
        }
    }

    /// Gives it back, and waits until others can have it: everything else that was made from
    /// it has to be dropped before.
    pub async fn release(self) {
        let Self {
            slot,
            permit,
            keeper,
        } = self;
        drop((slot, permit));
        if let Some(keeper) = keeper {
            // It ends early only where the process does.
            let _ = keeper.await;
        }
    }
}

/// A place for states.
pub struct States {
    records: Arc<dyn Records>,
    exclusion: Exclusion,
}

/// What keeps two processes from holding the same state.
enum Exclusion {
    /// A lock of the operating system's in this folder.
    Lock(PathBuf, FileRecords),
    /// A record beside it.
    Lease(LeaseTerms),
}

impl States {
    /// Those in a folder.
    ///
    /// # Errors
    /// What the operating system refuses.
    pub async fn in_files(base_path: PathBuf) -> Result<Self, StoreError> {
        let files = FileRecords::open(&base_path).await?;
        Ok(Self {
            records: Arc::new(files.clone()),
            exclusion: Exclusion::Lock(base_path, files),
        })
    }

    /// Those in a store that processes share.
    pub fn shared(records: Arc<dyn Records>, terms: LeaseTerms) -> Self {
        Self {
            records,
            exclusion: Exclusion::Lease(terms),
        }
    }

    /// The records of all states, whoever holds them. To change one, hold it first.
    pub fn records(&self) -> &Arc<dyn Records> {
        &self.records
    }

    /// Who holds a state, for messages. Where there are leases, it may have died since.
    ///
    /// # Errors
    /// The backend's.
    pub async fn holder(&self, state_id: &str) -> Result<Option<String>, StoreError> {
        match &self.exclusion {
            Exclusion::Lock(_, files) => files.holder(state_id).await,
            Exclusion::Lease(_) => {
                let holder = lease::holder(self.records.as_ref(), state_id).await?;
                Ok(holder.map(|holder| holder.to_string()))
            }
        }
    }

    /// Takes the state of this name.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] names the holder if there is one that does not end, and
    /// [`StoreError::Invalid`] if no state can have this name.
    pub async fn hold(&self, state_id: &str, on_conflict: OnConflict) -> Result<Held, StoreError> {
        check_id(state_id).map_err(|message| StoreError::Invalid(anyhow!(message)))?;
        self.hold_record(state_id, on_conflict).await
    }

    /// Takes any record.
    pub(super) async fn hold_record(
        &self,
        state_id: &str,
        on_conflict: OnConflict,
    ) -> Result<Held, StoreError> {
        match &self.exclusion {
            Exclusion::Lock(folder, _) => locked::hold(folder, state_id, on_conflict).await,
            Exclusion::Lease(terms) => self.lease(state_id, *terms, on_conflict).await,
        }
    }

    async fn lease(
        &self,
        state_id: &str,
        terms: LeaseTerms,
        on_conflict: OnConflict,
    ) -> Result<Held, StoreError> {
        let records = Arc::clone(&self.records);
        let lease = Lease::acquire(records, state_id, terms, on_conflict).await?;
        if let Err(error) = fence(self.records.as_ref(), state_id).await {
            lease.release().await;
            return Err(error);
        }
        let claim = lease.claim();
        let (permit, keeper) = lease.keep(terms.request);
        let records = Arc::clone(&self.records);
        Ok(Held {
            slot: Arc::new(Slot::leased(records, state_id, claim, permit.clone())),
            permit,
            keeper: Some(keeper),
        })
    }
}

/// Saves the state as it is under a new revision, so that a holder that lost its lease
/// without knowing it can not save any more. Nor can it over what can not be loaded: no save
/// follows that.
async fn fence(records: &dyn Records, state_id: &str) -> Result<(), StoreError> {
    for _ in 0..FENCES_MAX {
        let stored = match records.load(state_id).await {
            Ok(Some(stored)) => stored,
            Ok(None) | Err(StoreError::Corrupt(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        let saved = records.save(state_id, stored.bytes, Some(&stored.revision));
        match saved.await {
            Err(StoreError::Conflict(_)) => {}
            saved => return saved.map(drop),
        }
    }
    let place = records.describe(state_id);
    Err(StoreError::Unavailable(anyhow!(
        "{place} is still being saved by a process whose lease has ended: stop that process"
    )))
}
