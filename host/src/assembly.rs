//! From a configuration to sources that are ready to run.

pub(crate) mod ready;
mod rehearsal;
pub mod states;

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anyhow::Context as _;
use tokio::task::JoinHandle;

use crate::cluster::Clients;
use crate::config::{self, Config};
use crate::publisher::destination::Destination;
use crate::publisher::discard::DiscardDestination;
use crate::publisher::file::FileDestination;
use crate::publisher::iggy::{IggyConfig, IggyDestination, TlsConfig};
use crate::publisher::outbox::{self, Outbox};
use crate::publisher::shape::Shape;
use crate::publisher::shaped::ShapedDestination;
use crate::publisher::stdout::StdoutDestination;
use crate::retry::RetryPolicy;
use crate::runner::Source;
use crate::sandbox::Sandbox;
use crate::state_store::envelope::Owner;
use crate::state_store::{Numbers, Permit};
use ready::Given;

pub use rehearsal::Rehearsed;
pub(crate) use rehearsal::explain;

/// What all sources of a process share.
pub struct Assembly {
    sandbox: Sandbox,
    outputs: Outputs,
    clients: Clients,
    retry: RetryPolicy,
    /// The keys of all sources, in the order in which they are numbered.
    keys: Vec<String>,
    /// The number of the first of them.
    first_id: u32,
    /// The names of their states, wherever these are.
    state_ids: Vec<String>,
    /// End when the states that were opened are given back.
    keepers: Mutex<Vec<JoinHandle<()>>>,
}

/// Where documents go.
enum Outputs {
    /// As configured.
    Configured(config::Output, Option<Box<config::Iggy>>),
    /// Nowhere, as for a benchmark, or where it is none of the assembly's business.
    Discarded,
}

impl Assembly {
    /// For the sources of this configuration.
    pub fn new(config: &Config, sandbox: Sandbox) -> Self {
        let outputs = Outputs::Configured(config.output.clone(), config.iggy.clone().map(Box::new));
        Self {
            sandbox,
            outputs,
            clients: Clients::default(),
            retry: RetryPolicy::default(),
            keys: config.sources.keys().cloned().collect(),
            first_id: 1,
            state_ids: config
                .sources
                .values()
                .map(|source| source.state.state_id.clone())
                .collect(),
            keepers: Mutex::default(),
        }
    }

    /// For one source of this number, whose output the caller brings: see
    /// [`Assembly::put_together`].
    pub(crate) fn for_caller(source: &config::Source, id: u32, sandbox: Sandbox) -> Self {
        Self {
            sandbox,
            outputs: Outputs::Discarded,
            clients: Clients::default(),
            retry: RetryPolicy::default(),
            keys: vec![source.key.clone()],
            first_id: id,
            state_ids: vec![source.state.state_id.clone()],
            keepers: Mutex::default(),
        }
    }

    /// The same with an output that counts and forgets.
    #[must_use]
    pub fn discarding(self) -> Self {
        Self {
            outputs: Outputs::Discarded,
            ..self
        }
    }

    /// The same with other waits after failures.
    #[must_use]
    pub fn retrying(self, retry: RetryPolicy) -> Self {
        Self { retry, ..self }
    }

    /// Compiles the component, takes the state, which may mean to wait for it, and puts
    /// everything in its place. Nothing is asked of the cluster or the output yet.
    ///
    /// # Errors
    /// Names what can not be used, and where it was configured.
    pub async fn source(&self, source: &config::Source) -> anyhow::Result<Source> {
        let mut held = self.hold(source).await?;
        self.keepers().extend(held.keeper.take());
        let permit = &held.permit;
        let destinations = source
            .streams
            .iter()
            .map(|stream| self.shaped_destination(source, stream, permit));
        let mut outbox = Outbox::new(
            destinations.collect::<anyhow::Result<_>>()?,
            delivery(source),
        );
        if let Some(dead_letters) = self.dead_letters(source, permit)? {
            outbox = outbox.with_dead_letters(dead_letters);
        }
        let numbers = Numbers::of(source.state.kind());
        let given = Given::counting(numbers, outbox, held.slot, held.permit);
        self.put_together(source, given).await
    }

    /// Waits until the states of sources that were dropped are given back: nobody has to
    /// wait for their leases to end then. Not longer than a call to a store may take.
    pub async fn close(&self) {
        let keepers = std::mem::take(&mut *self.keepers());
        let all = futures::future::join_all(keepers);
        if tokio::time::timeout(CLOSE_MAX, all).await.is_err() {
            tracing::warn!(
                "a lease could not be released in time, so the next process waits until it ends"
            );
        }
    }

    fn keepers(&self) -> MutexGuard<'_, Vec<JoinHandle<()>>> {
        self.keepers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn owner(&self, source: &config::Source) -> Owner {
        let before = self.keys.iter().position(|key| *key == source.key);
        let before = before.and_then(|before| u32::try_from(before).ok());
        Owner {
            state_id: source.state.state_id.clone(),
            connector_id: self.first_id.saturating_add(before.unwrap_or(0)),
            index: source.index.clone(),
            slice: source.slice,
            url: source.access.url.clone(),
        }
    }

    fn shaped_destination(
        &self,
        source: &config::Source,
        stream: &config::Stream,
        permit: &Permit,
    ) -> anyhow::Result<Box<dyn Destination>> {
        let key = match &stream.partitioning {
            config::Partitioning::Key(key) => Some(key.clone()),
            config::Partitioning::Balanced | config::Partitioning::PartitionId(_) => None,
        };
        let metadata = stream.metadata;
        let destination = self.destination(source, stream, permit)?;
        Ok(ShapedDestination::around(
            destination,
            Shape { metadata, key },
        ))
    }

    fn destination(
        &self,
        source: &config::Source,
        stream: &config::Stream,
        permit: &Permit,
    ) -> anyhow::Result<Box<dyn Destination>> {
        let (name, topic) = (&stream.stream, &stream.topic);
        Ok(match &self.outputs {
            Outputs::Discarded => Box::new(DiscardDestination::new(name, topic)),
            Outputs::Configured(config::Output::File { path }, _) => {
                Box::new(FileDestination::new(path, name, topic)?)
            }
            Outputs::Configured(config::Output::Stdout, _) => {
                Box::new(StdoutDestination::new(name, topic))
            }
            Outputs::Configured(config::Output::Iggy, iggy) => {
                let iggy = iggy.as_ref().with_context(|| missing_iggy(source))?;
                let batch_length = stream.batch_length as usize;
                let destination = topic_of(iggy, name, topic, batch_length, stream.partitions)?;
                Box::new(
                    destination
                        .partitioned(stream.partitioning.clone())
                        .acknowledging(stream.durability)
                        .permitted(permit.clone()),
                )
            }
        })
    }

    /// Only Iggy ever refuses a document; elsewhere a destination would be an empty file.
    fn dead_letters(
        &self,
        source: &config::Source,
        permit: &Permit,
    ) -> anyhow::Result<Option<Box<dyn Destination>>> {
        let (Outputs::Configured(config::Output::Iggy, iggy), Some(place)) =
            (&self.outputs, &source.dead_letter)
        else {
            return Ok(None);
        };
        let iggy = iggy.as_ref().with_context(|| missing_iggy(source))?;
        let topic = topic_of(iggy, &place.stream, &place.topic, DEAD_LETTERS_AT_ONCE, 1)?;
        Ok(Some(Box::new(topic.permitted(permit.clone()))))
    }
}

/// How long the end of the program waits for leases to be released.
const CLOSE_MAX: Duration = Duration::from_secs(30);

/// The most dead letters in one request to Iggy.
const DEAD_LETTERS_AT_ONCE: usize = 1_000;

fn missing_iggy(source: &config::Source) -> String {
    let key = &source.key;
    format!("source {key} publishes to iggy, but [iggy] is missing")
}

fn topic_of(
    iggy: &config::Iggy,
    stream: &str,
    topic: &str,
    batch_length: usize,
    partitions: u32,
) -> anyhow::Result<IggyDestination> {
    let batch_length = NonZeroUsize::new(batch_length).unwrap_or(NonZeroUsize::MIN);
    IggyDestination::new(iggy_config(iggy), stream, topic, batch_length, partitions)
}

fn delivery(source: &config::Source) -> outbox::Delivery {
    match source.delivery {
        config::Delivery::ExactlyOnce => outbox::Delivery::ExactlyOnce,
        config::Delivery::AtLeastOnce => outbox::Delivery::AtLeastOnce,
    }
}

fn iggy_config(iggy: &config::Iggy) -> IggyConfig {
    let (username, password, token) = match &iggy.login {
        config::Login::Token(token) => (
            String::new(),
            String::new(),
            Some(token.expose().to_owned()),
        ),
        config::Login::User { username, password } => {
            (username.clone(), password.expose().to_owned(), None)
        }
    };
    let tls = iggy.tls.enabled.then(|| TlsConfig {
        ca_file: iggy
            .tls
            .ca_file
            .as_ref()
            .map(|file| file.display().to_string()),
        domain: iggy.tls.domain.clone(),
    });
    IggyConfig {
        address: iggy.address.clone(),
        username,
        password,
        token,
        tls,
        timeout: iggy.timeout,
        publish_quiet: iggy.publish_quiet,
        max_message_size: usize::try_from(iggy.max_message_size).unwrap_or(usize::MAX),
    }
}
