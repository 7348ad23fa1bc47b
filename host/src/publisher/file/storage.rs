//! One open, locked file of lines: append with fsync, read ids, cut off what was torn.
//!
//! Everything blocks; [`super`] calls it on a thread for that. Only whole lines count:
//! bytes after the last line break are a write that was never acknowledged. They are cut
//! off only behind a position that was acknowledged, saved or of this run: what stands
//! before it, or in a file of which nothing is known, may be somebody else's.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::anyhow;

use crate::io_remedy::remedy;
use crate::publisher::destination::{AppendError, Committed, Range, TAIL_MAX, Wanted};
use crate::publisher::ndjson;

const CHUNK: usize = 64 * 1024;

/// The file and the lock on it; both go when this is dropped.
#[derive(Debug)]
pub(super) struct Storage {
    file: File,
    path: PathBuf,
    /// How many bytes are acknowledged, once a call has found out; always whole lines.
    acknowledged: Mutex<Option<u64>>,
}

impl Storage {
    /// Creates folders and file where missing and takes the lock; changes nothing in a
    /// file that is there.
    pub(super) fn open(path: &Path) -> Result<Self, AppendError> {
        let file = create(path).map_err(|error| failed("open", path, error))?;
        lock(&file, path)?;
        Ok(Self {
            file,
            path: path.to_owned(),
            acknowledged: Mutex::new(None),
        })
    }

    /// Appends the lines and returns where they stand, in bytes. After a failure the file is
    /// as it was, or the outcome is unknown.
    pub(super) fn append(&self, lines: &[u8]) -> Result<std::ops::Range<u64>, AppendError> {
        let mut acknowledged = self.acknowledged();
        self.check_place()?;
        let length = match *acknowledged {
            Some(length) => length,
            None => self.whole_length()?,
        };
        self.check_length(length)?;
        *acknowledged = Some(length);
        let written = (&self.file).write_all(lines);
        if let Err(error) = written.and_then(|()| self.file.sync_data()) {
            let mut failed = self.failed("write to", error);
            if self.cut(length).is_err() {
                failed.committed = Committed::Unknown;
            }
            return Err(failed);
        }
        let end = length + lines.len() as u64;
        *acknowledged = Some(end);
        Ok(length..end)
    }

    /// The length in bytes. Everything that stands there then counts as acknowledged.
    pub(super) fn length(&self) -> Result<u64, AppendError> {
        let mut acknowledged = self.acknowledged();
        self.check_place()?;
        let length = match *acknowledged {
            Some(least) => self.repair(least, least)?,
            None => self.whole_length()?,
        };
        *acknowledged = Some(length);
        Ok(length)
    }

    /// The wanted ids, and the length. Everything that stands there then counts as
    /// acknowledged. A torn last line is cut off behind what was acknowledged before, and is
    /// a permanent error in a file of which nothing was.
    pub(super) fn read(&self, wanted: &Wanted) -> Result<(Vec<u128>, u64), AppendError> {
        let mut acknowledged = self.acknowledged();
        self.check_place()?;
        let from = wanted.from.first().map_or(0, |from| from.next);
        let length = self.repair(from, acknowledged.map_or(from, |known| known.max(from)))?;
        *acknowledged = Some(length);
        let mut ids = Vec::new();
        for range in wanted.of(0, length) {
            self.check_line_start(range.from)?;
            self.read_ids(range, wanted, &mut ids)
                .map_err(|error| self.failed("read", error))?;
        }
        if ids.len() > TAIL_MAX {
            return Err(AppendError::permanent(anyhow!(
                "{} has more than {TAIL_MAX} messages behind the saved position: save more often",
                self.path.display()
            )));
        }
        Ok((ids, length))
    }

    fn acknowledged(&self) -> MutexGuard<'_, Option<u64>> {
        let locked = self.acknowledged.lock();
        locked.unwrap_or_else(PoisonError::into_inner)
    }

    /// At most one id more than there may be.
    fn read_ids(&self, range: Range, wanted: &Wanted, ids: &mut Vec<u128>) -> io::Result<()> {
        (&self.file).seek(SeekFrom::Start(range.from))?;
        let length = range.to.saturating_sub(range.from);
        let mut reader = BufReader::with_capacity(CHUNK, (&self.file).take(length));
        let mut others = 0_u64;
        while ids.len() <= TAIL_MAX
            && let Some(id) = ndjson::next_id(&mut reader)?
        {
            match id {
                Some(id) => ids.extend(Some(id).filter(|id| wanted.has(*id))),
                None => others += 1,
            }
        }
        if others > 0 {
            tracing::warn!(path = %self.path.display(), lines = others, "lines without an id were written by somebody else");
        }
        Ok(())
    }

    fn check_line_start(&self, from: u64) -> Result<(), AppendError> {
        if self.is_line_start(from)? {
            return Ok(());
        }
        Err(AppendError::permanent(anyhow!(
            "the saved position {from} is inside a line of {}: another file stands there now, \
             put the right one back or start with a new state",
            self.path.display()
        )))
    }

    fn is_line_start(&self, at: u64) -> Result<bool, AppendError> {
        let Some(before) = at.checked_sub(1) else {
            return Ok(true);
        };
        let mut byte = [0];
        self.read_at(before, &mut byte)
            .map_err(|error| self.failed("read", error))?;
        Ok(byte == [b'\n'])
    }

    /// That the open file is still the one at the path.
    fn check_place(&self) -> Result<(), AppendError> {
        if self.is_at_path() {
            return Ok(());
        }
        Err(AppendError::permanent(anyhow!(
            "the output file {} was moved or deleted while in use: put it back and restart",
            self.path.display()
        )))
    }

    fn found_length(&self) -> Result<u64, AppendError> {
        let metadata = self.file.metadata();
        let metadata = metadata.map_err(|error| self.failed("look at", error))?;
        Ok(metadata.len())
    }

    fn check_length(&self, length: u64) -> Result<(), AppendError> {
        let found = self.found_length()?;
        if found < length {
            return Err(self.gone(length - found));
        }
        if found > length {
            return Err(AppendError::unknown(anyhow!(
                "{} has {} bytes that were not acknowledged",
                self.path.display(),
                found - length
            )));
        }
        Ok(())
    }

    #[cfg(unix)]
    fn is_at_path(&self) -> bool {
        use std::os::unix::fs::MetadataExt;
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let open = self.file.metadata().map(identity).ok();
        open.is_some() && open == fs::metadata(&self.path).map(identity).ok()
    }

    #[cfg(not(unix))]
    fn is_at_path(&self) -> bool {
        self.path.exists()
    }

    /// The length of a file of which nothing is acknowledged yet.
    fn whole_length(&self) -> Result<u64, AppendError> {
        let length = self.found_length()?;
        if self.is_line_start(length)? {
            return Ok(length);
        }
        Err(AppendError::permanent(anyhow!(
            "the output file {} does not end with a line break, and no saved state says whose \
             its last line is: finish or remove that line, move the file away, or restore the \
             state that belongs to it",
            self.path.display()
        )))
    }

    /// Cuts off a torn last line behind `least`, which is acknowledged, once all of it and
    /// `from` turned out to fit the file. Returns the length of what is whole.
    fn repair(&self, from: u64, least: u64) -> Result<u64, AppendError> {
        let length = self.found_length()?;
        if length < least {
            return Err(self.gone(least - length));
        }
        self.check_line_start(from)?;
        let whole = self
            .whole_lines(least, length)
            .map_err(|error| self.failed("read", error))?;
        if whole < length {
            tracing::warn!(path = %self.path.display(), bytes = length - whole, "a torn last line was cut off");
            self.cut(whole)
                .map_err(|error| self.failed("repair", error))?;
        }
        Ok(whole)
    }

    /// The length up to and with the last line break, at least `least`.
    fn whole_lines(&self, least: u64, length: u64) -> io::Result<u64> {
        let mut end = length;
        while end > least {
            let start = end.saturating_sub(CHUNK as u64).max(least);
            let mut chunk = vec![0; usize::try_from(end - start).unwrap_or(CHUNK)];
            self.read_at(start, &mut chunk)?;
            if let Some(at) = chunk.iter().rposition(|&byte| byte == b'\n') {
                return Ok(start + at as u64 + 1);
            }
            end = start;
        }
        Ok(least)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        (&self.file).seek(SeekFrom::Start(offset))?;
        (&self.file).read_exact(buffer)
    }

    fn cut(&self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.file.sync_data()
    }

    fn gone(&self, bytes: u64) -> AppendError {
        AppendError::permanent(anyhow!(
            "{bytes} bytes of acknowledged messages are gone from {}: put the file back, \
             or start with a new state",
            self.path.display()
        ))
    }

    fn failed(&self, what: &str, error: io::Error) -> AppendError {
        failed(what, &self.path, error)
    }
}

/// What the operating system refused, what to do about it, and whether waiting may help.
pub(super) fn failed(what: &str, path: &Path, error: io::Error) -> AppendError {
    use io::ErrorKind::{AlreadyExists, InvalidFilename, IsADirectory, NotADirectory};
    use io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
    let kind = error.kind();
    let (path, remedy) = (path.display(), remedy(kind, "[output] path"));
    let context = format!("cannot {what} the output file {path}: {remedy}");
    let cause = anyhow::Error::new(error).context(context);
    match kind {
        AlreadyExists | InvalidFilename | IsADirectory | NotADirectory | PermissionDenied
        | ReadOnlyFilesystem => AppendError::permanent(cause),
        _ => AppendError::transient(cause),
    }
}

fn create(path: &Path) -> io::Result<File> {
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    let file = OpenOptions::new()
        .read(true)
        .append(true)
        .create(true)
        .open(path)?;
    file.sync_all()?;
    // The names of a new file and of new folders are on the disk only after this.
    for parent in folder
        .ancestors()
        .take(3)
        .filter(|parent| !parent.as_os_str().is_empty())
    {
        File::open(parent)?.sync_all()?;
    }
    Ok(file)
}

fn lock(file: &File, path: &Path) -> Result<(), AppendError> {
    file.try_lock().map_err(|error| match error {
        TryLockError::WouldBlock => AppendError::transient(anyhow!(
            "another process writes to {}: stop it, or choose another [output] path",
            path.display()
        )),
        TryLockError::Error(error) => failed("lock", path, error),
    })
}
