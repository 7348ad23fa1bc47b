//! One index as a search sees it: documents that no longer change.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use super::document::{Document, FieldValue};
use super::error::Cause;
use super::mapping::Mapping;
use super::matcher::Matcher;

/// The documents of an index at its last refresh.
#[derive(Debug)]
pub(super) struct Searcher {
    pub(super) index: Arc<str>,
    pub(super) uuid: String,
    pub(super) mapping: Arc<Mapping>,
    pub(super) keeps: Keeps,
    /// Documents of each shard by sequence number.
    pub(super) shards: Vec<Arc<[Arc<Document>]>>,
    /// Different for every searcher.
    pub(super) generation: u64,
    columns: Mutex<HashMap<u16, Arc<Column>>>,
}

/// What the settings of an index allow a search.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keeps {
    /// `index.max_result_window`.
    pub(super) window: usize,
    /// Unless `index.disable_sequence_numbers` is set.
    pub(super) seq_nos: bool,
}

/// The values of an integer field in order, each with its document's place.
type Column = Vec<(i64, u32)>;

static GENERATION: AtomicU64 = AtomicU64::new(0);

impl Searcher {
    pub(super) fn new(
        index: Arc<str>,
        uuid: String,
        mapping: Arc<Mapping>,
        keeps: Keeps,
        shards: Vec<Arc<[Arc<Document>]>>,
    ) -> Self {
        let generation = GENERATION.fetch_add(1, Ordering::Relaxed);
        Self {
            index,
            uuid,
            mapping,
            keeps,
            shards,
            generation,
            columns: Mutex::default(),
        }
    }

    /// The same index, but only these of its shards.
    pub(super) fn of_shards(&self, numbers: &BTreeSet<usize>) -> Self {
        let shards = self.shards.iter().enumerate();
        let chosen = shards.filter(|(number, _)| numbers.contains(number));
        Self::new(
            Arc::clone(&self.index),
            self.uuid.clone(),
            Arc::clone(&self.mapping),
            self.keeps,
            chosen.map(|(_, shard)| Arc::clone(shard)).collect(),
        )
    }

    /// Refuses what would look at sequence numbers, where there are none.
    pub(super) fn check_seq_nos(&self) -> Result<(), Cause> {
        match self.keeps.seq_nos {
            true => Ok(()),
            false => Err(Cause::argument(
                "Cannot query field [_seq_no]: _seq_no cannot be queried when [index.disable_sequence_numbers] is [true]",
            )),
        }
    }

    /// All documents, shard by shard; a document's place is its position here.
    pub(super) fn documents(&self) -> impl Iterator<Item = &Arc<Document>> {
        self.shards.iter().flat_map(|shard| shard.iter())
    }

    pub(super) fn document(&self, mut place: usize) -> Option<&Arc<Document>> {
        for shard in &self.shards {
            match shard.get(place) {
                Some(document) => return Some(document),
                None => place -= shard.len(),
            }
        }
        None
    }

    /// The places of all documents that match, ascending.
    pub(super) fn matching(&self, matcher: &Matcher) -> Vec<u32> {
        match matcher.narrowing() {
            Some(range) => self.among(matcher, range),
            None => {
                let documents = (0_u32..).zip(self.documents());
                documents
                    .filter(|(_, document)| matcher.matches(document))
                    .map(|(place, _)| place)
                    .collect()
            }
        }
    }

    /// The same, looking only at documents whose value lies in a range of a column.
    fn among(&self, matcher: &Matcher, range: (u16, i64, i64)) -> Vec<u32> {
        let (field, low, high) = range;
        let column = self.column(field);
        let start = column.partition_point(|(value, _)| *value < low);
        let end = column.partition_point(|(value, _)| *value <= high);
        let candidates = column.get(start..end).unwrap_or_default();
        let mut places: Vec<u32> = candidates.iter().map(|(_, place)| *place).collect();
        places.sort_unstable();
        places.dedup();
        if !matcher.is_narrowing(range) {
            let document = |place: &u32| self.document(*place as usize);
            places.retain(|place| document(place).is_some_and(|found| matcher.matches(found)));
        }
        places
    }

    fn column(&self, field: u16) -> Arc<Column> {
        let mut columns = self.columns.lock().unwrap_or_else(PoisonError::into_inner);
        let column = columns.entry(field).or_insert_with(|| {
            let values = (0_u32..)
                .zip(self.documents())
                .flat_map(|(place, document)| {
                    document.field(field).filter_map(move |value| match value {
                        FieldValue::Int(value) => Some((*value, place)),
                        _ => None,
                    })
                });
            let mut column: Column = values.collect();
            column.sort_unstable();
            Arc::new(column)
        });
        Arc::clone(column)
    }
}
