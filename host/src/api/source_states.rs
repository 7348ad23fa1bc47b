//! The states in the place where a source keeps its own.

use std::time::Duration;

use serde_json::Value;

use super::error::Error;
use crate::assembly::Assembly;
use crate::config::Source as SourceConfig;
use crate::sandbox::Sandbox;
use crate::state_manager::{Cleaned, Kept, StateManager, StateStats};

/// A day, in seconds.
const DAY_S: u64 = 24 * 60 * 60;

/// All states in the place where a source keeps its own. Every call connects anew.
///
/// ```
/// # use elasticsearch_source::SourceConfig;
/// use elasticsearch_source::{ElasticsearchSource, StateManagerExt};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let folder = tempfile::tempdir()?;
/// # let toml = format!("[sources.logs.config]\nurl = \"http://localhost:9200\"\nindex = \"logs-*\"\nstate = {{ storage_config = {{ base_path = '{}' }} }}", folder.path().display());
/// # let (id, config) = (1, SourceConfig::from_toml(&toml)?);
/// let connector = ElasticsearchSource::new(id, config);
///
/// // Get state manager
/// if let Some(state_manager) = connector.get_state_manager() {
///     // Get state statistics
///     let stats = state_manager.get_state_stats().await?;
///     println!("Total states: {}", stats.total_states);
///
///     // Clean up old states (older than 30 days)
///     let deleted_count = state_manager.cleanup_old_states(30).await?;
///     println!("Deleted {} old states", deleted_count);
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct SourceStates {
    id: u32,
    pub(super) config: SourceConfig,
    /// The names of further states that are configured.
    configured: Vec<String>,
}

impl SourceStates {
    /// Those beside the state of this source.
    pub(super) fn of(id: u32, config: SourceConfig) -> Self {
        Self {
            id,
            config,
            configured: Vec::new(),
        }
    }

    /// The same where these sources are still configured, too: a cleanup keeps their states.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use elasticsearch_source::{Error, SourceConfig, SourceStates};
    /// # async fn example(states: SourceStates, others: Vec<SourceConfig>) -> Result<(), Error> {
    /// let a_month = Duration::from_secs(30 * 24 * 60 * 60);
    /// let cleaned = states.also_configured(&others).cleanup(a_month).await?;
    /// for kept in cleaned.kept {
    ///     println!("kept {}: {}", kept.id, kept.why);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn also_configured(mut self, others: &[SourceConfig]) -> Self {
        let names = others.iter().map(|other| other.state.state_id.clone());
        self.configured.extend(names);
        self
    }

    /// Figures about them.
    ///
    /// # Errors
    /// The store's.
    pub async fn get_state_stats(&self) -> Result<StateStats, Error> {
        Ok(self.connect().await?.stats().await?)
    }

    /// Removes those that were not saved for so long, and says which these are, and why it
    /// kept the others: never one goes that is the source's own, or
    /// [configured](Self::also_configured), that somebody holds, or that can not be read.
    ///
    /// # Errors
    /// The store's. A state that can not be removed is kept, and is no error.
    pub async fn cleanup(&self, older_than: Duration) -> Result<Cleaned, Error> {
        Ok(self.connect().await?.cleanup(older_than).await?)
    }

    /// The same for so many days. Returns how many it removed, and logs what it kept.
    ///
    /// # Errors
    /// As [`cleanup`](Self::cleanup).
    pub async fn cleanup_old_states(&self, days: u32) -> Result<usize, Error> {
        let older_than = Duration::from_secs(u64::from(days) * DAY_S);
        let cleaned = self.cleanup(older_than).await?;
        for Kept { id, why } in cleaned.kept {
            tracing::info!(state = id, why, "a state was kept");
        }
        Ok(cleaned.deleted.len())
    }

    /// Tries whether the source goes on from its own state, if there is one.
    pub(super) async fn try_own(&self) -> Result<(), Error> {
        let assembly = self.assembly()?;
        match self.connect().await?.export().await? {
            Some(document) => Ok(assembly.try_state(&self.config, document).await?),
            None => Ok(()),
        }
    }

    /// The source's own state.
    pub(super) async fn own(&self, manager: &StateManager) -> Result<Option<Value>, Error> {
        let Some(document) = manager.export().await? else {
            return Ok(None);
        };
        let state = serde_json::from_slice(&document);
        state.map(Some).map_err(|cause| {
            let place = manager.place();
            Error::permanent(format!(
                "{place} holds no readable state ({cause}): restore a backup, or reset it"
            ))
        })
    }

    pub(super) async fn connect(&self) -> Result<StateManager, Error> {
        let manager = self.assembly()?.state_manager(&self.config).await?;
        Ok(manager.also_configured(self.configured.iter().cloned()))
    }

    /// What is needed to open the source, or to work with its state.
    pub(super) fn assembly(&self) -> Result<Assembly, Error> {
        let sandbox = Sandbox::shared()?;
        Ok(Assembly::for_caller(&self.config, self.id, sandbox))
    }
}
