//! The component's part of the configuration: raw keys in, one validated value out.
//!
//! Address, credentials, schedule and storage are the host's and never come here.

mod content;
mod date_math;
mod index;
mod keys;
mod scope;
#[cfg(test)]
mod selection_tests;
#[cfg(test)]
mod tests;
mod ways;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};

use crate::cluster::shards::Slice;
use crate::error::Error;
use crate::paging::{PAGE_MAX, Pagination};
use crate::time::Unit;

pub use content::Content;
use keys::Keys;

/// Every slice has a page under way.
const SLICES_MAX: u64 = 16;
const BATCH_BYTES: u64 = 16 << 20;
const OVERLAP_MS: u64 = 5 * 60_000;
const SCROLL_TIMEOUT_MS: u64 = 5 * 60_000;
/// The sequence number of a document, in its shard.
const SEQUENCE: &str = "_seq_no";
/// The id of a document, in its index.
pub const ID: &str = "_id";
/// The fields of the reference's state; `tracked_fields` may name these.
pub const TRACKABLE: [&str; 9] = [
    "last_poll_timestamp",
    "total_documents_fetched",
    "poll_count",
    "last_document_id",
    "last_scroll_id",
    "last_offset",
    "error_count",
    "last_error",
    "processing_stats",
];

/// What to read, and how.
#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    /// Index, pattern, alias, data stream, or a list of them with commas.
    pub index: String,
    /// The user's query; `match_all` by default.
    pub query: Value,
    /// Fields that the cluster computes in every search, for the query and the content.
    pub runtime_mappings: Option<Value>,
    /// The routing values whose shards are asked, with commas between; all shards by default.
    pub routing: Option<String>,
    /// Which copies of the shards are asked; the cluster's choice by default.
    pub preference: Option<String>,
    /// What of a document is delivered.
    pub content: Content,
    /// How to read.
    pub pagination: Pagination,
    /// How long a scroll outlives the last request that used it, in milliseconds; 5 minutes by
    /// default.
    pub scroll_timeout_ms: u64,
    /// The field that orders the documents. None: their ids or sequence numbers do.
    pub timestamp_field: Option<String>,
    /// The field that holds a growing id, for pagination by document id; `_id` by default.
    pub id_field: Option<String>,
    /// What one step of a field is that is mapped as a whole number, or that it only grows.
    /// None: it is a date.
    pub timestamp_unit: Option<Unit>,
    /// A field whose whole numbers tell documents of one timestamp apart; `_seq_no` by default.
    pub tiebreaker_field: Option<String>,
    /// Where a source without a state begins; at the oldest document by default.
    pub start: Option<Start>,
    /// Documents in a page, 2 to 10,000; 1,000 by default.
    pub batch_size: u64,
    /// Bytes of a page, to which the number of its documents is fitted; 16 MiB by default.
    pub batch_bytes: u64,
    /// How long to wait before a document is old enough to be read, in milliseconds.
    /// None: derived from the refresh interval.
    pub settle_ms: Option<u64>,
    /// How far behind the watermark late documents are looked for that can still be delivered,
    /// in milliseconds; 5 minutes by default.
    pub overlap_ms: u64,
    /// Which shards this process reads, the others being read by others; all by default.
    pub slice: Slice,
    /// How many parts are read side by side, 1 to 16; 1 by default.
    pub slices: u32,
    /// How many documents the edge remembers; 65,536 by default.
    pub edge_max: u64,
    /// Part of every message id; empty by default.
    pub id_namespace: String,
    /// How long to postpone a save, in milliseconds. None: after every poll, and a second.
    pub auto_save_interval_ms: Option<u64>,
    /// How many published messages may wait for a save; 65,536 by default.
    pub unsaved_max: u64,
    /// Which of the reference's fields the state keeps. None: all of them.
    pub tracked_fields: Option<Vec<String>>,
}

/// The timestamp of the oldest document that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// The time of the first open.
    Now,
    /// This one, inclusive.
    At(DateTime<Utc>),
}

impl Config {
    /// Reads the configuration.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] names the first key that is unknown, missing or wrong.
    pub fn parse(json: &str) -> Result<Self, Error> {
        let value: Map<String, Value> = serde_json::from_str(json)
            .map_err(|e| Error::config("", format!("the configuration is no JSON object: {e}")))?;
        let mut keys = Keys {
            prefix: "",
            keys: value,
        };
        let given: Vec<_> = keys.keys.keys().cloned().collect();
        let mut state = keys.table("state")?;
        let pagination = keys.pagination()?;
        let config = Self {
            index: keys.index()?,
            query: keys.query()?,
            runtime_mappings: keys.runtime_mappings()?,
            routing: keys.routing()?,
            preference: keys.preference()?,
            content: keys.content()?,
            pagination,
            scroll_timeout_ms: keys
                .duration("scroll_timeout")?
                .unwrap_or(SCROLL_TIMEOUT_MS),
            timestamp_field: keys.text("timestamp_field")?,
            id_field: keys.text("id_field")?,
            timestamp_unit: keys.timestamp_unit()?,
            tiebreaker_field: keys.text("tiebreaker_field")?,
            start: keys.start()?,
            batch_size: keys.number("batch_size", 2, PAGE_MAX)?.unwrap_or(1_000),
            batch_bytes: keys.bytes("batch_bytes")?.unwrap_or(BATCH_BYTES),
            settle_ms: keys.duration("settle")?,
            overlap_ms: keys.duration("overlap")?.unwrap_or(OVERLAP_MS),
            slice: keys.slice()?,
            slices: keys
                .number("slices", 1, SLICES_MAX)?
                .map_or(1, |slices| slices as u32),
            edge_max: keys.number("edge_max", 1, 1 << 20)?.unwrap_or(65_536),
            id_namespace: keys.text("id_namespace")?.unwrap_or_default(),
            auto_save_interval_ms: state.duration("auto_save_interval")?,
            unsaved_max: state.number("unsaved_max", 1, 1 << 20)?.unwrap_or(65_536),
            tracked_fields: state.tracked_fields()?,
        };
        keys.finish()?;
        state.finish()?;
        config.check(&given)?;
        Ok(config)
    }

    /// The field that orders the documents.
    pub fn order(&self) -> &str {
        match self.pagination {
            Pagination::DocumentId => self.id_field.as_deref().unwrap_or(ID),
            _ => self.timestamp_field.as_deref().unwrap_or(SEQUENCE),
        }
    }

    /// The same, if it is one of the index's own, which a document may lack.
    pub fn field(&self) -> Option<&str> {
        self.id_field.as_deref().or(self.timestamp_field.as_deref())
    }

    /// The key that names that field.
    pub fn field_key(&self) -> &'static str {
        match self.pagination {
            Pagination::DocumentId => "id_field",
            _ => "timestamp_field",
        }
    }

    /// The field that tells documents of one timestamp apart.
    pub fn tiebreaker(&self) -> &str {
        self.tiebreaker_field.as_deref().unwrap_or(SEQUENCE)
    }

    /// What holds between keys, of which these are given.
    fn check(&self, given: &[String]) -> Result<(), Error> {
        if self.edge_max < 2 * self.batch_size {
            let least = 2 * self.batch_size;
            return Err(Error::config(
                "edge_max",
                format!("must be at least {least}, twice batch_size"),
            ));
        }
        self.check_ways(given)?;
        self.check_runtime_mappings()
    }
}
