//! `[sources.NAME]`: what is read, and what runs the reading.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value as Json;

use crate::component::{self, Digest};
use crate::state_store::{self, Slice};

use super::access::{self, Access};
use super::error::ConfigError;
use super::expression;
use super::grants::{self, Grants};
use super::guest::{self, Places};
use super::limits::{self, Limits};
use super::pages;
use super::position::Position;
use super::registry::{self, Registry};
use super::section::Section;
use super::state::{self, State};
use super::stream::{self, DeadLetter, Stream};
use super::value::{choice, duration, flag, size, text};

/// One source: a component, the cluster and index that it reads, and its streams.
#[derive(Debug, Clone)]
pub struct Source {
    /// The table's name, of letters, digits, `-` and `_`.
    pub key: String,
    /// Whether it runs; yes by default.
    pub enabled: bool,
    /// A name for people; the key by default.
    pub name: String,
    /// The component's file; absent, the embedded component.
    pub path: Option<PathBuf>,
    /// How its registry is reached, if it is in one.
    pub registry: Registry,
    /// What the component must be; absent, any.
    pub sha256: Option<Digest>,
    /// What the component may ask the cluster.
    pub grants: Grants,
    /// Where every document goes, at least one stream and topic in a whole [`Config`].
    ///
    /// [`Config`]: super::Config
    pub streams: Vec<Stream>,
    /// Where a note goes of every document that a stream refuses; absent, such a document
    /// stops the source. With files and standard output nothing is ever refused.
    pub dead_letter: Option<DeadLetter>,
    /// What is promised.
    pub delivery: Delivery,
    /// The cluster, the way there, and who asks.
    pub access: Access,
    /// The index expression.
    pub index: String,
    /// Which slice of it this process reads; all of it by default.
    pub slice: Slice,
    /// The time between two cycles, 1 ms to 30 days; 30 s by default.
    pub polling_interval: Duration,
    /// How long one request to the cluster may take, 10 ms to an hour; 30 s by default.
    pub timeout: Duration,
    /// The largest response, 1 KiB to 1 GiB, and no less than a page; 64 MiB by default.
    pub max_response_bytes: u64,
    /// Where its state is kept.
    pub state: State,
    /// How much of the machine it may use.
    pub limits: Limits,
    /// The keys of `config` that belong to the component, as a JSON object: `index`, and
    /// everything that the host does not know.
    pub guest_config: Json,
    pub(super) places: Places,
}

/// What is promised about every document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Delivery {
    /// Delivered once; the output must be readable.
    #[default]
    ExactlyOnce,
    /// Delivered, after a failure maybe twice.
    AtLeastOnce,
}

impl Delivery {
    /// The delivery as the configuration writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ExactlyOnce => "exactly_once",
            Self::AtLeastOnce => "at_least_once",
        }
    }
}

impl Source {
    /// The same source, as the process of another slice has it.
    #[must_use]
    pub fn in_slice(&self, slice: Slice) -> Self {
        let mut source = self.clone();
        let (whole, _) = Slice::find(&self.state.state_id);
        source.state.state_id = slice.state_id(whole);
        source.slice = slice;
        if let Json::Object(config) = &mut source.guest_config {
            config.remove("slice");
            let written = slice
                .is_part()
                .then(|| ("slice".to_owned(), slice.to_string().into()));
            config.extend(written);
        }
        source
    }

    /// Where a key of the component stands in the file, its path below `config` joined
    /// by dots; `None` if it is not there, or was set by an environment variable.
    pub fn locate(&self, dotted_key: &str) -> Option<Position> {
        self.places.find(dotted_key)?.key()
    }

    /// The error for a key that the component refuses: where the key was set or, if it
    /// is missing, the table that lacks it.
    pub fn refuse(&self, dotted_key: &str, message: &str) -> ConfigError {
        self.places.refuse(dotted_key, message)
    }
}

pub(super) fn read(key: &str, section: &Section<'_>) -> Option<Source> {
    check_key(key, section);
    let config = section.section("config");
    let streams = stream::read_all(section);
    let dead_letter = stream::read_dead_letter(section, streams.as_deref().unwrap_or_default());
    let deliveries = [Delivery::ExactlyOnce, Delivery::AtLeastOnce].map(|d| (d.as_str(), d));
    let delivery = section.optional("delivery", choice(&deliveries));
    let enabled = section.optional("enabled", flag);
    let name = section.optional("name", text);
    let path = section.optional("path", text);
    let sha256 = section.optional("sha256", |node| text(node)?.parse());
    let registry = registry::read(&section.section("registry"), path.as_deref());
    let grants = grants::read(&section.section("grants"));
    let ms = Duration::from_millis;
    let access = access::read(&config);
    let index = config.required("index", "index = \"logs-*\"", text);
    let polling_interval =
        config.optional("polling_interval", duration(ms(1)..=ms(30 * 86_400_000)));
    let timeout = config.optional("timeout", duration(ms(10)..=ms(3_600_000)));
    let max_response_bytes = config.optional("max_response_bytes", size(1 << 10..=1 << 30));
    let max_response_bytes = max_response_bytes.unwrap_or(64 << 20);
    let path = path.map(PathBuf::from);
    let is_embedded = path.as_deref().is_none_or(component::is_named_as_embedded);
    pages::check(&config, max_response_bytes, is_embedded);
    let pages = pages::held_at_once(&config, max_response_bytes, is_embedded);
    let limits = limits::read(&section.section("limits"), pages);
    let slice = config.optional("slice", |node| Slice::parse(&text(node)?));
    let slice = slice.unwrap_or(Slice::WHOLE);
    let state = state::read(&config.section("state"), (key, slice), access.as_ref());
    let (access, index, state) = (access?, index?, state?);
    refuse_own_state(&config, &index, state.index_in(&access));
    Some(Source {
        key: key.to_owned(),
        enabled: enabled.unwrap_or(true),
        name: name.unwrap_or_else(|| key.to_owned()),
        path,
        registry,
        sha256,
        grants,
        streams: streams?,
        dead_letter,
        delivery: delivery.unwrap_or_default(),
        access,
        index,
        slice,
        polling_interval: polling_interval.unwrap_or(ms(30_000)),
        timeout: timeout.unwrap_or(ms(30_000)),
        max_response_bytes,
        state,
        limits,
        guest_config: guest::config(&config),
        places: Places::of(&config),
    })
}

/// A source that reads its own states never comes to an end: each save is another document.
fn refuse_own_state(config: &Section<'_>, index: &str, states: Option<&str>) {
    if let Some(states) = states.filter(|states| expression::names(index, states)) {
        config.refuse(
            "index",
            &format!("names {states}, the index of its own state (\"index\" in state.storage_config), and would read every save for ever: take it out, as in \"*,-{states}\", or keep the state in another index"),
        );
    }
}

/// Keys become names of states and parts of the names of environment variables.
fn check_key(key: &str, section: &Section<'_>) {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    if !key.bytes().all(plain) || state_store::check_id(key).is_err() {
        section.refuse_table("the name of a source has 1 to 200 letters, digits, - and _");
    }
}
