//! `doctor`: asks the cluster of every source, and prints what a user needs to know before
//! trusting it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::say::{say_all, say_json};
use super::{Ended, load, sandbox};
use crate::assembly::Assembly;
use crate::clock::Clock;
use crate::config::{Config, Source};
use crate::doctor::{Examination, examine};

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The configuration, in TOML
    config: PathBuf,
    /// Print everything as one JSON object
    #[arg(long)]
    json: bool,
}

/// A problem is no mistake of the arguments: the program did what it was asked for.
pub(super) async fn doctor(arguments: &Arguments) -> Ended {
    let (config, examinations) = match examine_all(&arguments.config).await {
        Ok(examined) => examined,
        Err(error) => return Ended::Misconfigured(error),
    };
    let printed = match arguments.json {
        true => say_json(&json!({ "sources": examinations })),
        false => say_all(lines(&config, &examinations)),
    };
    match printed {
        Err(error) => Ended::Failed(error),
        Ok(()) if examinations.values().all(|found| found.healthy) => Ended::Well,
        Ok(()) => Ended::SourceFailed,
    }
}

type Examinations = BTreeMap<String, Examination>;

/// What `check` would refuse is refused here, too, before any cluster is asked.
async fn examine_all(path: &Path) -> anyhow::Result<(Config, Examinations)> {
    let config = load(path)?;
    let assembly = Assembly::new(&config, sandbox(&config)?);
    for source in config.sources.values() {
        assembly.rehearse(source).await?;
    }
    let mut examinations = Examinations::new();
    let clock = Clock::system();
    for source in config.sources.values() {
        examinations.insert(source.key.clone(), examine(source, clock.now()).await?);
    }
    Ok((config, examinations))
}

fn lines(config: &Config, examinations: &Examinations) -> Vec<String> {
    let sources = config.sources.values();
    sources
        .filter_map(|source| Some(lines_of(source, examinations.get(&source.key)?)))
        .flatten()
        .collect()
}

fn lines_of(source: &Source, examination: &Examination) -> Vec<String> {
    let (key, index) = (&source.key, &source.index);
    let heading = format!(
        "source {key}: index {index} at {}",
        source.access.addresses()
    );
    let findings = examination.findings.iter().map(|finding| {
        let (level, topic) = (finding.level.as_str(), finding.topic.as_str());
        format!("  {level:8}{topic:11}{}", finding.message)
    });
    std::iter::once(heading).chain(findings).collect()
}
