//! A source of the Rust API, the cluster that it reads, and its state.

use std::collections::BTreeSet;
use std::path::PathBuf;

use elasticsearch_source::mini_elasticsearch::{MiniElasticsearch, Product};
use elasticsearch_source::{ElasticsearchSource, Message, SourceConfig};
use serde_json::Value;
use tempfile::TempDir;

use crate::support::sample;

/// The number in the state's metadata.
pub const ID: u32 = 7;

/// A cluster with sample documents, and a folder for the state.
pub struct World {
    pub cluster: MiniElasticsearch,
    folder: TempDir,
    keys: String,
}

impl World {
    /// With this many documents, read a hundred a page and a page a poll.
    pub fn of(documents: u64) -> Self {
        Self {
            cluster: sample::cluster(Product::Elasticsearch, documents),
            folder: TempDir::new().unwrap(),
            keys: String::new(),
        }
    }

    /// Sets more keys of `config`.
    pub fn keys(self, keys: &str) -> Self {
        Self {
            keys: keys.to_owned(),
            ..self
        }
    }

    pub fn config(&self) -> SourceConfig {
        let (url, folder) = (self.cluster.url(), self.folder.path().display());
        let state = format!("state = {{ storage_config = {{ base_path = '{folder}' }} }}");
        let has_state = self.keys.contains("state =");
        let state = if has_state { "" } else { &state };
        let toml = format!(
            "[sources.test.config]\nurl = \"{url}\"\nindex = \"logs\"\ntimestamp_field = \"@timestamp\"\nbatch_size = 100\n{state}\n{}\n[sources.test.limits]\npoll_pages = 1\n",
            self.keys
        );
        SourceConfig::from_toml(&toml).unwrap()
    }

    pub fn source(&self) -> ElasticsearchSource {
        ElasticsearchSource::new(ID, self.config())
    }

    pub async fn opened(&self) -> ElasticsearchSource {
        let mut source = self.source();
        source.open().await.unwrap();
        source
    }

    pub fn state_file(&self) -> PathBuf {
        self.folder.path().join("test.json")
    }

    /// The stored state; none, if there is no file.
    pub fn state(&self) -> Option<Value> {
        let file = std::fs::read(self.state_file());
        file.ok()
            .map(|state| serde_json::from_slice(&state).unwrap())
    }

    /// How many documents the stored state covers.
    pub fn covered(&self) -> u64 {
        let state = self.state().unwrap();
        state["data"]["total_documents_fetched"].as_u64().unwrap()
    }
}

/// All polls until one is empty.
pub async fn poll_all(source: &mut ElasticsearchSource) -> Vec<Message> {
    let mut all = Vec::new();
    loop {
        let messages = source.poll().await.unwrap();
        if messages.is_empty() {
            return all;
        }
        all.extend(messages);
    }
}

pub fn ids(messages: &[Message]) -> Vec<u128> {
    messages.iter().map(|message| message.id).collect()
}

/// Asserts that these are so many different messages.
pub fn assert_each_once(messages: &[Message], documents: usize) {
    let different: BTreeSet<_> = ids(messages).into_iter().collect();
    assert_eq!((messages.len(), different.len()), (documents, documents));
}
