//! What is done to the files of states.
//!
//! A save writes a temporary file beside the state, syncs it, renames it over the state and
//! syncs the folder, as Iggy's connector runtime does for its own states; whatever
//! happens in between, the state is the old one or the new one. A revision is a hash of
//! the content, so that a file that somebody else changed is noticed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::lock::FileLock;
use crate::state_store::{
    LISTED_MAX, Listed, STATE_MAX, StoreError, Stored, aside, check_aside, check_id, check_size,
    check_stored, too_many,
};

/// A folder, and maybe the lock of one state in it.
pub(super) struct Folder {
    folder: PathBuf,
    /// Held while a state is compared and swapped.
    swapping: Mutex<()>,
    lock: Option<FileLock>,
}

impl Folder {
    pub(super) fn open(folder: PathBuf, locked: Option<&str>) -> Result<Self, StoreError> {
        let absolute = std::path::absolute(&folder);
        let folder =
            absolute.map_err(|cause| StoreError::io("finding the state folder", &folder, cause))?;
        let mut opened = Self {
            folder,
            swapping: Mutex::new(()),
            lock: None,
        };
        if let Some(name) = locked {
            create_folder(&opened.folder).map_err(|cause| {
                StoreError::io("creating the state folder", &opened.folder, cause)
            })?;
            opened.lock = Some(FileLock::take(&opened.lock_of(name))?);
            opened.try_to_write(name)?;
        }
        Ok(opened)
    }

    pub(super) fn lock_of(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.lease"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json"))
    }

    fn temporary(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.json.tmp"))
    }

    pub(super) fn place(&self, name: &str) -> String {
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

    pub(super) fn load(&self, name: &str) -> Result<Option<Stored>, StoreError> {
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

    pub(super) fn save(
        &self,
        name: &str,
        bytes: &[u8],
        expected: Option<&str>,
    ) -> Result<String, StoreError> {
        check_size(&self.place(name), bytes)?;
        let _swapping = self.begin_swap()?;
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

    pub(super) fn remove(&self, name: &str, expected: &str) -> Result<(), StoreError> {
        let _swapping = self.begin_swap()?;
        let stored = self.load(name)?.map(|stored| stored.revision);
        self.check(name, stored.as_deref(), Some(expected))?;
        let path = self.path(name);
        fs::remove_file(&path)
            .and_then(|()| sync_folder(&self.folder))
            .map_err(|cause| StoreError::io("removing the state", &path, cause))
    }

    /// Returns the place where it is now.
    pub(super) fn set_aside(
        &self,
        name: &str,
        expected: Option<&str>,
    ) -> Result<String, StoreError> {
        let _swapping = self.begin_swap()?;
        check_aside(&self.place(name), self.load(name), expected)?;
        let (path, kept) = (
            self.path(name),
            self.folder.join(aside(&format!("{name}.json"))),
        );
        fs::rename(&path, &kept)
            .and_then(|()| sync_folder(&self.folder))
            .map_err(|cause| StoreError::io("setting aside the state", &path, cause))?;
        Ok(format!("file {}", kept.display()))
    }

    /// Makes sure that other processes still meet the lock, where there is one.
    pub(super) fn confirm(&self) -> Result<(), StoreError> {
        self.lock.as_ref().map_or(Ok(()), FileLock::confirm)
    }

    fn begin_swap(&self) -> Result<MutexGuard<'_, ()>, StoreError> {
        let swapping = self.swapping.lock().unwrap_or_else(PoisonError::into_inner);
        self.confirm()?;
        Ok(swapping)
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

    pub(super) fn list(&self) -> Result<Vec<Listed>, StoreError> {
        let unreadable = |cause| StoreError::io("listing the states in", &self.folder, cause);
        let mut states = Vec::new();
        let entries = match fs::read_dir(&self.folder) {
            // It is made when a state of it is held.
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(states),
            entries => entries.map_err(unreadable)?,
        };
        for entry in entries {
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
