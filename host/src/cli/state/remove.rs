//! `state reset` and `state cleanup`: states that nobody needs any more.

use std::time::Duration;

use serde_json::json;

use super::Which;
use super::confirm::Confirmation;
use crate::cli::say::{say, say_all, say_json};
use crate::config::parse_duration;

#[derive(clap::Args)]
pub(in crate::cli) struct ResetArguments {
    #[command(flatten)]
    which: Which,
    /// Print what was done as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    confirmation: Confirmation,
}

#[derive(clap::Args)]
pub(in crate::cli) struct CleanupArguments {
    #[command(flatten)]
    which: Which,
    /// Keep what was saved since then, like "30d"
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    older_than: Duration,
    /// Print what became of every state as one JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    confirmation: Confirmation,
}

pub(super) async fn reset(arguments: &ResetArguments) -> anyhow::Result<()> {
    let manager = arguments.which.open().await?.manager;
    let there = manager.place();
    arguments.confirmation.ask(&format!(
        "this removes {there}, and the next run reads and delivers everything again"
    ))?;
    let broken = manager.reset().await?;
    if arguments.json {
        return say_json(&json!({"removed": there, "broken": broken}));
    }
    say(format!(
        "removed {there}; the next run reads and delivers everything again"
    ))?;
    say_all(broken.iter().map(ToString::to_string))
}

pub(super) async fn cleanup(arguments: &CleanupArguments) -> anyhow::Result<()> {
    let manager = arguments.which.open().await?.manager;
    let there = manager.place();
    arguments.confirmation.ask(&format!(
        "this removes the old states beside {there} that this configuration does not name; a source of another configuration that is stopped would begin anew"
    ))?;
    let cleaned = manager.cleanup(arguments.older_than).await?;
    if arguments.json {
        return say_json(&cleaned);
    }
    let kept = cleaned.kept.iter();
    let kept = kept.map(|kept| format!("kept {}: {}", kept.id, kept.why));
    say_all(cleaned.deleted.iter().map(|id| format!("removed {id}")))?;
    say_all(kept)
}
