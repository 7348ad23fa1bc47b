//! `state ..`: looking after saved states. What is done stands in
//! [`StateManager`](crate::state_manager::StateManager); here are arguments and words.

mod backup;
mod confirm;
mod list;
mod migrate;
mod remove;
mod show;

use std::path::PathBuf;

use clap::Subcommand;

use super::{Ended, load, sandbox};
use crate::assembly::Assembly;
use crate::cli::say::NotPrinted;
use crate::config::{self, Config};
use crate::logging;
use crate::state_manager::StateManager;
use crate::state_store::StoreError;
use confirm::Declined;

/// What `state` can do.
#[derive(Subcommand)]
pub(super) enum Command {
    /// Says how far a source has come, and who holds its state
    Show(Looked),
    /// Prints a source's state, which is a backup of it, also while the source runs
    Export(backup::ExportArguments),
    /// Makes an exported state that of a source, which must not be running
    Import(backup::ImportArguments),
    /// Removes a source's state: everything is read and delivered again
    Reset(remove::ResetArguments),
    /// Lists all states in the place where a source keeps its own
    List(Looked),
    /// Counts them
    Stats(Looked),
    /// Removes those that no source of the configuration uses and that are old
    Cleanup(remove::CleanupArguments),
    /// Moves a source's state to where another configuration keeps it, or changes the number
    /// of its slices
    Migrate(migrate::Arguments),
}

/// Which state a command is about.
#[derive(clap::Args)]
pub(super) struct Which {
    /// The configuration, in TOML
    config: PathBuf,
    /// The source whose state it is, where the configuration has several
    #[arg(long, value_name = "NAME")]
    source: Option<String>,
}

/// What a command that only looks is about, and how it says what it sees.
#[derive(clap::Args)]
pub(super) struct Looked {
    #[command(flatten)]
    which: Which,
    /// Print JSON
    #[arg(long)]
    json: bool,
}

/// A source, and what can be done with its state.
struct Place {
    assembly: Assembly,
    source: config::Source,
    manager: StateManager,
}

/// A store that refuses is a failure, and so is a person; everything else is a wrong
/// argument.
pub(super) async fn state(command: Command) -> Ended {
    let done = match command {
        Command::Show(arguments) => show::show(&arguments).await,
        Command::Export(arguments) => backup::export(&arguments).await,
        Command::Import(arguments) => backup::import(&arguments).await,
        Command::Reset(arguments) => remove::reset(&arguments).await,
        Command::List(arguments) => list::list(&arguments).await,
        Command::Stats(arguments) => list::stats(&arguments).await,
        Command::Cleanup(arguments) => remove::cleanup(&arguments).await,
        Command::Migrate(arguments) => migrate::migrate(&arguments).await,
    };
    match done {
        Ok(()) => Ended::Well,
        Err(error) if is_no_mistake(&error) => Ended::Failed(error),
        Err(error) => Ended::Misconfigured(error),
    }
}

impl Which {
    pub(super) fn of(config: PathBuf, source: Option<String>) -> Self {
        Self { config, source }
    }

    async fn open(&self) -> anyhow::Result<Place> {
        let config = load(&self.config)?;
        logging::start(&config.logging)?;
        self.open_in(&config).await
    }

    async fn open_in(&self, config: &Config) -> anyhow::Result<Place> {
        let source = self.select(config)?.clone();
        let assembly = Assembly::new(config, sandbox(config)?);
        let manager = assembly.state_manager(&source).await?;
        Ok(Place {
            assembly,
            source,
            manager,
        })
    }

    /// The configuration, and the source in it.
    pub(super) fn load(&self) -> anyhow::Result<(Config, config::Source)> {
        let config = load(&self.config)?;
        let source = self.select(&config)?.clone();
        Ok((config, source))
    }

    fn select<'a>(&self, config: &'a Config) -> anyhow::Result<&'a config::Source> {
        let (file, sources) = (self.config.display(), &config.sources);
        let names: Vec<_> = sources.keys().map(String::as_str).collect();
        let names = names.join(", ");
        let mut all = sources.values();
        match (&self.source, all.next(), all.next()) {
            (Some(name), ..) => sources.get(name).ok_or_else(|| {
                anyhow::anyhow!("{file} has no source {name:?}: choose one of {names}")
            }),
            (None, Some(only), None) => Ok(only),
            (None, ..) => Err(anyhow::anyhow!(
                "{file} has several sources: choose one of {names} with --source NAME"
            )),
        }
    }
}

/// The arguments and the configuration are right; something else is in the way.
fn is_no_mistake(error: &anyhow::Error) -> bool {
    error.is::<StoreError>() || error.is::<Declined>() || error.is::<NotPrinted>()
}
