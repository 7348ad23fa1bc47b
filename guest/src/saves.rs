//! When the state is saved, and what the next save must follow.

use crate::config::Config;
use crate::error::Error;
use crate::host::{Host, Saved};
use crate::state::{FORMAT, State};

/// What was saved, and when.
#[derive(Debug)]
pub struct Saves {
    revision: Option<String>,
    at_ms: u64,
    documents: u64,
    /// The last save failed: the next poll begins with it, and publishes nothing before.
    failed: bool,
}

impl Saves {
    /// After loading this.
    pub fn following(saved: Option<Saved>, state: &State, now_ms: u64) -> Self {
        let revision = saved.map(|saved| saved.revision);
        Self {
            revision,
            at_ms: now_ms,
            documents: state.total_documents_fetched,
            failed: false,
        }
    }

    /// Whether the last save failed.
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// Whether so many milliseconds have passed, or too many messages wait for the next page
    /// to wait too. A save that has just failed waits for the next poll.
    pub fn is_due(&self, config: &Config, state: &State, now_ms: u64, interval_ms: u64) -> bool {
        let unsaved = state.total_documents_fetched.saturating_sub(self.documents);
        let passed_ms = now_ms.saturating_sub(self.at_ms);
        !self.failed
            && (passed_ms >= interval_ms || unsaved + config.batch_size > config.unsaved_max)
    }

    /// Saves the state, durably.
    ///
    /// # Errors
    /// The store's. What was saved before stays.
    pub fn save<H: Host>(
        &mut self,
        host: &mut H,
        config: &Config,
        state: &State,
        now_ms: u64,
    ) -> Result<(), Error> {
        let data = state.to_json(config.tracked_fields.as_deref())?;
        self.failed = true;
        let revision = host.save(data, FORMAT, self.revision.as_deref())?;
        let documents = state.total_documents_fetched;
        *self = Self {
            revision: Some(revision),
            at_ms: now_ms,
            documents,
            failed: false,
        };
        Ok(())
    }
}
