//! `run`: all enabled sources of a configuration, each in a task of its own.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::sync::watch;
use tracing::Instrument as _;

use super::report::{Report, json};
use super::say::{complain, say_json};
use super::{Ended, load, sandbox, signals};
use crate::assembly::{Assembly, explain};
use crate::config::{self, Config, Output};
use crate::hot_swap::{self, Swapper};
use crate::logging;
use crate::retry::{Backoff, RetryPolicy};
use crate::runner::{self, Source, Until};
use crate::state_store::StoreError;

#[derive(clap::Args)]
pub(super) struct Arguments {
    /// The configuration, in TOML
    config: PathBuf,
    /// Read what is there now, then exit and say what was left
    #[arg(long)]
    once: bool,
    /// Print the summary as one JSON object on standard output
    #[arg(long)]
    json: bool,
}

pub(super) async fn run(arguments: Arguments) -> Ended {
    let hangup = match signals::hangup() {
        Ok(hangup) => hangup,
        Err(cause) => return Ended::Failed(cause.into()),
    };
    match prepare(&arguments) {
        Ok((config, assembly, stop)) => {
            let until = if arguments.once {
                Until::CaughtUp
            } else {
                Until::Stopped
            };
            let swapper = Swapper::new(config.sources.keys().map(String::as_str));
            match until {
                Until::CaughtUp => signals::ignore(hangup),
                Until::Stopped => signals::look_on(hangup, swapper.clone()),
            }
            let reports = run_all(&config, &assembly, until, &swapper, &stop).await;
            assembly.close().await;
            match print(&reports, arguments.json) {
                Err(error) => Ended::Failed(error),
                Ok(()) if reports.values().all(Report::is_done) => Ended::Well,
                Ok(()) => Ended::SourceFailed,
            }
        }
        Err(error) => Ended::Misconfigured(error),
    }
}

fn prepare(arguments: &Arguments) -> anyhow::Result<(Config, Assembly, watch::Receiver<bool>)> {
    let config = load(&arguments.config)?;
    if arguments.json && config.output == Output::Stdout {
        anyhow::bail!(
            "--json and [output] type = \"stdout\" would mix on standard output; use one of them"
        );
    }
    logging::start(&config.logging)?;
    let assembly = Assembly::new(&config, sandbox(&config)?);
    Ok((
        config,
        assembly,
        signals::stop().context("cannot listen for signals")?,
    ))
}

async fn run_all(
    config: &Config,
    assembly: &Assembly,
    until: Until,
    swapper: &Swapper,
    stop: &watch::Receiver<bool>,
) -> BTreeMap<String, Report> {
    let enabled = config.sources.values().filter(|source| source.enabled);
    let runs = enabled.map(|source| {
        let span = tracing::info_span!("source", key = source.key);
        let run = run_one(assembly, source, until, swapper, stop.clone()).instrument(span);
        async { (source.key.clone(), run.await) }
    });
    futures::future::join_all(runs).await.into_iter().collect()
}

async fn run_one(
    assembly: &Assembly,
    source: &config::Source,
    until: Until,
    swapper: &Swapper,
    stop: watch::Receiver<bool>,
) -> Report {
    let mut ready = match ready(assembly, source, until, stop.clone()).await {
        Ok(Some(ready)) => ready,
        Ok(None) => return Report::stopped_before_start(until),
        Err(error) => {
            tracing::error!(error = format!("{error:#}"), "the source can not start");
            return Report::failed(format!("{error:#}"));
        }
    };
    if let Some(exchange) = swapper.of(&source.key) {
        ready.exchange = exchange;
    }
    let exchange = Arc::clone(&ready.exchange);
    let loaded = ready.component.digest();
    let task = async move { runner::run(&ready, until, stop, &mut |_| {}).await };
    let task = tokio::spawn(task.in_current_span());
    let watched = async {
        match until {
            Until::CaughtUp => {}
            Until::Stopped => hot_swap::watch(assembly, source, &exchange, loaded).await,
        }
        std::future::pending().await
    };
    let ended = tokio::select! {
        ended = task => ended,
        never = watched => never,
    };
    let outcome = match ended {
        Ok(outcome) => outcome,
        Err(panic) => return Report::failed(format!("a defect of the program: {panic}")),
    };
    let error = outcome
        .as_ref()
        .err()
        .map(|(failure, _)| explain(source, failure));
    if let Some(error) = &error {
        tracing::error!(error, "the source has stopped");
    }
    Report::new(&outcome, error)
}

/// A source that holds its state, `None` if it was told to stop before it did. A store that
/// does not answer is asked again, as a cluster is.
async fn ready(
    assembly: &Assembly,
    source: &config::Source,
    until: Until,
    mut stop: watch::Receiver<bool>,
) -> anyhow::Result<Option<Source>> {
    let mut backoff = Backoff::new(RetryPolicy::default());
    loop {
        let error = tokio::select! {
            made = assembly.source(source) => match made {
                Ok(source) => return Ok(Some(source)),
                Err(error) => error,
            },
            _ = stop.wait_for(|stop| *stop) => return Ok(None),
        };
        let wait = backoff.wait(None);
        let gives_up = until == Until::CaughtUp && backoff.is_open();
        if gives_up || !matches!(error.downcast_ref(), Some(StoreError::Unavailable(_))) {
            return Err(error);
        }
        tracing::warn!(
            error = format!("{error:#}"),
            wait_ms = wait.as_millis(),
            "the state can not be reached, trying again"
        );
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stop.wait_for(|stop| *stop) => return Ok(None),
        }
    }
}

fn print(reports: &BTreeMap<String, Report>, as_json: bool) -> anyhow::Result<()> {
    if as_json {
        return say_json(&json(reports));
    }
    for (source, report) in reports {
        report.lines(source).iter().for_each(|line| complain(line));
    }
    Ok(())
}
