//! A lease as it is stored: `STATE_ID.lease`, beside the state.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::state_store::{Holder, Records, StoreError};

/// Who has the lease. It is there as long as somebody does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// For people.
    pub(super) holder: Holder,
    /// Tells this holding from every other one, also of the same process.
    pub(super) token: String,
    /// How long it lasts without being renewed, in milliseconds. An observer that is
    /// configured with a shorter time waits for this one all the same.
    pub(super) lasts_ms: u64,
    /// How often it was renewed.
    pub(super) renewals: u64,
}

impl Record {
    /// This process's, from now on, for so long.
    pub(super) fn new(time: Duration) -> Self {
        Self {
            holder: Holder::this_process(),
            token: format!("{:032x}", rand::random::<u128>()),
            lasts_ms: u64::try_from(time.as_millis()).unwrap_or(u64::MAX),
            renewals: 0,
        }
    }

    pub(super) fn lasts(&self) -> Duration {
        Duration::from_millis(self.lasts_ms)
    }

    pub(super) fn to_bytes(&self) -> Result<Bytes, StoreError> {
        let bytes = serde_json::to_vec(self).map_err(|cause| StoreError::Invalid(cause.into()))?;
        Ok(bytes.into())
    }
}

/// The name of the record for the lease of a state.
pub(super) fn name_of(state_id: &str) -> String {
    format!("{state_id}.lease")
}

/// The record and its revision, `None` if nobody has the lease.
pub(super) async fn load(
    records: &dyn Records,
    name: &str,
) -> Result<Option<(Record, String)>, StoreError> {
    let unreadable = |why: &str| {
        let place = records.describe(name);
        StoreError::Corrupt(anyhow::anyhow!(
            "{place} holds no readable lease ({why}): remove it when no process uses the state"
        ))
    };
    let stored = match records.load(name).await {
        Ok(Some(stored)) => stored,
        Ok(None) => return Ok(None),
        // What it says helps with states.
        Err(StoreError::Corrupt(_)) => return Err(unreadable("no save left it")),
        Err(error) => return Err(error),
    };
    let record =
        serde_json::from_slice(&stored.bytes).map_err(|cause| unreadable(&cause.to_string()))?;
    Ok(Some((record, stored.revision)))
}
