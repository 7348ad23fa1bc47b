//! The requests to a registry. None of its answers is larger than what is allowed, and nothing
//! comes from the environment.

use std::time::Duration;

use anyhow::{Context as _, anyhow, ensure};
use oci_client::Reference;
use oci_client::errors::OciEnvelope;
use oci_client::manifest::{
    IMAGE_MANIFEST_LIST_MEDIA_TYPE, IMAGE_MANIFEST_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE,
    OCI_IMAGE_MEDIA_TYPE,
};
use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use reqwest::{RequestBuilder, Response, StatusCode, Url, redirect};

use super::{DIGESTS, Digest, SHA256, token};
use crate::capability::text::shown;
use crate::cluster::failure;
use crate::config::Registry;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
const READ_TIMEOUT: Duration = Duration::from_secs(30);
/// From the manifest's host to where it keeps its blobs.
const REDIRECTS_MAX: usize = 5;
/// Of a manifest, of what a token service says, and of errors.
const SMALL_MAX: u64 = 4 * 1024 * 1024;
/// Indices are asked for as well, to say what they are.
const MANIFESTS: [&str; 4] = [
    OCI_IMAGE_MEDIA_TYPE,
    IMAGE_MANIFEST_MEDIA_TYPE,
    OCI_IMAGE_INDEX_MEDIA_TYPE,
    IMAGE_MANIFEST_LIST_MEDIA_TYPE,
];

/// One artifact, and who asks for it.
pub(super) struct Client<'a> {
    http: reqwest::Client,
    reference: &'a Reference,
    registry: &'a Registry,
    authorization: Option<HeaderValue>,
}

impl<'a> Client<'a> {
    pub(super) fn new(reference: &'a Reference, registry: &'a Registry) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .no_proxy()
            .no_gzip()
            .https_only(!registry.plain_http)
            .redirect(redirect::Policy::limited(REDIRECTS_MAX))
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .user_agent(concat!("elasticsearch-source/", env!("CARGO_PKG_VERSION")))
            .build()
            .context("cannot set up https")?;
        Ok(Self {
            http,
            reference,
            registry,
            authorization: None,
        })
    }

    /// The manifest as it is. Says who asks, if the registry wants to know.
    pub(super) async fn manifest(&mut self) -> anyhow::Result<Vec<u8>> {
        let digest = self.reference.digest();
        let name = digest.or(self.reference.tag()).unwrap_or("latest");
        let path = format!("manifests/{name}");
        let mut response = send(self.get(&path)).await?;
        if response.status() == StatusCode::UNAUTHORIZED {
            let wanted = response.headers();
            let told = token::authorization(&self.http, self.reference, self.registry, wanted);
            self.authorization = Some(told.await?);
            response = send(self.get(&path)).await?;
        }
        self.answer(response, SMALL_MAX).await
    }

    pub(super) async fn blob(&self, digest: &Digest, limit: u64) -> anyhow::Result<Vec<u8>> {
        let response = send(self.get(&format!("blobs/{SHA256}{digest}"))).await?;
        self.answer(response, limit).await
    }

    fn get(&self, path: &str) -> RequestBuilder {
        let scheme = if self.registry.plain_http {
            "http"
        } else {
            "https"
        };
        let (host, name) = (
            self.reference.resolve_registry(),
            self.reference.repository(),
        );
        let request = self.http.get(format!("{scheme}://{host}/v2/{name}/{path}"));
        let request = request.header(ACCEPT, MANIFESTS.join(", "));
        match &self.authorization {
            Some(authorization) => request.header(AUTHORIZATION, authorization),
            None => request,
        }
    }

    async fn answer(&self, response: Response, limit: u64) -> anyhow::Result<Vec<u8>> {
        match response.status() {
            StatusCode::OK => body(response, limit).await,
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
                Err(refusal(response).await.context(token::WHO))
            }
            StatusCode::NOT_FOUND if self.reference.digest().is_some() => {
                Err(refusal(response).await.context(DIGESTS))
            }
            _ => Err(refusal(response).await),
        }
    }
}

/// # Errors
/// That nothing answers, or not in the way that was asked for.
pub(super) async fn send(request: RequestBuilder) -> anyhow::Result<Response> {
    request.send().await.map_err(|error| broken(&error))
}

/// What a small answer says.
pub(super) async fn small(response: Response) -> anyhow::Result<Vec<u8>> {
    body(response, SMALL_MAX).await
}

async fn body(mut response: Response, limit: u64) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    while let Some(more) = response.chunk().await.map_err(|error| broken(&error))? {
        bytes.extend_from_slice(&more);
        ensure!(
            bytes.len() as u64 <= limit,
            "the answer of {} is larger than {} MiB, and none may be",
            address(response.url()),
            limit >> 20
        );
    }
    Ok(bytes)
}

/// Why a request got something else than what it asked for.
pub(super) async fn refusal(response: Response) -> anyhow::Error {
    let (status, url) = (response.status().as_u16(), address(response.url()));
    match small(response).await {
        Err(error) => error.context(format!("{url} answers with status {status}")),
        Ok(body) => anyhow!("{url} answers with status {status}: {}", message(&body)),
    }
}

/// Without its query, which may hold what lets somebody in.
pub(super) fn address(url: &Url) -> String {
    let mut url = url.clone();
    url.set_query(None);
    shown(url.as_str())
}

fn message(body: &[u8]) -> String {
    let errors = serde_json::from_slice(body).map(|OciEnvelope { errors }| errors);
    let messages = errors.iter().flatten().map(|error| match &*error.message {
        "" => format!("{:?}", error.code),
        message => message.to_owned(),
    });
    let messages = messages.collect::<Vec<_>>().join("; ");
    match messages.is_empty() {
        true => shown(String::from_utf8_lossy(body).trim()),
        false => shown(&messages),
    }
}

fn broken(error: &reqwest::Error) -> anyhow::Error {
    let host = error.url().map(address).unwrap_or_default();
    let remedy = match failure::is_no_tls(error) {
        true => "; it does not speak https: set plain_http = true if that is meant",
        false => "",
    };
    let cause = shown(&failure::innermost(error));
    anyhow!("no answer from {host}: {cause}{remedy}")
}
