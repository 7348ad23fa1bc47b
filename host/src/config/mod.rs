//! The configuration: read from TOML and the environment, checked once, then typed.
//!
//! ```text
//! text ── relaxed ──▶ TOML ── tree ──▶ nodes ── environment ──▶ nodes
//!      ── schema: unknown keys ── section, value: the typed reading ──▶ Config
//! ```
//!
//! Every mistake says where it was made. Keys of the component are passed on unjudged.
//! Nothing is opened here but the configuration itself and the files of secrets, keys
//! and certificates.

mod access;
mod broker;
mod cache;
mod environment;
mod error;
mod expression;
mod grants;
mod guest;
mod limits;
mod output;
mod pages;
mod partitioning;
mod pem;
mod position;
mod registry;
mod relaxed;
mod schema;
mod secret;
mod section;
mod service;
mod single;
mod source;
mod state;
mod stream;
mod suggestion;
mod summary;
mod tree;
mod units;
mod value;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Read;
use std::path::Path;

pub use crate::publisher::iggy::{Durability, Partitioning};
pub use crate::publisher::shape::Metadata;
pub use crate::state_store::{OnConflict, Slice};
pub use access::{Access, Aws, AwsService, ClusterTls, Credentials, Identity, Proxy};
pub use broker::{Iggy, Login, Tls};
pub use cache::Cache;
pub use environment::{PREFIX, variables};
pub use error::{ConfigError, ConfigErrors};
pub use grants::Grants;
pub use limits::Limits;
pub use output::Output;
pub use position::Position;
pub use registry::Registry;
pub use secret::Secret;
pub use service::{Http, LogFormat, LogLevel, Logging};
pub use source::{Delivery, Source};
pub use state::{State, Storage};
pub use stream::{DeadLetter, Schema, Stream};

pub(crate) use units::{duration as parse_duration, show_duration, show_size};

use error::Report;
use section::Section;
use tree::Node;

/// Larger files are refused, in bytes.
const FILE_MAX: u64 = 1024 * 1024;

/// A whole configuration, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// `[iggy]`; always there when the output is Iggy.
    pub iggy: Option<Iggy>,
    /// `[cache]`
    pub cache: Cache,
    /// `[http]`
    pub http: Http,
    /// `[logging]`
    pub logging: Logging,
    /// `[output]`
    pub output: Output,
    /// `[sources]` by their keys, at least one.
    pub sources: BTreeMap<String, Source>,
}

impl Config {
    /// Reads and checks a file of at most 1 MiB, and lets environment variables override
    /// it; [`variables`] are those of this process.
    ///
    /// # Errors
    /// All mistakes that were found, each with its place.
    pub fn load(
        path: &Path,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigErrors> {
        let file_name = path.display().to_string();
        let mut text = String::new();
        let opened = File::open(path);
        let length = opened
            .and_then(|file| file.take(FILE_MAX + 1).read_to_string(&mut text))
            .map_err(|e| {
                let message = format!(
                    "the configuration can not be read ({e}): check the path and its permissions"
                );
                ConfigErrors::of_file(&file_name, message)
            })?;
        if length as u64 > FILE_MAX {
            let message =
                format!("the configuration is larger than {FILE_MAX} bytes: check the path");
            return Err(ConfigErrors::of_file(&file_name, message));
        }
        Self::parse(&text, &file_name, environment)
    }

    /// The same of a text; the name of its file is for messages.
    ///
    /// # Errors
    /// All mistakes that were found, each with its place.
    pub fn parse(
        text: &str,
        file_name: &str,
        environment: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ConfigErrors> {
        let report = Report::on(file_name);
        let root = read_tree(text, &report, environment)?;
        let config = read(&Section::root(&root, &report));
        report.verdict()?;
        config.ok_or_else(|| ConfigErrors::incomplete(file_name))
    }
}

/// The text as a tree of known keys, overridden by the environment. Unknown keys are in the
/// report.
fn read_tree(
    text: &str,
    report: &Report<'_>,
    environment: impl IntoIterator<Item = (String, String)>,
) -> Result<Node, ConfigErrors> {
    let toml = relaxed::to_toml(text).unwrap_or_else(|refusal| {
        report.at(Some(refusal.position), refusal.message);
        String::new()
    });
    report.verdict()?;
    let mut root = tree::parse(&toml, report);
    report.verdict()?;
    environment::apply(&mut root, environment, report);
    schema::check(&root, report);
    Ok(root)
}

fn read(root: &Section<'_>) -> Option<Config> {
    let output = output::read(&root.section("output"));
    let iggy = root.section("iggy");
    let read_iggy = iggy.exists().then(|| broker::read(&iggy));
    if output == Some(Output::Iggy) && read_iggy.is_none() {
        root.refuse_table("documents go to iggy, but there is no [iggy]: write one with address and login, or [output] type = \"file\" and path");
    }
    let read_iggy = read_iggy.flatten();
    let to_iggy = read_iggy.as_ref().filter(|_| output == Some(Output::Iggy));
    let sources = read_sources(&root.section("sources"), output.as_ref(), to_iggy);
    if let Some(read_iggy) = to_iggy {
        check_quiet(&iggy, read_iggy, &sources);
    }
    Some(Config {
        iggy: read_iggy,
        cache: cache::read(&root.section("cache")),
        http: service::read_http(&root.section("http")),
        logging: service::read_logging(&root.section("logging")),
        output: output?,
        sources,
    })
}

fn read_sources(
    section: &Section<'_>,
    output: Option<&Output>,
    iggy: Option<&Iggy>,
) -> BTreeMap<String, Source> {
    let children = section.children();
    if children.is_empty() {
        section.refuse_table("no source: write [sources.NAME]");
    }
    let mut sources = BTreeMap::new();
    let (mut states, mut files) = (BTreeSet::new(), BTreeSet::new());
    let mut numbers = BTreeMap::new();
    for (key, child) in children {
        stream::refuse_none(&child);
        let Some(source) = source::read(key, &child) else {
            continue;
        };
        if source.delivery == Delivery::ExactlyOnce && output == Some(&Output::Stdout) {
            child.refuse(
                "delivery",
                "standard output can not be read back, so write delivery = \"at_least_once\"",
            );
        }
        if let Some(iggy) = iggy {
            refuse_short_lease(&child, &source, iggy);
        }
        let writes_state = source.enabled && source.state.enabled;
        if writes_state && !states.insert(source.state.place()) {
            let state = child.section("config").section("state");
            state.refuse(
                "state_id",
                "another source keeps its state there: choose another state_id",
            );
        }
        if writes_state {
            let whole = source.state.place_of_whole();
            let of = *numbers.entry(whole).or_insert(source.slice.of());
            if of != source.slice.of() {
                child.section("config").refuse(
                    "slice",
                    &format!("another source reads one of {of} slices of the same state_id: write the same number, or choose another state_id"),
                );
            }
        }
        if let Some(output) = output {
            stream::check_output(&child, &source.streams, output);
        }
        if source.enabled && matches!(output, Some(Output::File { .. })) {
            refuse_shared_files(&child, &source, &mut files);
        }
        sources.insert(key.to_owned(), source);
    }
    sources
}

/// Who reads an output back at once may miss what is still on its way there.
fn check_quiet(section: &Section<'_>, iggy: &Iggy, sources: &BTreeMap<String, Source>) {
    let exact = |source: &Source| source.delivery == Delivery::ExactlyOnce;
    if iggy.publish_quiet.is_zero() && sources.values().any(exact) {
        section.refuse(
            "publish_quiet",
            "leaves no time for requests that are still on their way, so that their messages \
             might be there twice: leave it out, or write delivery = \"at_least_once\" in every \
             source",
        );
    }
}

/// A publish begins only if the lease outlives it, and a lease is renewed when a third of it
/// has passed.
fn refuse_short_lease(section: &Section<'_>, source: &Source, iggy: &Iggy) {
    let (state, least) = (&source.state, iggy.timeout * 2);
    if state.enabled && state.is_leased() && state.lease_time < least {
        let least = units::show_duration(least);
        section.section("config").section("state").refuse(
            "lease_time",
            &format!(
                "is at least {least}, twice the timeout of [iggy]: a lease must outlive a publish"
            ),
        );
    }
}

/// One file has one writer: the source that comes second could never publish.
fn refuse_shared_files(
    section: &Section<'_>,
    source: &Source,
    files: &mut BTreeSet<(String, String)>,
) {
    let file = |stream: &Stream| (stream.stream.clone(), stream.topic.clone());
    for (section, stream) in section.list("streams").iter().zip(&source.streams) {
        if files.contains(&file(stream)) {
            section.refuse(
                "topic",
                "another source writes to the file of this stream and topic: choose another \
                 topic",
            );
        }
    }
    files.extend(source.streams.iter().map(file));
}
