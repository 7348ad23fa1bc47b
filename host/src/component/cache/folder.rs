//! A folder that belongs to this user alone, and its files.

use std::fs::{self, DirBuilder, Metadata, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, ensure};
use rustix::fs::OFlags;
use rustix::process::geteuid;

use super::entry::EXTENSION;
use crate::io_remedy::remedy;

/// Larger entries are no compiled components, in bytes.
const ENTRY_MAX: u64 = 1024 * 1024 * 1024;
/// Permissions of others to write.
const WRITABLE: u32 = 0o022;
/// After so long, a file that is still being written never will be.
const ABANDONED: Duration = Duration::from_secs(24 * 60 * 60);
/// What files that are being written begin with.
const UNFINISHED: &str = ".unfinished-";

#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    pub(super) fn open(path: &Path) -> anyhow::Result<Self> {
        let shown = path.display();
        let created = DirBuilder::new().recursive(true).mode(0o700).create(path);
        created.map_err(|cause| {
            let remedy = remedy(cause.kind(), "path in [cache]");
            anyhow::Error::from(cause).context(format!("creating cache folder {shown}: {remedy}"))
        })?;
        let metadata =
            fs::metadata(path).with_context(|| format!("looking at cache folder {shown}"))?;
        ensure!(
            is_own(&metadata),
            "cache folder {shown} can be written by others, who could make this program run their code: take their permission, as with chmod 700, or choose another path in [cache]"
        );
        Ok(Self(path.to_owned()))
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The bytes of a file, if there is one.
    ///
    /// # Errors
    /// If it can not be read, or others may have written it.
    pub(super) fn read(&self, name: &str) -> anyhow::Result<Option<Vec<u8>>> {
        let mut options = OpenOptions::new();
        let flags = OFlags::NOFOLLOW.bits().cast_signed();
        let opened = options.read(true).custom_flags(flags).open(self.path(name));
        let file = match opened {
            Err(cause) if cause.kind() == ErrorKind::NotFound => return Ok(None),
            opened => opened?,
        };
        let metadata = file.metadata()?;
        let trusted = metadata.is_file() && metadata.nlink() == 1 && is_own(&metadata);
        ensure!(trusted, "it can be written by others");
        ensure!(metadata.len() <= ENTRY_MAX, "it is too large");
        let mut bytes = Vec::new();
        (&file).take(ENTRY_MAX).read_to_end(&mut bytes)?;
        // What is used stays longest; where the time can not be set, it is that of the write.
        file.set_modified(SystemTime::now()).ok();
        Ok(Some(bytes))
    }

    /// Writes a file, whole or not at all; a crash may leave one that is found damaged.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> anyhow::Result<()> {
        let mut file = tempfile::Builder::new()
            .prefix(UNFINISHED)
            .tempfile_in(&self.0)?;
        file.write_all(bytes)?;
        file.persist(self.path(name))?;
        Ok(())
    }

    pub(super) fn remove(&self, name: &str) {
        if let Err(error) = fs::remove_file(self.path(name)) {
            tracing::warn!(error = error.to_string(), name, "it can not be removed");
        }
    }

    /// Removes the entries that were not used for longest until the others are small enough,
    /// and what was never finished.
    pub(super) fn shrink(&self, max_size: u64) -> anyhow::Result<()> {
        let mut entries = Vec::new();
        for entry in fs::read_dir(&self.0)? {
            let path = entry?.path();
            let Ok(metadata) = fs::symlink_metadata(&path) else {
                continue;
            };
            let used = metadata.modified()?;
            if path
                .extension()
                .is_some_and(|extension| extension == EXTENSION)
            {
                entries.push((used, metadata.len(), path));
            } else if is_abandoned(&path, used) {
                fs::remove_file(path)?;
            }
        }
        entries.sort();
        let mut size: u64 = entries.iter().map(|(_, length, _)| length).sum();
        for (_, length, path) in entries {
            if size <= max_size {
                break;
            }
            fs::remove_file(path)?;
            size -= length;
        }
        Ok(())
    }
}

fn is_own(metadata: &Metadata) -> bool {
    metadata.uid() == geteuid().as_raw() && metadata.mode() & WRITABLE == 0
}

fn is_abandoned(path: &Path, used: SystemTime) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    let old = used.elapsed().is_ok_and(|age| age > ABANDONED);
    old && name.is_some_and(|name| name.starts_with(UNFINISHED))
}
