//! The state store, with faults. Every save is checked against the output at once.

use std::sync::{Arc, Mutex};

use anyhow::anyhow;
use bytes::Bytes;
use elasticsearch_source::state_store::{Slot, StateStore, StoreError, Stored};
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::fault::{Effect, Fault, Operation};
use super::invariants;
use super::stage::{Stage, TIMEOUT};

/// What survives the processes: the store behind, and the last state in it.
pub struct Disk {
    store: Slot,
    last: Mutex<Option<Bytes>>,
}

impl Default for Disk {
    fn default() -> Self {
        Self {
            store: Slot::in_memory(),
            last: Mutex::default(),
        }
    }
}

impl Disk {
    /// The state that was saved last.
    pub fn last(&self) -> Option<Bytes> {
        self.last.lock().unwrap().clone()
    }
}

/// One process's way to it.
pub struct SimulatedStore {
    pub stage: Arc<Stage>,
    pub disk: Arc<Disk>,
}

impl SimulatedStore {
    async fn load(&self) -> Result<Option<Stored>, StoreError> {
        match self.stage.call(Operation::Load, "").await {
            None => self.disk.store.load().await,
            Some(fault) => self.fail(fault).await,
        }
    }

    async fn save(&self, bytes: Bytes, expected: Option<&str>) -> Result<String, StoreError> {
        let fault = self.stage.call(Operation::Save, "").await;
        match fault {
            None => self.swap(bytes, expected).await,
            Some(fault) => {
                if let Fault::Error(Effect::Before)
                | Fault::Hang(Effect::Before)
                | Fault::Kill(Effect::Before) = fault
                {
                    self.swap(bytes, expected).await?;
                }
                self.fail(fault).await
            }
        }
    }

    async fn swap(&self, bytes: Bytes, expected: Option<&str>) -> Result<String, StoreError> {
        let revision = self.disk.store.save(bytes.clone(), expected).await?;
        let before = self.disk.last.lock().unwrap().replace(bytes.clone());
        invariants::check_save(&self.stage, before.as_deref(), &bytes);
        Ok(revision)
    }

    async fn fail<T>(&self, fault: Fault) -> Result<T, StoreError> {
        match fault {
            Fault::Kill(_) => self.stage.die().await,
            Fault::Hang(_) => tokio::time::sleep(TIMEOUT).await,
            _ => {}
        }
        Err(StoreError::Unavailable(anyhow!("the store has trouble")))
    }
}

impl StateStore for SimulatedStore {
    fn load(&self) -> BoxFuture<'_, Result<Option<Stored>, StoreError>> {
        self.load().boxed()
    }

    fn save<'a>(
        &'a self,
        bytes: Bytes,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<String, StoreError>> {
        self.save(bytes, expected).boxed()
    }

    fn describe(&self) -> String {
        "the simulated store".to_owned()
    }
}
