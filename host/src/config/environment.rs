//! Environment variables that set keys, named as Iggy's users know them.
//!
//! `IGGY_CONNECTORS_<SECTION>_<KEY>` sets a key of `[cache]`, `[iggy]`, `[http]`, `[logging]`
//! or `[output]`, and `IGGY_CONNECTORS_SOURCE_<NAME>_<PROPERTY>` one of a source, the names
//! of nested tables joined by `_`. Names are in capitals, `-` becomes `_`. A variable of
//! this prefix that names nothing known is an error. Who signs for AWS may have its
//! identity in AWS's own variables.

mod aws;

use std::collections::BTreeMap;

use super::error::{ConfigErrors, Origin, Report};
use super::schema::{ROOT, SOURCE, Shape, Table};
use super::tree::{Branches, Node, Value};

/// What the names of the variables start with.
pub const PREFIX: &str = "IGGY_CONNECTORS_";

/// The variables of this process that set keys.
///
/// # Errors
/// If one of them is not UTF-8.
pub fn variables() -> Result<Vec<(String, String)>, ConfigErrors> {
    let ours = std::env::vars_os().filter_map(|(name, value)| {
        let name = name
            .into_string()
            .ok()
            .filter(|name| name.starts_with(PREFIX) || aws::is_known(name))?;
        Some((name, value))
    });
    let readable = ours.map(|(name, value)| match value.into_string() {
        Ok(value) => Ok((name, value)),
        Err(_) => Err(ConfigErrors::of_file(
            &name,
            "its value is not utf-8: set it again".to_owned(),
        )),
    });
    readable.collect()
}

/// Sets in the tree what the variables say.
pub(super) fn apply(
    root: &mut Node,
    variables: impl IntoIterator<Item = (String, String)>,
    report: &Report<'_>,
) {
    // In order, as one may set a table and another a key in it.
    let variables: BTreeMap<_, _> = variables.into_iter().collect();
    for (variable, value) in &variables {
        let Some(name) = variable.strip_prefix(PREFIX) else {
            continue;
        };
        let outcome =
            path_of(name, root).and_then(|path| set(root, &path, variable, value.clone()));
        if let Err(message) = outcome {
            report.key(&Origin::Environment(variable.clone()), message);
        }
    }
    aws::apply(root, &variables);
}

/// The keys that lead to what a variable means.
fn path_of(name: &str, root: &Node) -> Result<Vec<String>, String> {
    let sources = root.get("sources").and_then(Node::branches);
    match name.strip_prefix("SOURCE_") {
        Some(rest) => path_in_sources(rest, sources.unwrap_or(&Branches::new())),
        None => resolve(&ROOT, None, name)
            .ok_or_else(|| unknown("CACHE, HTTP, IGGY, LOGGING, OUTPUT, SOURCE")),
    }
}

/// Source names may be parts of each other, so the longest that fits is meant.
fn path_in_sources(rest: &str, sources: &Branches) -> Result<Vec<String>, String> {
    let fitting = sources.iter().filter_map(|(key, node)| {
        let property = rest.strip_prefix(&capitals(key))?.strip_prefix('_')?;
        Some((property, key, node))
    });
    let mut fitting: Vec<_> = fitting.collect();
    fitting.sort_by_key(|(property, ..)| property.len());
    match fitting.as_slice() {
        [] => {
            let names: Vec<_> = sources.keys().map(String::as_str).collect();
            Err(format!(
                "it names no configured source; the sources are: {}",
                names.join(", ")
            ))
        }
        [(first, a, _), (second, b, _), ..] if first.len() == second.len() => Err(format!(
            "it means both source \"{a}\" and source \"{b}\": rename one"
        )),
        [(property, key, node), ..] => {
            let below = resolve(&SOURCE, Some(node), property)
                .ok_or_else(|| unknown(&names_in(&SOURCE)))?;
            let path = ["sources".to_owned(), (*key).clone()];
            Ok(path.into_iter().chain(below).collect())
        }
    }
}

fn unknown(known: &str) -> String {
    format!(
        "it names no known key; after the part that is known there comes one of: {known}, and a key of it"
    )
}

fn names_in(table: &Table) -> String {
    table.names().map(capitals).collect::<Vec<_>>().join(", ")
}

fn resolve(table: &Table, node: Option<&Node>, name: &str) -> Option<Vec<String>> {
    if let Some(key) = table.keys.iter().find(|key| capitals(key) == name) {
        return Some(vec![(*key).to_owned()]);
    }
    let tables = table.tables.iter().filter(|_| !name.is_empty());
    for (key, shape) in tables {
        let Some(rest) = name
            .strip_prefix(&capitals(key))
            .and_then(|rest| rest.strip_prefix('_'))
        else {
            continue;
        };
        let child = node.and_then(|node| node.get(key));
        let below = match shape {
            Shape::One(table) => resolve(table, child, rest)?,
            Shape::List(table) => resolve_item(table, rest)?,
            Shape::Named(_) => return None,
        };
        return Some(std::iter::once((*key).to_owned()).chain(below).collect());
    }
    let valid = table.open && !name.is_empty();
    valid.then(|| resolve_open(node, name))
}

/// `0_TOPIC`: the first table of a list, and a key in it.
fn resolve_item(table: &Table, name: &str) -> Option<Vec<String>> {
    let (index, rest) = name.split_once('_')?;
    index.parse::<usize>().ok()?;
    let below = resolve(table, None, rest)?;
    Some(std::iter::once(index.to_owned()).chain(below).collect())
}

/// A key of the component: one that the file has, alone or as the table around the rest
/// of the name, or else a new one in small letters.
fn resolve_open(node: Option<&Node>, name: &str) -> Vec<String> {
    for (key, child) in node.and_then(Node::branches).into_iter().flatten() {
        match name.strip_prefix(&capitals(key)) {
            Some("") => return vec![key.clone()],
            Some(rest) if child.branches().is_some() => {
                if let Some(rest) = rest.strip_prefix('_').filter(|rest| !rest.is_empty()) {
                    let below = resolve_open(Some(child), rest);
                    return std::iter::once(key.clone()).chain(below).collect();
                }
            }
            _ => {}
        }
    }
    vec![name.to_lowercase()]
}

fn capitals(key: &str) -> String {
    key.to_uppercase().replace('-', "_")
}

fn set(node: &mut Node, path: &[String], variable: &str, value: String) -> Result<(), String> {
    let Some((key, rest)) = path.split_first() else {
        *node = Node {
            origin: Origin::Environment(variable.to_owned()),
            value: Value::Scalar(value.into()),
        };
        return Ok(());
    };
    let child = match &mut node.value {
        Value::Table(branches) => {
            let new = || Node::table(Origin::Environment(variable.to_owned()));
            branches.entry(key.clone()).or_insert_with(new)
        }
        Value::List(items) => {
            let length = items.len();
            let item = key
                .parse::<usize>()
                .ok()
                .and_then(|index| items.get_mut(index));
            item.ok_or_else(|| {
                format!("it names entry {key}, but the file has {length}, counted from 0")
            })?
        }
        Value::Scalar(_) => {
            return Err(format!(
                "it sets a key in something that is no table, \"{key}\""
            ));
        }
    };
    set(child, rest, variable, value)
}
