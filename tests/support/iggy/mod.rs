//! A stand-in for the Iggy server, on the wire: what the SDK sends is answered from
//! memory, or not answered, as a test wants it.
//!
//! It speaks the TCP protocol of the `iggy_binary_protocol` crate and knows the commands
//! that this project uses. It stores nothing on disk and has no permissions beyond "this
//! user may not give this command".

mod broker;
mod wire;

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
pub(crate) use iggy_binary_protocol::codes;
use iggy_binary_protocol::consensus::EvictionReason;
use iggy_binary_protocol::requests::users::{LoginRegisterRequest, LoginRegisterWithPatRequest};
use iggy_binary_protocol::responses::users::LoginRegisterResponse;
use iggy_binary_protocol::{IGGY_PROTOCOL_VERSION, WireDecode, WireName, WireOptions};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use broker::Broker;
pub(crate) use broker::Topic;
use wire::Request;

/// One stored message.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Stored {
    pub(crate) partition: u32,
    pub(crate) offset: u64,
    pub(crate) id: u128,
    pub(crate) payload: Bytes,
    raw_headers: Bytes,
}

/// The value of a header.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Header {
    Text(String),
    Unsigned(u64),
}

/// What happens to a request instead of being done and answered.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Fault {
    /// Answered with this error code, without effect.
    Status(u32),
    /// Without effect, and the connection is closed.
    CloseBefore,
    /// Done, and the connection is closed instead of an answer.
    CloseAfter,
    /// The connection is closed, and the request is done this much later.
    CloseThenApply(Duration),
    /// Done at once, and answered this much later.
    AnswerAfter(Duration),
    /// Without effect or answer; the connection stays open.
    SilenceBefore,
    /// Done, without an answer; the connection stays open.
    SilenceAfter,
}

struct State {
    broker: Broker,
    /// Command, how often still, and what happens.
    faults: VecDeque<(u32, u32, Fault)>,
    /// The largest request, in bytes; a larger one ends its connection.
    frame_max: usize,
    /// The oldest and the newest protocol version accepted.
    versions: (u32, u32),
    requests: HashMap<u32, usize>,
    /// The users whose messages were stored, each time that it was another than before.
    senders: Vec<String>,
    connections: usize,
    sessions: u64,
}

/// A server for one test, with the user `iggy` (password `iggy`) who may do everything.
/// It ends when dropped.
pub(crate) struct IggyStandIn {
    address: String,
    state: Arc<Mutex<State>>,
    tasks: JoinSet<()>,
}

impl IggyStandIn {
    pub(crate) async fn start() -> Self {
        Self::listening(None).await
    }

    /// Speaks TLS only.
    pub(crate) async fn start_with_tls(acceptor: TlsAcceptor) -> Self {
        Self::listening(Some(acceptor)).await
    }

    async fn listening(tls: Option<TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let mut broker = Broker::default();
        broker
            .users
            .insert("iggy".into(), ("iggy".into(), HashSet::new()));
        let state = Arc::new(Mutex::new(State {
            broker,
            faults: VecDeque::new(),
            frame_max: wire::FRAME_MAX,
            versions: (IGGY_PROTOCOL_VERSION, IGGY_PROTOCOL_VERSION),
            requests: HashMap::new(),
            senders: Vec::new(),
            connections: 0,
            sessions: 0,
        }));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, tls, Arc::clone(&state)));
        Self {
            address,
            state,
            tasks,
        }
    }

    /// Closes every connection and listens no more; what it holds stays.
    pub(crate) async fn stop(&mut self) {
        self.tasks.shutdown().await;
        self.state().connections = 0;
    }

    /// Listens again at the same address, without TLS.
    pub(crate) async fn start_again(&mut self) {
        let listener = TcpListener::bind(&self.address).await.unwrap();
        self.tasks
            .spawn(accept(listener, None, Arc::clone(&self.state)));
    }

    /// The configuration that reaches it as the user `iggy`, with more keys of that table.
    pub(crate) fn toml(&self, more: &str) -> String {
        self.toml_as("iggy", more)
    }

    /// The same as another user, who is added and may do everything.
    pub(crate) fn toml_of(&self, user: &str, more: &str) -> String {
        self.add_user(user, "iggy", &[]);
        self.toml_as(user, more)
    }

    fn toml_as(&self, user: &str, more: &str) -> String {
        let address = &self.address;
        format!(
            "[iggy]\naddress = \"{address}\"\nusername = \"{user}\"\npassword = \"iggy\"\n{more}\n"
        )
    }

    /// Host and port.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// All messages of a topic, partition by partition; none where there is no such topic.
    pub(crate) fn messages(&self, stream: &str, topic: &str) -> Vec<Stored> {
        self.state().broker.messages(stream, topic)
    }

    /// The ids of [`IggyStandIn::messages`].
    pub(crate) fn ids(&self, stream: &str, topic: &str) -> Vec<u128> {
        self.messages(stream, topic)
            .iter()
            .map(|message| message.id)
            .collect()
    }

    /// The options that the topic was created with, their values as on the wire.
    pub(crate) fn topic_options(&self, stream: &str, topic: &str) -> HashMap<String, Vec<u8>> {
        self.state().broker.options(stream, topic)
    }

    pub(crate) fn create_topic(&self, stream: &str, topic: &str, partitions: u32) {
        self.state()
            .broker
            .add_topic(stream, topic, partitions, WireOptions::empty());
    }

    pub(crate) fn delete_topic(&self, stream: &str, topic: &str) -> Topic {
        self.state().broker.delete_topic(stream, topic)
    }

    /// Puts back what was deleted, with its messages.
    pub(crate) fn restore_topic(&self, stream: &str, topic: Topic) {
        self.state().broker.topics(stream).push(topic);
    }

    /// Appends as another producer.
    pub(crate) fn produce(&self, stream: &str, topic: &str, partition: u32, ids: &[u128]) {
        let message = |id: &u128| (*id, Bytes::from_static(b"another's"), Bytes::new());
        let messages = ids.iter().map(message).collect();
        self.state()
            .broker
            .append((stream, topic, partition), messages)
            .unwrap();
    }

    /// The last messages of a partition are gone, and its end is lower.
    pub(crate) fn lose_last(&self, stream: &str, topic: &str, partition: u32, count: usize) {
        self.state()
            .broker
            .partition(stream, topic, partition)
            .lose_last(count);
    }

    /// The first messages of a partition are deleted; its end stays.
    pub(crate) fn delete_first(&self, stream: &str, topic: &str, partition: u32, count: usize) {
        self.state()
            .broker
            .partition(stream, topic, partition)
            .delete_first(count);
    }

    /// Adds a user to whom some commands are denied, or changes its password and what is denied.
    pub(crate) fn add_user(&self, name: &str, password: &str, denied: &[u32]) {
        let user = (password.to_owned(), denied.iter().copied().collect());
        self.state().broker.users.insert(name.to_owned(), user);
    }

    pub(crate) fn add_token(&self, token: &str, user: &str) {
        self.state()
            .broker
            .tokens
            .insert(token.to_owned(), user.to_owned());
    }

    /// The next `times` requests of a command fail in this way. Later faults wait.
    pub(crate) fn inject(&self, command: u32, times: u32, fault: Fault) {
        self.state().faults.push_back((command, times, fault));
    }

    /// Every fault that was not met is gone.
    pub(crate) fn clear_faults(&self) {
        self.state().faults.clear();
    }

    /// Closes the connection on a request of more bytes, as a server of protocol 0.11 does.
    pub(crate) fn close_on_requests_above(&self, bytes: usize) {
        self.state().frame_max = bytes;
    }

    /// Refuses a request with a message whose payload has more bytes, as servers before
    /// protocol 0.11 did.
    pub(crate) fn refuse_payloads_above(&self, bytes: usize) {
        self.state().broker.payload_max = bytes;
    }

    /// Accepts clients of these protocol versions only, packed as in the protocol.
    pub(crate) fn accept_versions(&self, min: u32, max: u32) {
        self.state().versions = (min, max);
    }

    /// How many requests of a command came, refused ones included.
    pub(crate) fn requests(&self, command: u32) -> usize {
        self.state().requests.get(&command).copied().unwrap_or(0)
    }

    /// The users whose messages were stored, each time that it was another than before.
    pub(crate) fn senders(&self) -> Vec<String> {
        self.state().senders.clone()
    }

    /// Connections that are open now.
    pub(crate) fn connections(&self) -> usize {
        self.state().connections
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }
}

async fn accept(listener: TcpListener, tls: Option<TlsAcceptor>, state: Arc<Mutex<State>>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        state.lock().unwrap().connections += 1;
        let _ = stream.set_nodelay(true);
        let (state, tls) = (Arc::clone(&state), tls.clone());
        connections.spawn(async move {
            match tls {
                None => serve(stream, &state).await,
                Some(tls) => {
                    if let Ok(stream) = tls.accept(stream).await {
                        serve(stream, &state).await;
                    }
                }
            }
            state.lock().unwrap().connections -= 1;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, state: &Arc<Mutex<State>>) {
    let mut user = None;
    while let Some(request) = wire::read(&mut stream, || state.lock().unwrap().frame_max).await {
        let fault = state.lock().unwrap().arrived(request.code);
        let act = |user: &mut Option<String>| state.lock().unwrap().answer(&request, user);
        let answer = match fault {
            None => act(&mut user),
            Some(Fault::Status(status)) => request.reply(Err(status)),
            Some(Fault::CloseBefore) => return,
            Some(Fault::CloseAfter) => {
                act(&mut user);
                return;
            }
            Some(Fault::CloseThenApply(later)) => {
                let state = Arc::clone(state);
                // Outlives the connection, which is the point.
                tokio::spawn(async move {
                    tokio::time::sleep(later).await;
                    state.lock().unwrap().answer(&request, &mut user);
                });
                return;
            }
            Some(Fault::AnswerAfter(later)) => {
                let answer = act(&mut user);
                tokio::time::sleep(later).await;
                answer
            }
            Some(Fault::SilenceBefore) => continue,
            Some(Fault::SilenceAfter) => {
                act(&mut user);
                continue;
            }
        };
        if stream.write_all(&answer).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

impl State {
    fn arrived(&mut self, code: u32) -> Option<Fault> {
        *self.requests.entry(code).or_default() += 1;
        let at = self
            .faults
            .iter()
            .position(|(command, _, _)| *command == code)?;
        let (_, times, fault) = &mut self.faults[at];
        let fault = *fault;
        *times -= 1;
        if *times == 0 {
            self.faults.remove(at);
        }
        Some(fault)
    }

    fn answer(&mut self, request: &Request, user: &mut Option<String>) -> Vec<u8> {
        if matches!(
            request.code,
            codes::LOGIN_REGISTER_CODE | codes::LOGIN_REGISTER_WITH_PAT_CODE
        ) {
            return match self.sign_in(request) {
                Ok((name, answer)) => {
                    *user = Some(name);
                    request.reply(Ok(answer))
                }
                Err(reason) => request.evict(reason, self.versions),
            };
        }
        let answer = match user {
            None => Err(broker::UNAUTHENTICATED),
            Some(user) if !self.broker.permits(user, request.code) => Err(broker::UNAUTHORIZED),
            Some(_) => self.broker.handle(request.code, &request.body),
        };
        if let (codes::SEND_MESSAGES_CODE, Ok(_), Some(user)) = (request.code, &answer, user) {
            self.sent_by(user);
        }
        request.reply(answer)
    }

    fn sent_by(&mut self, user: &str) {
        if self.senders.last().is_none_or(|last| last != user) {
            self.senders.push(user.to_owned());
        }
    }

    fn sign_in(&mut self, request: &Request) -> Result<(String, Vec<u8>), EvictionReason> {
        let (version, user) = match request.code {
            codes::LOGIN_REGISTER_CODE => self.user_of_password(&request.body)?,
            _ => self.user_of_token(&request.body)?,
        };
        let (min, max) = self.versions;
        if !(min..=max).contains(&version) {
            return Err(EvictionReason::IncompatibleProtocol);
        }
        let user = user.ok_or(match request.code {
            codes::LOGIN_REGISTER_CODE => EvictionReason::InvalidCredentials,
            _ => EvictionReason::InvalidToken,
        })?;
        self.sessions += 1;
        let answer = LoginRegisterResponse {
            user_id: 1,
            session: self.sessions,
            server_protocol_version: max,
            server_version: WireName::new("stand-in").unwrap(),
        };
        Ok((user, broker::encode(&answer)))
    }

    /// The client's protocol version, and who it is if the password is right: then the
    /// request is what we would encode ourselves.
    fn user_of_password(&self, body: &[u8]) -> Result<(u32, Option<String>), EvictionReason> {
        let login = LoginRegisterRequest::decode(body);
        let (login, _) = login.map_err(|_| EvictionReason::MalformedLogin)?;
        let name = login.username.as_str().to_owned();
        let version = login.version_info.protocol_version;
        let right = self.broker.users.get(&name).is_some_and(|(password, _)| {
            let password = password.clone().into();
            broker::encode(&LoginRegisterRequest { password, ..login }) == body
        });
        Ok((version, right.then_some(name)))
    }

    /// The same for a personal access token.
    fn user_of_token(&self, body: &[u8]) -> Result<(u32, Option<String>), EvictionReason> {
        let login = LoginRegisterWithPatRequest::decode(body);
        let (login, _) = login.map_err(|_| EvictionReason::MalformedLogin)?;
        let right = |(token, _): &(&String, &String)| {
            let token = (*token).clone().into();
            broker::encode(&LoginRegisterWithPatRequest {
                token,
                ..login.clone()
            }) == body
        };
        let user = self
            .broker
            .tokens
            .iter()
            .find(right)
            .map(|(_, user)| user.clone());
        Ok((login.version_info.protocol_version, user))
    }
}
