//! The command line: arguments in, exit code out.

mod check;
mod component;
mod demo;
mod doctor;
mod report;
mod run;
mod say;
mod signals;
mod state;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use say::complain_of;

use crate::component::CompileCache;
use crate::config::{self, Config};
use crate::sandbox::Sandbox;

/// Documents from Elasticsearch and OpenSearch into Apache Iggy, every one exactly once.
///
/// Without a command, the demo runs.
///
/// Exit codes: 0 if everything asked for was done, 1 if a source stopped with an error or
/// before it had caught up, a component is refused, a state is not to be had or changed, or
/// the doctor found a problem, 2 if the arguments or the configuration are wrong.
#[derive(Parser)]
#[command(name = "elasticsearch-source", version)]
struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Reads and publishes as the configuration says, until stopped by SIGINT or SIGTERM
    Run(run::Arguments),
    /// Checks a configuration and its component, without asking the cluster or the output
    Check {
        /// The configuration, in TOML
        config: PathBuf,
    },
    /// Asks the cluster, and says what stands in the way of each source: 1 if anything does
    Doctor(doctor::Arguments),
    /// Looks at a component before it is let at anything
    #[command(subcommand)]
    Component(component::Command),
    /// Looks after saved states: backups, restoring, moving, cleaning up
    #[command(subcommand)]
    State(state::Command),
    /// Publishes 10,000 sample documents of a built-in Elasticsearch into a file
    Demo(demo::Arguments),
}

/// Why a command ended early, by its exit code.
pub(crate) enum Ended {
    /// Everything was done.
    Well,
    /// A source stopped too early, which is reported already.
    SourceFailed,
    /// What was asked for could not be done.
    Failed(anyhow::Error),
    /// The arguments or the configuration are wrong.
    Misconfigured(anyhow::Error),
}

impl From<Ended> for ExitCode {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Well => Self::SUCCESS,
            Ended::SourceFailed => Self::from(1),
            Ended::Failed(error) => {
                complain_of(&error);
                Self::from(1)
            }
            Ended::Misconfigured(error) => {
                complain_of(&error);
                Self::from(2)
            }
        }
    }
}

/// Reads a configuration with the variables of this process.
pub(crate) fn load(path: &Path) -> anyhow::Result<Config> {
    let config = Config::load(path, config::variables()?)?;
    if config.http.enabled {
        anyhow::bail!(
            "[http] asks for a server that this version does not have; leave it out, or write enabled = false"
        );
    }
    Ok(config)
}

/// The sandbox of this process, with the cache that is configured.
pub(crate) fn sandbox(config: &Config) -> anyhow::Result<Sandbox> {
    let cache = CompileCache::configured(&config.cache)?;
    Ok(Sandbox::new()?.caching(cache))
}

/// Runs the command of this process's arguments.
pub async fn main() -> ExitCode {
    let command = Arguments::parse()
        .command
        .unwrap_or_else(|| Command::Demo(demo::Arguments::default()));
    let ended = match command {
        Command::Run(arguments) => run::run(arguments).await,
        Command::Check { config } => check::check(&config).await,
        Command::Doctor(arguments) => doctor::doctor(&arguments).await,
        Command::Component(command) => component::component(command).await,
        Command::State(command) => state::state(command).await,
        Command::Demo(arguments) => demo::demo(arguments).await,
    };
    ended.into()
}
