//! `[cache]`: where compiled components are kept.

use std::path::PathBuf;

use super::section::Section;
use super::value::{flag, size, text};

/// `[cache]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cache {
    /// Whether anything is kept; yes by default.
    pub enabled: bool,
    /// The folder; by default one in that of the user's caches.
    pub path: Option<PathBuf>,
    /// How much is kept, in bytes, 1 MiB to 1 TiB; 256 MiB by default.
    pub max_size: u64,
}

pub(super) fn read(section: &Section<'_>) -> Cache {
    let max_size = section.optional("max_size", size(1 << 20..=1 << 40));
    Cache {
        enabled: section.optional("enabled", flag).unwrap_or(true),
        path: section.optional("path", text).map(PathBuf::from),
        max_size: max_size.unwrap_or(256 << 20),
    }
}
