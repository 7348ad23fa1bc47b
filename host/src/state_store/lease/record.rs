//! A lease as it is stored: `STATE_ID.lease`, beside the state.

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
    /// How often it was renewed.
    pub(super) renewals: u64,
}

impl Record {
    /// This process's, from now on.
    pub(super) fn new() -> Self {
        Self {
            holder: Holder::this_process(),
            token: format!("{:032x}", rand::random::<u128>()),
            renewals: 0,
        }
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
    let Some(stored) = records.load(name).await? else {
        return Ok(None);
    };
    let record = serde_json::from_slice(&stored.bytes).map_err(|cause| {
        let place = records.describe(name);
        StoreError::Corrupt(anyhow::anyhow!(
            "{place} holds no readable lease ({cause}): remove it when no process uses the state"
        ))
    })?;
    Ok(Some((record, stored.revision)))
}
