//! `component ..`: looking at a component before it is let at anything.

mod check;
mod inspect;

use std::path::Path;

use clap::Subcommand;

use super::Ended;
use crate::component::Content;
use crate::config::Registry;

/// What `component` can do.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Prints what a component may do, what it offers, and who made it
    Inspect(inspect::Arguments),
    /// Tries a component with a configuration and a copy of the state, which stays as it is
    Check(check::Arguments),
}

/// A file that is not there is a wrong argument; one that is refused is what was asked for.
pub(super) async fn component(command: Command) -> Ended {
    match command {
        Command::Inspect(arguments) => inspect::inspect(&arguments).await,
        Command::Check(arguments) => check::check(&arguments).await,
    }
}

/// Found as `path` in a configuration is.
async fn read(file: &Path, registry: &Registry) -> anyhow::Result<Content> {
    Content::find(Some(file), registry).await
}
