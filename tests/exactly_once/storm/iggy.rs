//! An Iggy with the topics of a storm, looked at and written to by the SDK.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use iggy::prelude::{
    AutoLogin, Client, ClientWrapper, Consumer, Credentials, HeaderKey, HeaderValue, Identifier,
    IggyClient, IggyMessage, MessageClient, Partitioning, PollingStrategy, StreamClient, TcpClient,
    TcpClientConfig, TopicClient, TopicCreateOptions,
};

use super::verdict::Found;
use super::writers::Version;
use super::{STREAMS, TOPIC};
use crate::support::iggy::IggyStandIn;

const PARTITIONS: u32 = 2;
const PAGE: u32 = 1_000;
const ANOTHERS: &[u8] = b"another producer's";

pub struct Iggy {
    address: String,
    username: String,
    password: String,
    /// Keys of `[iggy]`.
    times: &'static str,
    /// What the names of this storm's streams begin with.
    prefix: String,
    client: IggyClient,
    /// Messages of the other producer in each stream.
    anothers: usize,
    stand_in: Option<IggyStandIn>,
}

impl Iggy {
    pub async fn start(times: &'static str) -> Self {
        let real = std::env::var("IGGY_ADDRESS").ok();
        let stand_in = match &real {
            Some(_) => None,
            None => Some(IggyStandIn::start().await),
        };
        let address = stand_in.as_ref().map(|server| server.address().to_owned());
        let address = real.or(address).unwrap();
        let or_iggy = |name| std::env::var(name).unwrap_or_else(|_| "iggy".to_owned());
        let (username, password) = (or_iggy("IGGY_USERNAME"), or_iggy("IGGY_PASSWORD"));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        let iggy = Self {
            client: client(&address, &username, &password).await,
            address,
            username,
            password,
            prefix: format!("storm-{}", now.as_millis()),
            anothers: 0,
            times,
            stand_in,
        };
        iggy.create_topics().await;
        iggy
    }

    async fn create_topics(&self) {
        for stream in STREAMS {
            let name = self.stream(stream);
            self.client.create_stream(&name).await.unwrap();
            let options = TopicCreateOptions {
                partitions_count: Some(PARTITIONS),
                ..TopicCreateOptions::default()
            };
            let stream = Identifier::named(&name).unwrap();
            let created = self.client.create_topic(&stream, TOPIC, &options).await;
            created.unwrap();
        }
    }

    /// Reached by this process, as a user of its own where that is possible.
    pub fn toml(&self, process: &str) -> String {
        if let Some(stand_in) = &self.stand_in {
            return stand_in.toml_of(process, self.times);
        }
        let (address, username, password) = (&self.address, &self.username, &self.password);
        let times = self.times;
        format!(
            "[iggy]\naddress = {address:?}\nusername = {username:?}\npassword = {password:?}\n{times}\n"
        )
    }

    /// The processes that published, each time that it was another than before. Nobody knows
    /// that of a real server.
    pub fn publishers(&self) -> Vec<String> {
        let senders = self.stand_in.as_ref().map(IggyStandIn::senders);
        let mut publishers = senders.unwrap_or_default();
        publishers.retain(|sender| *sender != self.username);
        publishers.dedup();
        publishers
    }

    pub fn stream(&self, stream: &str) -> String {
        format!("{}-{stream}", self.prefix)
    }

    fn topic(&self, stream: &str) -> (Identifier, Identifier) {
        let stream = Identifier::named(&self.stream(stream)).unwrap();
        (stream, Identifier::named(TOPIC).unwrap())
    }

    pub async fn count(&self, stream: &str) -> usize {
        let (stream, topic) = self.topic(stream);
        let topic = self.client.get_topic(&stream, &topic).await.unwrap();
        let partitions = topic.unwrap().partitions;
        let all: u64 = partitions.iter().map(|known| known.messages_count).sum();
        all as usize - self.anothers
    }

    /// One message into one partition of every stream.
    pub async fn disturb(&mut self) {
        let partition = Partitioning::partition_id(self.anothers as u32 % PARTITIONS);
        for stream in STREAMS {
            let (stream, topic) = self.topic(stream);
            let message = IggyMessage::builder().payload(ANOTHERS.into()).build();
            let mut messages = [message.unwrap()];
            let sent = self
                .client
                .send_messages(&stream, &topic, &partition, &mut messages);
            sent.await.unwrap();
        }
        self.anothers += 1;
    }

    pub async fn messages(&self, stream: &str) -> Vec<Found> {
        let mut all = Vec::new();
        for partition in 0..PARTITIONS {
            all.extend(self.partition(stream, partition).await);
        }
        let (anothers, ours): (Vec<_>, Vec<_>) =
            all.iter().partition(|message| message.payload == ANOTHERS);
        assert_eq!(anothers.len(), self.anothers, "another producer's messages");
        ours.into_iter().map(found).collect()
    }

    async fn partition(&self, stream: &str, partition: u32) -> Vec<IggyMessage> {
        let ((stream, topic), consumer) = (self.topic(stream), Consumer::default());
        let mut all = Vec::new();
        loop {
            let next = PollingStrategy::offset(all.len() as u64);
            let polled = self
                .client
                .poll_messages(
                    &stream,
                    &topic,
                    Some(partition),
                    &consumer,
                    &next,
                    PAGE,
                    false,
                )
                .await
                .unwrap();
            if polled.messages.is_empty() {
                return all;
            }
            all.extend(polled.messages);
        }
    }
}

fn found(message: &IggyMessage) -> Found {
    let headers = message.user_headers_map().unwrap().unwrap();
    Found {
        id: message.header.id,
        document: header(&headers, "_id").as_str().unwrap().to_owned(),
        version: Version {
            seq_no: header(&headers, "_seq_no").as_uint64().unwrap(),
            primary_term: header(&headers, "_primary_term").as_uint64().unwrap(),
        },
    }
}

fn header<'a>(headers: &'a BTreeMap<HeaderKey, HeaderValue>, name: &str) -> &'a HeaderValue {
    let mut named = headers.iter();
    let found = named.find(|(key, _)| key.as_str().is_ok_and(|key| key == name));
    found.unwrap().1
}

async fn client(address: &str, username: &str, password: &str) -> IggyClient {
    let login = Credentials::UsernamePassword(username.to_owned(), password.to_owned().into());
    let config = TcpClientConfig {
        server_address: address.to_owned(),
        auto_login: AutoLogin::Enabled(login),
        nodelay: true,
        ..TcpClientConfig::default()
    };
    let tcp = TcpClient::create(Arc::new(config)).unwrap();
    let client = IggyClient::new(ClientWrapper::Tcp(tcp));
    client.connect().await.unwrap();
    client
}
