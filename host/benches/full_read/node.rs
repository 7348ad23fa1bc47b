//! A real Elasticsearch, asked as the connector asks it: the same client, limits and headers.

use std::time::Duration;

use bytes::Bytes;
use elasticsearch_source::cluster::{Cluster, ClusterConfig, Request, Transport as _};
use elasticsearch_source::config::Access;
use reqwest::Method;
use serde_json::Value;

/// The connector's defaults.
const TIMEOUT: Duration = Duration::from_secs(30);
const RESPONSE_BYTES_MAX: u64 = 64 << 20;

/// The node.
pub(crate) struct Node(Cluster);

impl Node {
    pub(crate) fn at(url: &str) -> anyhow::Result<Self> {
        Ok(Self(Cluster::new(ClusterConfig {
            access: Access::open(url.parse()?),
            timeout: TIMEOUT,
            max_response_bytes: RESPONSE_BYTES_MAX,
        })?))
    }

    /// The body of an answer that must be a success.
    pub(crate) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Option<Vec<u8>>,
    ) -> anyhow::Result<Bytes> {
        let content_type = ("content-type".to_owned(), "application/json".to_owned());
        let headers = body.is_some().then_some(content_type);
        let request = Request {
            method,
            path: path.to_owned(),
            headers: headers.into_iter().collect(),
            body,
        };
        let answer = self.0.send(request).await;
        let answer = answer.map_err(|error| anyhow::anyhow!("{path}: {error:?}"))?;
        anyhow::ensure!(
            (200..300).contains(&answer.status),
            "{path} was answered with status {}: {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        Ok(answer.body)
    }

    /// The same for an answer that is read as JSON.
    pub(crate) async fn json(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> anyhow::Result<Value> {
        let body = body.map(serde_json::to_vec).transpose()?;
        Ok(serde_json::from_slice(
            &self.ask(method, path, body).await?,
        )?)
    }
}
