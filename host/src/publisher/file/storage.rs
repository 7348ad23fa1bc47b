//! One open, locked file of lines: append with fsync, read ids, repair what was torn.
//!
//! Everything blocks; [`super`] calls it on a thread for that. Only whole lines count:
//! bytes after the last line break are a write that was never acknowledged.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, BufReader, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, anyhow};

use crate::publisher::destination::{AppendError, Committed, TAIL_MAX};
use crate::publisher::ndjson;

const CHUNK: usize = 64 * 1024;

/// The file and the lock on it; both go when this is dropped.
#[derive(Debug)]
pub(super) struct Storage {
    file: File,
    path: PathBuf,
    /// How many bytes are acknowledged. Held through every call, so that one whose caller
    /// has gone ends before the next begins.
    length: Mutex<u64>,
}

impl Storage {
    /// Creates folders and file where missing, takes the lock, and cuts off a torn last
    /// line.
    pub(super) fn open(path: &Path) -> Result<Self, AppendError> {
        let file = create(path)
            .with_context(|| format!("cannot open the output file {}", path.display()))
            .map_err(AppendError::transient)?;
        lock(&file, path)?;
        let (path, length) = (path.to_owned(), Mutex::new(0));
        let storage = Self { file, path, length };
        *storage.length() = storage.cut_torn_line()?;
        Ok(storage)
    }

    /// Appends the lines and returns the new length in bytes. After a failure the file is
    /// as it was, or the outcome is unknown.
    pub(super) fn append(&self, lines: &[u8]) -> Result<u64, AppendError> {
        let mut length = self.length();
        self.check_place()?;
        self.check_length(*length)?;
        let written = (&self.file).write_all(lines);
        if let Err(error) = written.and_then(|()| self.file.sync_data()) {
            let mut failed = self.failed("write to", error);
            if self.cut(*length).is_err() {
                failed.committed = Committed::Unknown;
            }
            return Err(failed);
        }
        *length += lines.len() as u64;
        Ok(*length)
    }

    /// The ids of the lines from a length in bytes on, and the length of the whole.
    /// Everything that stands there then counts as acknowledged.
    pub(super) fn read(&self, from: Option<u64>) -> Result<(Vec<u128>, u64), AppendError> {
        let mut length = self.length();
        self.check_place()?;
        *length = self.cut_torn_line()?;
        let ids = from.map(|from| self.ids(from, *length)).transpose()?;
        Ok((ids.unwrap_or_default(), *length))
    }

    fn length(&self) -> MutexGuard<'_, u64> {
        self.length.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ids(&self, from: u64, length: u64) -> Result<Vec<u128>, AppendError> {
        if length < from {
            return Err(self.gone(from - length));
        }
        self.check_line_start(from)?;
        let ids = self
            .read_ids(from, length)
            .map_err(|error| self.failed("read", error))?;
        ids.ok_or_else(|| {
            let path = self.path.display();
            AppendError::permanent(anyhow!(
                "{path} has more than {TAIL_MAX} messages behind the saved position: save more \
                 often"
            ))
        })
    }

    fn read_ids(&self, from: u64, length: u64) -> io::Result<Option<Vec<u128>>> {
        (&self.file).seek(SeekFrom::Start(from))?;
        let mut reader = BufReader::with_capacity(CHUNK, (&self.file).take(length - from));
        let (mut ids, mut others) = (Vec::new(), 0_u64);
        while let Some(id) = ndjson::next_id(&mut reader)? {
            match id {
                Some(id) if ids.len() < TAIL_MAX => ids.push(id),
                Some(_) => return Ok(None),
                None => others += 1,
            }
        }
        if others > 0 {
            tracing::warn!(path = %self.path.display(), lines = others, "lines without an id were written by somebody else");
        }
        Ok(Some(ids))
    }

    fn check_line_start(&self, from: u64) -> Result<(), AppendError> {
        let Some(before) = from.checked_sub(1) else {
            return Ok(());
        };
        let mut byte = [0];
        self.read_at(before, &mut byte)
            .map_err(|error| self.failed("read", error))?;
        match byte {
            [b'\n'] => Ok(()),
            _ => Err(AppendError::permanent(anyhow!(
                "the saved position {from} is inside a line of {}: another file stands there \
                 now, put the right one back or start with a new state",
                self.path.display()
            ))),
        }
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

    fn check_length(&self, length: u64) -> Result<(), AppendError> {
        let metadata = self.file.metadata();
        let found = metadata
            .map_err(|error| self.failed("look at", error))?
            .len();
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

    /// Returns the length of what is whole.
    fn cut_torn_line(&self) -> Result<u64, AppendError> {
        let cut = || {
            let length = self.file.metadata()?.len();
            let whole = self.whole_lines(length)?;
            if whole < length {
                tracing::warn!(path = %self.path.display(), bytes = length - whole, "a torn last line was cut off");
                self.cut(whole)?;
            }
            Ok(whole)
        };
        cut().map_err(|error| self.failed("repair", error))
    }

    /// The length up to and with the last line break.
    fn whole_lines(&self, length: u64) -> io::Result<u64> {
        let mut end = length;
        while end > 0 {
            let start = end.saturating_sub(CHUNK as u64);
            let mut chunk = vec![0; usize::try_from(end - start).unwrap_or(CHUNK)];
            self.read_at(start, &mut chunk)?;
            if let Some(at) = chunk.iter().rposition(|&byte| byte == b'\n') {
                return Ok(start + at as u64 + 1);
            }
            end = start;
        }
        Ok(0)
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
        let context = format!("cannot {what} the output file {}", self.path.display());
        AppendError::transient(anyhow::Error::new(error).context(context))
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
    file.try_lock().map_err(|error| {
        let path = path.display();
        AppendError::transient(match error {
            TryLockError::WouldBlock => {
                anyhow!("another process writes to {path}: stop it, or choose another path")
            }
            TryLockError::Error(error) => {
                anyhow::Error::new(error).context(format!("cannot lock the output file {path}"))
            }
        })
    })
}
