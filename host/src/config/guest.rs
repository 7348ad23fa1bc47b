//! What of a source's `config` the component gets, and where that was set.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json};

use super::error::{ConfigError, Origin};
use super::schema::{CONFIG, STATE, Table};
use super::section::Section;
use super::suggestion::nearest;
use super::tree::{Node, Value};

/// What both of them know.
const SHARED: [&str; 2] = ["index", "slice"];

/// The component's configuration: `index`, `slice` and what the host does not know, and of
/// `state` also only what the host does not know.
pub(super) fn config(section: &Section<'_>) -> Json {
    let mut config = foreign(section.node(), &CONFIG);
    for key in SHARED {
        if let Some(value) = section.node().and_then(|node| node.get(key)) {
            config.insert(key.to_owned(), value.to_json());
        }
    }
    let state = foreign(section.section("state").node(), &STATE);
    if !state.is_empty() {
        config.insert("state".to_owned(), Json::Object(state));
    }
    Json::Object(config)
}

/// What a table does not name.
fn foreign(node: Option<&Node>, table: &Table) -> Map<String, Json> {
    let branches = node.and_then(Node::branches).into_iter().flatten();
    let foreign = branches.filter(|(key, _)| table.names().all(|name| name != *key));
    foreign
        .map(|(key, node)| (key.clone(), node.to_json()))
        .collect()
}

/// Where every key of `config` was set, by its path below it joined by dots.
#[derive(Debug, Clone)]
pub(super) struct Places {
    file: String,
    table: Origin,
    origins: BTreeMap<String, Origin>,
}

impl Places {
    pub(super) fn of(section: &Section<'_>) -> Self {
        let mut origins = BTreeMap::new();
        if let Some(node) = section.node() {
            collect("", node, &mut origins);
        }
        Self {
            file: section.file().to_owned(),
            table: section.origin().clone(),
            origins,
        }
    }

    pub(super) fn find(&self, key: &str) -> Option<&Origin> {
        self.origins.get(key)
    }

    pub(super) fn refuse(&self, key: &str, message: &str) -> ConfigError {
        let around = |key: &str| key.rfind('.').map(|dot| key.split_at(dot).0.to_owned());
        let chain = std::iter::successors(Some(key.to_owned()), |key| around(key));
        let origin = chain.into_iter().find_map(|key| self.find(&key).cloned());
        // A key that the host would have known if it had been spelt right came here too. What
        // is wrong with the value of a right one is no question of its name.
        let is_strange = self.find(key).is_some() && message.contains("known key");
        let meant = nearest(key, CONFIG.names()).filter(|name| *name != key && is_strange);
        let meant = meant
            .map(|name| format!("; did you mean \"{name}\"?"))
            .unwrap_or_default();
        origin
            .unwrap_or_else(|| self.table.clone())
            .key_error(&self.file, format!("{key}: {message}{meant}"))
    }
}

fn collect(path: &str, node: &Node, origins: &mut BTreeMap<String, Origin>) {
    let separator = if path.is_empty() { "" } else { "." };
    let mut add = |key: &str, child: &Node| {
        let path = format!("{path}{separator}{key}");
        collect(&path, child, origins);
        origins.insert(path, child.origin.clone());
    };
    match &node.value {
        Value::Table(branches) => branches.iter().for_each(|(key, child)| add(key, child)),
        Value::List(items) => items
            .iter()
            .enumerate()
            .for_each(|(index, child)| add(&index.to_string(), child)),
        Value::Scalar(_) => {}
    }
}
