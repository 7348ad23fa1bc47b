//! Messages into a topic of Apache Iggy, over TCP, and back by offset.
//!
//! This module and its children are the only place that names the `iggy` crate. A
//! destination holds one connection, opened by the first call that needs it and dropped
//! after every failure. The server does not deduplicate; that a message is written once
//! is [`super::outbox`]'s business. What is here must be honest about one thing: whether
//! a refused request can have taken effect.

mod connection;
mod convert;
mod refusal;
mod topic;

use std::num::NonZeroUsize;
use std::time::Duration;

use ::iggy::prelude::{Identifier, IggyMessage, MessageClient, Partitioning};
use anyhow::Context;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::destination::{AppendError, Committed, Destination, Message, Offset, Tail};
use connection::Connection;
use refusal::{Action, refuse};

/// How to reach a server and what to wait for it. `Debug` shows no secret.
#[derive(Clone)]
pub struct IggyConfig {
    /// Host and port of the TCP endpoint, such as `127.0.0.1:8090`.
    pub address: String,
    /// Who signs in, unless there is a token.
    pub username: String,
    /// Any characters; 3 to 100 bytes.
    pub password: String,
    /// A personal access token, instead of username and password.
    pub token: Option<String>,
    /// Encrypts the connection and checks the server's certificate.
    pub tls: Option<TlsConfig>,
    /// How long one request, or connecting and signing in, may take.
    pub timeout: Duration,
    /// After this time no request of a dropped connection takes effect any more.
    pub publish_quiet: Duration,
}

/// How to check the server's certificate.
#[derive(Debug, Clone, Default)]
pub struct TlsConfig {
    /// A PEM file with the roots to trust, instead of the public ones.
    pub ca_file: Option<String>,
    /// The name in the certificate, where it is not the host of the address.
    pub domain: Option<String>,
}

impl std::fmt::Debug for IggyConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IggyConfig")
            .field("address", &self.address)
            .field("username", &self.username)
            .field("token", &self.token.as_ref().map(|_| "redacted"))
            .field("tls", &self.tls)
            .field("timeout", &self.timeout)
            .field("publish_quiet", &self.publish_quiet)
            .finish_non_exhaustive()
    }
}

/// Stream and topic, by name.
#[derive(Debug, Clone)]
struct TopicName {
    stream: String,
    topic: String,
    stream_id: Identifier,
    topic_id: Identifier,
}

/// One stream and topic of a server. Both are created where missing.
#[derive(Debug)]
pub struct IggyDestination {
    config: IggyConfig,
    name: TopicName,
    batch_length: NonZeroUsize,
    partitions: u32,
    connection: Option<Connection>,
    /// The partitions of the topic, as of the last connect.
    partition_ids: Vec<u32>,
    sends: usize,
}

impl IggyDestination {
    /// `batch_length`: the most messages in one request. `partitions`: of the topic, where
    /// it has to be created. Connects to nothing yet.
    ///
    /// # Errors
    /// When a name is empty or longer than 255 bytes.
    pub fn new(
        config: IggyConfig,
        stream: &str,
        topic: &str,
        batch_length: NonZeroUsize,
        partitions: u32,
    ) -> anyhow::Result<Self> {
        let id = |kind: &str, name: &str| {
            Identifier::named(name).with_context(|| {
                format!("{kind} {name:?} cannot be a name in iggy: it needs 1 to 255 bytes")
            })
        };
        let (stream_id, topic_id) = (id("stream", stream)?, id("topic", topic)?);
        let (stream, topic) = (stream.to_owned(), topic.to_owned());
        let name = TopicName {
            stream,
            topic,
            stream_id,
            topic_id,
        };
        let (connection, partition_ids, sends) = (None, Vec::new(), 0);
        Ok(Self {
            config,
            name,
            batch_length,
            partitions,
            connection,
            partition_ids,
            sends,
        })
    }

    /// The connection, opened and with the topic in place where it was not.
    async fn connection(&mut self) -> Result<&mut Connection, AppendError> {
        if let Some(mut connection) = self.connection.take()
            && connection.is_alive(self.config.timeout).await
        {
            return Ok(self.connection.insert(connection));
        }
        let mut connection = Connection::open(&self.config).await?;
        let topic = topic::ensure(&mut connection, &self.config, &self.name, self.partitions);
        self.partition_ids = topic
            .await?
            .partitions
            .iter()
            .map(|partition| partition.id)
            .collect();
        Ok(self.connection.insert(connection))
    }

    /// Sends chunk by chunk; a connection that failed is not used again.
    async fn send_all(
        &mut self,
        chunks: Vec<Vec<IggyMessage>>,
    ) -> Result<Vec<Offset>, AppendError> {
        let (mut sent, mut ends) = (0, Vec::new());
        self.connection().await?;
        for chunk in chunks {
            let count = chunk.len();
            match self.send(chunk).await {
                Ok(end) => end.into_iter().for_each(|end| advance(&mut ends, end)),
                Err(error) => {
                    self.connection = None;
                    return Err(after_prefix(sent, ends, error));
                }
            }
            sent += count;
        }
        Ok(ends)
    }

    /// One request. The answer may lack offsets, then the end stays as it was known.
    async fn send(&mut self, mut chunk: Vec<IggyMessage>) -> Result<Vec<Offset>, AppendError> {
        let partitioning = Partitioning::partition_id(self.next_partition());
        let (name, count) = (self.name.clone(), chunk.len() as u64);
        let timeout = self.config.timeout;
        let sent = self.connection().await?.call(timeout, async move |client| {
            let (stream, topic) = (&name.stream_id, &name.topic_id);
            client
                .send_messages(stream, topic, &partitioning, &mut chunk)
                .await
        });
        let sent = sent
            .await
            .map_err(|failure| refuse(&self.config, Action::Send, failure))?;
        let end = sent.confirmations.iter().map(|confirmed| Offset {
            partition: confirmed.partition_id,
            next: confirmed.base_offset + count,
        });
        Ok(end.collect())
    }

    /// In turn. The SDK would ask the server for the partitions to do the same.
    fn next_partition(&mut self) -> u32 {
        let turn = self.sends.checked_rem(self.partition_ids.len());
        self.sends = self.sends.wrapping_add(1);
        turn.and_then(|turn| self.partition_ids.get(turn))
            .copied()
            .unwrap_or(0)
    }

    async fn tail(&mut self, from: Option<&[Offset]>) -> Result<Tail, AppendError> {
        let (config, name) = (self.config.clone(), self.name.clone());
        let connection = self.connection().await?;
        let tail = topic::read(connection, &config, &name, from).await;
        if tail.is_err() {
            self.connection = None;
        }
        tail
    }
}

fn advance(ends: &mut Vec<Offset>, to: Offset) {
    match ends.iter_mut().find(|end| end.partition == to.partition) {
        Some(end) => *end = to,
        None => ends.push(to),
    }
}

fn after_prefix(sent: usize, ends: Vec<Offset>, error: AppendError) -> AppendError {
    match error.committed {
        Committed::Nothing if sent > 0 => AppendError {
            committed: Committed::Part {
                places: (0..sent).collect(),
                ends,
            },
            ..error
        },
        _ => error,
    }
}

impl Destination for IggyDestination {
    fn name(&self) -> (&str, &str) {
        (&self.name.stream, &self.name.topic)
    }

    fn append<'a>(
        &'a mut self,
        messages: &'a [Message],
    ) -> BoxFuture<'a, Result<Vec<Offset>, AppendError>> {
        async move {
            // All of it first: a message that cannot be sent keeps its batch back.
            let chunks = convert::chunks(messages, self.batch_length)?;
            self.send_all(chunks).await
        }
        .boxed()
    }

    fn read_from<'a>(
        &'a mut self,
        from: Option<&'a [Offset]>,
    ) -> BoxFuture<'a, Result<Tail, AppendError>> {
        self.tail(from).boxed()
    }

    fn abandon(&mut self) -> Duration {
        self.connection = None;
        self.config.publish_quiet
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_in_the_debug_output() {
        let config = IggyConfig {
            address: "127.0.0.1:8090".into(),
            username: "iggy".into(),
            password: "hunter2".into(),
            token: Some("hunter3".into()),
            tls: Some(TlsConfig::default()),
            timeout: Duration::from_secs(5),
            publish_quiet: Duration::from_secs(5),
        };
        let one = NonZeroUsize::MIN;
        let destination = IggyDestination::new(config, "s", "t", one, 1).unwrap();
        let debug = format!("{destination:?}");
        assert!(
            debug.contains("127.0.0.1:8090") && !debug.contains("hunter"),
            "{debug}"
        );
    }

    #[test]
    fn names_that_iggy_cannot_have_are_refused() {
        let config = || IggyConfig {
            address: String::new(),
            username: String::new(),
            password: String::new(),
            token: None,
            tls: None,
            timeout: Duration::ZERO,
            publish_quiet: Duration::ZERO,
        };
        for (stream, topic) in [("", "t"), ("s", ""), ("s", &*"t".repeat(256))] {
            let one = NonZeroUsize::MIN;
            let error = IggyDestination::new(config(), stream, topic, one, 1).unwrap_err();
            assert!(error.to_string().contains("1 to 255 bytes"), "{error}");
        }
    }
}
