//! From a configuration to the place where states are kept.

use std::sync::Arc;
use std::time::Duration;

use reqwest::Url;

use crate::cluster::{Cluster, ClusterConfig};
use crate::config::{Credentials, Storage};
use crate::state_store::{
    ElasticsearchRecords, LeaseTerms, RedisConfig, RedisRecords, STATE_MAX, States,
};

/// What an answer has around a state, in bytes.
const AROUND_A_STATE: u64 = 64 * 1024;

/// The place that a `storage_config` names, with leases on these terms where it has no locks.
///
/// # Errors
/// What the store refuses.
pub async fn connect(storage: &Storage, terms: LeaseTerms) -> anyhow::Result<States> {
    Ok(match storage {
        Storage::File { base_path } => States::in_files(base_path.clone()).await?,
        Storage::Elasticsearch {
            url,
            credentials,
            index,
            timeout,
        } => {
            let cluster = cluster(url, credentials.as_ref(), *timeout)?;
            let records = ElasticsearchRecords::open(Box::new(cluster), url.clone(), index);
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

fn cluster(
    url: &Url,
    credentials: Option<&Credentials>,
    timeout: Duration,
) -> anyhow::Result<Cluster> {
    Cluster::new(ClusterConfig {
        url: url.to_string(),
        credentials: credentials.map(Credentials::basic),
        timeout,
        max_response_bytes: STATE_MAX as u64 + AROUND_A_STATE,
    })
}
