//! A state in a file: `BASE/STATE_ID.json`.
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
use futures::future::{BoxFuture, FutureExt};
use sha2::{Digest, Sha256};

use super::file_lease::FileLease;
use super::{STATE_MAX, StateStore, StoreError, Stored, check_id};

/// A state in a file, held until this is dropped and a save under way has ended.
pub struct FileStore {
    files: Arc<Files>,
}

impl FileStore {
    /// Takes the state of this name in a folder, which is created if need be, and makes
    /// sure that the folder can be written to.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] if another store holds it, with the lease and the holder,
    /// and [`StoreError::Invalid`] if the name is no file name.
    pub async fn open(base_path: &Path, state_id: &str) -> Result<Self, StoreError> {
        check_id(state_id).map_err(|message| StoreError::Invalid(anyhow!(message)))?;
        let (folder, id) = (base_path.to_owned(), state_id.to_owned());
        let files = blocking(move || Files::take(folder, &id)).await?;
        Ok(Self {
            files: Arc::new(files),
        })
    }
}

impl StateStore for FileStore {
    fn load(&self) -> BoxFuture<'_, Result<Option<Stored>, StoreError>> {
        let files = Arc::clone(&self.files);
        blocking(move || files.load()).boxed()
    }

    fn save<'a>(
        &'a self,
        bytes: Bytes,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<String, StoreError>> {
        let files = Arc::clone(&self.files);
        let expected = expected.map(str::to_owned);
        blocking(move || files.save(&bytes, expected.as_deref())).boxed()
    }

    fn describe(&self) -> String {
        self.files.place()
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
    state: PathBuf,
    temporary: PathBuf,
    /// Held while the state is compared and swapped.
    swapping: Mutex<()>,
    _lease: FileLease,
}

impl Files {
    fn take(folder: PathBuf, id: &str) -> Result<Self, StoreError> {
        create_folder(&folder)
            .map_err(|cause| StoreError::io("creating the state folder", &folder, cause))?;
        let lease = FileLease::take(&folder.join(format!("{id}.lease")))?;
        let files = Self {
            state: folder.join(format!("{id}.json")),
            temporary: folder.join(format!("{id}.json.tmp")),
            folder,
            swapping: Mutex::new(()),
            _lease: lease,
        };
        files.try_to_write()?;
        Ok(files)
    }

    fn place(&self) -> String {
        format!("state file {}", self.state.display())
    }

    /// Also removes what a save left behind that was cut off.
    fn try_to_write(&self) -> Result<(), StoreError> {
        let tried = self
            .write_temporary(b"x")
            .and_then(|()| fs::remove_file(&self.temporary));
        tried
            .and_then(|()| sync_folder(&self.folder))
            .map_err(|cause| StoreError::io("writing to the state folder", &self.folder, cause))
    }

    fn load(&self) -> Result<Option<Stored>, StoreError> {
        let file = match File::open(&self.state) {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened.map_err(|cause| self.unreadable(cause))?,
        };
        let mut bytes = Vec::new();
        let limit = STATE_MAX as u64 + 1;
        file.take(limit)
            .read_to_end(&mut bytes)
            .map_err(|cause| self.unreadable(cause))?;
        match bytes.len() {
            0 => Err(StoreError::corrupt(&self.place(), "it is empty")),
            length if length > STATE_MAX => Err(StoreError::corrupt(
                &self.place(),
                format!("it is larger than {STATE_MAX} bytes"),
            )),
            _ => {
                let revision = revision_of(&bytes);
                Ok(Some(Stored {
                    bytes: bytes.into(),
                    revision,
                }))
            }
        }
    }

    fn unreadable(&self, cause: io::Error) -> StoreError {
        StoreError::io("reading the state", &self.state, cause)
    }

    fn save(&self, bytes: &[u8], expected: Option<&str>) -> Result<String, StoreError> {
        if bytes.is_empty() || bytes.len() > STATE_MAX {
            let (place, length) = (self.place(), bytes.len());
            return Err(StoreError::Invalid(anyhow!(
                "{place} takes 1 to {STATE_MAX} bytes, not {length}: this state can not be saved"
            )));
        }
        let _swapping = self.swapping.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = self.load()?.map(|stored| stored.revision);
        let revision = revision_of(bytes);
        let failed = |cause| StoreError::io("saving the state", &self.state, cause);
        if stored.as_ref() == Some(&revision) {
            sync_folder(&self.folder).map_err(failed)?;
            return Ok(revision);
        }
        if stored.as_deref() != expected {
            return Err(self.conflict(stored.as_deref(), expected));
        }
        self.replace(bytes).map_err(failed)?;
        Ok(revision)
    }

    fn conflict(&self, stored: Option<&str>, expected: Option<&str>) -> StoreError {
        let show = |revision: Option<&str>| match revision {
            Some(revision) => format!("revision {}", revision.get(..12).unwrap_or(revision)),
            None => "no state".to_owned(),
        };
        let (place, stored, expected) = (self.place(), show(stored), show(expected));
        StoreError::Conflict(anyhow!(
            "{place} has {stored} where {expected} was expected, so somebody else changed it: see that one process uses it, then start again"
        ))
    }

    fn replace(&self, bytes: &[u8]) -> io::Result<()> {
        self.write_temporary(bytes)?;
        fs::rename(&self.temporary, &self.state)?;
        sync_folder(&self.folder)
    }

    /// A new file always: what was there may be a link to somewhere else.
    fn write_temporary(&self, bytes: &[u8]) -> io::Result<()> {
        match fs::remove_file(&self.temporary) {
            Err(cause) if cause.kind() != ErrorKind::NotFound => return Err(cause),
            _ => {}
        }
        let mut file = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&self.temporary)?;
        file.write_all(bytes)?;
        file.sync_all()
    }
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
