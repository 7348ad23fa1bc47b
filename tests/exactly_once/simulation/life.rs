//! One run: processes that live, are killed and start again, until all is quiet.

use std::cell::Cell;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use elasticsearch_source::account::Account;
use elasticsearch_source::capability::grants::Grants;
use elasticsearch_source::capability::http::HttpCtx;
use elasticsearch_source::capability::log::LogCtx;
use elasticsearch_source::capability::publisher::PublisherCtx;
use elasticsearch_source::capability::state::{StateCtx, Writer};
use elasticsearch_source::component::{Component, Content, Origin};
use elasticsearch_source::instance::{Budget, Failure};
use elasticsearch_source::publisher::destination::Destination;
use elasticsearch_source::publisher::outbox::Outbox;
use elasticsearch_source::publisher::queue::Queue;
use elasticsearch_source::retry::RetryPolicy;
use elasticsearch_source::runner::{self, Source, Summary, Until};
use elasticsearch_source::sandbox::Sandbox;
use elasticsearch_source::source_state::{Capabilities, Limits};
use elasticsearch_source::state_store::envelope::Owner;
use elasticsearch_source::state_store::{Numbers, Permit, Slice, Slot};
use elasticsearch_source::status::Reporter;
use tokio::sync::watch;

use super::broker::{Broker, DEAD_LETTERS, SimulatedTopic};
use super::cluster::SimulatedTransport;
use super::invariants;
use super::scenario::Scenario;
use super::script::Script;
use super::stage::Stage;
use super::store::{Disk, SimulatedRecords};
use super::workload::{END_MS, Workload};

/// How long a killed process stays away, one after the other.
const AWAY: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(100),
    Duration::from_secs(2),
    Duration::from_secs(7),
];
/// More processes than that mean that nothing goes on.
const PROCESSES_MAX: usize = 100;

/// What came of a run.
pub struct Outcome {
    /// What broke a rule; empty where all is well.
    pub violations: Vec<String>,
    /// Documents that were compared with the output, each in every topic.
    pub documents: usize,
    /// Documents that the output lacks.
    pub lost: usize,
    /// Messages that the output has more than once.
    pub repeated: usize,
    /// Calls until the trouble was over.
    pub operations: usize,
    /// The script after the run.
    pub script: Script,
    /// Every operation, if asked for.
    pub trace: Vec<String>,
}

/// How a process ended.
enum End {
    Killed,
    Ended(Result<Summary, (Failure, Summary)>),
}

struct Life<'a> {
    scenario: &'a Scenario,
    stage: Arc<Stage>,
    disk: Arc<Disk>,
    /// How often the source was started.
    starts: Cell<usize>,
}

/// Runs a scenario with a script to its end, and compares.
pub fn live(scenario: &Scenario, seed: u64, script: Script, trace: bool) -> Outcome {
    let (cluster, workload) = Workload::begin(scenario, seed);
    let topics = [scenario.topics, &[(DEAD_LETTERS, 1)]].concat();
    let stage = Stage::new(cluster, workload, Broker::new(&topics));
    stage.told().script = script;
    stage.told().trace = trace.then(Vec::new);
    let life = Life {
        scenario,
        stage,
        disk: Arc::default(),
        starts: Cell::new(0),
    };
    life.with_trouble();
    let script = std::mem::replace(&mut life.stage.told().script, Script::Over);
    let operations = life.stage.told().operations;
    life.in_peace();
    let comparison = invariants::check_end(&life.stage, &life.disk, scenario);
    let mut told = life.stage.told();
    Outcome {
        violations: std::mem::take(&mut told.violations),
        documents: comparison.documents,
        lost: comparison.lost,
        repeated: comparison.repeated,
        operations,
        script,
        trace: told.trace.take().unwrap_or_default(),
    }
}

impl Life<'_> {
    /// While others write, and until what they wrote is old enough.
    fn with_trouble(&self) {
        for process in 0..PROCESSES_MAX {
            let away = AWAY[process % AWAY.len()];
            match self.process(Until::Stopped, away) {
                End::Killed => {}
                End::Ended(Ok(_)) => return,
                // The last save may fail, too; the next process must cope.
                End::Ended(Err((Failure::Transient { .. }, _)))
                    if self.stage.now_ms() >= END_MS =>
                {
                    return;
                }
                End::Ended(Err((failure, _))) => {
                    let what = format!("the source stopped by itself: {failure}");
                    return self.stage.violate(what);
                }
            }
        }
        let what = format!("{PROCESSES_MAX} processes were not enough");
        self.stage.violate(what);
    }

    /// Nothing fails any more.
    fn in_peace(&self) {
        let away = Duration::from_secs(10);
        if let End::Ended(Err((failure, _))) = self.process(Until::CaughtUp, away) {
            let what = format!("the last process failed: {failure}");
            self.stage.violate(what);
        }
    }

    fn process(&self, until: Until, away: Duration) -> End {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let start = self.starts.get();
            self.starts.set(start + 1);
            self.stage.set_back(self.scenario.set_back(start));
            self.stage.begin(away);
            let (stop, stopped) = watch::channel(false);
            let left = Duration::from_millis(END_MS.saturating_sub(self.stage.now_ms()));
            tokio::spawn(async move {
                tokio::time::sleep(left).await;
                let _ended_before = stop.send(until == Until::Stopped);
                std::future::pending::<()>().await;
            });
            let (source, mut progress) = (self.source(start), |_| {});
            let end = tokio::select! {
                biased;
                () = self.stage.killed.notified() => End::Killed,
                ended = runner::run(&source, until, stopped, &mut progress) => End::Ended(ended),
            };
            self.stage.end();
            end
        })
    }

    fn source(&self, start: usize) -> Source {
        let sandbox = sandbox();
        let writer = self.writer();
        let embedded = Content::read(Origin::Embedded).unwrap();
        Source {
            name: "simulated".to_owned(),
            component: Component::load(&sandbox, &embedded).unwrap(),
            sandbox,
            capabilities: self.capabilities(Arc::clone(&writer)),
            writer,
            exchange: Arc::default(),
            limits: Limits {
                memory: 64 << 20,
                ..Limits::default()
            },
            config: self.scenario.config(start).to_string(),
            budget: Budget {
                pages: 4,
                milliseconds: 1_000,
            },
            polling_interval: Duration::from_secs(5),
            retry: RetryPolicy {
                first: Duration::from_millis(200),
                longest: Duration::from_secs(3),
                jitter: 0.0,
                attempts: 5,
            },
            clock: self.stage.clock(),
            status: Reporter::default(),
            state_numbers: Numbers::of("simulated"),
            permit: Permit::always(),
        }
    }

    fn writer(&self) -> Arc<Writer> {
        let records = Arc::new(SimulatedRecords {
            stage: Arc::clone(&self.stage),
            disk: Arc::clone(&self.disk),
        });
        let store = Arc::new(Slot::of(records, &owner().state_id));
        Writer::new(store, owner(), self.stage.clock())
    }

    fn capabilities(&self, writer: Arc<Writer>) -> Box<dyn Fn() -> Capabilities + Send + Sync> {
        let (stage, clock) = (&self.stage, self.stage.clock());
        let topic = |name, refuses| -> Box<dyn Destination> {
            let stage = Arc::clone(stage);
            Box::new(SimulatedTopic {
                stage,
                name,
                refuses,
            })
        };
        let topics = self.scenario.topics.iter();
        let topics = topics.map(|(name, _)| topic(*name, self.scenario.way_of_refusing(*name)));
        let mut outbox = Outbox::new(topics.collect(), self.scenario.delivery);
        if self.scenario.refusals {
            outbox = outbox.with_dead_letters(topic(DEAD_LETTERS, None));
        }
        let queue = Queue::start(outbox, Permit::always(), clock.clone());
        let transport = Arc::new(SimulatedTransport(Arc::clone(stage)));
        let account = Account::default();
        Box::new(move || Capabilities {
            http: HttpCtx::new(
                transport.clone(),
                Grants::reading("logs-*"),
                clock.clone(),
                (account.clone(), 32),
            ),
            publisher: PublisherCtx::new(queue.clone(), account.clone()),
            log: LogCtx::new("simulated", 100),
            state: StateCtx::new(Arc::clone(&writer)),
        })
    }
}

fn owner() -> Owner {
    Owner {
        state_id: "simulated".to_owned(),
        connector_id: 1,
        index: "logs-*".to_owned(),
        slice: Slice::WHOLE,
        url: "http://127.0.0.1".parse().unwrap(),
    }
}

/// One for all runs, so that the component is compiled once.
fn sandbox() -> Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX
        .get_or_init(|| Sandbox::without_interruptions().unwrap())
        .clone()
}
