//! When the state is saved, and what the next save must follow.
//!
//! A save is under way while the next page is read and published; it ends before the next
//! save begins, and before the poll does.

use crate::config::Config;
use crate::error::Error;
use crate::host::{Host, Saved};
use crate::state::{FORMAT, State};

/// What was saved, and when.
#[derive(Debug)]
pub struct Saves<S> {
    revision: Option<String>,
    at_ms: u64,
    /// How many documents the last save covers that was begun.
    documents: u64,
    /// And the last one that is durable.
    durable: u64,
    under_way: Option<S>,
    /// The last save failed: the next poll begins with it, and publishes nothing before.
    failed: bool,
}

impl<S> Saves<S> {
    /// After loading this.
    pub fn following(saved: Option<Saved>, state: &State, now_ms: u64) -> Self {
        let revision = saved.map(|saved| saved.revision);
        Self {
            revision,
            at_ms: now_ms,
            documents: state.total_documents_fetched,
            durable: state.total_documents_fetched,
            under_way: None,
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
        let passed_ms = now_ms.abs_diff(self.at_ms);
        let is_due = passed_ms >= interval_ms || is_far(config, state, self.documents);
        !self.failed && is_due
    }

    /// After a page: saves if that is due, and waits for it where the next page would be too
    /// far ahead of what is durable.
    ///
    /// # Errors
    /// Those of [`Self::begin`] and [`Self::finish`].
    pub fn after_page<H: Host<Save = S>>(
        &mut self,
        host: &mut H,
        config: &Config,
        state: &State,
        now_ms: u64,
        interval_ms: u64,
    ) -> Result<(), Error> {
        if self.is_due(config, state, now_ms, interval_ms) {
            self.begin(host, config, state, now_ms)?;
        }
        if is_far(config, state, self.durable) {
            self.finish(host)?;
        }
        Ok(())
    }

    /// Starts to save the state, once the save before it has ended.
    ///
    /// # Errors
    /// Of the save before it, if that failed: nothing was started then.
    pub fn begin<H: Host<Save = S>>(
        &mut self,
        host: &mut H,
        config: &Config,
        state: &State,
        now_ms: u64,
    ) -> Result<(), Error> {
        self.finish(host)?;
        let data = state.to_json(config.tracked_fields.as_deref())?;
        self.under_way = Some(host.save(data, FORMAT, self.revision.as_deref()));
        (self.at_ms, self.documents) = (now_ms, state.total_documents_fetched);
        Ok(())
    }

    /// Waits until what was started is durable.
    ///
    /// # Errors
    /// The store's. What was saved before stays.
    pub fn finish<H: Host<Save = S>>(&mut self, host: &mut H) -> Result<(), Error> {
        if let Some(save) = self.under_way.take() {
            self.failed = true;
            self.revision = Some(host.saved(save)?);
            (self.failed, self.durable) = (false, self.documents);
        }
        Ok(())
    }
}

/// Whether another page is more than may be published on top of what so many documents cover.
fn is_far(config: &Config, state: &State, covered: u64) -> bool {
    let unsaved = state.total_documents_fetched.saturating_sub(covered);
    unsaved + config.batch_size > config.unsaved_max
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_save_is_due_after_the_interval_also_when_the_clock_was_set_back() {
        let config = r#"{"index":"logs","timestamp_field":"@timestamp"}"#;
        let config = Config::parse(config).unwrap();
        let saves = Saves::<()>::following(None, &State::default(), 100_000);
        for (now_ms, due) in [
            (100_000, false),
            (104_999, false),
            (105_000, true),
            (99_990, false),
            (95_000, true),
            (0, true),
        ] {
            let is_due = saves.is_due(&config, &State::default(), now_ms, 5_000);
            assert_eq!(is_due, due, "{now_ms}");
        }
    }
}
