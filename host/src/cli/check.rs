//! `check`: everything about a configuration that can be known without a cluster.

use std::path::Path;

use super::say::say_all;
use super::{Ended, load, sandbox};
use crate::assembly::Assembly;

pub(super) async fn check(path: &Path) -> Ended {
    match check_all(path).await {
        Ok(lines) => say_all(lines).map_or_else(Ended::Failed, |()| Ended::Well),
        Err(error) => Ended::Misconfigured(error),
    }
}

async fn check_all(path: &Path) -> anyhow::Result<Vec<String>> {
    let config = load(path)?;
    let assembly = Assembly::new(&config, sandbox(&config)?);
    for source in config.sources.values() {
        assembly.rehearse(source).await?;
    }
    Ok(config.summary())
}
