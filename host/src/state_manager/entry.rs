//! What is said of each state in a list.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::StateManager;
use crate::state_store::envelope::Envelope;
use crate::state_store::{Listed, StoreError, Stored};

/// A state of the place. One that can not be read has an `error`, and nothing else that
/// its document would say; one whose lease can not be read has an `error`, too.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Entry {
    /// Its name.
    pub id: String,
    /// When it was saved, as its document says it: a date in RFC 3339.
    pub last_updated: Option<String>,
    /// The version of its data's format.
    pub version: Option<u32>,
    /// The size of its document, where that is known.
    pub bytes: Option<u64>,
    /// Documents delivered, ever; states need not count them.
    pub documents: Option<u64>,
    /// Who holds it. Where processes share no locks, that one may have died since.
    pub holder: Option<String>,
    /// Whether a source of the configuration has this name for its state.
    pub configured: bool,
    /// Why it, or who holds it, can not be read.
    pub error: Option<String>,
}

/// The one field of the data that a list shows.
#[derive(Deserialize)]
struct Data {
    total_documents_fetched: Option<u64>,
}

impl Entry {
    /// When it was saved, if its document says so in a way that can be read.
    pub fn updated(&self) -> Option<DateTime<Utc>> {
        self.last_updated.as_deref()?.parse().ok()
    }

    /// Takes over what the document says.
    fn read(&mut self, stored: &Stored, place: &str) -> Result<(), StoreError> {
        self.bytes = Some(stored.bytes.len() as u64);
        let envelope = Envelope::of(&stored.bytes, &self.id, place)?;
        self.last_updated = envelope.last_updated().map(str::to_owned);
        self.version = Some(envelope.version());
        let data: Option<Data> = serde_json::from_slice(envelope.data()).ok();
        self.documents = data.and_then(|data| data.total_documents_fetched);
        Ok(())
    }
}

impl StateManager {
    /// All states of the place, in the order of their names; read one after the other, so
    /// not all at the same moment.
    ///
    /// # Errors
    /// The store's, if it does not say which states there are. One that can not be read is
    /// listed with its error.
    pub async fn list(&self) -> Result<Vec<Entry>, StoreError> {
        let mut entries = Vec::new();
        for listed in self.states.records().list().await? {
            entries.extend(self.entry(listed).await);
        }
        Ok(entries)
    }

    /// `None` if it was removed meanwhile.
    async fn entry(&self, listed: Listed) -> Option<Entry> {
        let mut entry = Entry {
            configured: self.is_configured(&listed.name),
            id: listed.name,
            last_updated: None,
            version: None,
            bytes: listed.bytes,
            documents: None,
            holder: None,
            error: None,
        };
        match self.look(&mut entry).await {
            Ok(true) => {}
            Ok(false) => return None,
            Err(error) => entry.error = Some(error.to_string()),
        }
        Some(entry)
    }

    /// Fills an entry, unless there is no such state.
    async fn look(&self, entry: &mut Entry) -> Result<bool, StoreError> {
        let holder = self.states.holder(&entry.id).await;
        let records = self.states.records();
        let Some(stored) = records.load(&entry.id).await? else {
            return Ok(false);
        };
        entry.read(&stored, &records.describe(&entry.id))?;
        entry.holder = holder?;
        Ok(true)
    }
}
