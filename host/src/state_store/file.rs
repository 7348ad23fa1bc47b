//! States in files: `BASE/NAME.json`.
//!
//! A save writes a temporary file beside it, syncs it, renames it over the state and
//! syncs the folder, as Iggy's connector runtime does for its own states; whatever
//! happens in between, the state is the old one or the new one. A revision is a hash of
//! the content, so that a file that somebody else changed is noticed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::anyhow;
use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures::future::{BoxFuture, FutureExt};
use sha2::{Digest, Sha256};

use super::file_lock::{self, FileLock};
use super::{
    LISTED_MAX, Listed, Records, STATE_MAX, StoreError, Stored, check_id, check_size, check_stored,
    too_many,
};

/// The records of a folder.
#[derive(Clone)]
pub struct FileRecords {
    files: Arc<Files>,
}

impl FileRecords {
    /// The states in a folder, which is created if need be. Nothing keeps others from them.
    ///
    /// # Errors
    /// What the operating system refuses.
    pub async fn open(base_path: &Path) -> Result<Self, StoreError> {
        let folder = base_path.to_owned();
        Self::with(move || Files::open(folder, None)).await
    }

    /// The same, with the lock of one state, which is held until this is dropped and a save
    /// under way has ended. Makes sure that the folder can be written to.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another process holds it, with the lock and the holder.
    pub async fn lock(base_path: &Path, state_id: &str) -> Result<Self, StoreError> {
        let (folder, name) = (base_path.to_owned(), state_id.to_owned());
        Self::with(move || Files::open(folder, Some(&name))).await
    }

    async fn with(
        open: impl FnOnce() -> Result<Files, StoreError> + Send + 'static,
    ) -> Result<Self, StoreError> {
        let files = Arc::new(blocking(open).await?);
        Ok(Self { files })
    }

    /// Who holds a state, if somebody does.
    ///
    /// # Errors
    /// What the operating system refuses.
    pub async fn holder(&self, state_id: &str) -> Result<Option<String>, StoreError> {
        let lock = self.files.lock_of(state_id);
        blocking(move || file_lock::holder(&lock)).await
    }

    async fn work<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce(&Files, &str) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (files, name) = (Arc::clone(&self.files), name.to_owned());
        blocking(move || work(&files, &name)).await
    }
}

impl Records for FileRecords {
    fn load<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        self.work(name, |files, name| files.load(name)).boxed()
    }

    fn save<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<String, StoreError>> {
        let expected = expected.map(str::to_owned);
        self.work(name, move |files, name| {
            files.save(name, &bytes, expected.as_deref())
        })
        .boxed()
    }

    fn remove<'a>(
        &'a self,
        name: &'a str,
        expected: &'a str,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        let expected = expected.to_owned();
        self.work(name, move |files, name| files.remove(name, &expected))
            .boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Listed>, StoreError>> {
        self.work("", |files, _| files.list()).boxed()
    }

    fn describe(&self, name: &str) -> String {
        self.files.place(name)
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

struct Files {
    folder: PathBuf,
    /// Held while a state is compared and swapped.
    swapping: Mutex<()>,
    _lock: Option<FileLock>,
}

impl Files {
    fn open(folder: PathBuf, locked: Option<&str>) -> Result<Self, StoreError> {
        create_folder(&folder)
            .map_err(|cause| StoreError::io("creating the state folder", &folder, cause))?;
        let mut files = Self {
            folder,
            swapping: Mutex::new(()),
            _lock: None,
        };
        if let Some(name) = locked {
            files._lock = Some(FileLock::take(&files.lock_of(name))?);
            files.try_to_write(name)?;
        }
        Ok(files)
    }

    fn lock_of(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.lease"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }

    fn temporary(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json.tmp"))
    }

    fn place(&self, name: &str) -> String {
        format!("state file {}", self.path(name).display())
    }

    /// Also removes what a save left behind that was cut off.
    fn try_to_write(&self, name: &str) -> Result<(), StoreError> {
        let temporary = self.temporary(name);
        let tried = write_temporary(&temporary, b"x").and_then(|()| fs::remove_file(&temporary));
        tried
            .and_then(|()| sync_folder(&self.folder))
            .map_err(|cause| StoreError::io("writing to the state folder", &self.folder, cause))
    }

    fn load(&self, name: &str) -> Result<Option<Stored>, StoreError> {
        let path = self.path(name);
        let unreadable = |cause| StoreError::io("reading the state", &path, cause);
        let file = match File::open(&path) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(unreadable)?,
        };
        let mut bytes = Vec::new();
        let limit = STATE_MAX as u64 + 1;
        file.take(limit)
            .read_to_end(&mut bytes)
            .map_err(unreadable)?;
        let revision = revision_of(&bytes);
        check_stored(&self.place(name), bytes.into(), revision).map(Some)
    }

    fn save(&self, name: &str, bytes: &[u8], expected: Option<&str>) -> Result<String, StoreError> {
        check_size(&self.place(name), bytes)?;
        let _swapping = self.swapping.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = self.load(name)?.map(|stored| stored.revision);
        let revision = revision_of(bytes);
        let failed = |cause| StoreError::io("saving the state", &self.path(name), cause);
        if stored.as_ref() == Some(&revision) {
            // The save that left these bytes may have failed before this.
            sync_folder(&self.folder).map_err(failed)?;
            return Ok(revision);
        }
        self.check(name, stored.as_deref(), expected)?;
        self.replace(name, bytes).map_err(failed)?;
        Ok(revision)
    }

    fn remove(&self, name: &str, expected: &str) -> Result<(), StoreError> {
        let _swapping = self.swapping.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = self.load(name)?.map(|stored| stored.revision);
        self.check(name, stored.as_deref(), Some(expected))?;
        let path = self.path(name);
        fs::remove_file(&path)
            .and_then(|()| sync_folder(&self.folder))
            .map_err(|cause| StoreError::io("removing the state", &path, cause))
    }

    fn check(
        &self,
        name: &str,
        stored: Option<&str>,
        expected: Option<&str>,
    ) -> Result<(), StoreError> {
        match stored == expected {
            true => Ok(()),
            false => Err(StoreError::conflict(&self.place(name), stored, expected)),
        }
    }

    fn replace(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let temporary = self.temporary(name);
        write_temporary(&temporary, bytes)?;
        fs::rename(&temporary, self.path(name))?;
        sync_folder(&self.folder)
    }

    fn list(&self) -> Result<Vec<Listed>, StoreError> {
        let unreadable = |cause| StoreError::io("listing the states in", &self.folder, cause);
        let mut states = Vec::new();
        for entry in fs::read_dir(&self.folder).map_err(unreadable)? {
            let listed = listed(&entry.map_err(unreadable)?).map_err(unreadable)?;
            states.extend(listed);
            if states.len() > LISTED_MAX {
                let place = format!("state folder {}", self.folder.display());
                return Err(too_many(&place));
            }
        }
        states.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(states)
    }
}

/// What is said of a file if it is that of a state.
fn listed(entry: &fs::DirEntry) -> io::Result<Option<Listed>> {
    let file_name = entry.file_name();
    let name = file_name
        .to_str()
        .and_then(|name| name.strip_suffix(".json"));
    let Some(name) = name.filter(|name| check_id(name).is_ok()) else {
        return Ok(None);
    };
    let metadata = entry.metadata()?;
    let changed = metadata.modified().ok().map(DateTime::<Utc>::from);
    Ok(metadata.is_file().then(|| Listed {
        name: name.to_owned(),
        bytes: Some(metadata.len()),
        changed,
    }))
}

/// A new file always: what was there may be a link to somewhere else.
fn write_temporary(temporary: &Path, bytes: &[u8]) -> io::Result<()> {
    match fs::remove_file(temporary) {
        Err(cause) if cause.kind() != ErrorKind::NotFound => return Err(cause),
        _ => {}
    }
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(temporary)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn revision_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Creates a folder and those above it, each durable in the one above.
fn create_folder(folder: &Path) -> io::Result<()> {
    if folder.as_os_str().is_empty() || folder.is_dir() {
        return Ok(());
    }
    let above = folder.parent().unwrap_or(Path::new(""));
    create_folder(above)?;
    match fs::create_dir(folder) {
        Err(cause) if cause.kind() != ErrorKind::AlreadyExists || !folder.is_dir() => Err(cause),
        _ => sync_folder(above),
    }
}

fn sync_folder(folder: &Path) -> io::Result<()> {
    let folder = if folder.as_os_str().is_empty() {
        Path::new(".")
    } else {
        folder
    };
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests;
