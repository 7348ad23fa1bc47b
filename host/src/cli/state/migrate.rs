//! `state migrate`: from the place of one configuration to that of another.

use std::path::PathBuf;

use serde_json::json;

use super::Which;
use super::confirm::Confirmation;
use crate::cli::load;
use crate::cli::say::say;

#[derive(clap::Args)]
pub(in crate::cli) struct Arguments {
    #[command(flatten)]
    which: Which,
    /// The configuration that says where the state is to be, for the same source
    #[arg(long, value_name = "CONFIG")]
    to: PathBuf,
    /// Print what was done as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    confirmation: Confirmation,
}

pub(super) async fn migrate(arguments: &Arguments) -> anyhow::Result<()> {
    let to = Which {
        config: arguments.to.clone(),
        source: arguments.which.source.clone(),
    };
    let there = load(&arguments.to)?;
    let (from, to) = (arguments.which.open().await?, to.open_in(&there).await?);
    let (here, there) = (from.manager.place(), to.manager.place());
    arguments.confirmation.ask(&format!(
        "this moves {here} to {there}, after which the source runs with {} only",
        arguments.to.display()
    ))?;
    let trial = |document| to.assembly.try_state(&to.source, document);
    from.manager.migrate(&to.manager, trial).await?;
    if arguments.json {
        return say(json!({"from": here, "to": there}).to_string());
    }
    say(format!("moved {here} to {there}"))?;
    say(format!(
        "run {} from now on: with {} the source would read and deliver everything again",
        arguments.to.display(),
        arguments.which.config.display()
    ))
}
