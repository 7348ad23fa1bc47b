//! The connection to one Redis: made when it is needed, given up when it fails.
//!
//! One query is one attempt. No message has the url in it, which may hold a password.

use std::error::Error as _;
use std::time::Duration;

use anyhow::anyhow;
use redis::aio::MultiplexedConnection;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ErrorKind, FromRedisValue, RedisError, ServerErrorKind,
    Value, from_redis_value,
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
            Ok(Ok(value)) => {
                from_redis_value(value).map_err(|cause| StoreError::corrupt(place, cause))
            }
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

    async fn attempt(&self, command: &Cmd) -> Result<Value, RedisError> {
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

/// What went wrong at this place, and what to do about it.
fn failure(place: &str, error: &RedisError) -> StoreError {
    let said = error.to_string();
    let cause = match error.source() {
        // The innermost one, as the rest only says that there is one.
        Some(cause) if error.kind() == ErrorKind::Io => cause.to_string(),
        _ => said.clone(),
    };
    // Where a script ran, the code of what it met stands inside of the message.
    let has = |code: &str| error.code() == Some(code) || said.contains(code);
    if has("WRONGTYPE") {
        return StoreError::corrupt(place, "the key is no hash");
    }
    let (passes, remedy) = remedy(error.kind(), has);
    let cause = anyhow!("{place}: {cause}; {remedy}");
    match passes {
        true => StoreError::Unavailable(cause),
        false => StoreError::Invalid(cause),
    }
}

/// Whether the same call may work later, and what to do.
fn remedy(kind: ErrorKind, has: impl Fn(&str) -> bool) -> (bool, &'static str) {
    use ServerErrorKind::{Ask, CrossSlot, Moved, NoPerm, ReadOnly};
    match kind {
        ErrorKind::Io if has("certificate") => (
            false,
            "trust the authority that signed it, in the system or with SSL_CERT_FILE",
        ),
        ErrorKind::Io => (
            true,
            "is redis running there, and \"url\" right (rediss:// if it speaks TLS)?",
        ),
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType => (
            true,
            "the answer was cut off, or is none of a redis: is \"url\" right?",
        ),
        _ if kind == ErrorKind::AuthenticationFailed || has("NOAUTH") || has("WRONGPASS") => {
            (false, "check user and password in \"url\"")
        }
        ErrorKind::Server(NoPerm) => (
            false,
            "let this user PING, EVAL, HMGET, HSTRLEN, HGET, HSET, EXISTS, TYPE, RENAME, DEL and SCAN keys with that prefix",
        ),
        ErrorKind::Server(Moved | Ask | CrossSlot) => (
            false,
            "this is a redis cluster, which is not supported: name a single server in \"url\"",
        ),
        ErrorKind::Server(ReadOnly) => (true, "this is a replica: name the primary in \"url\""),
        _ if has("unknown command") => (false, "use a redis that knows it, 5 or later"),
        _ if has("OOM") => (true, "make room: remove keys or raise maxmemory"),
        _ => (true, "see what that server says"),
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;

    #[test]
    fn a_failure_says_whether_it_may_pass_and_what_to_do() {
        use ErrorKind::{AuthenticationFailed, Extension, Io, Parse, Server};
        use ServerErrorKind::{BusyLoading, Moved, NoPerm, ReadOnly, ResponseError};
        for (kind, said, passes, part) in [
            (Io, "connection refused", true, "is redis running"),
            (Io, "invalid peer certificate", false, "SSL_CERT_FILE"),
            (Parse, "unexpected end of file", true, "was cut off"),
            (AuthenticationFailed, "no", false, "user and password"),
            (Extension, "NOAUTH required", false, "user and password"),
            (Server(NoPerm), "no", false, "HSTRLEN"),
            (Server(Moved), "1 h:1", false, "cluster"),
            (Server(ReadOnly), "no", true, "replica"),
            (Server(BusyLoading), "soon", true, "soon"),
            (
                Server(ResponseError),
                "unknown command 'EVAL'",
                false,
                "5 or later",
            ),
            (
                Server(ResponseError),
                "OOM command not allowed",
                true,
                "maxmemory",
            ),
        ] {
            let error = RedisError::from((kind, "said", said.to_owned()));
            let failure = failure("redis key k", &error);
            let message = failure.to_string();
            assert_eq!(
                matches!(failure, StoreError::Unavailable(_)),
                passes,
                "{message}"
            );
            assert!(
                message.contains("redis key k") && message.contains(part),
                "{message}"
            );
        }
        let error = RedisError::from((Server(ResponseError), "said", "WRONGTYPE k".to_owned()));
        assert!(matches!(failure("k", &error), StoreError::Corrupt(_)));
    }

    /// Answers each command, and the last one as it is told, closing the connection.
    async fn answer(listener: TcpListener, last: &[u8]) {
        let (mut client, _) = listener.accept().await.unwrap();
        let mut read = [0; 4096];
        loop {
            let length = client.read(&mut read).await.unwrap();
            let sent = String::from_utf8_lossy(&read[..length]);
            // What the client introduces itself by.
            let introduced = sent.matches("SETINFO").count();
            if introduced == 0 {
                return client.write_all(last).await.unwrap();
            }
            client
                .write_all("+OK\r\n".repeat(introduced).as_bytes())
                .await
                .unwrap();
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_cut_off_is_no_state_that_can_not_be_read() {
        type Expected = fn(&StoreError) -> bool;
        let unavailable: Expected = |error| matches!(error, StoreError::Unavailable(_));
        let corrupt: Expected = |error| matches!(error, StoreError::Corrupt(_));
        let rows: [(&[u8], Expected); 6] = [
            (b"", unavailable),
            (b"$", unavailable),
            (b"$5\r\nab", unavailable),
            (b"HTTP/1.1 400 Bad Request\r\n\r\n", unavailable),
            (b"-LOADING soon\r\n", unavailable),
            (b"$2\r\n\xff\xfe\r\n", corrupt),
        ];
        for (last, is_expected) in rows {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap().to_string();
            let connection = Connection::new(RedisConfig {
                url: format!("redis://{address}"),
                address,
                key_prefix: String::new(),
                timeout: Duration::from_secs(10),
            });
            let (connection, command) = (connection.unwrap(), redis::cmd("PING"));
            let query = connection.query::<String>(&command, "redis key k");
            let (answered, ()) = tokio::join!(query, answer(listener, last));
            let error = answered.unwrap_err();
            let what = String::from_utf8_lossy(last);
            assert!(is_expected(&error), "{what:?}: {error}");
        }
    }
}
