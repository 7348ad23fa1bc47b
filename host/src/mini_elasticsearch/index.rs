//! One index: its mapping, its settings, and its shards with their documents.
//!
//! Writes take effect at once for reads by id, and become visible to searches with a
//! refresh, as in the real servers.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use bytes::Bytes;

use super::document::Document;
use super::error::Cause;
use super::indexing::{self, Indexed};
use super::mapping::Mapping;
use super::searcher::{Keeps, Searcher};
use super::settings::NO_SEQ_NOS;

/// An index with its documents in memory.
#[derive(Debug)]
pub(super) struct Index {
    pub(super) name: Arc<str>,
    pub(super) uuid: String,
    pub(super) created_ms: i64,
    pub(super) mapping: Arc<Mapping>,
    /// Flat names with `index.` before them, as they were set.
    pub(super) settings: BTreeMap<String, String>,
    pub(super) shards: Vec<Shard>,
    searcher: Option<Arc<Searcher>>,
}

/// A part of an index, with sequence numbers of its own.
#[derive(Debug, Default)]
pub(super) struct Shard {
    by_seq_no: BTreeMap<i64, Arc<Document>>,
    seq_nos: HashMap<Box<str>, i64>,
    next_seq_no: i64,
    visible: Arc<[Arc<Document>]>,
    /// Whether something was written since the last refresh.
    dirty: bool,
}

/// What a write asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Index,
    /// Refused where the id is taken.
    Create,
    Delete,
}

/// A write of one document.
pub(super) struct Write<'a> {
    pub(super) action: Action,
    pub(super) id: &'a str,
    pub(super) routing: Option<&'a str>,
    /// The seq_no that the current version must have.
    pub(super) expected: Option<i64>,
    pub(super) source: Bytes,
}

/// What became of a write.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    /// As it is shown: [`NO_SEQ_NO`] where the index keeps none.
    pub(super) seq_no: i64,
    pub(super) version: u64,
    /// `created`, `updated`, `deleted` or `not_found`.
    pub(super) result: &'static str,
}

/// What is shown in the place of a sequence number that is not kept.
pub(super) const NO_SEQ_NO: i64 = -2;

impl Written {
    pub(super) fn primary_term(&self) -> u8 {
        u8::from(self.seq_no != NO_SEQ_NO)
    }
}

impl Index {
    pub(super) fn new(
        name: &str,
        shards: usize,
        mapping: Mapping,
        settings: BTreeMap<String, String>,
    ) -> Self {
        let created_ms = crate::clock::Clock::system().now().timestamp_millis();
        Self {
            name: name.into(),
            uuid: format!(
                "{:022x}",
                u128::from(hash(name)) << 32 | u128::from(created_ms.unsigned_abs())
            ),
            created_ms,
            mapping: Arc::new(mapping),
            settings,
            shards: std::iter::repeat_with(Shard::default)
                .take(shards)
                .collect(),
            searcher: None,
        }
    }

    /// Where a document with this routing (its id, unless another was given) lives.
    pub(super) fn shard_of(&self, routing: &str) -> usize {
        usize::try_from(hash(routing) % self.shards.len().max(1) as u64).unwrap_or(0)
    }

    /// The shards of routing values, which stand with commas between; all without any.
    pub(super) fn shards_of(&self, routing: Option<&str>) -> BTreeSet<usize> {
        match routing {
            None => (0..self.shards.len()).collect(),
            Some(values) => values
                .split(',')
                .map(|value| self.shard_of(value))
                .collect(),
        }
    }

    pub(super) fn get(&self, id: &str, routing: Option<&str>) -> Option<&Arc<Document>> {
        let shard = self.shards.get(self.shard_of(routing.unwrap_or(id)))?;
        shard.by_seq_no.get(shard.seq_nos.get(id)?)
    }

    pub(super) fn write(&mut self, write: Write<'_>) -> Result<Written, Cause> {
        let number = self.shard_of(write.routing.unwrap_or(write.id));
        let conflict = |reason: String| {
            Cause::new(
                409,
                "version_conflict_engine_exception",
                format!("[{}]: version conflict, {reason}", write.id),
            )
            .with("index", &*self.name)
            .with("index_uuid", &*self.uuid)
            .with("shard", number.to_string())
        };
        let current = self
            .get(write.id, write.routing)
            .map(|document| (document.seq_no, document.version));
        if write.expected.is_some() && !self.keeps_seq_nos() {
            let reason = "Optimistic concurrency control is not supported on indices with sequence numbers disabled";
            return Err(Cause::new(400, "o_c_c_not_supported_exception", reason)
                .with("index", &*self.name)
                .with("index_uuid", &*self.uuid)
                .with("shard", number.to_string()));
        }
        check(&write, current).map_err(conflict)?;
        let indexed = match write.action {
            Action::Delete => None,
            _ => Some(indexing::index(
                Arc::make_mut(&mut self.mapping),
                &write.source,
                write.id,
            )?),
        };
        let version = current.map_or(1, |(_, version)| version + 1);
        let keeps_seq_nos = self.keeps_seq_nos();
        let shard = self
            .shards
            .get_mut(number)
            .ok_or_else(|| Cause::argument("an index without shards"))?;
        let seq_no = shard.next_seq_no;
        let document = indexed.map(|Indexed { doc_count, values }| Document {
            id: write.id.into(),
            routing: write.routing.map(Into::into),
            index: Arc::clone(&self.name),
            seq_no,
            version,
            source: write.source,
            doc_count,
            values,
        });
        let result = match (current.is_some(), document.is_some()) {
            (false, true) => "created",
            (true, true) => "updated",
            (true, false) => "deleted",
            (false, false) => "not_found",
        };
        shard.put(write.id, document);
        Ok(Written {
            seq_no: if keeps_seq_nos { seq_no } else { NO_SEQ_NO },
            version,
            result,
        })
    }

    /// Makes what was written visible to searches, in one shard or in all.
    pub(super) fn refresh(&mut self, only: Option<usize>) {
        for (number, shard) in self.shards.iter_mut().enumerate() {
            if shard.dirty && only.is_none_or(|only| only == number) {
                shard.visible = shard.by_seq_no.values().cloned().collect();
                shard.dirty = false;
                self.searcher = None;
            }
        }
    }

    /// What a search sees now. It stays as it is whatever is written later.
    pub(super) fn searcher(&mut self) -> Arc<Searcher> {
        let (name, uuid, mapping) = (&self.name, &self.uuid, &self.mapping);
        let window = self
            .settings
            .get("index.max_result_window")
            .and_then(|text| text.parse().ok());
        let keeps_seq_nos = self.keeps_seq_nos();
        let shards = &self.shards;
        let current = self.searcher.get_or_insert_with(|| {
            let shards = shards
                .iter()
                .map(|shard| Arc::clone(&shard.visible))
                .collect();
            let keeps = Keeps {
                window: window.unwrap_or(10_000),
                seq_nos: keeps_seq_nos,
            };
            Arc::new(Searcher::new(
                Arc::clone(name),
                uuid.clone(),
                Arc::clone(mapping),
                keeps,
                shards,
            ))
        });
        Arc::clone(current)
    }

    /// Forgets the searcher, as mapping or settings changed.
    pub(super) fn changed(&mut self) {
        self.searcher = None;
    }

    pub(super) fn len(&self) -> usize {
        self.shards.iter().map(|shard| shard.by_seq_no.len()).sum()
    }

    /// Whether sequence numbers can be asked for.
    pub(super) fn keeps_seq_nos(&self) -> bool {
        self.setting(NO_SEQ_NOS, "false") != "true"
    }

    /// A setting as it was set, or the servers' default.
    pub(super) fn setting<'a>(&'a self, name: &str, default: &'a str) -> &'a str {
        self.settings.get(name).map_or(default, String::as_str)
    }
}

impl Shard {
    fn put(&mut self, id: &str, document: Option<Document>) {
        if let Some(old) = self.seq_nos.remove(id) {
            self.by_seq_no.remove(&old);
        }
        if let Some(document) = document {
            self.seq_nos.insert(id.into(), self.next_seq_no);
            self.by_seq_no.insert(self.next_seq_no, Arc::new(document));
        }
        self.next_seq_no += 1;
        self.dirty = true;
    }
}

/// Refuses a write whose conditions do not hold, in the servers' words.
fn check(write: &Write<'_>, current: Option<(i64, u64)>) -> Result<(), String> {
    match (write.action, write.expected, current) {
        (Action::Create, _, Some((_, version))) => Err(format!(
            "document already exists (current version [{version}])"
        )),
        (_, Some(expected), None) => Err(format!(
            "required seqNo [{expected}], primary term [1]. but no document was found"
        )),
        (_, Some(expected), Some((seq_no, _))) if expected != seq_no => Err(format!(
            "required seqNo [{expected}], primary term [1]. current document has seqNo [{seq_no}] and primary term [1]"
        )),
        _ => Ok(()),
    }
}

/// FNV-1a. The servers use another hash; which shard it is has no meaning to a client.
fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}
