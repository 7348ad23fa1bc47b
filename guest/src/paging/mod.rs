//! The ways of reading, one file each, over the same progress: what is delivered, what is
//! settled, what a page brings.
//!
//! Pure: nothing here fetches, publishes, saves or looks at a clock.

pub mod context;
pub mod document_id;
pub mod late;
pub mod minutes;
pub mod offset;
pub mod progress;
pub mod reslice;
pub mod scroll;
pub mod sightings;
pub mod slices;
pub mod timestamp;

use crate::key::Key;
use context::Begin;

/// The largest page that Elasticsearch and OpenSearch answer by default (`index.max_result_window`).
pub const PAGE_MAX: u64 = 10_000;

/// A way of reading.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pagination {
    /// See [`timestamp`].
    Timestamp,
    /// See [`document_id`].
    DocumentId,
    /// See [`scroll`].
    Scroll,
    /// See [`offset`].
    Offset,
}

impl Pagination {
    /// Where a page begins in a point in time, after what was read.
    pub fn begin(self, read: Read) -> Begin {
        match self {
            Self::Timestamp | Self::DocumentId | Self::Scroll => timestamp::begin(read),
            Self::Offset => offset::begin(read),
        }
    }
}

/// What a pass has read so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Read {
    /// Where its last page ended.
    pub after: Option<Key>,
    /// How many hits its pages had, repeated ones included.
    pub hits: u64,
}

impl Read {
    /// Nothing yet.
    pub const NOTHING: Self = Self {
        after: None,
        hits: 0,
    };
}
