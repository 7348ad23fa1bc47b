//! Documents per second and CPU time, from the in-process Elasticsearch through the
//! component: into an output that discards, for several page sizes; and into files, with
//! the state saved once a second, and after every page.
//!
//! Five rounds, each with every case in turn, so that a noisy moment hits all of them. CPU time is the connector's alone: the threads of the in-process Elasticsearch
//! have a name of their own and are left out. Run it with `cargo bench`.

use std::time::Duration;

use anyhow::Context as _;
use elasticsearch_source::assembly::Assembly;
use elasticsearch_source::config::Config;
use elasticsearch_source::mini_elasticsearch::{MiniElasticsearch, Options};
use elasticsearch_source::runner::{self, Until};
use elasticsearch_source::sandbox::Sandbox;
use tokio::sync::watch;

const DOCUMENTS: u64 = 200_000;
const CASES: [Case; 5] = [
    Case {
        name: "discarded, 100 in a page",
        page_size: 100,
        ..DISCARDED
    },
    DISCARDED,
    Case {
        name: "discarded, 5,000 in a page",
        page_size: 5_000,
        ..DISCARDED
    },
    Case {
        name: "into files, saved once a second",
        into_files: true,
        ..DISCARDED
    },
    Case {
        name: "into files, saved after every page",
        into_files: true,
        saving: "auto_save_interval = \"0s\"",
        ..DISCARDED
    },
];
const DISCARDED: Case = Case {
    name: "discarded, 1,000 in a page",
    page_size: 1_000,
    into_files: false,
    saving: "",
};
const ROUNDS: usize = 5;
/// Clock ticks per second in /proc, on every Linux that Rust supports.
const TICKS_PER_SECOND: f64 = 100.0;

/// What is compared.
struct Case {
    name: &'static str,
    page_size: u64,
    into_files: bool,
    /// Of the state.
    saving: &'static str,
}

/// What one run measured.
#[derive(Clone, Copy)]
struct Run {
    documents_per_second: f64,
    cpu_seconds_per_million: f64,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let cluster = MiniElasticsearch::start(Options::default())?;
    fill(&cluster)?;
    let sandbox = Sandbox::new()?;
    run(&cluster, &sandbox, &DISCARDED).await?;
    let mut runs = vec![Vec::new(); CASES.len()];
    for _ in 0..ROUNDS {
        for (case, runs) in CASES.iter().zip(&mut runs) {
            runs.push(run(&cluster, &sandbox, case).await?);
        }
    }
    println!(
        "{DOCUMENTS} documents of about 480 bytes, {ROUNDS} interleaved rounds: median (least to most)"
    );
    println!(
        "{:<36}{:>32}  {:>36}",
        "", "documents/s", "CPU seconds per million documents"
    );
    for (case, runs) in CASES.iter().zip(&runs) {
        let speed = spread(runs.iter().map(|run| run.documents_per_second).collect());
        let cpu = spread(runs.iter().map(|run| run.cpu_seconds_per_million).collect());
        println!("{:<36}{:>32}  {:>36}", case.name, speed(0), cpu(1));
    }
    Ok(())
}

fn fill(cluster: &MiniElasticsearch) -> anyhow::Result<()> {
    cluster.create_index(
        "logs",
        3,
        &serde_json::json!({"properties": {"@timestamp": {"type": "date"}}}),
    )?;
    let text = "x".repeat(400);
    for n in 0..DOCUMENTS {
        let at_ms = 1_767_225_600_000 + n / 7;
        let source = format!(
            r#"{{"@timestamp":{at_ms},"number":{n},"host":"web-{}","message":"{text}"}}"#,
            n % 10
        );
        cluster.insert("logs", Some(&format!("d{n}")), source)?;
    }
    Ok(())
}

async fn run(cluster: &MiniElasticsearch, sandbox: &Sandbox, case: &Case) -> anyhow::Result<Run> {
    let folder = tempfile::tempdir()?;
    let config = Config::parse(
        &configuration(cluster.url(), folder.path(), case),
        "bench.toml",
        [],
    )?;
    let mut assembly = Assembly::new(&config, sandbox.clone());
    if !case.into_files {
        assembly = assembly.discarding();
    }
    let source = assembly
        .source(config.sources.values().next().context("no source")?)
        .await?;
    let (_stop, stopped) = watch::channel(false);
    let before = connector_cpu()?;
    let summary = runner::run(&source, Until::CaughtUp, stopped, &mut |_| {}).await;
    let summary = summary.map_err(|(failure, _)| anyhow::anyhow!("{failure}"))?;
    let cpu = connector_cpu()? - before;
    anyhow::ensure!(
        summary.documents == DOCUMENTS,
        "{} documents",
        summary.documents
    );
    let documents = summary.documents as f64;
    Ok(Run {
        documents_per_second: documents / summary.elapsed.as_secs_f64(),
        cpu_seconds_per_million: cpu.as_secs_f64() / documents * 1e6,
    })
}

fn configuration(url: &str, folder: &std::path::Path, case: &Case) -> String {
    let Case {
        page_size, saving, ..
    } = case;
    format!(
        "[output]\ntype = \"file\"\npath = '{folder}'\n[sources.bench]\n[[sources.bench.streams]]\nstream = \"s\"\ntopic = \"t\"\n\
         [sources.bench.config]\nurl = \"{url}\"\nindex = \"logs\"\ntimestamp_field = \"@timestamp\"\nbatch_size = {page_size}\n\
         state = {{ storage_config = {{ base_path = '{folder}' }}, {saving} }}\n",
        folder = folder.display()
    )
}

/// CPU time of all threads but those of the in-process Elasticsearch.
fn connector_cpu() -> anyhow::Result<Duration> {
    let mut ticks = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        // A thread may end while we look.
        let Ok(stat) = std::fs::read_to_string(task?.path().join("stat")) else {
            continue;
        };
        let (head, tail) = stat.rsplit_once(')').context("no thread name")?;
        if !head.contains("mini-elastic") {
            let fields: Vec<_> = tail.split_whitespace().collect();
            let field = |at: usize| fields.get(at).and_then(|field| field.parse::<u64>().ok());
            ticks += field(11).context("no user time")? + field(12).context("no system time")?;
        }
    }
    Ok(Duration::from_secs_f64(ticks as f64 / TICKS_PER_SECOND))
}

/// Median, least and most, with so many digits.
fn spread(mut values: Vec<f64>) -> impl Fn(usize) -> String {
    values.sort_by(f64::total_cmp);
    let at = move |index: usize| values.get(index).copied().unwrap_or(f64::NAN);
    move |digits| {
        format!(
            "{:.digits$} ({:.digits$} to {:.digits$})",
            at(ROUNDS / 2),
            at(0),
            at(ROUNDS - 1)
        )
    }
}
