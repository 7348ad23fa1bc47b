//! States that end with the process: for `enabled = false`, rehearsals and tests.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{Listed, Records, StoreError, Stored, aside, check_aside, check_id, check_size};

/// Records in memory; their revisions are numbers, counted over all of them.
#[derive(Debug, Default)]
pub struct MemoryRecords {
    content: Mutex<Content>,
}

#[derive(Debug, Default)]
struct Content {
    records: BTreeMap<String, Stored>,
    saves: u64,
}

impl MemoryRecords {
    fn content(&self) -> MutexGuard<'_, Content> {
        self.content.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(
        &self,
        content: &Content,
        name: &str,
        expected: Option<&str>,
    ) -> Result<(), StoreError> {
        let stored = content.records.get(name);
        let stored = stored.map(|stored| stored.revision.as_str());
        match stored == expected {
            true => Ok(()),
            false => Err(StoreError::conflict(&self.describe(name), stored, expected)),
        }
    }

    fn swap(&self, name: &str, bytes: Bytes, expected: Option<&str>) -> Result<String, StoreError> {
        check_size(&self.describe(name), &bytes)?;
        let mut content = self.content();
        self.check(&content, name, expected)?;
        content.saves += 1;
        let revision = content.saves.to_string();
        let stored = Stored {
            bytes,
            revision: revision.clone(),
        };
        content.records.insert(name.to_owned(), stored);
        Ok(revision)
    }

    fn delete(&self, name: &str, expected: &str) -> Result<(), StoreError> {
        let mut content = self.content();
        self.check(&content, name, Some(expected))?;
        content.records.remove(name);
        Ok(())
    }

    fn rename(&self, name: &str, expected: Option<&str>) -> Result<Option<String>, StoreError> {
        let mut content = self.content();
        let loaded = Ok(content.records.get(name).cloned());
        let stored = check_aside(&self.describe(name), loaded, expected)?;
        content.records.remove(name);
        Ok(stored.map(|stored| {
            content.records.insert(aside(name), stored);
            self.describe(&aside(name))
        }))
    }

    fn states(&self) -> Vec<Listed> {
        let content = self.content();
        let states = content
            .records
            .iter()
            .filter(|(name, _)| check_id(name).is_ok());
        let listed = states.map(|(name, stored)| Listed {
            name: name.clone(),
            bytes: Some(stored.bytes.len() as u64),
            changed: None,
        });
        listed.collect()
    }
}

impl Records for MemoryRecords {
    fn load<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        async move { Ok(self.content().records.get(name).cloned()) }.boxed()
    }

    fn save<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<String, StoreError>> {
        async move { self.swap(name, bytes, expected) }.boxed()
    }

    fn remove<'a>(
        &'a self,
        name: &'a str,
        expected: &'a str,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        async move { self.delete(name, expected) }.boxed()
    }

    fn set_aside<'a>(
        &'a self,
        name: &'a str,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        async move { self.rename(name, expected) }.boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Listed>, StoreError>> {
        async move { Ok(self.states()) }.boxed()
    }

    fn describe(&self, name: &str) -> String {
        format!("state {name} in memory")
    }
}
