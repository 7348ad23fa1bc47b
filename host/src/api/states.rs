//! The state of a source, for the program that calls.
//!
//! A front over [`state_manager`](crate::state_manager), which has the rules; here is only
//! what is different while the source is open.

use std::future::Future;

use serde_json::Value;

use super::error::Error;
use super::source::ElasticsearchSource;
use super::source_states::SourceStates;
use crate::state_manager::Import;

/// What can be done with the stored state of a source, open or not.
///
/// ```
/// # use elasticsearch_source::SourceConfig;
/// # use elasticsearch_source::mini_elasticsearch::{MiniElasticsearch, Options};
/// use elasticsearch_source::{ElasticsearchSource, StateManagerExt};
///
/// # #[tokio::main]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let cluster = MiniElasticsearch::start(Options::default())?;
/// # let folder = tempfile::tempdir()?;
/// # let toml = format!("[sources.logs.config]\nurl = \"{}\"\nindex = \"logs-*\"\ntimestamp_field = \"@timestamp\"\nstate = {{ storage_config = {{ base_path = '{}' }} }}", cluster.url(), folder.path().display());
/// # let (id, config) = (1, SourceConfig::from_toml(&toml)?);
/// # let mut earlier = ElasticsearchSource::new(id, config.clone());
/// # earlier.open().await?;
/// # earlier.close().await?;
/// let mut connector = ElasticsearchSource::new(id, config);
///
/// // Load state manually
/// connector.load_state().await?;
///
/// // Get current state
/// let state = connector.get_state().await?;
/// println!("Current state: {:?}", state);
///
/// // Export state to JSON
/// let state_json = connector.export_state().await?;
/// println!("State JSON: {}", serde_json::to_string_pretty(&state_json)?);
///
/// // Import state from JSON
/// connector.import_state(state_json).await?;
///
/// // Reset state
/// connector.reset_state().await?;
/// # Ok(())
/// # }
/// ```
///
/// The *stored* state is meant, from which the next start would go on: while the source is
/// open, the one before the messages that were not taken yet. A source that keeps none
/// refuses all calls.
///
/// What changes the state holds it meanwhile, and so is refused while another source has it
/// open. In an open source, the messages that were not taken are forgotten with the old
/// state, and the next poll begins at the new one. If that can not be opened, the source is
/// closed.
pub trait StateManagerExt {
    /// Reads the state, if there is one, and tries whether this source goes on from it.
    /// `open` does that by itself.
    ///
    /// # Errors
    /// What is wrong with it, or with its store.
    fn load_state(&self) -> impl Future<Output = Result<(), Error>> + Send;

    /// The state's whole document, as README.md shows it; none, if none was ever saved.
    ///
    /// # Errors
    /// What is wrong with it, or with its store.
    fn get_state(&self) -> impl Future<Output = Result<Option<Value>, Error>> + Send;

    /// The state's whole document, for [`import_state`](Self::import_state) in whatever
    /// store, or a file.
    ///
    /// # Errors
    /// As [`get_state`](Self::get_state), and that there is none.
    fn export_state(&self) -> impl Future<Output = Result<Value, Error>> + Send;

    /// Makes this document the state, in the place of the one that is there.
    ///
    /// # Errors
    /// If it is the state of another index or cluster, or one that the component does not
    /// go on from: everything is then as it was.
    fn import_state(&mut self, state: Value) -> impl Future<Output = Result<(), Error>> + Send;

    /// The same also if it is the state of another index or cluster, which have to be the same
    /// under another name, and in the place of what can not be read: that is set aside, and
    /// logged.
    ///
    /// # Errors
    /// As [`import_state`](Self::import_state), for what is left.
    fn force_import_state(
        &mut self,
        state: Value,
    ) -> impl Future<Output = Result<(), Error>> + Send;

    /// Removes the state: everything is read and comes again. What is there and can not be
    /// read is set aside, and logged.
    ///
    /// # Errors
    /// The store's, and that there is none.
    fn reset_state(&mut self) -> impl Future<Output = Result<(), Error>> + Send;

    /// What can be done with all states in the same place; none for a source that keeps no
    /// state.
    fn get_state_manager(&self) -> Option<SourceStates>;
}

impl StateManagerExt for ElasticsearchSource {
    fn load_state(&self) -> impl Future<Output = Result<(), Error>> + Send {
        let states = self.states();
        async move { states.try_own().await }
    }

    fn get_state(&self) -> impl Future<Output = Result<Option<Value>, Error>> + Send {
        let states = self.states();
        async move { states.own(&states.connect().await?).await }
    }

    fn export_state(&self) -> impl Future<Output = Result<Value, Error>> + Send {
        let states = self.states();
        async move {
            let manager = states.connect().await?;
            let state = states.own(&manager).await?;
            Ok(state.ok_or_else(|| manager.missing())?)
        }
    }

    async fn import_state(&mut self, state: Value) -> Result<(), Error> {
        self.replace_state(state, false).await
    }

    async fn force_import_state(&mut self, state: Value) -> Result<(), Error> {
        self.replace_state(state, true).await
    }

    async fn reset_state(&mut self) -> Result<(), Error> {
        let (states, slot) = (self.states(), self.slot());
        let (assembly, manager) = (states.assembly()?, states.connect().await?);
        match slot {
            Some(slot) => manager.reset_in(&slot).await?,
            None => manager.reset().await?,
        };
        self.begin_again(&assembly).await
    }

    fn get_state_manager(&self) -> Option<SourceStates> {
        let states = self.states();
        states.config.state.enabled.then_some(states)
    }
}

impl ElasticsearchSource {
    /// Makes this document the state, in the place of the one that is there.
    async fn replace_state(&mut self, state: Value, force: bool) -> Result<(), Error> {
        let how = Import {
            replace: true,
            force,
        };
        let (states, slot) = (self.states(), self.slot());
        let (assembly, manager) = (states.assembly()?, states.connect().await?);
        let document = state.to_string().into_bytes();
        let trial = |document| assembly.try_state(&states.config, document);
        match slot {
            Some(slot) => manager.import_into(&slot, &document, how, trial).await?,
            None => manager.import(&document, how, trial).await?,
        };
        self.begin_again(&assembly).await
    }
}
