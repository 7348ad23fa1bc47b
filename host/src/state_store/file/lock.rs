//! The lock of a state in a file: one of the operating system's, which is freed when its
//! holder dies. The file around it says for people who holds it.
//!
//! The lock is on the file, not on its name: where somebody removes the file, another process
//! can lock a new one of that name. So its holder looks whether the name is still that of its
//! own file before it changes the state.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::anyhow;

use crate::state_store::{Holder, StoreError};

/// How much of a lock file is read for a message, in bytes.
const HOLDER_MAX: u64 = 400;

/// How often a lock that is held is tried again at once, and after which time.
const ASKED_MAX: usize = 5;
const ASKING: Duration = Duration::from_millis(20);

/// Held as long as it lives. The file stays behind, as removing it would race with the
/// next holder.
pub(super) struct FileLock {
    locked: File,
    path: PathBuf,
}

impl FileLock {
    /// Takes the lock, or says who has it.
    pub(super) fn take(path: &Path) -> Result<Self, StoreError> {
        let io = |cause| StoreError::io("opening the lease", path, cause);
        let mut options = OpenOptions::new();
        let mut file = options
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(io)?;
        match lock(&file) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(path, &mut file)),
            Err(TryLockError::Error(cause)) => {
                return Err(StoreError::io("locking the lease", path, cause));
            }
        }
        write_holder(&mut file)
            .map_err(|cause| StoreError::io("writing the lease", path, cause))?;
        let lock = Self {
            locked: file,
            path: path.to_owned(),
        };
        lock.confirm()?;
        Ok(lock)
    }

    /// Makes sure that whoever else wants the lock meets this one.
    pub(super) fn confirm(&self) -> Result<(), StoreError> {
        let path = &self.path;
        let io = |cause| StoreError::io("looking at the lease", path, cause);
        let own = self.locked.metadata().map_err(io)?;
        let (what, name) = match std::fs::metadata(path) {
            Ok(found) if (found.dev(), found.ino()) == (own.dev(), own.ino()) => return Ok(()),
            Ok(_) => ("replaced", holder(path)?),
            Err(cause) if cause.kind() == ErrorKind::NotFound => ("removed", None),
            Err(cause) => return Err(io(cause)),
        };
        let held = name.map_or_else(String::new, |name| format!(", and is held by {name} now"));
        Err(StoreError::Conflict(anyhow!(
            "the lease {} was {what} while this process held it{held}: see that one process uses the state, then start again",
            path.display()
        )))
    }
}

/// Somebody who only asks who holds it has it for a moment.
fn lock(file: &File) -> Result<(), TryLockError> {
    for _ in 0..ASKED_MAX {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(ASKING),
            locked => return locked,
        }
    }
    file.try_lock()
}

fn write_holder(file: &mut File) -> io::Result<()> {
    file.set_len(0)?;
    writeln!(file, "{}", Holder::this_process())?;
    file.sync_all()
}

fn held(path: &Path, file: &mut File) -> StoreError {
    StoreError::held(&path.display().to_string(), name(file))
}

/// Who holds this lock, if somebody does. There is no way to ask but to take it for a moment,
/// in which somebody else is refused.
pub(super) fn holder(path: &Path) -> Result<Option<String>, StoreError> {
    let mut file = match File::open(path) {
        Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
        opened => opened.map_err(|cause| StoreError::io("opening the lease", path, cause))?,
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(None),
        Err(TryLockError::WouldBlock) => Ok(Some(name(&mut file))),
        Err(TryLockError::Error(cause)) => Err(StoreError::io("locking the lease", path, cause)),
    }
}

fn name(file: &mut File) -> String {
    let mut holder = String::new();
    // The holder may not have written its name yet; that it holds the lock is enough.
    let read = file.take(HOLDER_MAX).read_to_string(&mut holder);
    match (read, holder.trim()) {
        (Ok(_), name) if !name.is_empty() => name.to_owned(),
        _ => "a process that has not said its name".to_owned(),
    }
}
