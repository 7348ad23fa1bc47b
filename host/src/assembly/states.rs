//! From a configuration to the place where states are kept.

use std::sync::Arc;
use std::time::Duration;

use super::{Assembly, Outputs};
use crate::clock::Clock;
use crate::cluster::{Clients, Cluster, ClusterConfig};
use crate::config::{self, Access, Storage};
use crate::state_manager::StateManager;
use crate::state_store::{
    ElasticsearchRecords, Held, LeaseTerms, RedisConfig, RedisRecords, STATE_MAX, Slice, States,
};

/// What an answer has around a state, in bytes.
const AROUND_A_STATE: u64 = 64 * 1024;

impl Assembly {
    /// Takes the state of a source, which may mean to wait for it; one in memory, if none is
    /// kept.
    ///
    /// # Errors
    /// What the store refuses, or who holds the state.
    pub(crate) async fn hold(&self, source: &config::Source) -> anyhow::Result<Held> {
        let state = &source.state;
        if !state.enabled {
            tracing::warn!(
                source = source.key,
                "no state is kept: every start reads and delivers everything again"
            );
            return Ok(Held::in_memory());
        }
        let states = self.states(source).await?;
        let held = states.hold(&state.state_id, state.on_conflict).await?;
        let (whole, slice) = Slice::find(&state.state_id);
        if let Err(error) = states.claim(whole, slice).await {
            held.release().await;
            return Err(error.into());
        }
        Ok(held)
    }

    /// What can be done with the state of a source, and with those beside it.
    ///
    /// # Errors
    /// What the store refuses, and where the source was configured to keep no state.
    pub async fn state_manager(&self, source: &config::Source) -> anyhow::Result<StateManager> {
        if !source.state.enabled {
            let message =
                "this source keeps no state, so there is none to work with: set it to true";
            return Err(source.refuse("state.enabled", message).into());
        }
        let states = self.states(source).await?;
        let configured = self.state_ids.iter().cloned();
        let owner = self.owner(source);
        Ok(StateManager::new(
            states,
            owner,
            configured,
            Clock::system(),
        ))
    }

    /// The place of the state of a source.
    pub(super) async fn states(&self, source: &config::Source) -> anyhow::Result<States> {
        let terms = LeaseTerms {
            time: source.state.lease_time,
            request: self.publish_timeout(),
        };
        connect(&source.state.storage, terms, &self.clients).await
    }

    /// How long one request to the output may take.
    fn publish_timeout(&self) -> Duration {
        match &self.outputs {
            Outputs::Configured(config::Output::Iggy, Some(iggy)) => iggy.timeout,
            Outputs::Configured(..) | Outputs::Discarded => Duration::ZERO,
        }
    }
}

/// The place that a `storage_config` names, with leases on these terms where it has no locks.
///
/// # Errors
/// What the store refuses.
async fn connect(
    storage: &Storage,
    terms: LeaseTerms,
    clients: &Clients,
) -> anyhow::Result<States> {
    Ok(match storage {
        Storage::File { base_path } => States::in_files(base_path.clone()).await?,
        Storage::Elasticsearch {
            access,
            index,
            timeout,
        } => {
            let cluster = cluster(access, *timeout, clients)?;
            let records = ElasticsearchRecords::open(Box::new(cluster), access.url.clone(), index);
            States::shared(Arc::new(records.await?), terms)
        }
        Storage::Redis {
            url,
            address,
            key_prefix,
            timeout,
        } => {
            let records = RedisRecords::open(RedisConfig {
                url: url.expose().to_owned(),
                address: address.clone(),
                key_prefix: key_prefix.clone(),
                timeout: *timeout,
            });
            States::shared(Arc::new(records.await?), terms)
        }
    })
}

fn cluster(access: &Access, timeout: Duration, clients: &Clients) -> anyhow::Result<Cluster> {
    let config = ClusterConfig {
        access: access.clone(),
        timeout,
        max_response_bytes: STATE_MAX as u64 + AROUND_A_STATE,
    };
    Cluster::sharing(config, clients)
}
