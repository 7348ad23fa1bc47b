//! The lease of a state in a file: a lock of the operating system's, which is freed when
//! its holder dies. The file around it says for people who holds it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::Path;

use anyhow::anyhow;
use chrono::{SecondsFormat, Utc};

use super::StoreError;

/// How much of a lease file is read for a message, in bytes.
const HOLDER_MAX: u64 = 200;

/// Held as long as it lives. The file stays behind, as removing it would race with the
/// next holder.
pub(super) struct FileLease {
    _locked: File,
}

impl FileLease {
    /// Takes the lease, or says who has it.
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
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(held(path, &mut file)),
            Err(TryLockError::Error(cause)) => {
                return Err(StoreError::io("locking the lease", path, cause));
            }
        }
        write_holder(&mut file)
            .map_err(|cause| StoreError::io("writing the lease", path, cause))?;
        Ok(Self { _locked: file })
    }
}

fn write_holder(file: &mut File) -> io::Result<()> {
    let since = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
    file.set_len(0)?;
    writeln!(file, "process {} since {since}", std::process::id())?;
    file.sync_all()
}

fn held(path: &Path, file: &mut File) -> StoreError {
    let mut holder = String::new();
    // The holder may not have written its name yet; that it holds the lock is enough.
    let read = file.take(HOLDER_MAX).read_to_string(&mut holder);
    let holder = match (read, holder.trim()) {
        (Ok(_), name) if !name.is_empty() => name,
        _ => "a process that has not said its name",
    };
    let path = path.display();
    StoreError::Conflict(anyhow!(
        "the state is in use, its lease {path} is held by {holder}: stop that process, or choose another state_id"
    ))
}
