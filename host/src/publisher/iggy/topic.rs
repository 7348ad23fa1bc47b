//! What is asked of a topic besides sending: that it exists, where it ends, what it has.

use ::iggy::prelude::{
    Consumer, IggyError, IggyExpiry, MaxTopicSize, MessageClient, Partition, PolledMessages,
    PollingStrategy, StreamClient, TopicClient, TopicCreateOptions, TopicDetails,
};
use anyhow::anyhow;

use super::connection::Connection;
use super::experience::Refusal;
use super::refusal::{Action, Failure, refuse};
use super::{IggyConfig, TopicName};
use crate::publisher::destination::{AppendError, Offset, Range, TAIL_MAX, Tail, Wanted, advance};

/// The most messages asked for at once, and about how many bytes they may have.
const POLL_COUNT_MAX: usize = 1_000;
const POLL_BYTES: usize = 16 << 20;
/// The first poll does not know yet how large messages are.
const POLL_COUNT_FIRST: u32 = 16;

/// When the server acknowledges messages of a topic; decided when the topic is created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Durability {
    /// When they are on stable storage. They survive a power failure; each request waits
    /// for the disk.
    #[default]
    Persisted,
    /// When a quorum of servers has them, of a single server in its memory, which writes
    /// them a little later.
    Replicated,
}

impl Durability {
    /// The durability as Iggy and the configuration write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Persisted => "persisted",
            Self::Replicated => "replicated",
        }
    }

    fn to_sdk(self) -> ::iggy::prelude::Durability {
        match self {
            Self::Persisted => ::iggy::prelude::Durability::Persisted,
            Self::Replicated => ::iggy::prelude::Durability::Replicated,
        }
    }
}

/// Creates the topic, and its stream where missing. It keeps everything: what was
/// acknowledged must not be deleted.
pub(super) async fn create(
    connection: &mut Connection,
    config: &IggyConfig,
    name: &TopicName,
    partitions: u32,
    durability: Durability,
) -> Result<TopicDetails, Refusal> {
    create_stream(connection, config, name).await?;
    let options = TopicCreateOptions {
        partitions_count: Some(partitions),
        message_expiry: Some(IggyExpiry::NeverExpire),
        max_topic_size: Some(MaxTopicSize::Unlimited),
        durability: durability.to_sdk(),
        ..Default::default()
    };
    create_topic(connection, config, name, options).await?;
    let (stream, topic) = (&name.stream, &name.topic);
    let durability = durability.as_str();
    tracing::info!(stream, topic, partitions, durability, "created the topic");
    let found = look(connection, config, name).await?;
    found.ok_or_else(|| not_there(config, "the new topic is not there yet"))
}

/// The topic was there before. It is not made anew, as a new one would hide that messages
/// which were acknowledged are gone.
pub(super) fn deleted(config: &IggyConfig) -> Refusal {
    let why = "the topic is gone: restore it with what it had, or the permission read_topics";
    not_there(config, why)
}

fn not_there(config: &IggyConfig, why: &str) -> Refusal {
    AppendError::transient(anyhow!("{why}, at {}", config.address)).into()
}

/// The topic, if it exists.
pub(super) async fn look(
    connection: &mut Connection,
    config: &IggyConfig,
    name: &TopicName,
) -> Result<Option<TopicDetails>, Refusal> {
    let name = name.clone();
    let topic = connection.call(config.timeout, async move |client| {
        client.get_topic(&name.stream_id, &name.topic_id).await
    });
    absent(topic.await).map_err(|failure| refuse(config, Action::Look, failure))
}

/// A server may answer with nothing, or with an error, for what does not exist.
fn absent<T>(found: Result<Option<T>, Failure>) -> Result<Option<T>, Failure> {
    match found {
        Err(Failure::Answered(
            IggyError::StreamIdNotFound(_)
            | IggyError::StreamNameNotFound(_)
            | IggyError::TopicIdNotFound(..)
            | IggyError::TopicNameNotFound(..)
            | IggyError::ResourceNotFound(_),
        )) => Ok(None),
        other => other,
    }
}

async fn create_stream(
    connection: &mut Connection,
    config: &IggyConfig,
    name: &TopicName,
) -> Result<(), Refusal> {
    let (id, stream) = (name.stream_id.clone(), name.stream.clone());
    let found = connection.call(config.timeout, async move |client| {
        client.get_stream(&id).await
    });
    let found = absent(found.await).map_err(|failure| refuse(config, Action::Look, failure))?;
    if found.is_some() {
        return Ok(());
    }
    let created = connection
        .call(config.timeout, async move |client| {
            client.create_stream(&stream).await
        })
        .await;
    match created {
        // Another writer was faster.
        Ok(_) | Err(Failure::Answered(IggyError::StreamNameAlreadyExists(_))) => Ok(()),
        Err(failure) => Err(refuse(config, Action::CreateStream, failure)),
    }
}

async fn create_topic(
    connection: &mut Connection,
    config: &IggyConfig,
    name: &TopicName,
    options: TopicCreateOptions,
) -> Result<(), Refusal> {
    let name = name.clone();
    let created = connection.call(config.timeout, async move |client| {
        client
            .create_topic(&name.stream_id, &name.topic, &options)
            .await
    });
    match created.await {
        Ok(_) | Err(Failure::Answered(IggyError::TopicNameAlreadyExists(..))) => Ok(()),
        Err(failure) => Err(refuse(config, Action::CreateTopic, failure)),
    }
}

/// Reads what is wanted, or asks only for the ends.
pub(super) async fn read(
    connection: &mut Connection,
    config: &IggyConfig,
    name: &TopicName,
    wanted: Option<&Wanted>,
) -> Result<Tail, Refusal> {
    let found = look(connection, config, name).await?;
    let topic = found.ok_or_else(|| deleted(config))?;
    let mut tail = Tail {
        ids: Vec::new(),
        end: topic.partitions.iter().map(end).collect(),
    };
    let Some(wanted) = wanted else {
        return Ok(tail);
    };
    wanted.check_none_gone(&tail.end)?;
    for partition in &topic.partitions {
        let mut reader = Reader {
            connection,
            config,
            name,
            partition,
            wanted,
        };
        let next = reader.read(&mut tail.ids).await?;
        let partition = partition.id;
        advance(&mut tail.end, Offset { partition, next });
    }
    Ok(tail)
}

/// An empty partition and one with a single message both have the current offset 0.
fn end(partition: &Partition) -> Offset {
    let empty = partition.messages_count == 0 && partition.current_offset == 0;
    let next = if empty {
        0
    } else {
        partition.current_offset + 1
    };
    Offset {
        partition: partition.id,
        next,
    }
}

/// Reads one partition.
struct Reader<'a> {
    connection: &'a mut Connection,
    config: &'a IggyConfig,
    name: &'a TopicName,
    partition: &'a Partition,
    wanted: &'a Wanted,
}

impl Reader<'_> {
    /// Appends the wanted ids, and returns the partition's end.
    async fn read(&mut self, ids: &mut Vec<u128>) -> Result<u64, Refusal> {
        let mut end = end(self.partition).next;
        for range in self.wanted.of(self.partition.id, end) {
            end = end.max(self.read_range(range, ids).await?);
        }
        Ok(end)
    }

    /// Returns where it ended. A range that goes to the end goes up to the end that the first
    /// poll reports; who writes all the time must not keep this reading for ever.
    async fn read_range(&mut self, range: Range, ids: &mut Vec<u128>) -> Result<u64, Refusal> {
        let known_end = end(self.partition).next;
        let (mut next, mut stop, mut count) = (range.from, range.to, POLL_COUNT_FIRST);
        let mut is_tail = range.to == known_end;
        while next < stop || is_tail {
            let polled = self.poll(next, count).await?;
            let Some(last) = polled.messages.last().map(|message| message.header.offset) else {
                return Ok(self.nothing_left(next, stop)?);
            };
            if std::mem::take(&mut is_tail) {
                stop = stop.max(polled.current_offset + 1);
            }
            self.report_gap(&polled, next, stop);
            let headers = polled.messages.iter().map(|message| &message.header);
            let inside = headers.filter(|header| (next..stop).contains(&header.offset));
            ids.extend(
                inside
                    .map(|header| header.id)
                    .filter(|id| self.wanted.has(*id)),
            );
            if ids.len() > TAIL_MAX {
                return Err(too_many().into());
            }
            next = next.max(last + 1);
            count = count_for(&polled);
        }
        Ok(stop.min(next))
    }

    async fn poll(&mut self, next: u64, count: u32) -> Result<PolledMessages, Refusal> {
        let (name, partition) = (self.name.clone(), self.partition.id);
        let polled = self
            .connection
            .call(self.config.timeout, async move |client| {
                let (stream, topic) = (&name.stream_id, &name.topic_id);
                // No consumer of this name has an offset on the server, nor gets one.
                let (consumer, strategy) = (Consumer::default(), PollingStrategy::offset(next));
                let partition = Some(partition);
                client
                    .poll_messages(stream, topic, partition, &consumer, &strategy, count, false)
                    .await
            });
        polled
            .await
            .map_err(|failure| refuse(self.config, Action::Poll, failure))
    }

    /// An empty answer before the end is the end only where all messages were deleted.
    fn nothing_left(&self, next: u64, stop: u64) -> Result<u64, AppendError> {
        if next < stop && self.partition.messages_count > 0 {
            return Err(AppendError::transient(anyhow!(
                "partition {} ends at {stop}, but the server gives nothing from {next} on",
                self.partition.id,
            )));
        }
        self.report_deleted(stop.saturating_sub(next));
        Ok(stop.max(next))
    }

    fn report_gap(&self, polled: &PolledMessages, next: u64, stop: u64) {
        if let Some(first) = polled.messages.first() {
            self.report_deleted(first.header.offset.min(stop).saturating_sub(next));
        }
    }

    fn report_deleted(&self, messages: u64) {
        if messages > 0 {
            tracing::warn!(
                stream = self.name.stream,
                topic = self.name.topic,
                partition = self.partition.id,
                messages,
                "messages behind the saved position were deleted before they could be compared: repetitions among them go unnoticed, see the topic's message expiry"
            );
        }
    }
}

/// As many as fit, judging by the largest one so far.
fn count_for(polled: &PolledMessages) -> u32 {
    let largest = polled
        .messages
        .iter()
        .map(|message| message.payload.len())
        .max();
    let count = POLL_BYTES
        .checked_div(largest.unwrap_or(1))
        .unwrap_or(POLL_COUNT_MAX);
    u32::try_from(count.clamp(1, POLL_COUNT_MAX)).unwrap_or(1)
}

fn too_many() -> AppendError {
    AppendError::permanent(anyhow!(
        "the topic has more than {TAIL_MAX} messages behind the saved position: save more \
         often, or give the sources that share it an id_namespace each"
    ))
}
