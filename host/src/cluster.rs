//! The one cluster that a source reads: its hosts, who asks, and limits.
//!
//! One request is one attempt, with two exceptions that nothing can come of twice: a host
//! that was never reached is followed by the next one, and what was refused for an old
//! secret is asked again with the new one. Of several hosts, each is asked first which
//! cluster it is of. Nothing is followed or cached here.

mod authorization;
mod client;
pub(crate) mod failure;
mod hosts;
mod identity;
mod sigv4;

use std::fmt;
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderValue};
use reqwest::{Client, Method, Url};
use tokio::time::{Instant, timeout_at};

use crate::config::{Access, Credentials};
use authorization::Authorization;
use hosts::Hosts;
use identity::Identity;

pub use client::Clients;

/// The way to the one cluster. One call is one attempt.
pub trait Transport: Send + Sync {
    /// Sends a request and reads its whole answer.
    ///
    /// # Errors
    /// See [`HttpError`].
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpError>>;
}

/// A connection pool to one cluster.
pub struct Cluster {
    client: Client,
    hosts: Hosts,
    /// Which cluster the hosts are of, where there are several.
    identity: Option<Identity>,
    authorization: Authorization,
    /// The proxy's address, for messages.
    proxy: Option<String>,
    /// The type of bodies, where the version of an API is asked for in it.
    media_type: Option<HeaderValue>,
    max_response_bytes: u64,
    timeout: Duration,
}

/// How to reach a cluster, and its limits.
pub struct ClusterConfig {
    /// The way there, and who asks.
    pub access: Access,
    /// From sending a request to the last byte of its answer.
    pub timeout: Duration,
    /// The largest answer, decompressed.
    pub max_response_bytes: u64,
}

/// A request, with a path below the cluster's address.
#[derive(Debug)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// Begins with `/`; checked by the grants.
    pub path: String,
    /// Names and values.
    pub headers: Vec<(String, String)>,
    /// The bytes to send.
    pub body: Option<Vec<u8>>,
}

/// A complete answer.
#[derive(Debug)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// Decompressed.
    pub body: Bytes,
}

/// Why there is no answer, by what the caller can do.
#[derive(Debug)]
pub enum HttpError {
    /// Nothing was sent.
    Connect(String),
    /// Whether it took effect is unknown.
    Timeout(String),
    /// The answer is larger than this many bytes.
    TooLarge(u64),
    /// The connection broke, or what came is not HTTP.
    Protocol(String),
    /// Nothing was sent, as a host is of another cluster than the first one.
    OtherCluster(String),
}

impl Cluster {
    /// Connects at the first request, not here.
    ///
    /// # Errors
    /// Names what of the access can not be used.
    pub fn new(config: ClusterConfig) -> anyhow::Result<Self> {
        Self::sharing(config, &Clients::default())
    }

    /// The same with the connections of others that are reached in the same way.
    ///
    /// # Errors
    /// As [`Cluster::new`].
    pub fn sharing(config: ClusterConfig, clients: &Clients) -> anyhow::Result<Self> {
        let access = config.access;
        Ok(Self {
            client: clients.client(&access, config.timeout)?,
            identity: (access.hosts.len() > 1).then(Identity::default),
            hosts: Hosts::new(access.hosts),
            authorization: Authorization::new(access.credentials),
            media_type: access.compatible_with.map(media_type).transpose()?,
            proxy: access.proxy.map(|proxy| proxy.address),
            max_response_bytes: config.max_response_bytes,
            timeout: config.timeout,
        })
    }

    /// Asks one host after the other until one is reached.
    async fn ask(&self, request: Request) -> Result<Response, HttpError> {
        let deadline = Instant::now() + self.timeout;
        let request = Outgoing {
            method: request.method,
            path: request.path,
            headers: request.headers,
            body: request.body.map(Bytes::from),
        };
        let mut outcome = Err(HttpError::Connect("there is no host to ask".to_owned()));
        for host in self.hosts.in_order() {
            let asked = timeout_at(deadline, self.ask_of_the_cluster(&host, &request)).await;
            outcome = asked.unwrap_or_else(|_| {
                let message = format!("no answer from {host} within {:?}", self.timeout);
                Err(HttpError::Timeout(message))
            });
            self.hosts.note(&host, &outcome);
            if !matches!(outcome, Err(HttpError::Connect(_))) {
                break;
            }
        }
        outcome
    }

    /// Asks a host that is known to be of the cluster. One that can not say so now answers
    /// for the request in the same way.
    async fn ask_of_the_cluster(
        &self,
        host: &Url,
        request: &Outgoing,
    ) -> Result<Response, HttpError> {
        let unknown = self.identity.as_ref().filter(|it| !it.knows(host));
        if let Some(identity) = unknown {
            let root = self.ask_one(host, &Outgoing::root()).await?;
            if identity::is_setback(&root) {
                return Ok(root);
            }
            identity.learn(host, &root)?;
        }
        self.ask_one(host, request).await
    }

    /// A secret that was replaced is found out by a refusal, which has no effect.
    async fn ask_one(&self, host: &Url, request: &Outgoing) -> Result<Response, HttpError> {
        let credentials = self.authorization.current();
        let response = self.attempt(host, request, credentials.as_ref()).await?;
        match credentials.filter(|sent| authorization::refuses(response.status, sent)) {
            None => Ok(response),
            Some(sent) => match self.authorization.renewed(sent).await {
                Some(renewed) => self.attempt(host, request, Some(&renewed)).await,
                None => Ok(response),
            },
        }
    }

    async fn attempt(
        &self,
        host: &Url,
        request: &Outgoing,
        credentials: Option<&Credentials>,
    ) -> Result<Response, HttpError> {
        let failed = |error: reqwest::Error| failure::of(&error, host, self.proxy.as_deref());
        let url = format!("{}{}", host.as_str().trim_end_matches('/'), request.path);
        let mut builder = self.client.request(request.method.clone(), url);
        for (name, value) in &request.headers {
            builder = builder.header(name, value);
        }
        if let Some(body) = &request.body {
            builder = builder.body(body.clone());
        }
        let mut built = builder.build().map_err(failed)?;
        self.ask_for_version(built.headers_mut());
        if let Some(credentials) = credentials {
            authorization::authorize(&mut built, credentials)
                .map_err(|error| HttpError::Protocol(format!("{error:#}")))?;
        }
        let response = self.client.execute(built).await.map_err(failed)?;
        let status = response.status().as_u16();
        if let (407, Some(proxy)) = (status, &self.proxy) {
            return Err(failure::refused_by_proxy(proxy));
        }
        let headers = response
            .headers()
            .iter()
            .filter_map(|(n, v)| Some((n.as_str().to_owned(), v.to_str().ok()?.to_owned())));
        let headers = headers.collect();
        let body = self.read(response, failed).await?;
        Ok(Response {
            status,
            headers,
            body,
        })
    }

    /// Whatever the component says of bodies, they are JSON, of one version of an API.
    fn ask_for_version(&self, headers: &mut HeaderMap) {
        let Some(media_type) = &self.media_type else {
            return;
        };
        headers.insert(ACCEPT, media_type.clone());
        if let Some(content_type) = headers.get_mut(CONTENT_TYPE) {
            *content_type = media_type.clone();
        }
    }

    async fn read(
        &self,
        mut response: reqwest::Response,
        failed: impl Fn(reqwest::Error) -> HttpError,
    ) -> Result<Bytes, HttpError> {
        let limit = self.max_response_bytes;
        if response
            .content_length()
            .is_some_and(|length| length > limit)
        {
            return Err(HttpError::TooLarge(limit));
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(&failed)? {
            if (body.len() + chunk.len()) as u64 > limit {
                return Err(HttpError::TooLarge(limit));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }
}

/// JSON of this major version of Elasticsearch's API; a server knows its own and the one before.
fn media_type(version: u32) -> anyhow::Result<HeaderValue> {
    let text = format!("application/vnd.elasticsearch+json; compatible-with={version}");
    Ok(HeaderValue::from_str(&text)?)
}

/// A request that can be sent again, as its body is shared.
struct Outgoing {
    method: Method,
    path: String,
    headers: Vec<(String, String)>,
    body: Option<Bytes>,
}

impl Outgoing {
    /// Which cluster is it?
    fn root() -> Self {
        Self {
            method: Method::GET,
            path: "/".to_owned(),
            headers: Vec::new(),
            body: None,
        }
    }
}

impl Transport for Cluster {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpError>> {
        self.ask(request).boxed()
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("hosts", &self.hosts)
            .finish_non_exhaustive()
    }
}
