//! Messages into a topic of Apache Iggy, over TCP, and back by offset.
//!
//! This module and its children are the only place that names the `iggy` crate. A
//! destination holds one connection, opened by the first call that needs it and dropped
//! after every failure. The server does not deduplicate; that a message is written once
//! is [`super::outbox`]'s business. What is here must be honest about one thing: whether
//! a refused request can have taken effect.

mod config;
mod connection;
mod convert;
mod experience;
mod handshake;
mod limits;
mod partitioning;
mod refusal;
mod requests;
mod topic;

use std::num::NonZeroUsize;
use std::time::Duration;

use ::iggy::prelude::{
    Identifier, IggyError, IggyMessage, MessageClient, Partitioning as SdkPartitioning,
    TopicDetails,
};
use anyhow::Context;
use futures::FutureExt;
use futures::future::BoxFuture;

use super::destination::{
    AppendError, Committed, Destination, Message, Offset, Range, Tail, Unfit, Wanted,
};
use crate::state_store::Permit;
use connection::Connection;
use experience::{Experience, Refusal};
use limits::Limits;
use partitioning::Partitions;
use refusal::{Action, refuse};
use requests::Request;

pub use config::{IggyConfig, TlsConfig};
pub use partitioning::Partitioning;
pub use topic::Durability;

/// Stream and topic, by name.
#[derive(Debug, Clone)]
struct TopicName {
    stream: String,
    topic: String,
    stream_id: Identifier,
    topic_id: Identifier,
}

/// One stream and topic of a server. Both are created where missing, until they were there
/// once.
#[derive(Debug)]
pub struct IggyDestination {
    config: IggyConfig,
    name: TopicName,
    batch_length: NonZeroUsize,
    /// Of a topic that has to be created.
    new_partitions: u32,
    durability: Durability,
    partitioning: Partitioning,
    connection: Option<Connection>,
    /// A saved state knows messages of the topic: another one can not take its place.
    is_remembered: bool,
    /// As of the last connect.
    partitions: Partitions,
    experience: Experience,
    permit: Permit,
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
        Ok(Self {
            config,
            name,
            batch_length,
            new_partitions: partitions,
            durability: Durability::default(),
            partitioning: Partitioning::default(),
            connection: None,
            is_remembered: false,
            partitions: Partitions::default(),
            experience: Experience::default(),
            permit: Permit::always(),
        })
    }

    /// The same with another partitioning.
    #[must_use]
    pub fn partitioned(self, partitioning: Partitioning) -> Self {
        Self {
            partitioning,
            ..self
        }
    }

    /// The same with another durability of the topic, where it has to be created.
    #[must_use]
    pub fn acknowledging(self, durability: Durability) -> Self {
        Self { durability, ..self }
    }

    /// The same for who may publish as long as this says. The queue sees to that as well, but
    /// a request is sent in a thread of its own, which wakes up by itself after the process
    /// was stopped.
    #[must_use]
    pub fn permitted(self, permit: Permit) -> Self {
        Self { permit, ..self }
    }

    /// The connection, opened and with the topic in place where it was not.
    async fn connection(&mut self) -> Result<&mut Connection, Refusal> {
        if let Some(mut connection) = self.connection.take()
            && connection.is_alive(self.config.timeout).await
        {
            return Ok(self.connection.insert(connection));
        }
        let mut connection = Connection::open(&self.config).await?;
        let topic = self.topic(&mut connection).await?;
        self.check_partitions(topic.partitions.len())?;
        self.partitions
            .update(topic.partitions.iter().map(|partition| partition.id));
        self.experience.found = true;
        Ok(self.connection.insert(connection))
    }

    async fn topic(&self, connection: &mut Connection) -> Result<TopicDetails, Refusal> {
        let (config, name) = (&self.config, &self.name);
        match topic::look(connection, config, name).await? {
            Some(topic) => Ok(topic),
            None if self.experience.found || self.is_remembered => Err(topic::deleted(config)),
            None => {
                let (partitions, durability) = (self.new_partitions, self.durability);
                self.check_partitions(partitions as usize)?;
                topic::create(connection, config, name, partitions, durability).await
            }
        }
    }

    /// A topic that was restored may have fewer of them than it had.
    fn check_partitions(&self, partitions: usize) -> Result<(), Refusal> {
        let checked = self.partitioning.check(partitions);
        checked.map_err(|error| Refusal {
            error,
            revoked: Some(Action::Look),
        })
    }

    /// Sends request by request; a connection that failed is not used again.
    async fn send_all(
        &mut self,
        messages: &[Message],
        converted: Vec<IggyMessage>,
    ) -> Result<Vec<Range>, Refusal> {
        self.connection().await?;
        let partitions = self.partitions.of(messages, &self.partitioning);
        let (mut sent, mut ranges) = (Vec::new(), Vec::new());
        for request in requests::cut(converted, &partitions, self.limits()) {
            let places = request.places.clone();
            match self.send(request).await {
                Ok(written) => ranges.extend(written),
                Err(refusal) => {
                    // A refused message is no failure of the connection.
                    let of_message = matches!(refusal.error.unfit, Unfit::Unnamed);
                    self.connection = self.connection.take().filter(|_| of_message);
                    return Err(after_part(sent, ranges, refusal));
                }
            }
            sent.extend(places);
        }
        Ok(ranges)
    }

    /// One request. The answer may lack offsets, then the end stays as it was known.
    async fn send(&mut self, request: Request) -> Result<Vec<Range>, Refusal> {
        let mut messages = request.messages;
        let partition = request
            .partition
            .unwrap_or_else(|| self.partitions.take_turn());
        let partitioning = SdkPartitioning::partition_id(partition);
        let (name, count) = (self.name.clone(), messages.len() as u64);
        let (timeout, permit) = (self.config.timeout, self.permit.clone());
        let sent = self.connection().await?.call(timeout, async move |client| {
            let (stream, topic) = (&name.stream_id, &name.topic_id);
            let sending = client.send_messages(stream, topic, &partitioning, &mut messages);
            // What is cut off may be half sent, which is the end of its connection.
            let sent = permit.during(sending).await;
            sent.unwrap_or(Err(IggyError::Disconnected))
        });
        let sent = sent
            .await
            .map_err(|failure| refuse(&self.config, Action::Send, failure))?;
        let written = sent.confirmations.iter().map(|confirmed| Range {
            partition: confirmed.partition_id,
            from: confirmed.base_offset,
            to: confirmed.base_offset + count,
        });
        Ok(written.collect())
    }

    fn limits(&self) -> Limits {
        Limits {
            batch_length: self.batch_length,
            request_bytes: self.config.max_message_size,
        }
    }

    /// Where the topic ends, or what is wanted of it.
    async fn tail(&mut self, wanted: Option<&Wanted>) -> Result<Tail, Refusal> {
        let (config, name) = (self.config.clone(), self.name.clone());
        self.is_remembered |= wanted.is_some_and(Wanted::is_behind_something);
        let connection = self.connection().await?;
        let tail = topic::read(connection, &config, &name, wanted).await;
        match &tail {
            Ok(_) => self.experience.read |= wanted.is_some(),
            Err(_) => self.connection = None,
        }
        tail
    }
}

/// The error of a request after others of its batch, whose places these are.
fn after_part(places: Vec<usize>, ranges: Vec<Range>, mut refusal: Refusal) -> Refusal {
    let committed = &mut refusal.error.committed;
    if *committed == Committed::Nothing && !places.is_empty() {
        *committed = Committed::Part { places, ranges };
    }
    refusal
}

impl Destination for IggyDestination {
    fn name(&self) -> (&str, &str) {
        (&self.name.stream, &self.name.topic)
    }

    fn append<'a>(
        &'a mut self,
        messages: &'a [Message],
    ) -> BoxFuture<'a, Result<Vec<Range>, AppendError>> {
        async move {
            let converted = convert::all(messages, self.limits())?;
            let sent = self.send_all(messages, converted).await;
            sent.map_err(|refusal| self.experience.judge(refusal))
        }
        .boxed()
    }

    fn ends(&mut self) -> BoxFuture<'_, Result<Vec<Offset>, AppendError>> {
        async move {
            let tail = self.tail(None).await;
            let tail = tail.map_err(|refusal| self.experience.judge(refusal))?;
            Ok(tail.end)
        }
        .boxed()
    }

    fn read<'a>(&'a mut self, wanted: &'a Wanted) -> BoxFuture<'a, Result<Tail, AppendError>> {
        async move {
            let tail = self.tail(Some(wanted)).await;
            tail.map_err(|refusal| self.experience.judge(refusal))
        }
        .boxed()
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
    fn names_that_iggy_cannot_have_are_refused() {
        let config = || IggyConfig {
            address: String::new(),
            username: String::new(),
            password: String::new(),
            token: None,
            tls: None,
            timeout: Duration::ZERO,
            publish_quiet: Duration::ZERO,
            max_message_size: 64 << 20,
        };
        for (stream, topic) in [("", "t"), ("s", ""), ("s", &*"t".repeat(256))] {
            let one = NonZeroUsize::MIN;
            let error = IggyDestination::new(config(), stream, topic, one, 1).unwrap_err();
            assert!(error.to_string().contains("1 to 255 bytes"), "{error}");
        }
    }
}
