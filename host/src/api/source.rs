//! A source whose messages go to the program that calls it.

use std::fmt;
use std::sync::Arc;

use super::error::Error;
use super::session::Session;
use super::source_states::SourceStates;
use crate::assembly::Assembly;
use crate::config::Source as SourceConfig;
use crate::publisher::destination::Message;
use crate::state_store::{Held, Numbers, Slot, StateNumbers};

/// Reads documents from Elasticsearch or OpenSearch, poll by poll.
///
/// # What is promised
/// Every document comes at least once, with its bytes as the cluster sent them. A poll's
/// messages count as *taken* when [`poll`](Self::poll) or [`close`](Self::close) is called
/// the next time; until then the stored state is the one before them. If the program ends
/// earlier, or drops an open source, they come again after the next [`open`](Self::open),
/// with the same [`Message::id`]: whoever remembers the ids of what was not taken yet has
/// every message exactly once. With `auto_save_interval` the state may follow later, and
/// more of them come again. As long as a source is open, no message comes twice.
///
/// # What is configured
/// A [`SourceConfig`] is one `[sources.NAME]` of a configuration file, so that a program can
/// take over where `elasticsearch-source run` stopped. Of this, `enabled`, `delivery`,
/// `streams`, `dead_letter` and `polling_interval` say whether, where and when the program
/// publishes; here the caller decides, and they have no effect. A poll reads up to the
/// `poll_pages` and `poll_time` of `limits`, and holds so many pages in memory.
///
/// All calls need a Tokio runtime with time and network. A poll whose future is dropped, as
/// by a time limit, loses nothing: the next one goes on. Another call that is dropped may
/// leave the source closed.
pub struct ElasticsearchSource {
    id: u32,
    config: SourceConfig,
    numbers: Numbers,
    opened: Option<Opened>,
}

/// What an open source has. The session comes first, as it ends first.
struct Opened {
    session: Session,
    held: Held,
}

impl ElasticsearchSource {
    /// A source that is not open yet. The id is for people: the `connector_id` in the
    /// metadata of its state.
    pub fn new(id: u32, config: SourceConfig) -> Self {
        Self {
            id,
            numbers: Numbers::of(config.state.kind()),
            config,
            opened: None,
        }
    }

    /// Takes the state, so that nobody else reads with it, loads it if there is one, and
    /// compiles the component. Nothing is asked of the cluster yet.
    ///
    /// # Errors
    /// [`Conflict`](super::ErrorKind::Conflict) names whoever holds the state, unless
    /// `on_conflict = "wait"` has this call wait for its end. After an error the source is
    /// not open.
    pub async fn open(&mut self) -> Result<(), Error> {
        if self.opened.is_some() {
            return Err(self.order("is open already: close it first"));
        }
        let assembly = self.states().assembly()?;
        let held = assembly.hold(&self.config).await?;
        self.begin(&assembly, held).await
    }

    /// Opens the component on a state that is held; it is given back if that fails.
    async fn begin(&mut self, assembly: &Assembly, held: Held) -> Result<(), Error> {
        match Session::begin(assembly, &self.config, &held, self.numbers.clone()).await {
            Ok(session) => {
                self.opened = Some(Opened { session, held });
                Ok(())
            }
            Err(error) => {
                held.release().await;
                Err(error)
            }
        }
    }

    /// Opens the component anew on a state that was changed. What was given and not taken is
    /// forgotten, as it belongs to another state.
    pub(super) async fn begin_again(&mut self, assembly: &Assembly) -> Result<(), Error> {
        let Some(Opened { session, held }) = self.opened.take() else {
            return Ok(());
        };
        drop(session);
        self.begin(assembly, held).await
    }

    /// Takes the messages of the last poll, reads on, and returns what it read in the order
    /// of the timestamps; nothing, when everything is read that is old enough. It never waits
    /// for new documents: whoever gets nothing waits, and polls again.
    ///
    /// # Errors
    /// If the state that covers the messages of the last poll could not be stored, nothing
    /// was read; if reading fails after it had read something, that is returned, and the
    /// error comes with the next call. After an error, the source is still open and where it
    /// was.
    pub async fn poll(&mut self) -> Result<Vec<Message>, Error> {
        match &mut self.opened {
            Some(opened) => opened.session.poll(&self.config).await,
            None => Err(self.order("is not open: call open first")),
        }
    }

    /// Takes the messages of the last poll, stores the last state, and gives it back.
    ///
    /// # Errors
    /// If the state could not be stored: the source is then still open, and can be closed
    /// again, or dropped; dropped, the messages of the last poll may not be taken.
    pub async fn close(&mut self) -> Result<(), Error> {
        match &mut self.opened {
            Some(opened) => opened.session.close(&self.config).await?,
            None => return Err(self.order("is not open, so it can not be closed")),
        }
        if let Some(Opened { session, held }) = self.opened.take() {
            drop(session);
            held.release().await;
        }
        Ok(())
    }

    /// What happened to its state in its store since this source was made, all of the same
    /// moment: how many saves and loads, how they went, how long they took. What is done
    /// while the source is not open is not in it, nor is an import or a reset.
    pub fn state_numbers(&self) -> StateNumbers {
        self.numbers.read()
    }

    /// What is known of its state while it is not open.
    pub(super) fn states(&self) -> SourceStates {
        SourceStates::of(self.id, self.config.clone())
    }

    /// The state, while it is open.
    pub(super) fn slot(&self) -> Option<Arc<Slot>> {
        let opened = self.opened.as_ref();
        opened.map(|opened| Arc::clone(&opened.held.slot))
    }

    fn order(&self, what: &str) -> Error {
        Error::order(format!("source {} {what}", self.config.key))
    }
}

/// Secrets in the configuration are not shown.
impl fmt::Debug for ElasticsearchSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ElasticsearchSource")
            .field("id", &self.id)
            .field("config", &self.config)
            .field("is_open", &self.opened.is_some())
            .finish_non_exhaustive()
    }
}
