//! A thousand sources in one process, from the in-process Elasticsearch: how soon one and all
//! of them publish after a start with compiled code in the cache, how the time is shared
//! between them, and what memory each takes at rest. It fails where a source gets less than
//! half of its share, or takes more than 2 MiB.
//!
//! Run it with `cargo bench --bench many`; `ROUNDS=1` is enough to see that all goes well.

#[expect(dead_code, reason = "other benchmarks use the rest")]
mod support;

use std::fmt::Write as _;
use std::ops::Range;
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
use tokio::sync::watch;

const SOURCES: usize = 1_000;
/// When the sources start, and further on, which is more than any reads meanwhile.
const FIRST: u64 = 50;
const DOCUMENTS: u64 = 3_000;
/// What the sources read on average while they are compared.
const COMPARED: u64 = 200;
/// What is asked of every source, in shares and in bytes.
const LEAST_SHARE: f64 = 0.5;
const MOST_MEMORY: f64 = (2 << 20) as f64;
/// Without this a run is stuck.
const PATIENCE: Duration = Duration::from_secs(600);

/// What one run of some sources showed.
struct Run {
    /// From the start of the engine to the first document of each source.
    started: Duration,
    /// Of the whole process at rest, with the cluster in it, in bytes for each source.
    memory: f64,
    /// What the source got that got least, of what all got on average, when all were busy.
    least_share: f64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let rounds = support::rounds()?;
    let cache = tempfile::tempdir()?;
    run(cache.path(), 1).await?;
    let (mut one, mut all) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        one.push(run(cache.path(), 1).await?);
        all.push(run(cache.path(), SOURCES).await?);
    }
    let spread = |runs: &[Run], figure: fn(&Run) -> f64, digits| {
        support::report::spread(runs.iter().map(figure), digits)
    };
    let started = |run: &Run| run.started.as_secs_f64() * 1e3;
    println!("{SOURCES} sources, {rounds} rounds: median (least to most)");
    println!(
        "first document of one source, ms       {}",
        spread(&one, started, 0)
    );
    println!(
        "first document of every source, ms     {}",
        spread(&all, started, 0)
    );
    println!(
        "least share of a source                {}",
        spread(&all, |run| run.least_share, 2)
    );
    println!(
        "KiB of the process for each at rest    {}",
        spread(&all, |run| run.memory / 1024.0, 0)
    );
    let fair = all.iter().all(|run| run.least_share >= LEAST_SHARE);
    anyhow::ensure!(fair, "a source got less than {LEAST_SHARE} of its share");
    let small = all.iter().all(|run| run.memory <= MOST_MEMORY);
    anyhow::ensure!(small, "a source takes more than {MOST_MEMORY} bytes");
    Ok(())
}

fn write(cluster: &MiniElasticsearch, documents: Range<u64>) -> anyhow::Result<()> {
    for number in documents {
        let (id, document) = (format!("d{number}"), support::document(number));
        cluster.insert("logs", Some(&id), document)?;
    }
    Ok(())
}

/// Reads everything in so many sources.
async fn run(cache: &Path, sources: usize) -> anyhow::Result<Run> {
    let cluster = MiniElasticsearch::start(Options::default())?;
    cluster.create_index("logs", 3, &support::mappings())?;
    write(&cluster, 0..FIRST)?;
    let folder = tempfile::tempdir()?;
    let text = configuration(cluster.url(), folder.path(), sources)?;
    let config = Config::parse(&text, "many.toml", [])?;
    let begun = Instant::now();
    let sandbox = Sandbox::new()?.caching(Some(CompileCache::open(cache, 1 << 30)?));
    let assembly = Arc::new(Assembly::new(&config, sandbox).discarding());
    let published: Arc<[AtomicU64]> = (0..sources).map(|_| AtomicU64::new(0)).collect();
    let (stop, stopped) = watch::channel(false);
    let mut tasks = Vec::new();
    for (number, source) in config.sources.values().enumerate() {
        let (assembly, source) = (Arc::clone(&assembly), source.clone());
        let (published, stopped) = (Arc::clone(&published), stopped.clone());
        tasks.push(tokio::spawn(async move {
            let source = assembly.source(&source).await?;
            let note = &mut |documents| {
                if let Some(own) = published.get(number) {
                    own.store(documents, Ordering::Relaxed);
                }
            };
            let ended = runner::run(&source, Until::Stopped, stopped, note).await;
            ended.map_err(|(failure, _)| anyhow::anyhow!("{failure}"))
        }));
    }
    let counts = || published.iter().map(|own| own.load(Ordering::Relaxed));
    until(|| counts().all(|own| own > 0)).await?;
    let started = begun.elapsed();
    until(|| counts().all(|own| own == FIRST)).await?;
    tokio::time::sleep(Duration::from_secs(2)).await;
    let memory = resident()? as f64 / sources as f64;
    write(&cluster, FIRST..DOCUMENTS)?;
    until(|| counts().all(|own| own > FIRST)).await?;
    let begun: Vec<u64> = counts().collect();
    let gains = || counts().zip(&begun).map(|(own, begun)| own - begun);
    let compared = COMPARED * sources as u64;
    until(|| gains().sum::<u64>() >= compared).await?;
    let least_share = gains().min().unwrap_or_default() as f64 / COMPARED as f64;
    anyhow::ensure!(
        counts().all(|own| own < DOCUMENTS),
        "a source has nothing left to read"
    );
    stop.send_replace(true);
    for task in tasks {
        task.await??;
    }
    Ok(Run {
        started,
        memory,
        least_share,
    })
}

async fn until(is_so: impl Fn() -> bool) -> anyhow::Result<()> {
    let begun = Instant::now();
    while !is_so() {
        anyhow::ensure!(begun.elapsed() < PATIENCE, "this takes too long");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok(())
}

fn configuration(url: &str, folder: &Path, sources: usize) -> anyhow::Result<String> {
    let folder = folder.display();
    let mut text = format!("[output]\ntype = \"file\"\npath = '{folder}'\n");
    for number in 0..sources {
        write!(
            text,
            "[sources.s{number}]\nlimits = {{ poll_pages = 1 }}\n\
             [[sources.s{number}.streams]]\nstream = \"s{number}\"\ntopic = \"t\"\n\
             [sources.s{number}.config]\nurl = \"{url}\"\nindex = \"logs\"\ntimestamp_field = \"@timestamp\"\nbatch_size = 50\npolling_interval = \"5s\"\n\
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
