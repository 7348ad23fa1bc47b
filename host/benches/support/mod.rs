//! What the benchmarks share: the documents, and one measured read of them by the connector.

pub(crate) mod report;

use std::collections::HashSet;
use std::fs::File;
use std::io::{BufRead as _, BufReader};
use std::path::Path;

use anyhow::Context as _;
use elasticsearch_source::assembly::Assembly;
use elasticsearch_source::config::{Config, Source};
use elasticsearch_source::runner::{self, Until};
use elasticsearch_source::sandbox::Sandbox;
use tokio::sync::watch;

use report::{Run, Stopwatch};

/// The first timestamp, in milliseconds since the epoch.
const START_MS: u64 = 1_767_225_600_000;

/// How often everything is measured, unless `ROUNDS` says otherwise.
const ROUNDS: usize = 5;

pub(crate) fn rounds() -> anyhow::Result<usize> {
    match std::env::var("ROUNDS") {
        Ok(rounds) => rounds.parse().context("ROUNDS is a number"),
        Err(_) => Ok(ROUNDS),
    }
}

/// What is compared.
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) page_size: u64,
    pub(crate) slices: u32,
    pub(crate) into_files: bool,
    /// Of the state.
    pub(crate) saving: &'static str,
}

/// 1,000 in a page and one slice, into an output that discards.
pub(crate) const DISCARDED: Case = Case {
    name: "discarded, 1,000 in a page",
    page_size: 1_000,
    slices: 1,
    into_files: false,
    saving: "",
};

/// What is read, as [`document`] wrote it.
pub(crate) struct Index<'a> {
    pub(crate) url: &'a str,
    pub(crate) name: &'a str,
    pub(crate) documents: u64,
}

/// The mappings of an index of documents.
pub(crate) fn mappings() -> serde_json::Value {
    serde_json::json!({"properties": {"@timestamp": {"type": "date"}}})
}

/// One document of about 480 bytes with its metadata; seven have the same timestamp.
pub(crate) fn document(number: u64) -> String {
    format!(
        r#"{{"@timestamp":{at_ms},"number":{number},"host":"web-{host}","message":"{text:x<400}"}}"#,
        at_ms = START_MS + number / 7,
        host = number % 10,
        text = ""
    )
}

/// Reads the whole index as a source without a state does, and checks that every document
/// arrived, in files exactly once. Neither compiling nor checking is measured.
pub(crate) async fn read(index: &Index<'_>, sandbox: &Sandbox, case: &Case) -> anyhow::Result<Run> {
    let folder = tempfile::tempdir()?;
    let config = configuration(index, folder.path(), case)?;
    let mut assembly = Assembly::new(&config, sandbox.clone());
    if !case.into_files {
        assembly = assembly.discarding();
    }
    let source = assembly.source(only_source(&config)?).await?;
    let (_stop, stopped) = watch::channel(false);
    let stopwatch = Stopwatch::start()?;
    let summary = runner::run(&source, Until::CaughtUp, stopped, &mut |_| {}).await;
    let run = stopwatch.stop(index.documents)?;
    let read = summary
        .map_err(|(failure, _)| anyhow::anyhow!("{failure}"))?
        .documents;
    anyhow::ensure!(
        read == index.documents,
        "{read} documents of {} in {}, {}",
        index.documents,
        index.name,
        case.name
    );
    if case.into_files {
        check_file(&folder.path().join("s/t.ndjson"), index.documents)?;
    }
    Ok(run)
}

/// The configuration of a case.
pub(crate) fn configuration(
    index: &Index<'_>,
    folder: &Path,
    case: &Case,
) -> anyhow::Result<Config> {
    let Case {
        page_size,
        slices,
        saving,
        ..
    } = case;
    let text = format!(
        "[output]\ntype = \"file\"\npath = '{folder}'\n[sources.bench]\n[[sources.bench.streams]]\nstream = \"s\"\ntopic = \"t\"\n\
         [sources.bench.config]\nurl = \"{url}\"\nindex = \"{name}\"\ntimestamp_field = \"@timestamp\"\nbatch_size = {page_size}\nslices = {slices}\n\
         state = {{ storage_config = {{ base_path = '{folder}' }}, {saving} }}\n",
        folder = folder.display(),
        url = index.url,
        name = index.name,
    );
    Ok(Config::parse(&text, "bench.toml", [])?)
}

/// The one source of a configuration.
pub(crate) fn only_source(config: &Config) -> anyhow::Result<&Source> {
    config.sources.values().next().context("no source")
}

/// That the file has so many messages, no two of them with the same id.
fn check_file(file: &Path, documents: u64) -> anyhow::Result<()> {
    let mut ids = HashSet::new();
    for line in BufReader::new(File::open(file)?).lines() {
        let line = line?;
        let id = line.split('"').nth(3).context("a line without an id")?;
        anyhow::ensure!(ids.insert(u128::from_str_radix(id, 16)?), "{id} twice");
    }
    let written = ids.len() as u64;
    anyhow::ensure!(written == documents, "{written} documents in the file");
    Ok(())
}
