//! The one cluster that a source reads: its address, credentials and limits.
//!
//! One request is one attempt. Nothing is retried, followed or cached here.

use std::fmt;
use std::time::Duration;

use anyhow::Context as _;
use bytes::{Bytes, BytesMut};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use reqwest::{Client, Method, Url, redirect};

/// The way to the one cluster. One call is one attempt.
pub trait Transport: Send + Sync {
    /// Sends a request and reads its whole answer.
    ///
    /// # Errors
    /// See [`HttpError`].
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpError>>;
}

/// A connection pool to one cluster.
#[derive(Clone)]
pub struct Cluster {
    client: Client,
    address: Url,
    credentials: Option<(String, String)>,
    max_response_bytes: u64,
    timeout: Duration,
}

/// How to reach a cluster.
pub struct ClusterConfig {
    /// `http` or `https`, without credentials; a path is put before every request's.
    pub url: String,
    /// Basic authentication.
    pub credentials: Option<(String, String)>,
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
}

impl Cluster {
    /// Connects at the first request, not here.
    ///
    /// # Errors
    /// If the address is no URL.
    pub fn new(config: ClusterConfig) -> anyhow::Result<Self> {
        let address = Url::parse(config.url.trim_end_matches('/'))
            .with_context(|| format!("url {:?} is no address", config.url))?;
        let client = Client::builder()
            .connect_timeout(config.timeout.min(Duration::from_secs(10)))
            .redirect(redirect::Policy::none())
            .tcp_nodelay(true)
            .no_proxy()
            .user_agent(concat!("elasticsearch-source/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("cannot set up http")?;
        Ok(Self {
            client,
            address,
            credentials: config.credentials,
            max_response_bytes: config.max_response_bytes,
            timeout: config.timeout,
        })
    }

    async fn attempt(&self, request: Request) -> Result<Response, HttpError> {
        let url = format!(
            "{}{}",
            self.address.as_str().trim_end_matches('/'),
            request.path
        );
        let mut builder = self.client.request(request.method, url);
        for (name, value) in request.headers {
            builder = builder.header(name, value);
        }
        if let Some((username, password)) = &self.credentials {
            builder = builder.basic_auth(username, Some(password));
        }
        if let Some(body) = request.body {
            builder = builder.body(body);
        }
        let response = builder.send().await.map_err(|e| self.failure(&e))?;
        let status = response.status().as_u16();
        let headers = response
            .headers()
            .iter()
            .filter_map(|(n, v)| Some((n.as_str().to_owned(), v.to_str().ok()?.to_owned())));
        let headers = headers.collect();
        let body = self.read(response).await?;
        Ok(Response {
            status,
            headers,
            body,
        })
    }

    async fn read(&self, mut response: reqwest::Response) -> Result<Bytes, HttpError> {
        let limit = self.max_response_bytes;
        if response
            .content_length()
            .is_some_and(|length| length > limit)
        {
            return Err(HttpError::TooLarge(limit));
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.failure(&e))? {
            if (body.len() + chunk.len()) as u64 > limit {
                return Err(HttpError::TooLarge(limit));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    fn failure(&self, error: &reqwest::Error) -> HttpError {
        let address = &self.address;
        let cause = causes(error);
        if error.is_connect() {
            return HttpError::Connect(format!(
                "cannot connect to {address}: {cause}; is the cluster running, and \"url\" right?"
            ));
        }
        if error.is_timeout() {
            return HttpError::Timeout(format!("no answer from {address}: {cause}"));
        }
        HttpError::Protocol(format!("the connection to {address} broke: {cause}"))
    }
}

/// The innermost reason, without the address, which the caller adds.
fn causes(error: &reqwest::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

impl Transport for Cluster {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpError>> {
        async move {
            tokio::time::timeout(self.timeout, self.attempt(request))
                .await
                .unwrap_or_else(|_| {
                    Err(HttpError::Timeout(format!(
                        "no answer from {} within {:?}",
                        self.address, self.timeout
                    )))
                })
        }
        .boxed()
    }
}

impl fmt::Debug for Cluster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cluster")
            .field("address", &self.address.as_str())
            .finish_non_exhaustive()
    }
}
