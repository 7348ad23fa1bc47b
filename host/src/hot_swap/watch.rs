//! Whoever watches the component of a source, and prepares what it finds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::exchange::Exchange;
use super::file::{Watched, stamp};
use crate::assembly::Assembly;
use crate::component::{Content, Digest, Origin};
use crate::config;
use crate::state_store::StoreError;

/// How often a file is looked at, and how long it must rest before it is taken.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// When a component is tried again for which the state could not be read.
const AGAIN_AFTER: Duration = Duration::from_secs(10);

/// All sources of a process whose components can be exchanged, by their keys.
#[derive(Default, Clone)]
pub struct Swapper(BTreeMap<String, Arc<Exchange>>);

impl Swapper {
    /// For these sources.
    pub fn new<'a>(keys: impl IntoIterator<Item = &'a str>) -> Self {
        let exchange = |key: &str| (key.to_owned(), Arc::default());
        Self(keys.into_iter().map(exchange).collect())
    }

    /// Where a source and its component meet.
    pub fn of(&self, source: &str) -> Option<Arc<Exchange>> {
        self.0.get(source).cloned()
    }

    /// Has a source's component be looked at now, and tried even if it was refused before.
    /// Whether there is such a source.
    pub fn look_again(&self, source: &str) -> bool {
        let exchange = self.0.get(source);
        exchange.map(|exchange| exchange.look_again()).is_some()
    }

    /// The same for all of them.
    pub fn look_at_all(&self) {
        self.0.values().for_each(|exchange| exchange.look_again());
    }
}

/// Watches the component of a source and offers every other version that may take its place.
/// Never ends.
pub async fn watch(assembly: &Assembly, source: &config::Source, exchange: &Exchange) {
    let mut watch = Watch {
        assembly,
        source,
        exchange,
        origin: Origin::Embedded,
        watched: Watched::default(),
        tried: None,
    };
    watch.follow_path();
    watch.watched = Watched::taken(watch.stamp());
    loop {
        let asked = tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => false,
            () = exchange.asked() => true,
        };
        match asked {
            true => watch.asked().await,
            false => watch.look().await,
        }
    }
}

struct Watch<'a> {
    assembly: &'a Assembly,
    source: &'a config::Source,
    exchange: &'a Exchange,
    origin: Origin,
    watched: Watched,
    /// What was offered or refused last.
    tried: Option<Digest>,
}

impl Watch<'_> {
    /// Looks where the path leads now; a place that was there and is not any more stays.
    fn follow_path(&mut self) {
        if let Ok(origin) = Origin::find(self.source.path.as_deref()) {
            self.origin = origin;
        }
    }

    /// The next look takes whatever file is there, if it rests. What is in a registry is only
    /// looked at now.
    async fn asked(&mut self) {
        self.follow_path();
        self.tried = None;
        self.watched.forget();
        tracing::info!(component = %self.origin, "looking at the component again");
        if let Origin::Registry(_) = &self.origin {
            let fetched = self.fetch().await;
            self.judge(fetched).await;
        }
    }

    fn stamp(&self) -> Option<super::file::Stamp> {
        match &self.origin {
            Origin::File(path) => stamp(path),
            Origin::Embedded | Origin::Registry(_) => None,
        }
    }

    async fn look(&mut self) {
        let before = self.stamp();
        if !self.watched.look(before) {
            return;
        }
        let read = self.fetch().await;
        if self.stamp() != before {
            return;
        }
        self.watched.take(before);
        self.judge(read).await;
    }

    async fn fetch(&self) -> anyhow::Result<Content> {
        Content::fetch(self.origin.clone(), &self.source.registry).await
    }

    async fn judge(&mut self, read: anyhow::Result<Content>) {
        match read {
            Ok(content) => self.consider(content).await,
            Err(error) => self.exchange.refused(None, format!("{error:#}")),
        }
    }

    async fn consider(&mut self, content: Content) {
        let digest = content.digest();
        if self.exchange.running() == Some(digest) {
            self.tried = None;
            tracing::debug!(sha256 = %digest, "the component is the one that runs");
            return;
        }
        if self.tried.replace(digest) == Some(digest) {
            return;
        }
        match self.assembly.prepare(self.source, content).await {
            Ok(candidate) => self.exchange.offer(candidate),
            Err(error) if is_temporary(&error) => {
                tracing::warn!(
                    sha256 = %digest,
                    error = format!("{error:#}"),
                    "the component can not be tried now, trying again"
                );
                tokio::time::sleep(AGAIN_AFTER).await;
                self.tried = None;
                self.watched.forget();
            }
            Err(error) => self.exchange.refused(Some(digest), format!("{error:#}")),
        }
    }
}

/// The store of the state did not answer, which says nothing of the component.
fn is_temporary(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(StoreError::Unavailable(_)))
}
