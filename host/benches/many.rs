//! A thousand sources in one process, from the in-process Elasticsearch: how soon one and all
//! of them publish after a start, with compiled code in the cache and without, what memory each
//! takes at rest, and how the time is shared between them when all have much to read. It fails
//! where a source gets less than half of its share, or takes more than 2 MiB.
//!
//! Run it with `cargo bench --bench many`; `ROUNDS=1` is enough to see that all goes well.

#[expect(dead_code, reason = "other benchmarks use the rest")]
mod support;

use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use elasticsearch_source::assembly::Assembly;
use elasticsearch_source::component::CompileCache;
use elasticsearch_source::config::Config;
use elasticsearch_source::mini_elasticsearch::{MiniElasticsearch, Options};
use elasticsearch_source::runner::{self, Until};
use elasticsearch_source::sandbox::Sandbox;
use tempfile::TempDir;
use tokio::sync::watch;
use tokio::task::JoinSet;

const SOURCES: usize = 1_000;
/// What each reads until it rests, and what each can read while they are compared, which is
/// more than any does.
const FEW: u64 = 10;
const MANY: u64 = 1_500;
/// What the sources read on average while they are compared.
const COMPARED: u64 = 150;
/// What is asked of every source, in shares and in bytes.
const LEAST_SHARE: f64 = 0.5;
const MOST_MEMORY: f64 = (2 << 20) as f64;
/// Without this a run is stuck.
const PATIENCE: Duration = Duration::from_secs(600);

/// What a start of some sources showed.
struct Start {
    /// From the start of the engine to the first document of each source.
    took: Duration,
    /// Of the whole process at rest, with the cluster in it, in bytes for each source.
    memory: f64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let rounds = support::rounds()?;
    let cache = tempfile::tempdir()?;
    let cold = start(cache.path(), SOURCES).await?;
    let (mut one, mut all, mut shares) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..rounds {
        one.push(start(cache.path(), 1).await?);
        all.push(start(cache.path(), SOURCES).await?);
        shares.push(least_share(cache.path(), SOURCES).await?);
    }
    println!("{SOURCES} sources, {rounds} rounds: median (least to most)");
    let took = |start: &Start| start.took.as_secs_f64() * 1e3;
    let memory = |start: &Start| start.memory / 1024.0;
    let rows: [(_, Vec<f64>, _); 5] = [
        (
            "first document of one source, ms",
            one.iter().map(took).collect(),
            0,
        ),
        (
            "first document of every source, ms",
            all.iter().map(took).collect(),
            0,
        ),
        ("the same without a cache, once, ms", vec![took(&cold)], 0),
        (
            "KiB of the process for each at rest",
            all.iter().map(memory).collect(),
            0,
        ),
        ("least share of a source", shares.clone(), 2),
    ];
    for (name, figures, digits) in rows {
        let spread = support::report::spread(figures.into_iter(), digits);
        println!("{name:<38} {spread}");
    }
    let small = all.iter().all(|start| start.memory <= MOST_MEMORY);
    anyhow::ensure!(small, "a source takes more than {MOST_MEMORY} bytes");
    let fair = shares.iter().all(|share| *share >= LEAST_SHARE);
    anyhow::ensure!(fair, "a source got less than {LEAST_SHARE} of its share");
    Ok(())
}

/// How soon so many sources publish, and what they take when they have read all.
async fn start(cache: &Path, sources: usize) -> anyhow::Result<Start> {
    let cluster = cluster(FEW)?;
    let begun = Instant::now();
    let running = Running::start(cluster.url(), cache, sources)?;
    running.until(|counts| counts.min() > Some(0)).await?;
    let took = begun.elapsed();
    running.until(|counts| counts.min() == Some(FEW)).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let memory = resident()? as f64 / sources as f64;
    running.stop().await?;
    Ok(Start { took, memory })
}

/// What the source got that got least, of what all got on average, when all were busy.
async fn least_share(cache: &Path, sources: usize) -> anyhow::Result<f64> {
    let cluster = cluster(MANY)?;
    let running = Running::start(cluster.url(), cache, sources)?;
    running.until(|counts| counts.min() > Some(0)).await?;
    let begun: Vec<u64> = running.counts().collect();
    let enough = COMPARED * sources as u64 + begun.iter().sum::<u64>();
    running
        .until(|counts| counts.sum::<u64>() >= enough)
        .await?;
    let ended: Vec<u64> = running.counts().collect();
    let busy = ended.iter().all(|count| *count < MANY);
    anyhow::ensure!(busy, "a source has nothing left to read");
    let gains = ended.iter().zip(&begun).map(|(ended, begun)| ended - begun);
    let least = gains.min().unwrap_or_default();
    running.stop().await?;
    Ok(least as f64 / COMPARED as f64)
}

/// With so many documents.
fn cluster(documents: u64) -> anyhow::Result<MiniElasticsearch> {
    let cluster = MiniElasticsearch::start(Options::default())?;
    cluster.create_index("logs", 3, &support::mappings())?;
    for number in 0..documents {
        let (id, document) = (format!("d{number}"), support::document(number));
        cluster.insert("logs", Some(&id), document)?;
    }
    Ok(cluster)
}

/// Sources that run until they are stopped.
struct Running {
    /// How many documents each has published.
    published: Arc<[AtomicU64]>,
    stop: watch::Sender<bool>,
    tasks: JoinSet<anyhow::Result<()>>,
    _states: TempDir,
}

impl Running {
    /// So many, of the cluster at this address.
    fn start(url: &str, cache: &Path, sources: usize) -> anyhow::Result<Self> {
        let states = tempfile::tempdir()?;
        let text = configuration(url, states.path(), sources)?;
        let config = Config::parse(&text, "many.toml", [])?;
        let sandbox = Sandbox::new()?.caching(Some(CompileCache::open(cache, 1 << 30)?));
        let assembly = Arc::new(Assembly::new(&config, sandbox).discarding());
        let published: Arc<[AtomicU64]> = (0..sources).map(|_| AtomicU64::new(0)).collect();
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        for (number, source) in config.sources.values().enumerate() {
            let (assembly, source) = (Arc::clone(&assembly), source.clone());
            let (published, stopped) = (Arc::clone(&published), stopped.clone());
            tasks.spawn(async move {
                let source = assembly.source(&source).await?;
                let note = &mut |documents| {
                    if let Some(own) = published.get(number) {
                        own.store(documents, Ordering::Relaxed);
                    }
                };
                let ended = runner::run(&source, Until::Stopped, stopped, note).await;
                ended.map_err(|(failure, _)| anyhow::anyhow!("{failure}"))?;
                Ok(())
            });
        }
        Ok(Self {
            published,
            stop,
            tasks,
            _states: states,
        })
    }

    fn counts(&self) -> impl Iterator<Item = u64> {
        self.published.iter().map(|own| own.load(Ordering::Relaxed))
    }

    async fn until(
        &self,
        is_so: impl Fn(&mut dyn Iterator<Item = u64>) -> bool,
    ) -> anyhow::Result<()> {
        let begun = Instant::now();
        while !is_so(&mut self.counts()) {
            anyhow::ensure!(begun.elapsed() < PATIENCE, "this takes too long");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(())
    }

    async fn stop(self) -> anyhow::Result<()> {
        self.stop.send_replace(true);
        self.tasks.join_all().await.into_iter().collect()
    }
}

fn configuration(url: &str, folder: &Path, sources: usize) -> anyhow::Result<String> {
    let folder = folder.display();
    let mut text = format!("[output]\ntype = \"file\"\npath = '{folder}'\n");
    for number in 0..sources {
        write!(
            text,
            "[sources.s{number}]\nlimits = {{ poll_pages = 1 }}\n\
             [[sources.s{number}.streams]]\nstream = \"s{number}\"\ntopic = \"t\"\n\
             [sources.s{number}.config]\nurl = \"{url}\"\nindex = \"logs\"\ntimestamp_field = \"@timestamp\"\nbatch_size = 10\npolling_interval = \"5s\"\n\
             state = {{ auto_save_interval = \"1m\", storage_config = {{ base_path = '{folder}' }} }}\n"
        )?;
    }
    Ok(text)
}

/// The memory of this process that is not swapped out, in bytes.
fn resident() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kibibytes = resident.and_then(|text| text.trim().strip_suffix(" kB"));
    let kibibytes: u64 = kibibytes.context("no resident memory")?.parse()?;
    Ok(kibibytes * 1024)
}
