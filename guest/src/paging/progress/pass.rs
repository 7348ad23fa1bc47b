//! A pass: one read of a slice, to the horizon, that may take many pages and several polls.

use serde::{Deserialize, Serialize};

use super::Seen;
use crate::key::Key;
use crate::paging::Read;
use crate::paging::context::Context;

/// One read of a slice, to the horizon.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pass {
    /// None while one search may be all of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub context: Option<Context>,
    /// Where it ends, exclusive: at the cycle's horizon.
    pub to: Key,
    /// The edge keeps what is delivered from here on, settled or not, as far as it can.
    pub keep_from: Key,
    /// Where it began. All its pages ask for the same documents, so that a cluster that keeps
    /// what it worked out for one can use it.
    pub from: Key,
    /// Set while a segment is read again: where it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Key>,
    /// Where the last page ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Key>,
    /// What the first page counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// How many documents it met.
    #[serde(default)]
    pub met: u64,
    /// How many hits its pages had, repeated ones included.
    #[serde(default)]
    pub hits: u64,
    /// How often this segment was read again.
    #[serde(default)]
    pub rereads: u32,
    /// Hits asked for; more than configured where a page brought nothing new.
    pub size: u64,
    /// A page of so many hits brought nothing new; 0 where the last one did.
    #[serde(default)]
    pub too_few: u64,
}

impl Pass {
    /// Nothing from here on was met yet.
    pub(super) fn begin_again(&mut self, from: Key) {
        self.from = from;
        (self.after, self.total, self.met, self.hits) = (None, None, 0, 0);
    }

    /// Where it ends, or the segment that is read again.
    pub fn end(&self) -> Key {
        self.until.as_ref().unwrap_or(&self.to).clone()
    }

    /// Whether its pages are those of a scroll.
    pub fn in_scroll(&self) -> bool {
        matches!(self.context, Some(Context::Scroll(_)))
    }

    /// What it has read so far.
    pub fn read(&self) -> Read {
        self.read_with(&[])
    }

    pub(super) fn read_with(&self, hits: &[Seen]) -> Read {
        Read {
            after: hits
                .last()
                .map(|seen| &seen.key)
                .or(self.after.as_ref())
                .cloned(),
            hits: self.hits + hits.len() as u64,
        }
    }
}
