//! `check`: everything about a configuration that can be known without a cluster.

use std::path::Path;

use super::run::explain;
use super::{Ended, load};
use crate::assembly::Assembly;
use crate::clock;
use crate::config;
use crate::instance::Instance;
use crate::sandbox::Sandbox;

pub(super) async fn check(path: &Path) -> Ended {
    match check_all(path).await {
        Ok(lines) => {
            lines.iter().for_each(|line| println!("{line}"));
            Ended::Well
        }
        Err(error) => Ended::Misconfigured(error),
    }
}

async fn check_all(path: &Path) -> anyhow::Result<Vec<String>> {
    let config = load(path)?;
    let assembly = Assembly::new(&config, Sandbox::new()?);
    for source in config.sources.values() {
        rehearse(&assembly, source).await?;
    }
    Ok(config.summary())
}

/// Opens the component with the real configuration and capabilities that reach nothing.
async fn rehearse(assembly: &Assembly, source: &config::Source) -> anyhow::Result<()> {
    let ready = assembly.rehearsal(source)?;
    let opened = async {
        let mut instance = Instance::new(
            &ready.sandbox,
            &ready.component,
            (ready.capabilities)(),
            ready.limits,
        )
        .await?;
        instance.open(&ready.config, clock::now_ms()).await
    };
    opened
        .await
        .map_err(|failure| anyhow::anyhow!(explain(source, &failure)))
}
