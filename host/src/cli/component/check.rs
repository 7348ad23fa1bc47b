//! `component check`: whether a component would run as a source, with everything that can
//! be known without letting it at the cluster, the output or the state.

use std::path::PathBuf;

use serde_json::{Value, json};

use super::read;
use crate::assembly::{Assembly, Rehearsed};
use crate::cli::say::{say_all, say_json};
use crate::cli::state::Which;
use crate::cli::{Ended, sandbox};
use crate::component::{Content, WORLD, WORLD_VERSION};
use crate::config::{Config, Source};

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    /// The component, found as path in a configuration is, and in the place of it
    file: PathBuf,
    #[command(flatten)]
    which: Which,
    /// Print what was found as one JSON object
    #[arg(long)]
    json: bool,
}

pub(super) async fn check(arguments: &Arguments) -> Ended {
    let (config, source, content) = match prepare(arguments).await {
        Ok(prepared) => prepared,
        Err(error) => return Ended::Misconfigured(error),
    };
    let tried = rehearse(&config, &source, &content).await;
    let printed = tried.and_then(|rehearsed| match arguments.json {
        true => say_json(&as_json(&source, &content, &rehearsed)),
        false => say_all(lines(&source, &content, &rehearsed)),
    });
    printed.map_or_else(Ended::Failed, |()| Ended::Well)
}

/// The source as it would be with this component.
async fn prepare(arguments: &Arguments) -> anyhow::Result<(Config, Source, Content)> {
    let (config, mut source) = arguments.which.load()?;
    let content = read(&arguments.file, &source.registry).await?;
    source.path = Some(arguments.file.clone());
    Ok((config, source, content))
}

async fn rehearse(
    config: &Config,
    source: &Source,
    content: &Content,
) -> anyhow::Result<Rehearsed> {
    let assembly = Assembly::new(config, sandbox(config)?);
    assembly.rehearse_component(source, content).await
}

fn lines(source: &Source, content: &Content, rehearsed: &Rehearsed) -> Vec<String> {
    let (key, described) = (&source.key, &rehearsed.description);
    let pinned = match source.sha256 {
        Some(_) => ", as it is pinned",
        None => "",
    };
    let state = match (source.state.enabled, &rehearsed.state) {
        (false, _) => "none is kept".to_owned(),
        (true, None) => "none yet, it would read from the beginning".to_owned(),
        (true, Some(version)) => format!("goes on from a copy of it, version {version}"),
    };
    let rows = [
        ("sha256", format!("{}{pinned}", content.digest())),
        (
            "world",
            format!("{WORLD}, fits version {WORLD_VERSION} of this program"),
        ),
        ("imports", "all of them are granted".to_owned()),
        ("requests", source.grants.to_string()),
        (
            "describes",
            format!(
                "{} {}, writes states of version {}",
                described.name, described.version, described.state_format
            ),
        ),
        ("opens", format!("with the configuration of source {key}")),
        ("state", state),
    ];
    let rows = rows.map(|(name, text)| format!("  {name:11}{text}"));
    std::iter::once(content.origin().to_string())
        .chain(rows)
        .collect()
}

fn as_json(source: &Source, content: &Content, rehearsed: &Rehearsed) -> Value {
    let described = &rehearsed.description;
    json!({
        "component": content.origin().to_string(),
        "sha256": content.digest().to_string(),
        "source": source.key,
        "name": described.name,
        "version": described.version,
        "state_format": described.state_format,
        "grants": source.grants.to_string(),
        "state_version": rehearsed.state,
    })
}
