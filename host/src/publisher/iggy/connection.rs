//! One TCP connection to a server, signed in, that can really be dropped.
//!
//! The SDK runs every request in a task of its own, which lives on after its caller has
//! given up, resends for up to 30 s and holds the socket. A connection therefore has a
//! small runtime to itself: dropping it ends those tasks and closes the socket. The SDK's
//! reconnecting is off, so that a call is one attempt.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use ::iggy::prelude::{
    AutoLogin, Client, ClientWrapper, Credentials, IggyClient, IggyError, SystemClient, TcpClient,
    TcpClientConfig, TcpClientReconnectionConfig,
};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

use super::experience::Refusal;
use super::refusal::{Action, Failure, refuse};
use super::{IggyConfig, handshake};
use crate::publisher::destination::AppendError;

/// A connection that has been idle for so long is tried before it is trusted.
const TRY_AFTER: Duration = Duration::from_secs(1);

pub(super) struct Connection {
    client: Arc<IggyClient>,
    /// Taken only by `drop`.
    runtime: Option<Runtime>,
    used: Instant,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection").finish_non_exhaustive()
    }
}

impl Connection {
    /// Connects and signs in.
    pub(super) async fn open(config: &IggyConfig) -> Result<Self, Refusal> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("iggy")
            .enable_all()
            .build()
            .map_err(|error| {
                AppendError::transient(anyhow::Error::new(error).context("cannot start a thread"))
            })?;
        let failed = |failure| refuse(config, Action::Connect, failure);
        let client = TcpClient::create(Arc::new(client_config(config)))
            .map_err(|error| failed(Failure::Answered(error)))?;
        let client = Arc::new(IggyClient::new(ClientWrapper::Tcp(client)));
        let mut connection = Self {
            client,
            runtime: Some(runtime),
            used: Instant::now(),
        };
        let connected = connection.call(config.timeout, async |client| client.connect().await);
        if let Err(failure) = connected.await {
            let about_tls = match failure.may_be_about_tls() {
                true => handshake::explain(config).await,
                false => None,
            };
            return Err(about_tls.unwrap_or_else(|| failed(failure)));
        }
        tracing::info!(address = config.address, "connected to iggy");
        Ok(connection)
    }

    /// Whether the connection works, as far as can be told without sending messages.
    pub(super) async fn is_alive(&mut self, timeout: Duration) -> bool {
        self.used.elapsed() < TRY_AFTER
            || self
                .call(timeout, async |client| client.ping().await)
                .await
                .is_ok()
    }

    /// Runs one request. After a timeout the connection must be dropped, as the request
    /// goes on.
    pub(super) async fn call<T, F>(
        &mut self,
        timeout: Duration,
        request: impl FnOnce(Arc<IggyClient>) -> F,
    ) -> Result<T, Failure>
    where
        T: Send + 'static,
        F: Future<Output = Result<T, IggyError>> + Send + 'static,
    {
        let Some(runtime) = &self.runtime else {
            return Err(Failure::Answered(IggyError::NotConnected));
        };
        let answer = runtime.spawn(request(Arc::clone(&self.client)));
        let answer = tokio::time::timeout(timeout, answer).await;
        self.used = Instant::now();
        match answer {
            Err(_) => Err(Failure::TimedOut(timeout)),
            Ok(Err(_stopped)) => Err(Failure::Answered(IggyError::Disconnected)),
            Ok(Ok(answer)) => answer.map_err(Failure::Answered),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn client_config(config: &IggyConfig) -> TcpClientConfig {
    let tls = config.tls.clone();
    let credentials = match &config.token {
        Some(token) => Credentials::PersonalAccessToken(token.clone().into()),
        None => {
            Credentials::UsernamePassword(config.username.clone(), config.password.clone().into())
        }
    };
    TcpClientConfig {
        server_address: config.address.clone(),
        tls_enabled: tls.is_some(),
        tls_domain: tls
            .as_ref()
            .and_then(|tls| tls.domain.clone())
            .unwrap_or_default(),
        tls_ca_file: tls.and_then(|tls| tls.ca_file),
        auto_login: AutoLogin::Enabled(credentials),
        reconnection: TcpClientReconnectionConfig {
            enabled: false,
            ..Default::default()
        },
        // Otherwise every small request waits 40 ms for a delayed acknowledgement.
        nodelay: true,
        ..Default::default()
    }
}
