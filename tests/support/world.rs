//! A source as a user would run it: a configuration, a folder for output and state.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use elasticsearch_source::assembly::Assembly;
use elasticsearch_source::config::Config;
use elasticsearch_source::instance::Failure;
use elasticsearch_source::retry::RetryPolicy;
use elasticsearch_source::runner::{self, Summary, Until};
use elasticsearch_source::sandbox::Sandbox;
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::watch;

/// One source, its output and its state.
pub struct World {
    folder: TempDir,
    output: String,
    keys: Vec<String>,
    limits: String,
    source: String,
    streams: String,
}

/// A message, as it stands in the output.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivered {
    /// 32 hexadecimal digits.
    pub id: String,
    /// `_id` of the document.
    pub document: String,
    /// The line of the output.
    pub line: String,
}

/// Quick failures, so that tests of them are quick.
pub const IMPATIENT: RetryPolicy = RetryPolicy {
    first: Duration::from_millis(5),
    longest: Duration::from_millis(20),
    jitter: 0.5,
    attempts: 5,
};

impl World {
    /// Reads this index of this cluster by `@timestamp` into a file.
    pub fn reading(url: &str, index: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let output = format!(
            "[output]\ntype = \"file\"\npath = '{}/output'\n",
            folder.path().display()
        );
        Self {
            folder,
            output,
            keys: vec![],
            limits: String::new(),
            source: String::new(),
            streams: String::new(),
        }
        .key("url", url)
        .key("index", index)
        .key("timestamp_field", "@timestamp")
    }

    /// Sets a key of `[sources.test.config]` to a text.
    pub fn key(self, key: &str, text: &str) -> Self {
        self.raw(key, &format!("{text:?}"))
    }

    /// Sets a key of `[sources.test.config]` to a TOML value.
    pub fn raw(mut self, key: &str, value: &str) -> Self {
        self.keys
            .retain(|line| !line.starts_with(&format!("{key} =")));
        self.keys.push(format!("{key} = {value}"));
        self
    }

    /// Leaves a key of `[sources.test.config]` out.
    pub fn without(mut self, key: &str) -> Self {
        self.keys
            .retain(|line| !line.starts_with(&format!("{key} =")));
        self
    }

    /// Sets keys of `[sources.test.config]` as they would stand in the file.
    pub fn lines(mut self, toml: &str) -> Self {
        self.keys.push(toml.to_owned());
        self
    }

    /// Publishes to another stream and topic, too.
    pub fn stream(mut self, stream: &str, topic: &str) -> Self {
        let more = format!("[[sources.test.streams]]\nstream = {stream:?}\ntopic = {topic:?}\n");
        self.streams.push_str(&more);
        self
    }

    /// Without those that were added.
    pub fn without_more_streams(mut self) -> Self {
        self.streams.clear();
        self
    }

    /// Sets keys of the stream that was added last, or else of the first one.
    pub fn stream_keys(mut self, toml: &str) -> Self {
        self.streams.push_str(&format!("{toml}\n"));
        self
    }

    /// Has notes of refused documents in this stream and topic; after all streams.
    pub fn dead_letter(mut self, stream: &str, topic: &str) -> Self {
        let table = format!("[sources.test.dead_letter]\nstream = {stream:?}\ntopic = {topic:?}\n");
        self.streams.push_str(&table);
        self
    }

    /// Sets keys of `[sources.test.limits]`.
    pub fn limits(self, toml: &str) -> Self {
        Self {
            limits: toml.to_owned(),
            ..self
        }
    }

    /// Sets keys of `[sources.test]`, or tables in it written as one line.
    pub fn source_keys(self, toml: &str) -> Self {
        Self {
            source: format!("{toml}\n"),
            ..self
        }
    }

    /// Publishes elsewhere.
    pub fn output(mut self, toml: &str) -> Self {
        self.output = toml.to_owned();
        self
    }

    /// Sets keys of `[logging]`.
    pub fn logging(mut self, toml: &str) -> Self {
        self.output.push_str(&format!("[logging]\n{toml}\n"));
        self
    }

    /// The folder of output, state and configuration.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the state is.
    pub fn state_file(&self) -> PathBuf {
        self.folder().join("states/test.json")
    }

    /// The configuration, as it would stand in a file.
    pub fn toml(&self) -> String {
        let state = format!(
            "state = {{ storage_config = {{ base_path = '{}/states' }} }}",
            self.folder().display()
        );
        let has_state = self.keys.iter().any(|line| line.starts_with("state ="));
        let state = if has_state { "" } else { &state };
        format!(
            "{}\n[sources.test]\n{}[[sources.test.streams]]\nstream = \"s\"\ntopic = \"t\"\n{}[sources.test.config]\n{}\n{state}\n[sources.test.limits]\n{}\n",
            self.output,
            self.source,
            self.streams,
            self.keys.join("\n"),
            self.limits
        )
    }

    /// The configuration in a file.
    pub fn config_file(&self) -> PathBuf {
        let file = self.folder().join("test.toml");
        std::fs::write(&file, self.toml()).unwrap();
        file
    }

    /// The source, ready to run.
    pub async fn source(&self) -> anyhow::Result<runner::Source> {
        let config = Config::parse(&self.toml(), "test.toml", std::iter::empty())?;
        let assembly = Assembly::new(&config, sandbox()).retrying(IMPATIENT);
        assembly.source(&config.sources["test"]).await
    }

    /// Runs until caught up.
    pub async fn once(&self) -> Result<Summary, (Failure, Summary)> {
        Self::run_once(&self.source().await.unwrap()).await
    }

    /// Runs a source until it has caught up, maybe not for the first time.
    pub async fn run_once(source: &runner::Source) -> Result<Summary, (Failure, Summary)> {
        let (_stop, stopped) = watch::channel(false);
        runner::run(source, Until::CaughtUp, stopped, &mut |_| {}).await
    }

    /// Runs until caught up, and returns how many documents that published.
    pub async fn published_once(&self) -> u64 {
        self.once().await.unwrap().documents
    }

    /// What the file output holds.
    pub fn delivered(&self) -> Vec<Delivered> {
        let text =
            std::fs::read_to_string(self.folder().join("output/s/t.ndjson")).unwrap_or_default();
        text.lines().map(delivered).collect()
    }

    /// Asserts that exactly these documents are in the output, each once.
    pub fn assert_holds_exactly(&self, documents: impl IntoIterator<Item = String>) {
        let delivered = self.delivered();
        let found: BTreeSet<_> = delivered
            .iter()
            .map(|message| message.document.clone())
            .collect();
        let expected: BTreeSet<_> = documents.into_iter().collect();
        let lost: Vec<_> = expected.difference(&found).take(5).collect();
        let strange: Vec<_> = found.difference(&expected).take(5).collect();
        assert!(
            lost.is_empty() && strange.is_empty(),
            "lost {lost:?}.. strange {strange:?}.."
        );
        assert_eq!(
            delivered.len(),
            expected.len(),
            "some documents were published twice"
        );
    }

    /// The saved state.
    pub fn state(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.state_file()).unwrap()).unwrap()
    }
}

/// One for all tests, so that the component is compiled once.
pub fn sandbox() -> Sandbox {
    static SANDBOX: OnceLock<Sandbox> = OnceLock::new();
    SANDBOX.get_or_init(|| Sandbox::new().unwrap()).clone()
}

fn delivered(line: &str) -> Delivered {
    let value: Value = serde_json::from_str(line).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    Delivered {
        id: text(&value["id"]),
        document: text(&value["headers"]["_id"]),
        line: line.to_owned(),
    }
}
