//! Settings of indices: flat as they are kept, nested as they may be asked for.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Product;
use super::error::Cause;
use super::index::Index;
use super::indexing::text;
use crate::wildcard::is_like;

/// What `include_defaults` shows of an index's settings.
const DEFAULTS: [(&str, &str); 3] = [
    ("index.max_result_window", "10000"),
    ("index.refresh_interval", "1s"),
    ("index.search.idle.after", "30s"),
];

/// The setting of an index that keeps no sequence numbers; it can not be changed.
pub(super) const NO_SEQ_NOS: &str = "index.disable_sequence_numbers";

/// Refuses what a real server does not know, or takes for no flag.
pub(super) fn check(product: Product, settings: &Value) -> Result<(), Cause> {
    let settings = flat_settings(settings);
    match (product, settings.get(NO_SEQ_NOS).map(String::as_str)) {
        (_, None) | (Product::Elasticsearch, Some("true" | "false")) => Ok(()),
        (Product::Elasticsearch, Some(value)) => Err(Cause::argument(format!(
            "Failed to parse value [{value}] as only [true] or [false] are allowed."
        ))),
        (Product::OpenSearch, Some(_)) => Err(Cause::argument(format!(
            "unknown setting [{NO_SEQ_NOS}] please check that any required plugins are installed, or check the breaking changes documentation for removed settings"
        ))),
    }
}

/// Refuses a change of what stays as an index was created with.
pub(super) fn check_change(settings: &BTreeMap<String, String>, index: &str) -> Result<(), Cause> {
    match settings.contains_key(NO_SEQ_NOS) {
        true => Err(Cause::argument(format!(
            "Can't update non dynamic setting(s) [[{NO_SEQ_NOS}]] for open indices [[{index}]]"
        ))),
        false => Ok(()),
    }
}

/// The settings of a request body as flat names with `index.` before them.
pub(super) fn flat_settings(settings: &Value) -> BTreeMap<String, String> {
    let mut flat = BTreeMap::new();
    flatten("", settings, &mut flat);
    flat
}

fn flatten(prefix: &str, value: &Value, flat: &mut BTreeMap<String, String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let path = if prefix.is_empty() {
                    name.clone()
                } else {
                    format!("{prefix}.{name}")
                };
                flatten(&path, value, flat);
            }
        }
        Value::Null => {}
        scalar => {
            let name = if prefix.starts_with("index.") {
                prefix.to_owned()
            } else {
                format!("index.{prefix}")
            };
            flat.insert(name, text(scalar));
        }
    }
}

/// The settings of an index as `GET _settings` shows those that match a pattern.
pub(super) fn settings_json(index: &Index, pattern: &str, flat: bool, defaults: bool) -> Value {
    let mut set = BTreeMap::from([
        (
            "index.creation_date".to_owned(),
            index.created_ms.to_string(),
        ),
        ("index.number_of_replicas".to_owned(), "1".to_owned()),
        (
            "index.number_of_shards".to_owned(),
            index.shards.len().to_string(),
        ),
        ("index.provided_name".to_owned(), index.name.to_string()),
        ("index.uuid".to_owned(), index.uuid.clone()),
    ]);
    set.extend(index.settings.clone());
    let missing = DEFAULTS.iter().filter(|(name, _)| !set.contains_key(*name));
    let unset: BTreeMap<_, _> = missing
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let show = |settings: BTreeMap<String, String>| {
        let settings = settings
            .into_iter()
            .filter(|(name, _)| pattern.split(',').any(|pattern| is_like(pattern, name)));
        if flat {
            settings
                .map(|(name, value)| (name, Value::String(value)))
                .collect()
        } else {
            nested(settings)
        }
    };
    let mut json = json!({"settings": Value::Object(show(set))});
    if let (true, Some(fields)) = (defaults, json.as_object_mut()) {
        fields.insert("defaults".into(), Value::Object(show(unset)));
    }
    json
}

fn nested(settings: impl Iterator<Item = (String, String)>) -> Map<String, Value> {
    let mut root = Map::new();
    for (name, value) in settings {
        let mut level = &mut root;
        let (parents, last) = name.rsplit_once('.').unwrap_or(("", &name));
        for parent in parents.split('.').filter(|parent| !parent.is_empty()) {
            let below = level.entry(parent).or_insert_with(|| json!({}));
            if !below.is_object() {
                *below = json!({});
            }
            match below.as_object_mut() {
                Some(below) => level = below,
                None => return root,
            }
        }
        level.insert(last.to_owned(), Value::String(value));
    }
    root
}
