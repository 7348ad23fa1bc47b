//! The records of states, with faults. Every save is checked against the output at once.

use std::sync::{Arc, Mutex};

use anyhow::anyhow;
use bytes::Bytes;
use elasticsearch_source::state_store::{Listed, MemoryRecords, Records, StoreError, Stored};
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::fault::{Effect, Fault, Operation};
use super::invariants;
use super::stage::{Stage, TIMEOUT};

/// What survives the processes: the records behind, and the last state in them.
#[derive(Default)]
pub struct Disk {
    records: MemoryRecords,
    last: Mutex<Option<Bytes>>,
}

impl Disk {
    /// The state that was saved last.
    pub fn last(&self) -> Option<Bytes> {
        self.last.lock().unwrap().clone()
    }
}

/// One process's way to it.
pub struct SimulatedRecords {
    pub stage: Arc<Stage>,
    pub disk: Arc<Disk>,
}

impl SimulatedRecords {
    async fn load(&self, name: &str) -> Result<Option<Stored>, StoreError> {
        match self.stage.call(Operation::Load, "").await {
            None => self.disk.records.load(name).await,
            Some(fault) => self.fail(fault).await,
        }
    }

    async fn save(
        &self,
        name: &str,
        bytes: Bytes,
        expected: Option<&str>,
    ) -> Result<String, StoreError> {
        let fault = self.stage.call(Operation::Save, "").await;
        match fault {
            None => self.swap(name, bytes, expected).await,
            Some(fault) => {
                if let Fault::Error(Effect::Before)
                | Fault::Hang(Effect::Before)
                | Fault::Kill(Effect::Before) = fault
                {
                    self.swap(name, bytes, expected).await?;
                }
                self.fail(fault).await
            }
        }
    }

    async fn swap(
        &self,
        name: &str,
        bytes: Bytes,
        expected: Option<&str>,
    ) -> Result<String, StoreError> {
        let saved = self.disk.records.save(name, bytes.clone(), expected);
        let revision = saved.await?;
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

impl Records for SimulatedRecords {
    fn load<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        self.load(name).boxed()
    }

    fn save<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<String, StoreError>> {
        self.save(name, bytes, expected).boxed()
    }

    /// No source does.
    fn remove<'a>(
        &'a self,
        name: &'a str,
        expected: &'a str,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.disk.records.remove(name, expected)
    }

    /// No source does.
    fn set_aside<'a>(
        &'a self,
        name: &'a str,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        self.disk.records.set_aside(name, expected)
    }

    /// No source does.
    fn list(&self) -> BoxFuture<'_, Result<Vec<Listed>, StoreError>> {
        self.disk.records.list()
    }

    fn describe(&self, _: &str) -> String {
        "the simulated store".to_owned()
    }
}
