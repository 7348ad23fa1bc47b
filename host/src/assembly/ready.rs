//! A source that is ready to run, from its configuration and what it is given.

use std::sync::Arc;

use super::Assembly;
use crate::account::{Account, Holding};
use crate::capability::grants::Grants;
use crate::capability::http::HttpCtx;
use crate::capability::log::LogCtx;
use crate::capability::publisher::PublisherCtx;
use crate::capability::state::{StateCtx, Writer};
use crate::clock::Clock;
use crate::cluster::{Cluster, ClusterConfig, Transport};
use crate::component::{Component, Content};
use crate::config;
use crate::hot_swap::Exchange;
use crate::instance::Budget;
use crate::publisher::outbox::Outbox;
use crate::publisher::queue::Queue;
use crate::runner::Source;
use crate::source_state::{Capabilities, Limits};
use crate::state_store::{Counted, Numbers, Permit, StateStore};
use crate::status::Reporter;

/// What a source is given.
pub(crate) struct Given {
    /// Where its messages go.
    pub(crate) outbox: Outbox,
    /// Where its state is kept.
    pub(crate) store: Arc<dyn StateStore>,
    /// What happens to that state.
    pub(crate) state_numbers: Numbers,
    /// Whether it still holds its state.
    pub(crate) permit: Permit,
}

impl Given {
    /// With a state whose store is counted.
    pub(crate) fn counting(
        state_numbers: Numbers,
        outbox: Outbox,
        store: Arc<dyn StateStore>,
        permit: Permit,
    ) -> Self {
        let counted = Counted::new(store, state_numbers.clone(), Clock::system());
        Self {
            outbox,
            store: Arc::new(counted),
            state_numbers,
            permit,
        }
    }
}

impl Assembly {
    /// Compiles the component and puts everything in its place. Nothing is asked of the
    /// cluster or the output yet.
    ///
    /// # Errors
    /// Names what can not be used, and where it was configured.
    pub(crate) async fn put_together(
        &self,
        source: &config::Source,
        given: Given,
    ) -> anyhow::Result<Source> {
        let component = self.component(source).await?;
        let (origin, sha256) = (component.origin(), component.digest());
        tracing::info!(source = source.key, component = %origin, %sha256, "loaded");
        Ok(self.assemble(source, component, Arc::new(self.cluster(source)?), given))
    }

    /// The same with this component, and this way to the cluster.
    pub(super) fn assemble(
        &self,
        source: &config::Source,
        component: Component,
        cluster: Arc<dyn Transport>,
        given: Given,
    ) -> Source {
        let clock = Clock::system();
        let queue = Queue::start(given.outbox, given.permit.clone(), clock.clone());
        let writer = Writer::new(given.store, self.owner(source), clock.clone());
        let capabilities = capabilities(
            (cluster, clock.clone()),
            Grants::reading(&source.index)
                .and(source.grants.reading, &source.grants.http)
                .configured(&source.guest_config),
            queue,
            Arc::clone(&writer),
            source,
        );
        let milliseconds = u32::try_from(source.limits.poll_time.as_millis()).unwrap_or(u32::MAX);
        Source {
            name: source.key.clone(),
            sandbox: self.sandbox.clone(),
            component,
            capabilities,
            writer,
            exchange: Arc::new(Exchange::default()),
            limits: Limits {
                memory: bytes(source.limits.memory),
                guest_time: source.limits.guest_time,
                call_time: source.limits.call_time,
                table_elements: count(source.limits.table_elements),
                call_bytes: bytes(source.limits.call_bytes),
                handles: count(source.limits.handles),
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
            state_numbers: given.state_numbers,
            permit: given.permit,
        }
    }

    /// The way to the cluster that a source reads.
    pub(super) fn cluster(&self, source: &config::Source) -> anyhow::Result<Cluster> {
        let config = ClusterConfig {
            access: source.access.clone(),
            timeout: source.timeout,
            max_response_bytes: source.max_response_bytes,
        };
        Cluster::sharing(config, &self.clients)
    }

    /// The component that a source names, if it is the one that was pinned.
    pub(super) async fn component(&self, source: &config::Source) -> anyhow::Result<Component> {
        let content = Content::find(source.path.as_deref(), &source.registry).await?;
        self.pinned(source, content).await
    }

    /// This component, if it is the one that a source pins.
    pub(super) async fn pinned(
        &self,
        source: &config::Source,
        content: Content,
    ) -> anyhow::Result<Component> {
        content.is_pinned(source.sha256.as_ref())?;
        Component::load_apart(self.sandbox.clone(), content).await
    }
}

type MakeCapabilities = Box<dyn Fn() -> Capabilities + Send + Sync>;

/// Instances come and go; the connections, the output and the state behind them stay, and so
/// does what is held for them.
fn capabilities(
    (cluster, clock): (Arc<dyn Transport>, Clock),
    grants: Grants,
    queue: Queue,
    writer: Arc<Writer>,
    source: &config::Source,
) -> MakeCapabilities {
    let limits = source.limits;
    let account = Account::new(Holding {
        bytes: bytes(limits.held_bytes),
        messages: count(limits.messages),
    });
    let log = LogCtx::new(&source.key, limits.log_lines);
    Box::new(move || Capabilities {
        http: HttpCtx::new(
            Arc::clone(&cluster),
            grants.clone(),
            clock.clone(),
            (account.clone(), count(limits.requests)),
        ),
        log: log.clone(),
        publisher: PublisherCtx::new(queue.clone(), account.clone()),
        state: StateCtx::new(Arc::clone(&writer)),
    })
}

fn bytes(limit: u64) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}

fn count(limit: u32) -> usize {
    usize::try_from(limit).unwrap_or(usize::MAX)
}
