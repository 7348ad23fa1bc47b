//! What everything in the world shares: the time, the script, and what happened.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use elasticsearch_source::clock::Clock;
use elasticsearch_source::mini_elasticsearch::MiniElasticsearch;
use futures::FutureExt as _;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::broker::Broker;
use super::fault::{Fault, Operation};
use super::script::Script;
use super::workload::Workload;

/// When the world begins, in milliseconds since the epoch.
pub const BEGIN_MS: u64 = 1_768_435_200_000;
/// How long a call takes that works.
const LATENCY: Duration = Duration::from_millis(2);
/// How long a call waits for an answer.
pub const TIMEOUT: Duration = Duration::from_secs(2);
/// How long after an unknown outcome a publish may take effect.
pub const QUIET: Duration = Duration::from_secs(2);

/// How many acknowledged messages an output loses.
const LOST: usize = 3;

/// The world. It outlives the processes in it.
pub struct Stage {
    /// The cluster's documents, and the faults of its answers.
    pub cluster: MiniElasticsearch,
    /// Tells the process that it is dead.
    pub killed: Notify,
    /// The wall clock when the running process began.
    began_ms: AtomicU64,
    told: Mutex<Told>,
}

/// What changes.
pub struct Told {
    /// When the running process began, on its own clock.
    began: Option<Instant>,
    /// Operations so far.
    pub operations: usize,
    /// Which of them fail.
    pub script: Script,
    /// What is written to the cluster and the topics by others, and when.
    pub workload: Workload,
    /// The output.
    pub broker: Broker,
    /// What broke a rule.
    pub violations: Vec<String>,
    /// What happened, for whoever looks for the cause.
    pub trace: Option<Vec<String>>,
}

impl Stage {
    pub fn new(cluster: MiniElasticsearch, workload: Workload, broker: Broker) -> Arc<Self> {
        let told = Told {
            began: None,
            operations: 0,
            script: Script::Over,
            workload,
            broker,
            violations: Vec::new(),
            trace: None,
        };
        Arc::new(Self {
            cluster,
            killed: Notify::new(),
            began_ms: AtomicU64::new(BEGIN_MS),
            told: Mutex::new(told),
        })
    }

    pub fn told(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap()
    }

    /// A process begins, so much later than the last thing that happened. To be called
    /// inside its runtime.
    pub fn begin(&self, later: Duration) {
        self.began_ms
            .fetch_add(later.as_millis() as u64, Ordering::Relaxed);
        self.told().began = Some(Instant::now());
        // Two calls may have died at once.
        let _forgotten = self.killed.notified().now_or_never();
    }

    /// The clock is set back, while no process runs.
    pub fn set_back(&self, by: Duration) {
        self.began_ms
            .fetch_sub(by.as_millis() as u64, Ordering::Relaxed);
        self.told().broker.set_back(by);
    }

    /// The process is over; its runtime and clock will be gone. To be called inside it.
    pub fn end(&self) {
        let now_ms = self.now_ms();
        self.began_ms.store(now_ms, Ordering::Relaxed);
        let mut told = self.told();
        told.began = None;
        told.broker.disconnected(now_ms);
    }

    /// The wall clock.
    pub fn now_ms(&self) -> u64 {
        let passed = self
            .told()
            .began
            .map_or(Duration::ZERO, |began| began.elapsed());
        self.began_ms.load(Ordering::Relaxed) + passed.as_millis() as u64
    }

    /// The same for the host.
    pub fn clock(self: &Arc<Self>) -> Clock {
        let stage = Arc::clone(self);
        Clock::new(move || stage.now_ms())
    }

    /// A call begins: everything that is due happens first, then the script decides.
    pub async fn call(&self, operation: Operation, about: &str) -> Option<Fault> {
        tokio::time::sleep(LATENCY).await;
        let now_ms = self.now_ms();
        let mut told = self.told();
        let Told {
            workload, broker, ..
        } = &mut *told;
        workload.catch_up(now_ms, &self.cluster, broker);
        broker.apply_late(now_ms);
        let number = told.operations;
        told.operations += 1;
        if told.script.loses(number) {
            told.broker.lose(LOST);
        }
        let fault = told.script.fault(number, operation);
        if let Some(trace) = &mut told.trace {
            let second = (now_ms as f64 - BEGIN_MS as f64) / 1_000.0;
            trace.push(format!(
                "{second:>8.3} {number:>4} {operation:?} {about} {}",
                fault.map_or_else(String::new, |fault| format!("<- {fault:?}"))
            ));
        }
        fault
    }

    /// The process dies here, and nothing of it goes on.
    pub async fn die<T>(&self) -> T {
        self.killed.notify_one();
        std::future::pending().await
    }

    /// Something broke a rule.
    pub fn violate(&self, what: String) {
        self.told().violations.push(what);
    }
}
