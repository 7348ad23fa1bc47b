//! Removes the states that nobody uses any more.

use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serialize;

use super::{Entry, StateManager};
use crate::state_store::envelope::Envelope;
use crate::state_store::{OnConflict, Slot, StateStore as _, StoreError};

/// What became of every state of the place.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Cleaned {
    /// The names of those that were removed.
    pub deleted: Vec<String>,
    /// The others.
    pub kept: Vec<Kept>,
}

/// A state that was not removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kept {
    /// Its name.
    pub id: String,
    /// Why.
    pub why: String,
}

impl StateManager {
    /// Removes the states that were not saved for longer than this: never one that is
    /// configured, the own one included, that somebody holds, or that can not be read. Each
    /// is held while it is looked at again and removed, so that one that is used or saved
    /// meanwhile stays.
    ///
    /// # Errors
    /// As [`StateManager::list`]. A state that can not be removed is kept, and says why.
    pub async fn cleanup(&self, older_than: Duration) -> Result<Cleaned, StoreError> {
        let mut cleaned = Cleaned::default();
        for entry in self.list().await? {
            match self.clean(&entry, older_than).await {
                Ok(()) => cleaned.deleted.push(entry.id),
                Err(why) => cleaned.kept.push(Kept { id: entry.id, why }),
            }
        }
        Ok(cleaned)
    }

    /// Removes one, or says why not.
    pub(super) async fn clean(&self, entry: &Entry, older_than: Duration) -> Result<(), String> {
        if let Some(why) = in_use(entry) {
            return Err(why);
        }
        self.check_age(entry.last_updated.as_deref(), older_than)?;
        let held = self.states.hold(&entry.id, OnConflict::Stop).await;
        let held = held.map_err(|error| error.to_string())?;
        let removed = self.remove_old(&held.slot, &entry.id, older_than).await;
        held.release().await;
        removed
    }

    async fn remove_old(&self, slot: &Slot, id: &str, older_than: Duration) -> Result<(), String> {
        let loaded = slot.load().await.map_err(|error| error.to_string())?;
        let stored = loaded.ok_or("somebody else has removed it")?;
        let envelope = Envelope::of(&stored.bytes, id, &slot.describe());
        let envelope = envelope.map_err(|error| error.to_string())?;
        self.check_age(envelope.last_updated(), older_than)?;
        let removed = slot.remove(&stored.revision).await;
        removed.map_err(|error| error.to_string())
    }

    fn check_age(&self, last_updated: Option<&str>, older_than: Duration) -> Result<(), String> {
        check_age(last_updated, self.clock.now(), older_than)
    }
}

/// Why a state is kept however old it is. Whether somebody holds it turns out when it is
/// held: the holder that a lease names may have died.
fn in_use(entry: &Entry) -> Option<String> {
    let configured = entry
        .configured
        .then(|| "a source is configured with it".to_owned());
    configured.or_else(|| entry.error.clone())
}

/// Whether a state is older than this, and if not, what it is.
fn check_age(
    last_updated: Option<&str>,
    now: DateTime<Utc>,
    older_than: Duration,
) -> Result<(), String> {
    let text = last_updated.ok_or("it does not say when it was saved")?;
    let saved: DateTime<Utc> = text
        .parse()
        .map_err(|cause| format!("its last_updated {text:?} is no date: {cause}"))?;
    let shown = saved.to_rfc3339_opts(SecondsFormat::Secs, true);
    match now.signed_duration_since(saved).to_std() {
        Err(_) => Err(format!(
            "it was saved in the future, {shown}: check the clocks"
        )),
        Ok(age) if age > older_than => Ok(()),
        Ok(_) => Err(format!("it was saved {shown}, which is not that long ago")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_goes_when_it_is_known_to_be_older() {
        let rows = [
            (Some("2026-01-01T00:00:00Z"), None),
            (Some("2026-01-01T01:59:59+02:00"), None),
            (Some("2026-01-02T00:00:00Z"), Some("not that long ago")),
            (Some("2026-01-02T00:00:01Z"), Some("not that long ago")),
            (Some("2026-02-01T00:00:01Z"), Some("in the future")),
            (Some("yesterday"), Some("no date")),
            (None, Some("does not say")),
        ];
        let now = "2026-02-01T00:00:00Z".parse().unwrap();
        for (last_updated, kept) in rows {
            let verdict = check_age(last_updated, now, Duration::from_secs(30 * 86_400));
            match kept {
                None => assert_eq!(verdict, Ok(()), "{last_updated:?}"),
                Some(why) => assert!(
                    verdict.as_ref().is_err_and(|said| said.contains(why)),
                    "{last_updated:?} {verdict:?}"
                ),
            }
        }
    }
}
