//! The runner: when to poll, when to try again, when to stop.
//!
//! ```text
//! open -> poll -> more? poll : wait until the next one -> .. -> close
//!           \-> transient: wait longer each time    trapped: the same, in a new instance
//!               again and again: the breaker opens, and one poll a while probes it
//!           \-> permanent: close and stop
//! between two polls: another version of the component, see [`hot_swap`](crate::hot_swap)
//! ```
//!
//! Only here does anything sleep or try again. A poll is short, as its budget is, so a stop
//! waits for the poll under way and then closes, which saves the state.

mod exchange;
mod summary;

use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use crate::capability::publisher::Acknowledged;
use crate::capability::state::Writer;
use crate::clock::Clock;
use crate::component::Component;
use crate::hot_swap::{Exchange, Probation};
use crate::instance::{Budget, Failure, Instance, Undelivered};
use crate::retry::{Backoff, RetryPolicy};
use crate::sandbox::Sandbox;
use crate::source_state::{Capabilities, Limits};
use crate::state_store::{Numbers, Permit, Refusal};
use crate::status::{Attempt, Reporter};
use exchange::{Running, is_own};

pub use summary::Summary;

/// A source that is ready to run.
pub struct Source {
    /// Its name in messages.
    pub name: String,
    /// The engine.
    pub sandbox: Sandbox,
    /// What runs at first.
    pub component: Component,
    /// Makes the capabilities of an instance; the store and the output behind them stay.
    pub capabilities: Box<dyn Fn() -> Capabilities + Send + Sync>,
    /// Writes the state; all instances share it.
    pub writer: Arc<Writer>,
    /// Where other versions of the component come from, while it runs.
    pub exchange: Arc<Exchange>,
    /// What the component may use.
    pub limits: Limits,
    /// Its configuration, as JSON.
    pub config: String,
    /// What one poll may use.
    pub budget: Budget,
    /// From the end of a poll that has caught up to the next.
    pub polling_interval: Duration,
    /// What happens after failures.
    pub retry: RetryPolicy,
    /// The time that polls are told.
    pub clock: Clock,
    /// What it is doing.
    pub status: Reporter,
    /// What happens to its state.
    pub state_numbers: Numbers,
    /// Whether it still holds its state.
    pub permit: Permit,
}

impl Source {
    /// That nobody else holds the state now, which would otherwise turn out when something is
    /// published, maybe much later.
    ///
    /// # Errors
    /// [`Failure::Conflict`] names whoever holds it.
    fn check_permit(&self) -> Result<(), Failure> {
        match self.permit.check() {
            Err(lost @ Refusal::Lost(_)) => Err(lost.into()),
            Ok(()) | Err(Refusal::Lapsed) => Ok(()),
        }
    }

    /// A new instance that knows nothing yet.
    ///
    /// # Errors
    /// See [`Failure`].
    pub(crate) async fn instantiate(&self) -> Result<Instance, Failure> {
        self.instantiate_as(&self.component).await
    }

    async fn instantiate_as(&self, component: &Component) -> Result<Instance, Failure> {
        let capabilities = (self.capabilities)();
        Instance::new(&self.sandbox, component, capabilities, self.limits).await
    }

    /// A new instance, with its configuration and its state.
    ///
    /// # Errors
    /// See [`Failure`].
    pub async fn open(&self, now_ms: u64) -> Result<Instance, Failure> {
        let mut instance = self.instantiate().await?;
        instance.open(&self.config, now_ms).await?;
        Ok(instance)
    }
}

/// How long a source runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// Until it has read everything that was old enough when it started.
    CaughtUp,
    /// Until it is told to stop.
    Stopped,
}

/// How a step went that did not fail.
enum Step {
    /// There is more to read at once.
    More,
    /// There will be some at this time, which a run with an end waits for.
    NotYet(Duration),
    /// There is not, for this time.
    CaughtUp(Duration),
    /// The run was stopped before the source was open.
    NotOpen,
}

/// One run of a source.
struct Run<'a> {
    source: &'a Source,
    until: Until,
    running: Running,
    instance: Option<Instance>,
    /// Some version has opened, so that the store has a state which says that a run is under way.
    has_opened: bool,
    /// Since the last exchange, for a while.
    probation: Option<Probation<Running>>,
    /// What failed last was the component itself, and no poll has worked since.
    fails_itself: bool,
    backoff: Backoff,
    /// The time that fixes the horizon of a run with an end.
    started_ms: u64,
    stop: watch::Receiver<bool>,
    summary: Summary,
}

/// Runs a source. `progress` is told the documents published so far.
///
/// # Errors
/// What stopped the source, with what it did until then.
pub async fn run(
    source: &Source,
    until: Until,
    stop: watch::Receiver<bool>,
    progress: &mut (dyn FnMut(u64) + Send),
) -> Result<Summary, (Failure, Summary)> {
    let (started, backoff) = (Instant::now(), Backoff::new(source.retry));
    let summary = Summary::default();
    let mut run = Run {
        source,
        until,
        running: Running::new(source.component.clone()),
        instance: None,
        has_opened: false,
        probation: None,
        fails_itself: false,
        backoff,
        started_ms: source.clock.now_ms(),
        stop,
        summary,
    };
    source.status.starts();
    let ended = run.until_end(progress).await;
    let closed = run.close().await;
    run.summary.elapsed = started.elapsed();
    let ended = ended.and(closed);
    source
        .status
        .ends(ended.as_ref().err().map(Failure::to_string));
    match ended {
        Ok(()) => Ok(run.summary),
        Err(failure) => Err((failure, run.summary)),
    }
}

impl Run<'_> {
    async fn until_end(&mut self, progress: &mut (dyn FnMut(u64) + Send)) -> Result<(), Failure> {
        while !*self.stop.borrow() {
            self.source.check_permit()?;
            let step = match self.between_polls().await {
                Ok(()) => self.step().await,
                Err(failure) => Err(failure),
            };
            let step = match step {
                Ok(Step::NotOpen) => break,
                Ok(step) => step,
                Err(failure) if self.fails_on_probation(&failure) => {
                    self.take_back(failure.to_string()).await;
                    continue;
                }
                Err(failure) => {
                    self.fail(failure).await?;
                    continue;
                }
            };
            self.probation.iter_mut().for_each(Probation::polled);
            self.backoff.reset();
            self.fails_itself = false;
            self.source.status.works(self.source.clock.now_ms());
            progress(self.summary.documents);
            match step {
                Step::CaughtUp(_) if self.until == Until::CaughtUp => return Ok(()),
                // A candidate that could not open before may now.
                Step::CaughtUp(_) | Step::NotYet(_) if self.source.exchange.has_one() => {}
                Step::CaughtUp(wait) | Step::NotYet(wait) => self.sleep(wait).await,
                // One that never waits for anything must not keep others from their turn.
                Step::More => tokio::task::yield_now().await,
                Step::NotOpen => {}
            }
        }
        self.summary.stopped = self.until == Until::CaughtUp;
        Ok(())
    }

    /// Ends a probation and exchanges the component, if it is time.
    async fn between_polls(&mut self) -> Result<(), Failure> {
        self.end_probation().await?;
        match self.until {
            Until::CaughtUp => Ok(()),
            Until::Stopped => self.exchange_if_offered().await,
        }
    }

    /// One poll, in an instance that is made if there is none. A run with an end counts what
    /// is left when it has caught up.
    async fn step(&mut self) -> Result<Step, Failure> {
        let now_ms = match self.until {
            Until::CaughtUp => self.started_ms,
            Until::Stopped => self.source.clock.now_ms(),
        };
        let (source, budget) = (self.source, self.budget());
        let instance = match &mut self.instance {
            Some(instance) => instance,
            None => {
                // Opening may wait for long until nothing of a former run is under way.
                let opened = tokio::select! {
                    opened = open(source, &mut self.running, now_ms) => opened?,
                    () = told_to_stop(&mut self.stop) => return Ok(Step::NotOpen),
                };
                self.has_opened = true;
                self.instance.insert(opened)
            }
        };
        self.summary.polls += 1;
        let polled = instance.poll(now_ms, budget).await;
        let acknowledged = instance.take_acknowledged();
        self.summary.add(acknowledged);
        let published = acknowledged.new + acknowledged.already_there;
        self.probation
            .iter_mut()
            .for_each(|probation| probation.published(published));
        let polled = polled?;
        let Acknowledged {
            new, already_there, ..
        } = acknowledged;
        tracing::debug!(new, already_there, more = polled.more, "polled");
        if polled.more {
            return Ok(Step::More);
        }
        let hint = polled.wait_hint_ms.map(Duration::from_millis);
        if let (Until::CaughtUp, Some(wait)) = (self.until, hint) {
            return Ok(Step::NotYet(wait));
        }
        if self.until == Until::CaughtUp {
            let Undelivered {
                beyond_horizon,
                without_timestamp,
            } = instance.backlog(now_ms).await?;
            self.summary.left = Some((beyond_horizon, without_timestamp));
        }
        let wait = hint.unwrap_or(Duration::MAX);
        Ok(Step::CaughtUp(source.polling_interval.min(wait)))
    }

    /// Waits before the next try, or gives up.
    async fn fail(&mut self, failure: Failure) -> Result<(), Failure> {
        self.fails_itself = is_own(&failure);
        let asked = match &failure {
            Failure::Transient { retry_after_ms, .. } => retry_after_ms.map(Duration::from_millis),
            Failure::Trapped(_) => {
                self.instance = None;
                None
            }
            _ => return Err(failure),
        };
        let wait = self.backoff.wait(asked);
        if self.until == Until::CaughtUp && self.backoff.is_open() {
            return Err(failure);
        }
        self.summary.retries += 1;
        let wait_ms = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        let now_ms = self.source.clock.now_ms();
        let next = Attempt {
            wait_ms,
            at_ms: now_ms.saturating_add(wait_ms),
            breaker_open: self.backoff.is_open(),
        };
        self.source.status.fails(failure.to_string(), next, now_ms);
        self.sleep(wait).await;
        Ok(())
    }

    /// Sleeps, or stops sleeping: to stop, or to exchange the component.
    async fn sleep(&mut self, time: Duration) {
        let (exchange, until) = (&self.source.exchange, self.until);
        let offered = async {
            match until {
                Until::CaughtUp => std::future::pending().await,
                Until::Stopped => exchange.arrived().await,
            }
        };
        tokio::select! {
            () = tokio::time::sleep(time) => {}
            () = told_to_stop(&mut self.stop) => {}
            () = offered => {}
        }
    }

    async fn close(&mut self) -> Result<(), Failure> {
        let closed = match self.instance.take() {
            Some(mut instance) => instance.close().await,
            None => Ok(()),
        };
        self.leave_probation().await;
        closed
    }
}

/// A sender that is gone can stop nothing any more, so this never ends then.
async fn told_to_stop(stop: &mut watch::Receiver<bool>) {
    if stop.wait_for(|stop| *stop).await.is_err() {
        std::future::pending().await
    }
}

/// The same as [`Source::open`], for the operator to see.
async fn open(source: &Source, running: &mut Running, now_ms: u64) -> Result<Instance, Failure> {
    let mut instance = source.instantiate_as(&running.component).await?;
    running.describes(instance.description());
    running
        .version()
        .into_iter()
        .for_each(|version| source.exchange.runs(version));
    instance.open(&source.config, now_ms).await?;
    let description = instance.description();
    tracing::info!(
        component = description.name,
        version = description.version,
        "the source is open"
    );
    Ok(instance)
}
