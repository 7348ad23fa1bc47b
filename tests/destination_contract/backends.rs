//! The outputs under test: how to open one, and how to look at it and change it behind
//! its back.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use elasticsearch_source::publisher::destination::{Destination, HeaderValue, Message, Offset};
use elasticsearch_source::publisher::file::FileDestination;
use elasticsearch_source::publisher::iggy::{IggyConfig, IggyDestination};
use iggy::prelude::{
    AutoLogin, Client, ClientWrapper, Consumer, Credentials, HeaderKind, Identifier, IggyClient,
    IggyMessage, MessageClient, PollingStrategy, TcpClient, TcpClientConfig, TopicClient,
};
use serde_json::Value;
use serde_json::value::RawValue;

use crate::support::iggy::{Header, IggyStandIn};

const STREAM: &str = "elasticsearch_stream";
const TOPIC: &str = "documents";

/// A message as it was found, by other means than the project's.
#[derive(Debug, PartialEq)]
pub(crate) struct Read {
    pub(crate) id: u128,
    pub(crate) payload: Bytes,
    pub(crate) headers: Vec<(String, HeaderValue)>,
}

/// An empty output of its own for each test.
pub(crate) enum Backend {
    File(tempfile::TempDir),
    StandIn(IggyStandIn),
    /// The names of the test's own stream.
    Real(String, IggyConfig),
}

pub(crate) fn config(address: &str) -> IggyConfig {
    IggyConfig {
        address: address.to_owned(),
        username: "iggy".to_owned(),
        password: "iggy".to_owned(),
        token: None,
        tls: None,
        timeout: Duration::from_secs(5),
        publish_quiet: Duration::from_millis(300),
        max_message_size: 64 << 20,
    }
}

pub(crate) fn iggy(
    config: IggyConfig,
    stream: &str,
    topic: &str,
) -> anyhow::Result<IggyDestination> {
    IggyDestination::new(config, stream, topic, NonZeroUsize::new(1_000).unwrap(), 1)
}

impl Backend {
    pub(crate) async fn file() -> Self {
        Self::File(tempfile::tempdir().unwrap())
    }

    pub(crate) async fn iggy_stand_in() -> Self {
        Self::StandIn(IggyStandIn::start().await)
    }

    pub(crate) async fn iggy_real() -> Self {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap()
            .as_nanos();
        let variable = |name: &str| std::env::var(name);
        let address = variable("IGGY_ADDRESS").expect("IGGY_ADDRESS, as when this was built");
        let or_iggy = |name| variable(name).unwrap_or("iggy".to_owned());
        let (username, password) = (or_iggy("IGGY_USERNAME"), or_iggy("IGGY_PASSWORD"));
        Self::Real(
            format!("contract-{now}"),
            IggyConfig {
                username,
                password,
                ..config(&address)
            },
        )
    }

    pub(crate) async fn open(&self) -> Box<dyn Destination> {
        self.open_named(STREAM, TOPIC).unwrap()
    }

    pub(crate) fn open_named(
        &self,
        stream: &str,
        topic: &str,
    ) -> anyhow::Result<Box<dyn Destination>> {
        Ok(match self {
            Self::File(root) => Box::new(FileDestination::new(root.path(), stream, topic)?),
            Self::StandIn(server) => Box::new(iggy(config(server.address()), stream, topic)?),
            Self::Real(prefix, config) if stream == STREAM => {
                Box::new(iggy(config.clone(), prefix, topic)?)
            }
            Self::Real(_, config) => Box::new(iggy(config.clone(), stream, topic)?),
        })
    }

    /// Iggy takes any name of 1 to 255 bytes, a file system those of files.
    pub(crate) fn takes_name(&self, name: &str) -> bool {
        match self {
            Self::File(_) => ["ü", "a b", "123"].contains(&name),
            _ => (1..=255).contains(&name.len()),
        }
    }

    pub(crate) async fn contents(&self) -> Vec<Read> {
        match self {
            Self::File(_) => self.lines().iter().map(|line| of_line(line)).collect(),
            Self::StandIn(server) => {
                let header = |header| match header {
                    Header::Text(text) => HeaderValue::Text(text),
                    Header::Unsigned(number) => HeaderValue::Unsigned(number),
                };
                let read = |stored: &crate::support::iggy::Stored| Read {
                    id: stored.id,
                    payload: stored.payload.clone(),
                    headers: stored
                        .headers()
                        .into_iter()
                        .map(|(k, v)| (k, header(v)))
                        .collect(),
                };
                server.messages(STREAM, TOPIC).iter().map(read).collect()
            }
            Self::Real(stream, config) => {
                let (client, stream) = (client(config).await, Identifier::named(stream).unwrap());
                let (topic, first) = (
                    Identifier::named(TOPIC).unwrap(),
                    PollingStrategy::offset(0),
                );
                let consumer = Consumer::default();
                let polled = client
                    .poll_messages(&stream, &topic, Some(0), &consumer, &first, 100, false)
                    .await;
                polled.unwrap().messages.iter().map(of_message).collect()
            }
        }
    }

    /// Another producer writes.
    pub(crate) async fn produce(&self, ids: &[u128]) {
        match self {
            Self::File(_) => {
                let line =
                    |id| format!("{{\"id\":\"{id:032x}\",\"headers\":{{}},\"payload\":{{}}}}");
                let lines = [self.lines(), ids.iter().map(line).collect()].concat();
                self.write_lines(&lines);
            }
            Self::StandIn(server) => server.produce(STREAM, TOPIC, 0, ids),
            Self::Real(..) => {
                let message = |id: &u128| Message {
                    id: *id,
                    key: None,
                    payload: Bytes::from_static(b"{}"),
                    headers: vec![],
                };
                let messages: Vec<Message> = ids.iter().map(message).collect();
                self.open().await.append(&messages).await.unwrap();
            }
        }
    }

    /// The last messages get lost, or, in a real server, all of them.
    pub(crate) async fn lose_last(&self, count: usize) {
        match self {
            Self::File(_) => {
                let lines = self.lines();
                self.write_lines(&lines[..lines.len() - count]);
            }
            Self::StandIn(server) => server.lose_last(STREAM, TOPIC, 0, count),
            Self::Real(stream, config) => {
                let (stream, topic) = (Identifier::named(stream), Identifier::named(TOPIC));
                let client = client(config).await;
                client
                    .purge_topic(&stream.unwrap(), &topic.unwrap())
                    .await
                    .unwrap();
            }
        }
    }

    /// What the error about lost messages must say.
    pub(crate) fn gone(&self, lost: &[Message], end: &[Offset]) -> String {
        match self {
            Self::File(_) => {
                let left = std::fs::metadata(self.path()).unwrap().len();
                format!(
                    "{} bytes of acknowledged messages are gone",
                    end[0].next - left
                )
            }
            Self::StandIn(_) => format!("{} acknowledged messages are gone", lost.len()),
            Self::Real(..) => format!("{} acknowledged messages are gone", end[0].next),
        }
    }

    fn path(&self) -> PathBuf {
        let Self::File(root) = self else {
            panic!("no file")
        };
        root.path().join(STREAM).join(format!("{TOPIC}.ndjson"))
    }

    fn write_lines(&self, lines: &[String]) {
        std::fs::write(self.path(), lines.join("\n") + "\n").unwrap();
    }

    fn lines(&self) -> Vec<String> {
        std::fs::read_to_string(self.path())
            .unwrap()
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

fn of_line(line: &str) -> Read {
    let fields: std::collections::BTreeMap<String, Box<RawValue>> =
        serde_json::from_str(line).unwrap();
    let headers: serde_json::Map<String, Value> =
        serde_json::from_str(fields["headers"].get()).unwrap();
    let header = |value: Value| match value {
        Value::String(text) => HeaderValue::Text(text),
        number => HeaderValue::Unsigned(number.as_u64().unwrap()),
    };
    let id = fields["id"].get().trim_matches('"');
    Read {
        id: u128::from_str_radix(id, 16).unwrap(),
        payload: Bytes::from(fields["payload"].get().to_owned()),
        headers: headers
            .into_iter()
            .map(|(name, value)| (name, header(value)))
            .collect(),
    }
}

fn of_message(message: &IggyMessage) -> Read {
    let headers = message.user_headers_map().unwrap().unwrap_or_default();
    let header = |value: iggy::prelude::HeaderValue| match value.kind() {
        HeaderKind::Uint64 => HeaderValue::Unsigned(value.as_uint64().unwrap()),
        _ => HeaderValue::Text(value.as_str().unwrap().to_owned()),
    };
    let name = |name: iggy::prelude::HeaderKey| name.as_str().unwrap().to_owned();
    Read {
        id: message.header.id,
        payload: message.payload.clone(),
        headers: headers
            .into_iter()
            .map(|(key, value)| (name(key), header(value)))
            .collect(),
    }
}

async fn client(config: &IggyConfig) -> IggyClient {
    let (username, password) = (config.username.clone(), config.password.clone().into());
    let config = TcpClientConfig {
        server_address: config.address.clone(),
        auto_login: AutoLogin::Enabled(Credentials::UsernamePassword(username, password)),
        ..TcpClientConfig::default()
    };
    let tcp = TcpClient::create(std::sync::Arc::new(config)).unwrap();
    let client = IggyClient::new(ClientWrapper::Tcp(tcp));
    client.connect().await.unwrap();
    client
}
