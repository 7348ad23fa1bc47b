//! The output: topics with partitions, late effects, and another producer.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use elasticsearch_source::publisher::destination::{
    AppendError, Committed, Destination, HeaderValue, Message, Offset, Range, Refused, Tail, Unfit,
    Wanted,
};
use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::fault::{Effect, Fault, Operation};
use super::stage::{QUIET, Stage, TIMEOUT};

/// Stream and topic.
pub type Name = (&'static str, &'static str);

/// Where the notes of refused documents go.
pub const DEAD_LETTERS: Name = ("dead", "letters");

/// Everything that was ever appended. It does not deduplicate.
#[derive(Default)]
pub struct Broker {
    topics: BTreeMap<Name, Vec<Vec<Message>>>,
    /// Appends that are still on their way: when they arrive, where to, and what they are.
    late: Vec<(u64, Name, Vec<Message>)>,
    /// Appends so far; each goes to the next partition.
    appends: usize,
}

impl Broker {
    /// Topics with so many partitions.
    pub fn new(topics: &[(Name, usize)]) -> Self {
        let topics = topics
            .iter()
            .map(|(name, partitions)| (*name, vec![Vec::new(); *partitions]));
        Self {
            topics: topics.collect(),
            ..Self::default()
        }
    }

    /// Every topic of documents, what is in it, and the dead letters of what it refused.
    pub fn topics(&self) -> impl Iterator<Item = (&Name, Vec<&Message>)> {
        let letters = self
            .topics
            .get(&DEAD_LETTERS)
            .into_iter()
            .flatten()
            .flatten();
        let documents = self
            .topics
            .iter()
            .filter(|(name, _)| **name != DEAD_LETTERS);
        documents.map(move |(name, partitions)| {
            let letters = letters.clone().filter(|letter| is_about(letter, *name));
            (name, partitions.iter().flatten().chain(letters).collect())
        })
    }

    /// The last messages of every partition are lost, though they were acknowledged.
    pub fn lose(&mut self, messages: usize) {
        for partition in self.topics.values_mut().flatten() {
            partition.truncate(partition.len().saturating_sub(messages));
        }
    }

    /// Where a topic's partition ends.
    pub fn end(&self, stream: &str, topic: &str, partition: u32) -> Option<u64> {
        let found = self
            .topics
            .iter()
            .find(|((s, t), _)| (*s, *t) == (stream, topic));
        let partition = found?.1.get(partition as usize)?;
        Some(partition.len() as u64)
    }

    /// One request: all of it, into one partition.
    pub fn append(&mut self, name: Name, messages: &[Message]) -> Range {
        let partitions = self.topics.get_mut(&name).unwrap();
        let partition = self.appends % partitions.len();
        self.appends += 1;
        let from = partitions[partition].len() as u64;
        partitions[partition].extend_from_slice(messages);
        Range {
            partition: partition as u32,
            from,
            to: from + messages.len() as u64,
        }
    }

    /// What was on its way and has arrived by now.
    pub fn apply_late(&mut self, now_ms: u64) {
        while let Some(at) = self.late.iter().position(|(due_ms, ..)| *due_ms <= now_ms) {
            let (_, name, messages) = self.late.remove(at);
            self.append(name, &messages);
        }
    }

    /// The clock is set back.
    pub fn set_back(&mut self, by: Duration) {
        for (due_ms, ..) in &mut self.late {
            *due_ms -= by.as_millis() as u64;
        }
    }

    /// The connections are gone: what is on its way arrives within the quiet time.
    pub fn disconnected(&mut self, now_ms: u64) {
        for (due_ms, ..) in &mut self.late {
            *due_ms = (*due_ms).min(last_moment(now_ms));
        }
    }

    fn tail(&self, name: Name, wanted: &Wanted) -> Result<Tail, AppendError> {
        wanted.check_none_gone(&self.ends(name))?;
        let mut ids = Vec::new();
        for (partition, messages) in (0..).zip(&self.topics[&name]) {
            for range in wanted.of(partition, messages.len() as u64) {
                let there = &messages[range.from as usize..range.to as usize];
                let found = there.iter().map(|message| message.id);
                ids.extend(found.filter(|id| wanted.has(*id)));
            }
        }
        let end = self.ends(name);
        Ok(Tail { ids, end })
    }

    fn ends(&self, name: Name) -> Vec<Offset> {
        let ends = (0..).zip(&self.topics[&name]);
        let end = |(partition, messages): (u32, &Vec<Message>)| Offset {
            partition,
            next: messages.len() as u64,
        };
        ends.map(end).collect()
    }
}

/// Whether it is a dead letter.
pub fn is_letter(message: &Message) -> bool {
    message.header("_reason").is_some()
}

/// Whether it is the dead letter of a document that this topic refused.
fn is_about(letter: &Message, (stream, topic): Name) -> bool {
    let text = |name: &str| match letter.header(name) {
        Some(HeaderValue::Text(text)) => Some(text.as_str()),
        _ => None,
    };
    (text("_stream"), text("_topic")) == (Some(stream), Some(topic))
}

/// Whether a topic that refuses some documents refuses this one.
pub fn is_refused(message: &Message) -> bool {
    matches!(message.header("_seq_no"), Some(HeaderValue::Unsigned(n)) if n % 5 == 3)
}

/// When a request of a connection that ended then may take effect at the latest.
fn last_moment(ended_ms: u64) -> u64 {
    ended_ms + QUIET.as_millis() as u64 - 1
}

/// One process's way to a topic.
pub struct SimulatedTopic {
    pub stage: Arc<Stage>,
    pub name: Name,
    /// Whether it takes not every document, and whether it says which.
    pub refuses: Option<Refuses>,
}

/// How a topic refuses a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refuses {
    /// By its place, before anything is sent.
    Named,
    /// With the whole request.
    Unnamed,
}

impl SimulatedTopic {
    /// What it refuses of a batch, if anything.
    fn refuse(&self, messages: &[Message]) -> Option<AppendError> {
        let refused = messages.iter().enumerate();
        let refused = refused.filter(|(_, message)| is_refused(message));
        let reason = || anyhow!("the topic does not take such a document");
        let refused: Vec<Refused> = refused
            .map(|(place, _)| Refused {
                place,
                reason: reason(),
            })
            .collect();
        match self.refuses.filter(|_| !refused.is_empty())? {
            Refuses::Named => Some(AppendError::unfit(refused)),
            Refuses::Unnamed => Some(AppendError {
                unfit: Unfit::Unnamed,
                ..AppendError::permanent(reason())
            }),
        }
    }

    async fn append(&self, messages: &[Message]) -> Result<Vec<Range>, AppendError> {
        let refusal = self.refuse(messages);
        if let Some(refusal) = refusal {
            return Err(refusal);
        }
        let about = format!("{} of {:?}", messages.len(), self.name);
        let fault = self.stage.call(Operation::Append, &about).await;
        let half = &messages[..messages.len() / 2];
        match fault {
            None => Ok(vec![self.take(messages)]),
            Some(Fault::Rejected) => Err(AppendError::transient(anyhow!("the topic is full"))),
            Some(Fault::Half) => {
                let places: Vec<usize> = (0..messages.len()).step_by(2).collect();
                let some: Vec<_> = places
                    .iter()
                    .map(|place| messages[*place].clone())
                    .collect();
                let ranges = vec![self.take(&some)];
                Err(AppendError {
                    committed: Committed::Part { places, ranges },
                    ..AppendError::transient(anyhow!("a partition became full"))
                })
            }
            Some(Fault::HalfUnknown) => {
                self.take(half);
                Err(AppendError::unknown(anyhow!("the connection was cut off")))
            }
            Some(Fault::HalfKill) => {
                self.take(half);
                self.stage.die().await
            }
            Some(Fault::Error(effect)) => {
                self.take_effect(messages, effect, Duration::ZERO);
                Err(AppendError::unknown(anyhow!("the connection was reset")))
            }
            Some(Fault::Hang(effect)) => {
                self.take_effect(messages, effect, TIMEOUT);
                tokio::time::sleep(TIMEOUT).await;
                Err(AppendError::unknown(anyhow!("no answer came")))
            }
            Some(Fault::Kill(effect)) => {
                self.take_effect(messages, effect, Duration::ZERO);
                self.stage.die().await
            }
            Some(other) => panic!("{other:?} is no fault of an output"),
        }
    }

    fn take(&self, messages: &[Message]) -> Range {
        self.stage.told().broker.append(self.name, messages)
    }

    /// A late effect comes as late as it may: at the very end of the quiet time after the
    /// failure is known, or the process is gone.
    fn take_effect(&self, messages: &[Message], effect: Effect, known_in: Duration) {
        match effect {
            Effect::Never => {}
            Effect::Before => {
                self.take(messages);
            }
            Effect::After => {
                let due_ms = last_moment(self.stage.now_ms() + known_in.as_millis() as u64);
                let late = (due_ms, self.name, messages.to_vec());
                self.stage.told().broker.late.push(late);
            }
        }
    }

    /// A call that only looks.
    async fn look<T>(
        &self,
        about: &str,
        look: impl FnOnce(&Broker) -> T,
    ) -> Result<T, AppendError> {
        match self.stage.call(Operation::Tail, about).await {
            None => Ok(look(&self.stage.told().broker)),
            Some(Fault::Kill(_)) => self.stage.die().await,
            Some(fault) => {
                if let Fault::Hang(_) = fault {
                    tokio::time::sleep(TIMEOUT).await;
                }
                Err(AppendError::transient(anyhow!("the topic cannot be read")))
            }
        }
    }
}

impl Destination for SimulatedTopic {
    fn name(&self) -> (&str, &str) {
        self.name
    }

    fn append<'a>(
        &'a mut self,
        messages: &'a [Message],
    ) -> BoxFuture<'a, Result<Vec<Range>, AppendError>> {
        SimulatedTopic::append(self, messages).boxed()
    }

    fn ends(&mut self) -> BoxFuture<'_, Result<Vec<Offset>, AppendError>> {
        async move {
            let about = format!("ends of {:?}", self.name);
            self.look(&about, |broker| broker.ends(self.name)).await
        }
        .boxed()
    }

    fn read<'a>(&'a mut self, wanted: &'a Wanted) -> BoxFuture<'a, Result<Tail, AppendError>> {
        async move {
            let about = format!("{:?}, {wanted:?}", self.name);
            self.look(&about, |broker| broker.tail(self.name, wanted))
                .await?
        }
        .boxed()
    }

    fn abandon(&mut self) -> Duration {
        QUIET
    }
}
