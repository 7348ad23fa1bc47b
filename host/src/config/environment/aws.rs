//! The variables in which AWS's own tools look for an identity.

use std::collections::BTreeMap;

use crate::config::error::Origin;
use crate::config::tree::{Branches, Node, Value};

/// The variables, and the keys of `aws` that they are.
const VARIABLES: [(&str, &str); 3] = [
    ("AWS_ACCESS_KEY_ID", "access_key_id"),
    ("AWS_SECRET_ACCESS_KEY", "secret_access_key"),
    ("AWS_SESSION_TOKEN", "session_token"),
];

/// Where an `aws` can stand in a source.
const PLACES: [&[&str]; 2] = [
    &["config", "aws"],
    &["config", "state", "storage_config", "aws"],
];

pub(super) fn is_known(variable: &str) -> bool {
    VARIABLES.iter().any(|(name, _)| *name == variable)
}

/// Every `aws` that holds no part of an identity gets that of the variables. Two halves of
/// different identities would never fit.
pub(super) fn apply(root: &mut Node, variables: &BTreeMap<String, String>) {
    let sources = find(root, &["sources"]).into_iter();
    for source in sources.flat_map(|sources| sources.values_mut()) {
        for place in PLACES {
            if let Some(aws) = find(source, place) {
                complete(aws, variables);
            }
        }
    }
}

fn complete(aws: &mut Branches, variables: &BTreeMap<String, String>) {
    if VARIABLES.iter().any(|(_, key)| aws.contains_key(*key)) {
        return;
    }
    for (name, key) in VARIABLES {
        let set = variables.get(name).filter(|value| !value.is_empty());
        if let Some(value) = set {
            let node = Node {
                origin: Origin::Environment(name.to_owned()),
                value: Value::Scalar(value.clone().into()),
            };
            aws.insert(key.to_owned(), node);
        }
    }
}

/// The table at a path.
fn find<'a>(node: &'a mut Node, path: &[&str]) -> Option<&'a mut Branches> {
    let Value::Table(branches) = &mut node.value else {
        return None;
    };
    match path.split_first() {
        None => Some(branches),
        Some((key, rest)) => find(branches.get_mut(*key)?, rest),
    }
}
