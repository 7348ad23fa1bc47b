//! From a configuration to sources that are ready to run.

use std::num::NonZeroUsize;
use std::sync::Arc;

use anyhow::Context as _;

use crate::capability::grants::Grants;
use crate::capability::http::HttpCtx;
use crate::capability::publisher::PublisherCtx;
use crate::capability::state::StateCtx;
use crate::clock::Clock;
use crate::cluster::{Cluster, ClusterConfig, Transport};
use crate::component::{Component, Origin};
use crate::config::{self, Config};
use crate::instance::Budget;
use crate::publisher::destination::Destination;
use crate::publisher::discard::DiscardDestination;
use crate::publisher::file::FileDestination;
use crate::publisher::iggy::{IggyConfig, IggyDestination, TlsConfig};
use crate::publisher::outbox::{self, Outbox};
use crate::publisher::queue::Queue;
use crate::publisher::shape::Shape;
use crate::publisher::shaped::ShapedDestination;
use crate::publisher::stdout::StdoutDestination;
use crate::retry::RetryPolicy;
use crate::runner::Source;
use crate::sandbox::Sandbox;
use crate::source_state::{Capabilities, Limits};
use crate::state_store::envelope::Owner;
use crate::state_store::{FileStore, MemoryStore, StateStore};
use crate::status::Reporter;

/// What all sources of a process share.
pub struct Assembly {
    sandbox: Sandbox,
    outputs: Outputs,
    retry: RetryPolicy,
    /// The keys of all sources, in the order in which they are numbered.
    keys: Vec<String>,
}

/// Where documents go.
enum Outputs {
    /// As configured.
    Configured(config::Output, Option<config::Iggy>),
    /// Nowhere; only a benchmark wants that.
    Discarded,
}

impl Assembly {
    /// For the sources of this configuration.
    pub fn new(config: &Config, sandbox: Sandbox) -> Self {
        let outputs = Outputs::Configured(config.output.clone(), config.iggy.clone());
        Self {
            sandbox,
            outputs,
            retry: RetryPolicy::default(),
            keys: config.sources.keys().cloned().collect(),
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

    /// Compiles the component, opens the state, and puts everything in its place. Nothing
    /// is asked of the cluster or the output yet.
    ///
    /// # Errors
    /// Names what can not be used, and where it was configured.
    pub async fn source(&self, source: &config::Source) -> anyhow::Result<Source> {
        let store = open_store(source).await?;
        let destinations = source
            .streams
            .iter()
            .map(|stream| self.shaped_destination(source, stream));
        let mut outbox = Outbox::new(
            destinations.collect::<anyhow::Result<_>>()?,
            delivery(source),
        );
        if let Some(dead_letters) = self.dead_letters(source)? {
            outbox = outbox.with_dead_letters(dead_letters);
        }
        self.put_together(source, outbox, store)
    }

    /// The component with capabilities that reach nothing: enough to check a configuration.
    ///
    /// # Errors
    /// As [`Assembly::source`].
    pub fn rehearsal(&self, source: &config::Source) -> anyhow::Result<Source> {
        let outbox = Outbox::new(Vec::new(), outbox::Delivery::ExactlyOnce);
        self.put_together(source, outbox, Arc::new(MemoryStore::default()))
    }

    fn put_together(
        &self,
        source: &config::Source,
        outbox: Outbox,
        store: Arc<dyn StateStore>,
    ) -> anyhow::Result<Source> {
        let clock = Clock::system();
        let capabilities = capabilities(
            Arc::new(cluster(source)?),
            Grants::reading(&source.index),
            Queue::start(outbox, clock.clone()),
            (store, self.owner(source)),
            clock.clone(),
        );
        let component = Component::load(&self.sandbox, Origin::find(source.path.as_deref())?)?;
        tracing::info!(source = source.key, component = %component.origin(), "loaded");
        let milliseconds = u32::try_from(source.limits.poll_time.as_millis()).unwrap_or(u32::MAX);
        Ok(Source {
            name: source.key.clone(),
            sandbox: self.sandbox.clone(),
            component,
            capabilities,
            limits: Limits {
                memory: usize::try_from(source.limits.memory).unwrap_or(usize::MAX),
                guest_time: source.limits.guest_time,
            },
            config: source.guest_config.to_string(),
            budget: Budget {
                pages: source.limits.poll_pages,
                milliseconds,
            },
            polling_interval: source.polling_interval,
            retry: self.retry,
            clock,
            status: Reporter::default(),
        })
    }

    fn owner(&self, source: &config::Source) -> Owner {
        let before = self.keys.iter().position(|key| *key == source.key);
        Owner {
            state_id: source.state.state_id.clone(),
            connector_id: before
                .and_then(|before| u32::try_from(before + 1).ok())
                .unwrap_or(1),
            index: source.index.clone(),
            url: source.url.clone(),
        }
    }

    fn shaped_destination(
        &self,
        source: &config::Source,
        stream: &config::Stream,
    ) -> anyhow::Result<Box<dyn Destination>> {
        let key = match &stream.partitioning {
            config::Partitioning::Key(key) => Some(key.clone()),
            config::Partitioning::Balanced | config::Partitioning::PartitionId(_) => None,
        };
        let metadata = stream.metadata;
        let destination = self.destination(source, stream)?;
        Ok(ShapedDestination::around(
            destination,
            Shape { metadata, key },
        ))
    }

    fn destination(
        &self,
        source: &config::Source,
        stream: &config::Stream,
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
                        .acknowledging(stream.durability),
                )
            }
        })
    }

    /// Only Iggy ever refuses a document; elsewhere a destination would be an empty file.
    fn dead_letters(
        &self,
        source: &config::Source,
    ) -> anyhow::Result<Option<Box<dyn Destination>>> {
        let (Outputs::Configured(config::Output::Iggy, iggy), Some(place)) =
            (&self.outputs, &source.dead_letter)
        else {
            return Ok(None);
        };
        let iggy = iggy.as_ref().with_context(|| missing_iggy(source))?;
        let topic = topic_of(iggy, &place.stream, &place.topic, DEAD_LETTERS_AT_ONCE, 1)?;
        Ok(Some(Box::new(topic)))
    }
}

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

type MakeCapabilities = Box<dyn Fn() -> Capabilities + Send + Sync>;

/// Instances come and go; the connections, the output and the state behind them stay.
fn capabilities(
    cluster: Arc<dyn Transport>,
    grants: Grants,
    queue: Queue,
    (store, owner): (Arc<dyn StateStore>, Owner),
    clock: Clock,
) -> MakeCapabilities {
    Box::new(move || Capabilities {
        http: HttpCtx::new(Arc::clone(&cluster), grants.clone(), clock.clone()),
        publisher: PublisherCtx::new(queue.clone()),
        state: StateCtx::new(Arc::clone(&store), owner.clone(), clock.clone()),
    })
}

fn cluster(source: &config::Source) -> anyhow::Result<Cluster> {
    let credentials = source
        .credentials
        .as_ref()
        .map(|c| (c.username.clone(), c.password.expose().to_owned()));
    Cluster::new(ClusterConfig {
        url: source.url.to_string(),
        credentials,
        timeout: source.timeout,
        max_response_bytes: source.max_response_bytes,
    })
}

async fn open_store(source: &config::Source) -> anyhow::Result<Arc<dyn StateStore>> {
    if !source.state.enabled {
        tracing::warn!(
            source = source.key,
            "no state is kept: every start reads and delivers everything again"
        );
        return Ok(Arc::new(MemoryStore::default()));
    }
    let config::Storage::File { base_path } = &source.state.storage;
    Ok(Arc::new(
        FileStore::open(base_path, &source.state.state_id).await?,
    ))
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
