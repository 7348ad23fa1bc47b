//! Whoever watches the component of a source, and prepares what it finds.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, MissedTickBehavior};

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

/// Watches the component of a source, which was loaded as this, and offers every other version
/// that may take its place. What is there at the first look may be another one already. Never
/// ends.
pub async fn watch(
    assembly: &Assembly,
    source: &config::Source,
    exchange: &Exchange,
    loaded: Digest,
) {
    let mut watch = Watch {
        assembly,
        source,
        exchange,
        loaded,
        origin: Origin::Embedded,
        watched: Watched::default(),
        tried: None,
        same: None,
        asked: false,
    };
    // Where the path leads nowhere by now, it is found again when somebody asks.
    if let Ok(origin) = watch.find() {
        watch.origin = origin;
    }
    // However often somebody asks, it is looked at.
    let mut looks = tokio::time::interval_at(Instant::now() + LOOK_EVERY, LOOK_EVERY);
    looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let asked = tokio::select! {
            _ = looks.tick() => false,
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
    loaded: Digest,
    origin: Origin,
    watched: Watched,
    /// What was offered or refused last.
    tried: Option<Digest>,
    /// What was found last, if it was what runs.
    same: Option<Digest>,
    /// Whether somebody waits for what the next look finds.
    asked: bool,
}

impl Watch<'_> {
    /// Where the path leads now.
    fn find(&self) -> anyhow::Result<Origin> {
        Origin::find(self.source.path.as_deref())
    }

    /// The next look takes whatever file is there, if it rests. What is no file is only looked
    /// at now.
    async fn asked(&mut self) {
        tracing::info!("looking at the component again");
        self.tried = None;
        self.watched.forget();
        match self.find() {
            Ok(origin) => self.origin = origin,
            Err(error) => return self.judge(Err(error)).await,
        }
        self.asked = true;
        if !matches!(self.origin, Origin::File(_)) {
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
        // What had been offered before was exchanged all the same, as it was taken already; or
        // what ran when it was looked at has failed, which is not tried again by itself.
        let other = self
            .same
            .filter(|same| Some(*same) != self.exchange.running());
        if other.is_some_and(|same| !self.exchange.has_failed(same)) {
            self.tried = None;
            self.watched.forget();
        }
        let before = self.stamp();
        let is_asked_for = self.asked && before.is_none();
        if !(self.watched.look(before) || is_asked_for) {
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
        let asked = std::mem::take(&mut self.asked);
        self.same = None;
        match read {
            Ok(content) if self.runs(&content) => {
                self.exchange.withdraw();
                self.same = self.exchange.running().map(|_| content.digest());
                self.tried = self.same;
                if asked {
                    let sha256 = content.digest();
                    tracing::info!(%sha256, "the component is the one that runs");
                }
            }
            Ok(content) => self.consider(content).await,
            Err(error) => {
                self.exchange.withdraw();
                self.tried = None;
                self.exchange.refused(None, format!("{error:#}"));
            }
        }
    }

    /// Until what was loaded has described itself, nothing else runs.
    fn runs(&self, content: &Content) -> bool {
        let running = self.exchange.running().unwrap_or(self.loaded);
        running == content.digest()
    }

    async fn consider(&mut self, content: Content) {
        let digest = content.digest();
        if self.tried.replace(digest) == Some(digest) {
            return;
        }
        self.exchange.withdraw();
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
                // What is no file is only fetched for somebody who asks.
                self.asked = true;
            }
            Err(error) => self.exchange.refused(Some(digest), format!("{error:#}")),
        }
    }
}

/// The store of the state did not answer, which says nothing of the component.
fn is_temporary(error: &anyhow::Error) -> bool {
    matches!(error.downcast_ref(), Some(StoreError::Unavailable(_)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::sandbox::Sandbox;

    async fn until(what: &str, is_so: impl Fn() -> bool) {
        let started = Instant::now();
        while !is_so() {
            assert!(started.elapsed() < Duration::from_secs(60), "{what}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// What is offered waits for the runner, of which there is none here.
    #[tokio::test(flavor = "multi_thread")]
    async fn what_is_no_longer_in_its_file_is_not_offered_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("mine.wasm");
        let embedded = Content::read(Origin::Embedded).unwrap();
        // With an empty section of its own, it is another one.
        let other = [embedded.bytes(), &[0, 2, 1, b'x'][..]].concat();
        std::fs::write(&file, embedded.bytes()).unwrap();
        let config = format!(
            "[output]\ntype = \"stdout\"\n[sources.one]\ndelivery = \"at_least_once\"\npath = '{}'\n[sources.one.config]\nurl = \"http://127.0.0.1:1\"\nindex = \"i\"\ntimestamp_field = \"t\"\nstate = {{ storage_config = {{ base_path = '{}' }} }}\n[[sources.one.streams]]\nstream = \"s\"\ntopic = \"t\"\n",
            file.display(),
            folder.path().join("states").display()
        );
        let config = Config::parse(&config, "test.toml", std::iter::empty()).unwrap();
        let assembly = Assembly::new(&config, Sandbox::new().unwrap());
        let exchange = Exchange::default();
        let looks = watch(
            &assembly,
            &config.sources["one"],
            &exchange,
            embedded.digest(),
        );
        let changes = async {
            let put = |bytes: &[u8]| {
                if file.is_dir() {
                    std::fs::remove_dir(&file).unwrap();
                }
                std::fs::write(&file, bytes).unwrap();
            };
            let put_folder = || {
                std::fs::remove_file(&file).unwrap();
                std::fs::create_dir(&file).unwrap();
            };
            let instead: [(&dyn Fn(), bool); 3] = [
                (&put_folder, false),
                (&|| put(b"nonsense"), false),
                (&|| put(embedded.bytes()), true),
            ];
            for (put_instead, asks) in instead {
                put(&other);
                let is_offered = || {
                    if asks {
                        // However often somebody does.
                        exchange.look_again();
                    }
                    exchange.has_one()
                };
                until("it is offered", is_offered).await;
                put_instead();
                until("it is withdrawn", || !exchange.has_one()).await;
            }
        };
        tokio::select! {
            () = looks => {}
            () = changes => {}
        }
    }
}
