//! The causes that an error names, wherever in its body it has them.

use std::fmt;
use std::iter::successors;

use serde_json::Value;

/// One cause, in the cluster's own words; empty where it has none.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Cause<'a> {
    /// The type, as `circuit_breaking_exception`.
    pub(super) kind: &'a str,
    /// The sentence for people.
    pub(super) reason: &'a str,
}

impl<'a> Cause<'a> {
    /// As AWS writes a kind: behind the name of a service, in front of an address.
    pub(super) fn of_kind(written: &'a str) -> Self {
        let kind = written.rsplit('#').next().unwrap_or(written);
        Self {
            kind: kind.split(':').next().unwrap_or(kind),
            reason: "",
        }
    }

    fn of(error: &'a Value) -> Self {
        let text = |keys: &[&str]| keys.iter().find_map(|key| error.get(*key)?.as_str());
        Self {
            kind: Self::of_kind(text(&["type", "__type"]).unwrap_or_default()).kind,
            // Some errors are nothing but their reason.
            reason: text(&["reason", "message", "Message"])
                .or_else(|| error.as_str())
                .unwrap_or_default(),
        }
    }

    pub(super) fn is_unknown(&self) -> bool {
        *self == Self::default()
    }
}

impl fmt::Display for Cause<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.kind, self.reason) {
            ("", "") => f.write_str("for no reason given"),
            (one, "") | ("", one) => f.write_str(one),
            (kind, reason) => write!(f, "{kind}: {reason}"),
        }
    }
}

/// Everything that is said of why: the roots first, then what it is called as a whole, each
/// with what caused it.
pub(super) fn causes(error: &Value) -> Vec<Cause<'_>> {
    let list = |key| error.get(key).and_then(Value::as_array);
    let roots = list("root_cause").into_iter().flatten();
    let shards = list("failed_shards").into_iter().flatten();
    // What a shard failed for lies one level deeper than other reasons do.
    let nested = shards.chain([error]).filter_map(|of| of.get("reason"));
    let all = roots.chain(nested.filter(|reason| reason.is_object()));
    let all = all.chain([error]).flat_map(with_causes);
    all.map(Cause::of)
        .filter(|cause| !cause.is_unknown())
        .collect()
}

fn with_causes(error: &Value) -> impl Iterator<Item = &Value> {
    successors(Some(error), |error| error.get("caused_by"))
}
