//! A state that ends with the process: for `enabled = false`, and for rehearsals.

use std::sync::{Mutex, PoisonError};

use anyhow::anyhow;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{StateStore, StoreError, Stored};

/// One state in memory; its revisions are numbers.
#[derive(Debug, Default)]
pub struct MemoryStore {
    stored: Mutex<Option<(Bytes, u64)>>,
}

impl MemoryStore {
    fn swap(&self, bytes: Bytes, expected: Option<&str>) -> Result<String, StoreError> {
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        let revision = match &*stored {
            Some((same, revision)) if *same == bytes => return Ok(revision.to_string()),
            Some((_, revision)) => Some(*revision),
            None => None,
        };
        if revision.map(|revision| revision.to_string()).as_deref() != expected {
            return Err(StoreError::Conflict(anyhow!(
                "the state in memory has another revision: run one instance only"
            )));
        }
        let next = revision.unwrap_or(0) + 1;
        *stored = Some((bytes, next));
        Ok(next.to_string())
    }
}

impl StateStore for MemoryStore {
    fn load(&self) -> BoxFuture<'_, Result<Option<Stored>, StoreError>> {
        let stored = self
            .stored
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let stored = stored.map(|(bytes, revision)| Stored {
            bytes,
            revision: revision.to_string(),
        });
        async move { Ok(stored) }.boxed()
    }

    fn save<'a>(
        &'a self,
        bytes: Bytes,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<String, StoreError>> {
        async move { self.swap(bytes, expected) }.boxed()
    }

    fn describe(&self) -> String {
        "the state in memory".to_owned()
    }
}
