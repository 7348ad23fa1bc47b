//! When a file that is replaced while it is watched can be taken. Pure, but for [`stamp`].

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// What changes with the content of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: u64,
    length: u64,
    modified: (i64, i64),
    /// Also changes where the time of the content is set back.
    changed: (i64, i64),
}

/// That of this file, `None` if there is none.
pub(super) fn stamp(path: &Path) -> Option<Stamp> {
    let found = std::fs::metadata(path).ok()?;
    Some(Stamp {
        inode: found.ino(),
        length: found.len(),
        modified: (found.mtime(), found.mtime_nsec()),
        changed: (found.ctime(), found.ctime_nsec()),
    })
}

/// What is known of a watched file.
#[derive(Debug, Default)]
pub(super) struct Watched {
    /// What it was at the last look.
    seen: Option<Stamp>,
    /// What it was when it was taken.
    taken: Option<Stamp>,
}

impl Watched {
    /// Whether to take the file, which is this now: it is another one than was taken, and has
    /// not changed since the last look, so that nobody is writing it any more.
    pub(super) fn look(&mut self, now: Option<Stamp>) -> bool {
        let rests = std::mem::replace(&mut self.seen, now) == now;
        rests && now.is_some() && now != self.taken
    }

    /// It was taken as this.
    pub(super) fn take(&mut self, stamp: Option<Stamp>) {
        self.taken = stamp;
    }

    /// It is to be taken again, changed or not.
    pub(super) fn forget(&mut self) {
        self.taken = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(length: u64) -> Option<Stamp> {
        Some(Stamp {
            inode: 1,
            length,
            modified: (0, 0),
            changed: (0, 0),
        })
    }

    #[test]
    fn a_file_is_taken_once_when_it_has_changed_and_rests() {
        let mut watched = Watched::default();
        let rows = [
            (version(1), false),
            (version(1), true),
            (version(1), false),
            (version(2), false),
            (version(3), false),
            (None, false),
            (None, false),
            (version(3), false),
            (version(3), true),
            (version(3), false),
            (version(1), false),
            (version(1), true),
        ];
        for (row, (now, taken)) in rows.into_iter().enumerate() {
            assert_eq!(watched.look(now), taken, "{row}");
            if taken {
                watched.take(now);
            }
        }
        watched.forget();
        assert!(watched.look(version(1)), "somebody asked");
    }
}
