//! Streams, topics and partitions in memory, and what each command does to them.
//!
//! It does not deduplicate, as the real server does not.

use std::collections::{HashMap, HashSet, VecDeque};

use bytes::{Bytes, BytesMut};
use iggy_binary_protocol::batch::decode_batch_slice;
use iggy_binary_protocol::codes::*;
use iggy_binary_protocol::requests::messages::{
    PollMessagesRequest, RawMessage, SendMessagesEncoder, SendMessagesHeader,
};
use iggy_binary_protocol::requests::streams::{CreateStreamRequest, GetStreamRequest};
use iggy_binary_protocol::requests::topics::{CreateTopicRequest, GetTopicRequest};
use iggy_binary_protocol::responses::messages::poll_messages::PollMessagesResponseHeader;
use iggy_binary_protocol::responses::messages::send_messages::{
    SendMessagesConfirmationResponse, SendMessagesResponse,
};
use iggy_binary_protocol::responses::streams::StreamResponse;
use iggy_binary_protocol::responses::streams::get_stream::{GetStreamResponse, TopicHeader};
use iggy_binary_protocol::responses::system::get_cluster_metadata::{
    ClusterMetadataResponse, ClusterNodeResponse,
};
use iggy_binary_protocol::responses::topics::get_topic::{GetTopicResponse, PartitionResponse};
use iggy_binary_protocol::{
    WireDecode, WireEncode, WireIdentifier, WireName, WireOptions, WirePartitioning,
    WireUserHeaderIterator, WireUserHeaders,
};

use super::{Header, Stored};

/// All payloads together, in bytes.
const STORED_MAX: usize = 512 << 20;

/// Error codes of the protocol.
pub(crate) const INVALID_COMMAND: u32 = 3;
pub(crate) const UNAUTHENTICATED: u32 = 40;
pub(crate) const UNAUTHORIZED: u32 = 41;
const STREAM_EXISTS: u32 = 1012;
const STREAM_NOT_FOUND: u32 = 1009;
const TOPIC_EXISTS: u32 = 2013;
const TOPIC_NOT_FOUND: u32 = 2010;
const PARTITION_NOT_FOUND: u32 = 3007;
const TOPIC_FULL: u32 = 3009;
const TOO_BIG_MESSAGE_PAYLOAD: u32 = 4022;

type Answer = Result<Vec<u8>, u32>;

pub(crate) struct Broker {
    streams: Vec<(String, Vec<Topic>)>,
    stored_bytes: usize,
    /// The largest payload of a message, in bytes.
    pub(crate) payload_max: usize,
    /// By user name: the password, and the commands that are not permitted.
    pub(crate) users: HashMap<String, (String, HashSet<u32>)>,
    /// The user of every personal access token.
    pub(crate) tokens: HashMap<String, String>,
}

pub(crate) struct Topic {
    name: String,
    options: WireOptions,
    partitions: Vec<Partition>,
}

#[derive(Default)]
pub(crate) struct Partition {
    /// The offset of the first message that is still there.
    first: u64,
    messages: VecDeque<Stored>,
}

impl Partition {
    fn end(&self) -> u64 {
        self.first + self.messages.len() as u64
    }

    /// The last messages are lost, as after a crash.
    pub(crate) fn lose_last(&mut self, count: usize) {
        self.messages
            .truncate(self.messages.len().saturating_sub(count));
    }

    /// The first messages are deleted, as by an expiry.
    pub(crate) fn delete_first(&mut self, count: usize) {
        let count = count.min(self.messages.len());
        self.messages.drain(..count);
        self.first += count as u64;
    }
}

impl Default for Broker {
    fn default() -> Self {
        Self {
            streams: Vec::new(),
            stored_bytes: 0,
            payload_max: usize::MAX,
            users: HashMap::new(),
            tokens: HashMap::new(),
        }
    }
}

impl Broker {
    /// Whether the user, who is signed in, may give the command.
    pub(crate) fn permits(&self, user: &str, code: u32) -> bool {
        self.users
            .get(user)
            .is_some_and(|(_, denied)| !denied.contains(&code))
    }

    pub(crate) fn handle(&mut self, code: u32, body: &[u8]) -> Answer {
        match code {
            PING_CODE => Ok(Vec::new()),
            GET_CLUSTER_METADATA_CODE => Ok(cluster()),
            GET_STREAM_CODE => self.get_stream(&decode::<GetStreamRequest>(body)?.stream_id),
            CREATE_STREAM_CODE => self.create_stream(decode(body)?),
            GET_TOPIC_CODE => self.get_topic(&decode(body)?),
            CREATE_TOPIC_CODE => self.create_topic(decode(body)?),
            SEND_MESSAGES_CODE => self.send(body),
            POLL_MESSAGES_CODE => self.poll(&decode(body)?),
            _ => Err(INVALID_COMMAND),
        }
    }

    pub(crate) fn add_topic(
        &mut self,
        stream: &str,
        topic: &str,
        partitions: u32,
        options: WireOptions,
    ) {
        let partitions = (0..partitions).map(|_| Partition::default()).collect();
        self.topics(stream).push(Topic {
            name: topic.to_owned(),
            options,
            partitions,
        });
    }

    /// It can be added again as it was.
    pub(crate) fn delete_topic(&mut self, stream: &str, topic: &str) -> Topic {
        let topics = self.topics(stream);
        let at = topics.iter().position(|known| known.name == topic);
        topics.remove(at.expect("no such topic"))
    }

    /// The topics of a stream, which is added where it is missing.
    pub(crate) fn topics(&mut self, stream: &str) -> &mut Vec<Topic> {
        match self.streams.iter().position(|(name, _)| name == stream) {
            Some(at) => &mut self.streams[at].1,
            None => &mut self.streams.push_mut((stream.to_owned(), Vec::new())).1,
        }
    }

    pub(crate) fn partition(
        &mut self,
        stream: &str,
        topic: &str,
        partition: u32,
    ) -> &mut Partition {
        &mut self
            .topic_named(stream, topic)
            .expect("no such topic")
            .partitions[partition as usize]
    }

    pub(crate) fn messages(&mut self, stream: &str, topic: &str) -> Vec<Stored> {
        let topic = self.topic_named(stream, topic);
        let partitions = topic.into_iter().flat_map(|topic| &topic.partitions);
        partitions
            .flat_map(|partition| partition.messages.iter().cloned())
            .collect()
    }

    /// The options a topic was created with, their values as on the wire.
    pub(crate) fn options(&mut self, stream: &str, topic: &str) -> HashMap<String, Vec<u8>> {
        let topic = self.topic_named(stream, topic).expect("no such topic");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let options = topic.options.iter();
        options
            .map(|entry| (text(entry.key), entry.value.to_vec()))
            .collect()
    }

    /// Appends as a producer does; returns the offset of the first message.
    pub(crate) fn append(
        &mut self,
        (stream, topic, partition): (&str, &str, u32),
        messages: Vec<(u128, Bytes, Bytes)>,
    ) -> Result<u64, u32> {
        let bytes: usize = messages.iter().map(|(_, payload, _)| payload.len()).sum();
        if self.stored_bytes + bytes > STORED_MAX {
            return Err(TOPIC_FULL);
        }
        self.stored_bytes += bytes;
        let topic = self.topic_named(stream, topic).ok_or(TOPIC_NOT_FOUND)?;
        let into = topic
            .partitions
            .get_mut(partition as usize)
            .ok_or(PARTITION_NOT_FOUND)?;
        let base = into.end();
        for ((id, payload, raw_headers), offset) in messages.into_iter().zip(base..) {
            into.messages.push_back(Stored {
                partition,
                offset,
                id,
                payload,
                raw_headers,
            });
        }
        Ok(base)
    }

    fn topic_named(&mut self, stream: &str, topic: &str) -> Option<&mut Topic> {
        let (_, topics) = self.streams.iter_mut().find(|(name, _)| name == stream)?;
        topics.iter_mut().find(|known| known.name == topic)
    }

    fn find_stream(&self, id: &WireIdentifier) -> Option<usize> {
        match id {
            WireIdentifier::Numeric(at) => Some(*at as usize),
            WireIdentifier::String(name) => self
                .streams
                .iter()
                .position(|(known, _)| *known == name.as_str()),
        }
    }

    fn find_topic(&self, stream: &WireIdentifier, id: &WireIdentifier) -> Option<(usize, usize)> {
        let stream = self.find_stream(stream)?;
        let topics = &self.streams.get(stream)?.1;
        let topic = match id {
            WireIdentifier::Numeric(at) => *at as usize,
            WireIdentifier::String(name) => topics
                .iter()
                .position(|topic| topic.name == name.as_str())?,
        };
        topics.get(topic).map(|_| (stream, topic))
    }

    /// What does not exist has an empty answer.
    fn get_stream(&self, id: &WireIdentifier) -> Answer {
        let at = self.find_stream(id);
        let Some((at, (name, topics))) = at.and_then(|at| Some((at, self.streams.get(at)?))) else {
            return Ok(Vec::new());
        };
        let stream = StreamResponse {
            id: at as u32,
            created_at: 0,
            topics_count: topics.len() as u32,
            size_bytes: 0,
            messages_count: 0,
            name: WireName::new(name.as_str()).unwrap(),
            options: WireOptions::empty(),
        };
        let topics = topics
            .iter()
            .enumerate()
            .map(|(at, topic)| topic.header(at))
            .collect();
        Ok(encode(&GetStreamResponse { stream, topics }))
    }

    fn create_stream(&mut self, request: CreateStreamRequest) -> Answer {
        let id = WireIdentifier::named(request.name.as_str()).map_err(|_| INVALID_COMMAND)?;
        if self.find_stream(&id).is_some() {
            return Err(STREAM_EXISTS);
        }
        self.streams
            .push((request.name.as_str().to_owned(), Vec::new()));
        self.get_stream(&id)
    }

    fn get_topic(&self, request: &GetTopicRequest) -> Answer {
        let Some((stream, at)) = self.find_topic(&request.stream_id, &request.topic_id) else {
            return Ok(Vec::new());
        };
        let topic = &self.streams[stream].1[at];
        let partitions = topic.partitions.iter().enumerate();
        let partitions = partitions
            .map(|(id, partition)| partition.response(id))
            .collect();
        Ok(encode(&GetTopicResponse {
            topic: topic.header(at),
            partitions,
        }))
    }

    fn create_topic(&mut self, request: CreateTopicRequest) -> Answer {
        let stream = self
            .find_stream(&request.stream_id)
            .ok_or(STREAM_NOT_FOUND)?;
        let stream = self.streams.get(stream).ok_or(STREAM_NOT_FOUND)?.0.clone();
        let name = request.name.as_str().to_owned();
        if self.topic_named(&stream, &name).is_some() {
            return Err(TOPIC_EXISTS);
        }
        self.add_topic(&stream, &name, request.partitions_count, request.options);
        let topic_id = WireIdentifier::named(name).map_err(|_| INVALID_COMMAND)?;
        self.get_topic(&GetTopicRequest {
            stream_id: request.stream_id,
            topic_id,
        })
    }

    fn send(&mut self, body: &[u8]) -> Answer {
        let (header, length) =
            SendMessagesHeader::decode(&body[4..]).map_err(|_| INVALID_COMMAND)?;
        let batch = decode_batch_slice(&body[4 + length..]).map_err(|_| INVALID_COMMAND)?;
        let WirePartitioning::PartitionId(partition) = header.partitioning else {
            return Err(INVALID_COMMAND);
        };
        let found = self
            .find_topic(&header.stream_id, &header.topic_id)
            .ok_or(TOPIC_NOT_FOUND)?;
        let (stream, topics) = &self.streams[found.0];
        let (stream, topic) = (stream.clone(), topics[found.1].name.clone());
        if batch
            .iter()
            .any(|view| view.payload.len() > self.payload_max)
        {
            return Err(TOO_BIG_MESSAGE_PAYLOAD);
        }
        let copy = Bytes::copy_from_slice;
        let messages = batch
            .iter()
            .map(|view| (view.header.id, copy(view.payload), copy(view.user_headers)));
        let base_offset = self.append((&stream, &topic, partition), messages.collect())?;
        Ok(encode(&SendMessagesResponse {
            confirmations: vec![SendMessagesConfirmationResponse {
                stream_id: found.0 as u32,
                topic_id: found.1 as u32,
                partition_id: partition,
                base_offset,
            }],
        }))
    }

    fn poll(&self, request: &PollMessagesRequest) -> Answer {
        let found = self.find_topic(&request.stream_id, &request.topic_id);
        let (stream, topic) = found.ok_or(TOPIC_NOT_FOUND)?;
        let id = request.partition_id.ok_or(INVALID_COMMAND)?;
        let partitions = &self.streams[stream].1[topic].partitions;
        let partition = partitions.get(id as usize).ok_or(PARTITION_NOT_FOUND)?;
        let skipped = request.strategy.value.saturating_sub(partition.first) as usize;
        let messages = partition
            .messages
            .iter()
            .skip(skipped)
            .take(request.count as usize);
        let messages: Vec<&Stored> = messages.collect();
        let mut answer = encode(&PollMessagesResponseHeader {
            partition_id: id,
            current_offset: partition.end().saturating_sub(1),
            messages_count: messages.len() as u32,
        });
        answer.extend(record(&messages));
        Ok(answer)
    }
}

impl Topic {
    fn header(&self, at: usize) -> TopicHeader {
        TopicHeader {
            id: at as u32,
            created_at: 0,
            partitions_count: self.partitions.len() as u32,
            message_expiry: u64::MAX,
            compression_algorithm: 1,
            max_topic_size: u64::MAX,
            size_bytes: 0,
            messages_count: 0,
            name: WireName::new(self.name.as_str()).unwrap(),
            options: self.options.clone(),
            derived_options: WireOptions::empty(),
        }
    }
}

impl Partition {
    fn response(&self, id: usize) -> PartitionResponse {
        PartitionResponse {
            id: id as u32,
            created_at: 0,
            segments_count: 1,
            current_offset: self.end().saturating_sub(1),
            size_bytes: 0,
            messages_count: self.messages.len() as u64,
        }
    }
}

impl Stored {
    /// The headers that this project writes: texts and unsigned numbers.
    pub(crate) fn headers(&self) -> Vec<(String, Header)> {
        let headers = WireUserHeaders::from_bytes(self.raw_headers.clone()).unwrap();
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        let entries = WireUserHeaderIterator::new(headers.as_bytes());
        let value = |kind: u8, value: &[u8]| match kind {
            2 => Header::Text(text(value)),
            12 => Header::Unsigned(u64::from_le_bytes(value.try_into().unwrap())),
            other => panic!("a header of kind {other}"),
        };
        entries
            .map(|entry| (text(entry.key), value(entry.value_kind.0, entry.value)))
            .collect()
    }
}

/// The stored form is that of a send, with the offset of its first message filled in.
fn record(messages: &[&Stored]) -> Vec<u8> {
    let Some(first) = messages.first() else {
        return Vec::new();
    };
    let raw: Vec<RawMessage<'_>> = messages
        .iter()
        .map(|message| RawMessage {
            id: message.id,
            origin_timestamp: 0,
            headers: (!message.raw_headers.is_empty()).then_some(&message.raw_headers[..]),
            payload: &message.payload,
        })
        .collect();
    let (any, mut buffer) = (WireIdentifier::numeric(0), BytesMut::new());
    let partitioning = WirePartitioning::PartitionId(0);
    SendMessagesEncoder::encode(&mut buffer, &any, &any, &partitioning, &raw).unwrap();
    let length = u32::from_le_bytes(buffer[..4].try_into().unwrap()) as usize;
    let mut record = buffer[4 + length..].to_vec();
    record[8..16].copy_from_slice(&first.offset.to_le_bytes());
    record
}

fn cluster() -> Vec<u8> {
    let node = ClusterNodeResponse {
        name: "stand-in".into(),
        ip: "127.0.0.1".into(),
        tcp_port: 0,
        quic_port: 0,
        http_port: 0,
        websocket_port: 0,
        role: 0,
        status: 0,
    };
    encode(&ClusterMetadataResponse {
        name: "stand-in".into(),
        nodes: vec![node],
    })
}

fn decode<T: WireDecode>(body: &[u8]) -> Result<T, u32> {
    T::decode(body)
        .map(|(request, _)| request)
        .map_err(|_| INVALID_COMMAND)
}

pub(crate) fn encode(response: &impl WireEncode) -> Vec<u8> {
    response.to_bytes().to_vec()
}
