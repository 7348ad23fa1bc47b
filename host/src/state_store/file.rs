//! States in files: `BASE/NAME.json`, each call in a thread that may block.
//!
//! What is done in the folder is in [`folder`], and who may do it in [`lock`].

mod folder;
mod lock;

use std::path::Path;
use std::sync::Arc;

use anyhow::anyhow;
use bytes::Bytes;
use futures::future::{BoxFuture, FutureExt};

use super::{Listed, Records, StoreError, Stored};
use folder::Folder;

/// The records of a folder.
#[derive(Clone)]
pub struct FileRecords {
    folder: Arc<Folder>,
}

impl FileRecords {
    /// The states in a folder, which is created if need be. Nothing keeps others from them.
    ///
    /// # Errors
    /// What the operating system refuses.
    pub async fn open(base_path: &Path) -> Result<Self, StoreError> {
        let folder = base_path.to_owned();
        Self::with(move || Folder::open(folder, None)).await
    }

    /// The same, with the lock of one state, which is held until this is dropped and a save
    /// under way has ended. Makes sure that the folder can be written to.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another process holds it, with the lock and the holder.
    pub async fn lock(base_path: &Path, state_id: &str) -> Result<Self, StoreError> {
        let (folder, name) = (base_path.to_owned(), state_id.to_owned());
        Self::with(move || Folder::open(folder, Some(&name))).await
    }

    async fn with(
        open: impl FnOnce() -> Result<Folder, StoreError> + Send + 'static,
    ) -> Result<Self, StoreError> {
        let folder = Arc::new(blocking(open).await?);
        Ok(Self { folder })
    }

    /// Who holds a state, if somebody does.
    ///
    /// # Errors
    /// What the operating system refuses.
    pub async fn holder(&self, state_id: &str) -> Result<Option<String>, StoreError> {
        let lock = self.folder.lock_of(state_id);
        blocking(move || lock::holder(&lock)).await
    }

    /// Makes sure that others still meet the lock.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if somebody removed its file, and names its new holder.
    pub(super) async fn confirm(&self) -> Result<(), StoreError> {
        self.work("", |folder, _| folder.confirm()).await
    }

    async fn work<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce(&Folder, &str) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (folder, name) = (Arc::clone(&self.folder), name.to_owned());
        blocking(move || work(&folder, &name)).await
    }
}

impl Records for FileRecords {
    fn load<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        self.work(name, |folder, name| folder.load(name)).boxed()
    }

    fn save<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<String, StoreError>> {
        let expected = expected.map(str::to_owned);
        self.work(name, move |folder, name| {
            folder.save(name, &bytes, expected.as_deref())
        })
        .boxed()
    }

    fn remove<'a>(
        &'a self,
        name: &'a str,
        expected: &'a str,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let expected = expected.to_owned();
        self.work(name, move |folder, name| folder.remove(name, &expected))
            .boxed()
    }

    fn set_aside<'a>(
        &'a self,
        name: &'a str,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        let expected = expected.map(str::to_owned);
        self.work(name, move |folder, name| {
            folder.set_aside(name, expected.as_deref()).map(Some)
        })
        .boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Listed>, StoreError>> {
        self.work("", |folder, _| folder.list()).boxed()
    }

    fn describe(&self, name: &str) -> String {
        self.folder.place(name)
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    let finished = tokio::task::spawn_blocking(work).await;
    finished.unwrap_or_else(|cause| {
        Err(StoreError::Unavailable(
            anyhow!(cause).context("the state store was stopped"),
        ))
    })
}

#[cfg(test)]
mod tests;
