//! Records with troubles, for tests: one process's way to what several may share.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use anyhow::anyhow;
use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{Listed, MemoryRecords, Records, StoreError, Stored};

#[derive(Debug, Clone, Copy, Default)]
pub(super) enum Trouble {
    #[default]
    None,
    /// Nothing arrives.
    Refused,
    /// Takes effect, and no answer comes back.
    AnswerLost,
    /// Takes effect, and whoever called goes away.
    Dropped,
}

/// See the module.
#[derive(Default)]
pub(super) struct Troubled {
    records: Arc<MemoryRecords>,
    /// Of the next calls.
    next: Mutex<VecDeque<Trouble>>,
    /// Of those after them.
    then: Mutex<Trouble>,
}

impl Troubled {
    pub(super) fn way_to(records: &Arc<MemoryRecords>) -> Arc<Self> {
        Arc::new(Self {
            records: Arc::clone(records),
            ..Self::default()
        })
    }

    pub(super) fn next(&self, troubles: &[Trouble]) {
        self.next.lock().unwrap().extend(troubles);
    }

    /// Whether all of the next calls were made.
    pub(super) fn is_over(&self) -> bool {
        self.next.lock().unwrap().is_empty()
    }

    pub(super) fn then(&self, trouble: Trouble) {
        *self.then.lock().unwrap() = trouble;
    }

    async fn play<T>(&self, call: BoxFuture<'_, Result<T, StoreError>>) -> Result<T, StoreError> {
        let next = self.next.lock().unwrap().pop_front();
        let trouble = next.unwrap_or(*self.then.lock().unwrap());
        let down = || StoreError::Unavailable(anyhow!("down"));
        match trouble {
            Trouble::None => call.await,
            Trouble::Refused => Err(down()),
            Trouble::AnswerLost => call.await.and_then(|_| Err(down())),
            Trouble::Dropped => {
                call.await?;
                std::future::pending().await
            }
        }
    }
}

impl Records for Troubled {
    fn load<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        self.play(self.records.load(name)).boxed()
    }

    fn save<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<String, StoreError>> {
        self.play(self.records.save(name, bytes, expected)).boxed()
    }

    fn remove<'a>(
        &'a self,
        name: &'a str,
        expected: &'a str,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.play(self.records.remove(name, expected)).boxed()
    }

    fn set_aside<'a>(
        &'a self,
        name: &'a str,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        self.play(self.records.set_aside(name, expected)).boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Listed>, StoreError>> {
        self.play(self.records.list()).boxed()
    }

    fn describe(&self, name: &str) -> String {
        self.records.describe(name)
    }
}

/// What a conflict says.
pub(super) fn conflict<T>(result: Result<T, StoreError>) -> String {
    match result {
        Err(StoreError::Conflict(cause)) => cause.to_string(),
        Err(other) => panic!("no conflict: {other}"),
        Ok(_) => panic!("no conflict but a success"),
    }
}
