//! What is saved: the fields that users know, and beside them what reading on needs.

mod fingerprint;
mod migrate;
mod place;
mod reslice;
#[cfg(test)]
mod tests;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::config::{Config, ID, Start, TRACKABLE};
use crate::error::Error;
use crate::host::SavedOutput;
use crate::key::Key;
use crate::paging::Pagination;
use crate::paging::context::Context;
use crate::paging::slices::Slices;
use crate::time::{Unit, millis_to_date};

pub use fingerprint::Fingerprint;
pub use place::{Mark, Stretch};

/// The format that this version writes, and the newest that it reads.
pub const FORMAT: u32 = 3;

/// The data of a state.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct State {
    /// The timestamp of the last delivered document.
    pub last_poll_timestamp: Option<String>,
    /// Documents delivered, ever.
    pub total_documents_fetched: u64,
    /// Finished cycles.
    pub poll_count: u64,
    /// `_id` of the last delivered document.
    pub last_document_id: Option<String>,
    /// Only used by scrolls.
    pub last_scroll_id: Option<String>,
    /// Only used by offsets.
    pub last_offset: Option<u64>,
    /// Failed polls, ever.
    pub error_count: u64,
    /// What the last of them said.
    pub last_error: Option<String>,
    /// How the work went.
    pub processing_stats: Stats,
    /// How far the source has come; none before the first poll that saw a mapping.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reading: Option<Reading>,
    /// Where the output ended when this state was true; none before the first open.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output: Option<Vec<Mark>>,
    /// Where in the output, before that, messages may stand that this state does not cover.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub uncovered: Vec<Stretch>,
    /// A clean stop left nothing under way. False from the first save after an open on.
    pub settled: bool,
    /// Receipts: how many agreed, and how many led to another read.
    pub receipts: Receipts,
    /// Documents that a stream refused and a dead letter stands for, ever; they count as
    /// delivered.
    pub dead_lettered: u64,
    /// What a later version wrote here stays.
    #[serde(flatten)]
    pub others: Map<String, Value>,
}

/// How the work went.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Stats {
    /// Bytes of delivered documents.
    pub total_bytes_processed: u64,
    /// From asking for a page to its acknowledgement, on average.
    pub avg_batch_processing_time_ms: f64,
    /// When the last cycle ended.
    pub last_successful_poll: Option<String>,
    /// Cycles that found nothing new.
    pub empty_polls_count: u64,
    /// Cycles that delivered something.
    pub successful_polls_count: u64,
    /// Pages delivered; what the average is over.
    pub batches: u64,
}

/// Progress and the unit of its keys, which stays as it was first seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// What is read; another selection is another state.
    pub selection: Fingerprint,
    /// Of every timestamp in here.
    pub unit: Unit,
    /// How far it has come.
    #[serde(flatten)]
    pub slices: Slices,
}

/// Proofs that what matched was delivered.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Receipts {
    /// Counts that agreed.
    pub agreed: u64,
    /// Counts that did not, after which the segment was read again.
    pub differed: u64,
}

impl State {
    /// Reads saved data.
    ///
    /// # Errors
    /// Permanent, if the format is newer than this version's, or the data no state.
    pub fn parse(data: &[u8], format: u32) -> Result<Self, Error> {
        if format > FORMAT {
            return Err(Error::permanent(format!(
                "the saved state has format {format}, and this version of the component reads up to {FORMAT}; use the version that wrote it, or a newer one"
            )));
        }
        let state = migrate::to_newest(data, format).and_then(serde_json::from_value);
        let state: Self = state.map_err(|e| {
            Error::permanent(format!("the saved state's data can not be read: {e}; restore a backup, or move the state away to read everything again"))
        })?;
        // Where the state has a place of its own, this is for people only.
        let names_a_place = state.reading.is_none();
        let date = state.last_poll_timestamp.as_deref();
        date.filter(|_| names_a_place)
            .map_or(Ok(()), |date| parse_date(date).map(drop))?;
        Ok(state)
    }

    /// The data to save, with the fields of the reference that are tracked.
    pub fn to_json(&self, tracked: Option<&[String]>) -> Result<Vec<u8>, Error> {
        let encoded = match tracked {
            None => serde_json::to_vec(self),
            Some(tracked) => serde_json::to_value(self).and_then(|mut state| {
                let is_tracked =
                    |field: &str| tracked.iter().any(|name| name == field) || self.is_needed(field);
                keep_tracked(&mut state, is_tracked);
                serde_json::to_vec(&state)
            }),
        };
        encoded.map_err(|e| Error::permanent(format!("the state can not be written as json: {e}")))
    }

    /// Until something was delivered, these are all that says where to go on, in any unit.
    fn is_needed(&self, field: &str) -> bool {
        let names_a_place = matches!(field, "last_poll_timestamp" | "last_document_id");
        names_a_place && self.position().is_none()
    }

    /// Refuses a configuration that selects other documents than the state is about.
    ///
    /// # Errors
    /// [`Error::InvalidConfig`] names the key.
    pub fn check(&self, config: &Config) -> Result<(), Error> {
        self.reading
            .as_ref()
            .map_or(Ok(()), |reading| reading.selection.check(config))
    }

    /// Sets where a source begins that has not read anything; one that has goes on. The first
    /// save keeps it, so that "now" stays the time at which the source was new.
    pub fn start(&mut self, start: Option<Start>, now_ms: u64) {
        let is_new = self.reading.is_none() && self.output.is_none();
        if is_new && self.last_poll_timestamp.is_none() {
            let date = match start {
                Some(Start::Now) => millis_to_date(now_ms),
                Some(Start::At(date)) => Some(date),
                None => None,
            };
            self.last_poll_timestamp =
                date.map(|date| date.to_rfc3339_opts(SecondsFormat::AutoSi, true));
        }
    }

    /// Where reading begins: at the saved place, or at the timestamp or document id that a
    /// state without this connector's own fields names, inclusive, or at the beginning.
    ///
    /// # Errors
    /// Permanent, if that timestamp is no date, or if the field that orders is mapped as something
    /// else now, beside whose values those of the state can not stand.
    pub fn reading(&mut self, config: &Config, unit: Unit) -> Result<&mut Reading, Error> {
        let start = match &self.reading {
            None => self.begin(config.order(), unit)?,
            Some(reading) if reading.unit.orders_with(unit) => Key::MIN,
            Some(reading) => return Err(is_mapped_anew(config, reading.unit, unit)),
        };
        let fresh = || Reading {
            selection: Fingerprint::of(config),
            unit,
            slices: Slices::from(start, unit),
        };
        Ok(self.reading.get_or_insert_with(fresh))
    }

    /// Gives up the unit of a reading that has delivered nothing, where the field is mapped in
    /// another way by now. Returns what the cluster keeps for it, to be closed.
    pub fn follow(&mut self, config: &Config, unit: Unit) -> Vec<Context> {
        let is_unread = |reading: &Reading| {
            let begin = self.begin(config.order(), reading.unit);
            let slices = &reading.slices;
            slices.position().is_none() && begin.is_ok_and(|begin| begin == slices.start())
        };
        let is_stale = |reading: &Reading| reading.unit != unit && is_unread(reading);
        if !self.reading.as_ref().is_some_and(is_stale) {
            return Vec::new();
        }
        let given_up = self.reading.take();
        given_up.map_or_else(Vec::new, |mut reading| reading.slices.abandon())
    }

    /// The last delivered document.
    pub fn position(&self) -> Option<Key> {
        self.reading.as_ref()?.slices.position()
    }

    /// Where a source begins that has not read anything.
    fn begin(&self, order: &str, unit: Unit) -> Result<Key, Error> {
        match (&self.last_poll_timestamp, &self.last_document_id) {
            (Some(date), _) if unit.is_time() => Ok(Key::at(unit.from_date(parse_date(date)?))),
            (_, Some(id)) if order == ID => Ok(Key::at(&**id)),
            _ => Ok(Key::MIN),
        }
    }

    /// Gives up what the cluster keeps where reading can not go on in it: scrolls of a run that
    /// did not end cleanly, as a call may have been under way, and what belongs to another way
    /// of reading. Returns it, to be closed.
    pub fn give_up_contexts(&mut self, pagination: Pagination) -> Vec<Context> {
        let (by_scroll, settled) = (pagination == Pagination::Scroll, self.settled);
        let Some(reading) = &mut self.reading else {
            return Vec::new();
        };
        let passes = reading.slices.slices.iter();
        let mut contexts = passes.filter_map(|slice| slice.pass.as_ref()?.context.as_ref());
        let is_useless = |context: &Context| match context {
            Context::Scroll(_) => !by_scroll || !settled,
            Context::Pit(_) => by_scroll,
        };
        if contexts.any(is_useless) {
            reading.slices.abandon()
        } else {
            Vec::new()
        }
    }

    /// What it says of the output; nothing before the first open.
    pub fn saved_output(&self) -> Option<SavedOutput<'_>> {
        let position = self.output.as_deref()?;
        Some(SavedOutput {
            position,
            uncovered: &self.uncovered,
            settled: self.settled,
        })
    }

    /// The last delivered document stands here, which may be at no date: beyond the calendar.
    pub fn note_position(&mut self, position: Option<&Key>, unit: Unit) {
        if let Some(last) = position.filter(|_| unit.is_time()) {
            self.last_poll_timestamp = unit.to_iso(&last.point);
        }
    }

    /// A page was acknowledged.
    pub fn count_batch(&mut self, documents: u64, bytes: u64, took_ms: u64) {
        let stats = &mut self.processing_stats;
        self.total_documents_fetched += documents;
        stats.total_bytes_processed += bytes;
        stats.batches += 1;
        stats.avg_batch_processing_time_ms +=
            (took_ms as f64 - stats.avg_batch_processing_time_ms) / stats.batches as f64;
    }

    /// A cycle ended.
    pub fn count_cycle(&mut self, documents: u64, at_ms: u64) {
        self.poll_count += 1;
        let stats = &mut self.processing_stats;
        let counter = if documents == 0 {
            &mut stats.empty_polls_count
        } else {
            &mut stats.successful_polls_count
        };
        *counter += 1;
        stats.last_successful_poll =
            millis_to_date(at_ms).map(|at| at.to_rfc3339_opts(SecondsFormat::Millis, true));
    }

    /// A poll failed.
    pub fn count_error(&mut self, error: &Error) {
        self.error_count += 1;
        self.last_error = Some(error.to_string());
    }
}

fn is_mapped_anew(config: &Config, before: Unit, now: Unit) -> Error {
    let (key, field, index) = (config.field_key(), config.order(), &config.index);
    let [before, now] = [before, now].map(Unit::unmapped_type);
    Error::permanent(format!(
        "{key} {field:?} of index {index:?} is mapped as {now}, and what was read so far had it mapped as {before}: the two have no common order; map it in all indices alike, or read everything again with another \"state_id\""
    ))
}

fn parse_date(text: &str) -> Result<DateTime<Utc>, Error> {
    text.parse().map_err(|e| {
        Error::permanent(format!(
            "the saved state's last_poll_timestamp {text:?} is no date: {e}"
        ))
    })
}

fn keep_tracked(state: &mut Value, is_tracked: impl Fn(&str) -> bool) {
    if let Value::Object(fields) = state {
        fields.retain(|field, _| !TRACKABLE.contains(&field.as_str()) || is_tracked(field));
    }
}
