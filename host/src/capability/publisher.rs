//! `publisher`: spans of answers, to the configured streams and topics.

use bytes::Bytes;
use tokio::sync::oneshot;
use wasmtime::component::{HasData, Resource, ResourceTable};

use crate::account::Account;
use crate::bindings::iggy::connector::publisher as wit;
use crate::capability::http::Body;
use crate::publisher::destination::{HeaderValue, Message, Range, id_prefix};
use crate::publisher::outbox::{Extent, Mark, PublishError, Published, Saved, Stretch};
use crate::publisher::queue::{Outcome, Queue};
use crate::stopwatch::Stopwatch;

/// The most headers of one message. The embedded component sets four.
const HEADERS_MAX: usize = 32;
/// Their names and texts in all, in bytes. Names of indices and documents have up to 767.
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// The most places of outputs that a resume may name: each is looked for, and compared. The
/// embedded component has up to 17 for each partition.
const PLACES_MAX: usize = 262_144;

/// What a source's publishes need.
pub struct PublisherCtx {
    queue: Queue,
    account: Account,
    /// What every id begins with, once the guest has said so.
    id_prefix: Option<u16>,
    /// See [`Self::told`].
    told: u64,
    acknowledged: Acknowledged,
    is_described: bool,
}

/// Messages of acknowledged publishes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Acknowledged {
    /// Those that were written.
    pub new: u64,
    /// Those that were there already.
    pub already_there: u64,
    /// Those of either kind that a stream refused and a dead letter stands for.
    pub dead_lettered: u64,
}

impl Acknowledged {
    fn add(&mut self, published: &Published) {
        self.new += u64::from(published.new);
        self.already_there += u64::from(published.already_there);
        self.dead_lettered += u64::from(published.dead_lettered);
    }
}

/// A publish under way; the outcome is taken once.
pub struct Pending(Option<Result<oneshot::Receiver<Outcome>, PublishError>>);

/// The view that implements the import.
pub struct PublisherView<'a> {
    /// The source's context.
    pub ctx: &'a mut PublisherCtx,
    /// Whether what it saves may never be stored: until it is, no id may be forgotten.
    pub withholds: bool,
    /// Where the guest's handles point to.
    pub table: &'a mut ResourceTable,
    /// Stands still while the guest waits.
    pub stopwatch: &'a Stopwatch,
}

/// Names the view for the linker.
pub struct Publisher;

impl HasData for Publisher {
    type Data<'a> = PublisherView<'a>;
}

impl PublisherCtx {
    /// Publishes through this queue. What waits there is written to the account.
    pub fn new(queue: Queue, account: Account) -> Self {
        Self {
            queue,
            account,
            id_prefix: None,
            told: 0,
            acknowledged: Acknowledged::default(),
            is_described: false,
        }
    }

    /// The component has described itself: it may use its output from now on.
    pub(crate) fn described(&mut self) {
        self.is_described = true;
    }

    fn check_described(&self) -> wasmtime::Result<()> {
        self.is_described.then_some(()).ok_or_else(undescribed)
    }

    /// What was acknowledged since the last call. Counted here, so that a poll that fails
    /// after some pages does not hide it.
    pub fn take_acknowledged(&mut self) -> Acknowledged {
        std::mem::take(&mut self.acknowledged)
    }

    /// An id that another start would pass over could be written twice.
    fn check_ids(&self, messages: &[Message]) -> wasmtime::Result<()> {
        let strange = |message: &&Message| Some(id_prefix(message.id)) != self.id_prefix;
        match messages.iter().find(strange) {
            None => Ok(()),
            Some(message) => Err(wasmtime::Error::msg(format!(
                "the id {:032x} does not begin with the prefix that was given to resume",
                message.id
            ))),
        }
    }

    /// The last publish of which the guest knows that it was acknowledged.
    pub(super) fn told(&self) -> u64 {
        self.told
    }

    /// A state was saved that covers the publishes up to this one.
    pub(super) async fn covered(&self, sequence: u64) {
        self.queue.covered(sequence).await;
    }
}

impl wit::Host for PublisherView<'_> {
    fn submit(
        &mut self,
        body: Resource<Body>,
        messages: Vec<wit::Message>,
    ) -> wasmtime::Result<Resource<Pending>> {
        self.ctx.check_described()?;
        let body = self.table.get(&body)?;
        check_headers(&messages)?;
        check_spans(body, &messages)?;
        let share = self
            .ctx
            .account
            .messages(messages.len(), own_bytes(&messages))?;
        let messages = messages
            .into_iter()
            .map(|m| message(body, m))
            .collect::<wasmtime::Result<Vec<_>>>()?;
        self.ctx.check_ids(&messages)?;
        let pending = self.ctx.queue.publish(messages, share);
        Ok(self.table.push(Pending(Some(pending)))?)
    }

    async fn resume(
        &mut self,
        saved: Option<wit::SavedOutput>,
        id_prefix: u16,
    ) -> wasmtime::Result<Result<wit::Found, wit::PublishError>> {
        self.ctx.check_described()?;
        check_places(saved.as_ref())?;
        let saved = saved.map(Saved::from);
        self.ctx.id_prefix = Some(id_prefix);
        let found = self.ctx.queue.resume(saved, id_prefix);
        let found = self.stopwatch.during(found).await;
        let found = found.map(|found| wit::Found {
            position: to_wit(found.marks),
            unclaimed: found.unclaimed,
        });
        Ok(found.map_err(wit::PublishError::from))
    }

    async fn ends(&mut self) -> wasmtime::Result<Result<Vec<wit::Mark>, wit::PublishError>> {
        self.ctx.check_described()?;
        let ends = self.stopwatch.during(self.ctx.queue.ends()).await;
        Ok(ends.map(to_wit).map_err(wit::PublishError::from))
    }

    async fn forget_unclaimed(&mut self) -> wasmtime::Result<()> {
        self.ctx.check_described()?;
        if self.withholds {
            return Ok(());
        }
        let forgotten = self.ctx.queue.forget_unclaimed();
        self.stopwatch.during(forgotten).await;
        Ok(())
    }
}

impl wit::HostPending for PublisherView<'_> {
    async fn wait(
        &mut self,
        pending: Resource<Pending>,
    ) -> wasmtime::Result<Result<wit::Published, wit::PublishError>> {
        let pending = self.table.get_mut(&pending)?.0.take();
        let pending =
            pending.ok_or_else(|| wasmtime::Error::msg("a publish was waited for twice"))?;
        let outcome = match pending {
            Ok(outcome) => self
                .stopwatch
                .during(outcome)
                .await
                .map_err(|_| wasmtime::Error::msg("publishing has ended"))?,
            Err(error) => Err(error),
        };
        Ok(match outcome {
            Ok((published, at_ms)) => {
                self.ctx.told = published.sequence;
                self.ctx.acknowledged.add(&published);
                Ok(wit::Published {
                    new: published.new,
                    already_there: published.already_there,
                    dead_lettered: published.dead_lettered,
                    position: to_wit(published.marks),
                    unclaimed: published.unclaimed,
                    at_ms,
                })
            }
            Err(error) => Err(error.into()),
        })
    }

    fn drop(&mut self, pending: Resource<Pending>) -> wasmtime::Result<()> {
        self.table.delete(pending)?;
        Ok(())
    }
}

/// A version that is only looked at, beside the one that runs, must not change anything.
pub(super) fn undescribed() -> wasmtime::Error {
    wasmtime::Error::msg("it uses its output or its state before it has described itself")
}

fn check_places(saved: Option<&wit::SavedOutput>) -> wasmtime::Result<()> {
    let places = saved.map_or(0, |saved| saved.position.len() + saved.uncovered.len());
    match places <= PLACES_MAX {
        true => Ok(()),
        false => Err(wasmtime::Error::msg(format!(
            "it resumes from {places} places of its outputs, more than {PLACES_MAX}"
        ))),
    }
}

/// Headers go into errors and dead letters, too.
fn check_headers(messages: &[wit::Message]) -> wasmtime::Result<()> {
    let fits = |message: &wit::Message| {
        message.headers.len() <= HEADERS_MAX && header_bytes(message) <= HEADER_BYTES_MAX
    };
    match messages.iter().all(fits) {
        true => Ok(()),
        false => Err(wasmtime::Error::msg(format!(
            "a message has more than {HEADERS_MAX} headers, or than {HEADER_BYTES_MAX} bytes of them"
        ))),
    }
}

/// Spans that overlap would make more of a body than it is.
fn check_spans(body: &Body, messages: &[wit::Message]) -> wasmtime::Result<()> {
    let lengths = messages.iter().map(|message| match message.payload {
        wit::Payload::Span(span) => u64::from(span.length),
        wit::Payload::Bytes(_) => 0,
    });
    let (sum, length) = (lengths.sum::<u64>(), body.length());
    match sum <= length as u64 {
        true => Ok(()),
        false => Err(wasmtime::Error::msg(format!(
            "the payloads of a publish are {sum} bytes of a body of {length}: they overlap, or leave it"
        ))),
    }
}

/// What a batch has beside the parts of its body.
fn own_bytes(messages: &[wit::Message]) -> usize {
    let bytes = messages.iter().map(|message| match &message.payload {
        wit::Payload::Bytes(bytes) => bytes.len() + held_by_headers(message),
        wit::Payload::Span(_) => held_by_headers(message),
    });
    bytes.sum()
}

/// A header without a name takes memory, too.
fn held_by_headers(message: &wit::Message) -> usize {
    let each = size_of::<(String, HeaderValue)>();
    header_bytes(message) + message.headers.len() * each
}

fn header_bytes(message: &wit::Message) -> usize {
    let bytes = message.headers.iter().map(|header| match &header.value {
        wit::HeaderValue::Text(text) => header.name.len() + text.len(),
        wit::HeaderValue::Unsigned(_) => header.name.len(),
    });
    bytes.sum()
}

/// A span outside of its body is no mistake that a guest could recover from.
fn message(body: &Body, message: wit::Message) -> wasmtime::Result<Message> {
    let payload = match message.payload {
        wit::Payload::Bytes(bytes) => Bytes::from(bytes),
        wit::Payload::Span(wit::Span { offset, length }) => {
            body.slice(offset, length).ok_or_else(|| {
                wasmtime::Error::msg(format!(
                    "a payload at {offset} of {length} bytes leaves its body"
                ))
            })?
        }
    };
    let id = u128::from(message.id.high) << 64 | u128::from(message.id.low);
    let headers = message
        .headers
        .into_iter()
        .map(|header| (header.name, header.value.into()))
        .collect();
    Ok(Message {
        id,
        key: None,
        payload,
        headers,
    })
}

fn to_wit(marks: Vec<Mark>) -> Vec<wit::Mark> {
    let mark = |mark: Mark| wit::Mark {
        stream: mark.stream,
        topic: mark.topic,
        partition: mark.partition,
        next: mark.next,
    };
    marks.into_iter().map(mark).collect()
}

impl From<wit::Mark> for Mark {
    fn from(mark: wit::Mark) -> Self {
        Self {
            stream: mark.stream,
            topic: mark.topic,
            partition: mark.partition,
            next: mark.next,
        }
    }
}

impl From<wit::SavedOutput> for Saved {
    fn from(saved: wit::SavedOutput) -> Self {
        Self {
            position: saved.position.into_iter().map(Mark::from).collect(),
            uncovered: saved.uncovered.into_iter().map(Stretch::from).collect(),
            settled: saved.settled,
        }
    }
}

impl From<wit::Stretch> for Stretch {
    fn from(stretch: wit::Stretch) -> Self {
        Self {
            stream: stretch.stream,
            topic: stretch.topic,
            range: Range {
                partition: stretch.partition,
                from: stretch.from,
                to: stretch.to,
            },
        }
    }
}

impl From<wit::HeaderValue> for HeaderValue {
    fn from(value: wit::HeaderValue) -> Self {
        match value {
            wit::HeaderValue::Text(text) => Self::Text(text),
            wit::HeaderValue::Unsigned(number) => Self::Unsigned(number),
        }
    }
}

impl From<PublishError> for wit::PublishError {
    fn from(error: PublishError) -> Self {
        let committed = match error.committed {
            Extent::Nothing => wit::Committed::Nothing,
            Extent::Partly => wit::Committed::Partly,
            Extent::Unknown => wit::Committed::Unknown,
        };
        Self {
            committed,
            transient: error.transient,
            message: error.to_string(),
        }
    }
}
