//! The connection to one Redis: made when it is needed, given up when it fails.
//!
//! One query is one attempt. No message has the url in it, which may hold a password.

use std::error::Error as _;
use std::time::Duration;

use anyhow::anyhow;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, RedisError, ServerErrorKind,
};
use tokio::sync::Mutex;
use tokio_rustls::rustls::crypto::aws_lc_rs;

use super::RedisConfig;
use crate::state_store::StoreError;

/// One connection, shared by all queries.
pub(super) struct Connection {
    client: Client,
    address: String,
    timeout: Duration,
    open: Mutex<Option<MultiplexedConnection>>,
}

impl Connection {
    /// Connects at the first query, not here.
    pub(super) fn new(config: RedisConfig) -> Result<Self, StoreError> {
        // The client takes the one that the process has; only the first one counts.
        let _installed_already = aws_lc_rs::default_provider().install_default();
        let address = config.address;
        let client = Client::open(config.url).map_err(|cause| {
            StoreError::Invalid(anyhow!(
                "the url of the redis at {address} can not be used ({}): write one like redis://user:password@localhost:6379/0",
                cause.category()
            ))
        })?;
        Ok(Self {
            client,
            address,
            timeout: config.timeout,
            open: Mutex::new(None),
        })
    }

    /// Where it is, without credentials.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    /// Sends a command about something at this place.
    pub(super) async fn query<T: FromRedisValue>(
        &self,
        command: &Cmd,
        place: &str,
    ) -> Result<T, StoreError> {
        let answered = tokio::time::timeout(self.timeout, self.attempt(command)).await;
        match answered {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(error)) => {
                if !matches!(error.kind(), ErrorKind::Server(_) | ErrorKind::Extension) {
                    self.give_up().await;
                }
                Err(failure(place, &error))
            }
            Err(_) => {
                self.give_up().await;
                Err(StoreError::Unavailable(anyhow!(
                    "{place}: no answer within {:?}; is that server busy, or too far away?",
                    self.timeout
                )))
            }
        }
    }

    async fn attempt<T: FromRedisValue>(&self, command: &Cmd) -> Result<T, RedisError> {
        let mut connection = self.connection().await?;
        command.query_async(&mut connection).await
    }

    async fn connection(&self) -> Result<MultiplexedConnection, RedisError> {
        let mut open = self.open.lock().await;
        if let Some(connection) = &*open {
            return Ok(connection.clone());
        }
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.timeout))
            .set_response_timeout(Some(self.timeout));
        let connecting = self
            .client
            .get_multiplexed_async_connection_with_config(&config);
        Ok(open.insert(connecting.await?).clone())
    }

    /// What comes late on it must not be taken for the answer to something else.
    async fn give_up(&self) {
        *self.open.lock().await = None;
    }
}

fn failure(place: &str, error: &RedisError) -> StoreError {
    use ServerErrorKind::{Ask, CrossSlot, Moved, NoPerm, ReadOnly};
    type Make = fn(anyhow::Error) -> StoreError;
    let said = error.to_string();
    let has = |code: &str| error.code() == Some(code) || said.contains(code);
    let (make, remedy): (Make, &str) = match error.kind() {
        _ if has("WRONGTYPE") => {
            return StoreError::corrupt(place, "the key is no hash");
        }
        ErrorKind::UnexpectedReturnType | ErrorKind::Parse => {
            return StoreError::corrupt(place, &said);
        }
        ErrorKind::Io => (
            StoreError::Unavailable,
            "is redis running there, and \"url\" right?",
        ),
        ErrorKind::AuthenticationFailed => {
            (StoreError::Invalid, "check user and password in \"url\"")
        }
        _ if has("NOAUTH") || has("WRONGPASS") => {
            (StoreError::Invalid, "check user and password in \"url\"")
        }
        ErrorKind::Server(NoPerm) => (
            StoreError::Invalid,
            "let this user EVAL, HMGET, HSTRLEN, HGET, HSET, EXISTS, DEL and SCAN keys with that prefix",
        ),
        ErrorKind::Server(Moved | Ask | CrossSlot) => (
            StoreError::Invalid,
            "this is a redis cluster, which is not supported: name a single server in \"url\"",
        ),
        ErrorKind::Server(ReadOnly) => (
            StoreError::Unavailable,
            "this is a replica: name the primary in \"url\"",
        ),
        _ if has("OOM") => (
            StoreError::Unavailable,
            "make room: remove keys or raise maxmemory",
        ),
        _ => (StoreError::Unavailable, "see what that server says"),
    };
    let cause = error.source().map_or(said, ToString::to_string);
    make(anyhow!("{place}: {cause}; {remedy}"))
}
