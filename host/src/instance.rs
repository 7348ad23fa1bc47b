//! A running component: its exports as plain calls, its failures by what can be done.

use std::time::Duration;

use wasmtime::Store;

use crate::bindings::SourceConnector;
use crate::bindings::exports::iggy::connector::source as wit;
use crate::capability::publisher::Acknowledged;
use crate::capability::text::shown;
use crate::component::Component;
use crate::config::show_duration;
use crate::over_limit::OverLimit;
use crate::sandbox::Sandbox;
use crate::source_state::{Capabilities, Limits, SourceState};
use crate::state_store::Refusal;
use crate::trapped::explain;

pub use wit::{Budget, Description, Polled, SavedState, Slice, Undelivered};

/// The longest wait that a component may ask for when nothing failed: the longest interval
/// between two polls.
const HINT_MAX: Duration = Duration::from_secs(30 * 86_400);
/// The longest wait that it may ask for after a failure, whatever a cluster wishes,
/// in milliseconds.
const SETBACK_MAX_MS: u64 = 3_600_000;

/// One instance in its own store. After [`Failure::Trapped`] it is dead.
pub struct Instance {
    store: Store<SourceState>,
    exports: SourceConnector,
    description: Description,
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// May work later.
    Transient {
        /// What happened.
        message: String,
        /// The cluster's own wish, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// Stays until somebody changes something.
    Permanent(String),
    /// A key of the configuration is wrong.
    InvalidConfig {
        /// The dotted path below the source's configuration.
        key: String,
        /// What is wrong, and what would be right.
        message: String,
    },
    /// Another writer has saved this state.
    Conflict(String),
    /// The component broke a rule or a limit; this instance can not be used again.
    Trapped(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Transient { message, .. }
            | Self::Permanent(message)
            | Self::Conflict(message) => f.write_str(message),
            Self::InvalidConfig { key, message } => write!(f, "{key}: {message}"),
            Self::Trapped(message) => write!(f, "the component was stopped: {message}"),
        }
    }
}

impl From<Refusal> for Failure {
    fn from(refusal: Refusal) -> Self {
        match refusal {
            Refusal::Lost(why) => Self::Conflict(why.to_string()),
            Refusal::Lapsed => Self::Transient {
                message: "the lease of the state could not be renewed in time: see that its store is reachable".to_owned(),
                retry_after_ms: None,
            },
        }
    }
}

impl Instance {
    /// Instantiates the component with its capabilities.
    ///
    /// # Errors
    /// [`Failure::Trapped`] if its start does not end well.
    pub async fn new(
        sandbox: &Sandbox,
        component: &Component,
        capabilities: Capabilities,
        limits: Limits,
    ) -> Result<Self, Failure> {
        let mut store = SourceState::store(sandbox, capabilities, limits);
        let limits = begin(&store);
        let made = component.pre().instantiate_async(&mut store);
        let exports = in_time(limits, made).await;
        let exports = exports.map_err(|error| trapped(&store, &error))?;
        let source = exports.iggy_connector_source();
        let described = in_time(limits, source.call_describe(&mut store)).await;
        let mut description = described.map_err(|error| trapped(&store, &error))?;
        description.name = shown(&description.name);
        description.version = shown(&description.version);
        if description.state_format == 0 {
            let why = "it describes its state as of format 0, and formats count from 1";
            return Err(Failure::Trapped(why.to_owned()));
        }
        store.data_mut().described(description.state_format);
        Ok(Self {
            store,
            exports,
            description,
        })
    }

    /// Name, version and state format.
    pub fn description(&self) -> &Description {
        &self.description
    }

    /// Gives it its configuration.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn open(&mut self, config: &str, now_ms: u64) -> Result<(), Failure> {
        let limits = begin(&self.store);
        let source = self.exports.iggy_connector_source();
        let call = source.call_open(&mut self.store, config, now_ms);
        let opened = in_time(limits, call).await;
        self.outcome(opened)
    }

    /// Reads until it has caught up or the budget is spent.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn poll(&mut self, now_ms: u64, budget: Budget) -> Result<Polled, Failure> {
        let limits = begin(&self.store);
        let source = self.exports.iggy_connector_source();
        let call = source.call_poll(&mut self.store, now_ms, budget);
        let polled = in_time(limits, call).await;
        let polled = self.outcome(polled)?;
        match polled.wait_hint_ms.filter(|hint| is_absurd(*hint)) {
            None => Ok(polled),
            Some(hint) => Err(Failure::Trapped(format!(
                "it asks for a wait of {hint} ms, and {} days are the longest",
                HINT_MAX.as_secs() / 86_400
            ))),
        }
    }

    /// The same state in the format that this component writes.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn migrate_state(
        &mut self,
        data: &[u8],
        from_format: u32,
    ) -> Result<Vec<u8>, Failure> {
        let limits = begin(&self.store);
        let source = self.exports.iggy_connector_source();
        let call = source.call_migrate_state(&mut self.store, data, from_format);
        let migrated = in_time(limits, call).await;
        self.outcome(migrated)
    }

    /// What was acknowledged since the last call; also by polls that failed.
    pub fn take_acknowledged(&mut self) -> Acknowledged {
        self.store.data_mut().publisher.take_acknowledged()
    }

    /// Counts what matches and is not delivered.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn backlog(&mut self, now_ms: u64) -> Result<Undelivered, Failure> {
        let limits = begin(&self.store);
        let source = self.exports.iggy_connector_source();
        let call = source.call_backlog(&mut self.store, now_ms);
        let backlog = in_time(limits, call).await;
        self.outcome(backlog)
    }

    /// What the process of this slice goes on from, after these of the slices before. It need
    /// not be open.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn reslice_states(
        &mut self,
        before: &[SavedState],
        slice: Slice,
    ) -> Result<Vec<u8>, Failure> {
        let limits = begin(&self.store);
        let source = self.exports.iggy_connector_source();
        let call = source.call_reslice_states(&mut self.store, before, slice);
        let divided = in_time(limits, call).await;
        self.outcome(divided)
    }

    /// Saves what is not saved, and lets go of the cluster.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn close(&mut self) -> Result<(), Failure> {
        let limits = begin(&self.store);
        let source = self.exports.iggy_connector_source();
        let call = source.call_close(&mut self.store);
        let closed = in_time(limits, call).await;
        self.outcome(closed)
    }

    fn outcome<T>(&self, called: wasmtime::Result<Result<T, wit::Error>>) -> Result<T, Failure> {
        let outcome = called
            .map_err(|error| trapped(&self.store, &error))
            .and_then(|outcome| outcome.map_err(|error| self.failure(error)));
        self.store.data().log.settle(outcome.is_err());
        outcome
    }

    /// That somebody else has its state, a component only repeats.
    fn failure(&self, error: wit::Error) -> Failure {
        match Failure::from(error) {
            Failure::Conflict(message) if !self.store.data().state.conflict() => {
                Failure::Permanent(format!(
                    "it tells of a conflict that the store of its state did not tell of, which is a defect of the component: {message}"
                ))
            }
            failure => failure,
        }
    }
}

impl Drop for Instance {
    /// What it had to say, nobody will add to.
    fn drop(&mut self) {
        self.store.data().log.settle(true);
    }
}

/// A call begins, within these limits.
fn begin(store: &Store<SourceState>) -> Limits {
    let state = store.data();
    state.stopwatch.begin();
    state.limits
}

/// Waits for a call no longer than one may take. What is cut off leaves an instance that can
/// not be used again.
async fn in_time<T>(
    limits: Limits,
    call: impl Future<Output = wasmtime::Result<T>>,
) -> wasmtime::Result<T> {
    let most = limits.call_time;
    let ended = tokio::time::timeout(most, call).await;
    ended.unwrap_or_else(|_| {
        let what = format!("it did not return within {}", show_duration(most));
        Err(OverLimit::new("call_time", what).into())
    })
}

fn is_absurd(hint_ms: u64) -> bool {
    Duration::from_millis(hint_ms) > HINT_MAX
}

fn trapped(store: &Store<SourceState>, error: &wasmtime::Error) -> Failure {
    Failure::Trapped(explain(store.data(), error))
}

impl From<wit::Error> for Failure {
    fn from(error: wit::Error) -> Self {
        match error {
            wit::Error::Transient(wit::Setback {
                message,
                retry_after_ms,
            }) => Self::Transient {
                message: shown(&message),
                retry_after_ms: retry_after_ms.map(|asked_ms| asked_ms.min(SETBACK_MAX_MS)),
            },
            wit::Error::Permanent(message) => Self::Permanent(shown(&message)),
            wit::Error::InvalidConfig(wit::WrongKey { key, message }) => Self::InvalidConfig {
                key: shown(&key),
                message: shown(&message),
            },
            wit::Error::Conflict(message) => Self::Conflict(shown(&message)),
        }
    }
}
