//! What to do about a file that the operating system refused, by the kind of refusal.
//!
//! One table for all that is kept in files: the state and the file output. Whether the
//! same call may work later is for each of them to say.

use std::io::ErrorKind;

/// The remedy, as the end of a message; `setting` is what the user chose the path with,
/// like `base_path`.
pub(crate) fn remedy(kind: ErrorKind, setting: &str) -> String {
    use ErrorKind::{AlreadyExists, InvalidFilename, IsADirectory, NotADirectory};
    use ErrorKind::{PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    match kind {
        PermissionDenied | ReadOnlyFilesystem => {
            format!("let this process write there, or choose another {setting}")
        }
        StorageFull | QuotaExceeded => "make room on that disk".to_owned(),
        AlreadyExists | NotADirectory | IsADirectory | InvalidFilename => {
            format!("check that its folder exists and is writable, or choose another {setting}")
        }
        _ => "check the path, the disk and its mount".to_owned(),
    }
}
