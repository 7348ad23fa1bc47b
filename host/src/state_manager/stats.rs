//! All states of a place in a few figures.

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::{Entry, StateManager};
use crate::state_store::StoreError;

/// Figures about the states of a place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct StateStats {
    /// How many there are, those that can not be read included.
    pub total_states: u64,
    /// The size of their documents, as far as it is known.
    pub total_bytes: u64,
    /// When the one was saved that was not saved for the longest time; a date in RFC 3339.
    pub oldest: Option<String>,
    /// When any was saved last, likewise.
    pub newest: Option<String>,
    /// Those that somebody holds.
    pub leased: u64,
    /// Those that can not be read.
    pub unreadable: u64,
}

impl StateStats {
    /// Of these states.
    pub fn of(entries: &[Entry]) -> Self {
        let count =
            |is: fn(&Entry) -> bool| entries.iter().filter(|entry| is(entry)).count() as u64;
        let saved = || entries.iter().filter_map(Entry::updated);
        Self {
            total_states: entries.len() as u64,
            total_bytes: entries.iter().filter_map(|entry| entry.bytes).sum(),
            oldest: saved().min().map(show),
            newest: saved().max().map(show),
            leased: count(|entry| entry.holder.is_some()),
            unreadable: count(|entry| entry.error.is_some()),
        }
    }
}

fn show(date: DateTime<Utc>) -> String {
    date.to_rfc3339_opts(SecondsFormat::Secs, true)
}

impl StateManager {
    /// Figures about all states of the place.
    ///
    /// # Errors
    /// As [`StateManager::list`].
    pub async fn stats(&self) -> Result<StateStats, StoreError> {
        Ok(StateStats::of(&self.list().await?))
    }
}
