//! `demo`: the whole way, without a server to install.
//!
//! A built-in Elasticsearch holds sample documents, many with equal timestamps. They are
//! read page by page into a file; then more documents arrive, equal to the last timestamp
//! included; then the file is read back and every id counted.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use chrono::{DateTime, SecondsFormat, Utc};
use tokio::sync::watch;

use super::say::complain_of;
use super::{Ended, sandbox, signals};
use crate::assembly::Assembly;
use crate::clock;
use crate::config::{Config, LogLevel, Logging};
use crate::logging;
use crate::mini_elasticsearch::{MiniElasticsearch, Options};
use crate::runner::{self, Summary, Until};

const INDEX: &str = "logs-demo";
/// Documents that share each timestamp.
const PER_TIMESTAMP: u64 = 7;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// How many documents to publish
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u64).range(10..=1_000_000))]
    documents: u64,
    /// Where to put the files; a new temporary folder by default
    #[arg(long)]
    path: Option<PathBuf>,
}

impl Default for Arguments {
    fn default() -> Self {
        Self {
            documents: 10_000,
            path: None,
        }
    }
}

pub(super) async fn demo(arguments: Arguments) -> Ended {
    match show(&arguments).await {
        Ok(()) => Ended::Well,
        Err(error) => {
            complain_of(&error);
            Ended::SourceFailed
        }
    }
}

/// What the steps of the demo share.
struct Demo {
    cluster: MiniElasticsearch,
    config: Config,
    assembly: Assembly,
    stop: watch::Receiver<bool>,
    first_ms: u64,
    inserted: u64,
}

async fn show(arguments: &Arguments) -> anyhow::Result<()> {
    logging::start(&Logging {
        level: LogLevel::Warn,
        ..Logging::default()
    })?;
    let folder = arguments.path.clone().unwrap_or_else(new_folder);
    println!(
        "a built-in Elasticsearch gets {} documents, {PER_TIMESTAMP} with each timestamp",
        arguments.documents
    );
    let mut demo = Demo::start(&folder).await?;
    let later = 10;
    demo.insert(arguments.documents - later)?;
    let first = demo
        .run(
            "the component reads them in pages of 100 and publishes them to a file",
            arguments.documents,
        )
        .await?;
    demo.insert(later)?;
    let second = demo
        .run(
            &format!("{later} more documents arrive, some with the last timestamp"),
            arguments.documents,
        )
        .await?;
    let third = demo
        .run("and once more, with nothing new", arguments.documents)
        .await?;
    demo.summarize(&folder, [first, second, third])
}

fn new_folder() -> PathBuf {
    std::env::temp_dir().join(format!("elasticsearch-source-demo-{}", std::process::id()))
}

impl Demo {
    async fn start(folder: &Path) -> anyhow::Result<Self> {
        let cluster = MiniElasticsearch::start(Options::default())
            .context("cannot start the built-in Elasticsearch")?;
        cluster.create_index(
            INDEX,
            3,
            &serde_json::json!({"properties": {"@timestamp": {"type": "date"}}}),
        )?;
        let path = folder.join("elasticsearch-source.toml");
        std::fs::create_dir_all(folder)
            .with_context(|| format!("cannot create {}", folder.display()))?;
        std::fs::write(&path, configuration(cluster.url(), folder)?)
            .with_context(|| format!("cannot write {}", path.display()))?;
        let config = Config::load(&path, std::iter::empty())?;
        let assembly = Assembly::new(&config, sandbox(&config)?);
        let first_ms = clock::now_ms().saturating_sub(3_600_000);
        Ok(Self {
            cluster,
            config,
            assembly,
            stop: signals::stop()?,
            first_ms,
            inserted: 0,
        })
    }

    fn insert(&mut self, documents: u64) -> anyhow::Result<()> {
        for _ in 0..documents {
            let number = self.inserted;
            let at_ms = self.first_ms + number / PER_TIMESTAMP;
            let at = i64::try_from(at_ms)
                .ok()
                .and_then(DateTime::<Utc>::from_timestamp_millis)
                .unwrap_or_default();
            let at = at.to_rfc3339_opts(SecondsFormat::Millis, true);
            let source = format!(
                r#"{{"@timestamp":"{at}","message":"sample document {number}","amount":{number}.10}}"#
            );
            self.cluster
                .insert(INDEX, Some(&format!("doc-{number}")), source)?;
            self.inserted += 1;
        }
        Ok(())
    }

    async fn run(&self, what: &str, documents: u64) -> anyhow::Result<Summary> {
        println!("{what}");
        let source = self
            .config
            .sources
            .values()
            .next()
            .context("the demo has no source")?;
        let source = self.assembly.source(source).await?;
        let mut shown = 0;
        let mut progress = |done: u64| {
            if done >= shown + documents.div_ceil(20) {
                shown = done;
                println!("  {done} documents");
            }
        };
        let outcome = runner::run(&source, Until::CaughtUp, self.stop.clone(), &mut progress).await;
        let summary = outcome.map_err(|(failure, _)| anyhow::anyhow!("{failure}"))?;
        println!(
            "  {} documents published in {:.2} s",
            summary.documents,
            summary.elapsed.as_secs_f64()
        );
        Ok(summary)
    }

    fn summarize(&self, folder: &Path, runs: [Summary; 3]) -> anyhow::Result<()> {
        let output = folder.join("output/demo/documents.ndjson");
        let lines = std::fs::read_to_string(&output)
            .with_context(|| format!("cannot read {}", output.display()))?;
        let ids: BTreeSet<_> = lines
            .lines()
            .filter_map(|line| line.split('"').nth(3))
            .collect();
        let (inserted, published, distinct) = (
            self.inserted,
            lines.lines().count() as u64,
            ids.len() as u64,
        );
        let elapsed: Duration = runs.iter().map(|run| run.elapsed).sum();
        println!();
        println!("documents inserted   {inserted}");
        println!(
            "messages published   {published}, {distinct} different ids: lost {}, repeated {}",
            inserted.saturating_sub(distinct),
            published - distinct
        );
        println!(
            "time                 {:.2} s in {} polls",
            elapsed.as_secs_f64(),
            runs.iter().map(|run| run.polls).sum::<u64>()
        );
        println!("output               {}", output.display());
        println!(
            "state                {}",
            folder.join("states/demo.json").display()
        );
        println!(
            "configuration        {}",
            folder.join("elasticsearch-source.toml").display()
        );
        anyhow::ensure!(
            published == inserted && distinct == inserted,
            "the demo lost or repeated documents; this is a defect"
        );
        Ok(())
    }
}

/// The configuration of the demo, as a user would write it.
fn configuration(url: &str, folder: &Path) -> anyhow::Result<String> {
    let folder = folder.to_str().context("the folder's name is not UTF-8")?;
    anyhow::ensure!(
        !folder.contains('\''),
        "the folder's name must not contain '"
    );
    Ok(format!(
        r#"[output]
type = "file"
path = '{folder}/output'

[sources.demo]

[[sources.demo.streams]]
stream = "demo"
topic = "documents"

[sources.demo.config]
url = "{url}"
index = "{INDEX}"
timestamp_field = "@timestamp"
batch_size = 100
state = {{ storage_config = {{ base_path = '{folder}/states' }} }}

[sources.demo.limits]
poll_pages = 10
"#
    ))
}
