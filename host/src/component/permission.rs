//! What an import of a component means: a permission, in words, or its refusal.
//!
//! The list is that of [`Sandbox`](crate::sandbox::Sandbox), which links nothing else; a
//! test compares them.

use semver::Version;

/// The world that components are built for.
pub const WORLD: &str = "iggy:connector/source-connector";
/// The version of it that this program offers.
pub const WORLD_VERSION: &str = "0.1.0";
/// The version of WASI whose empty interfaces it offers.
const WASI_VERSION: &str = "0.2.0";

/// What every component may import, and what it can do with it.
const GRANTED: [(&str, &str); 17] = [
    (
        "iggy:connector/http",
        "requests to the configured cluster, as granted",
    ),
    ("iggy:connector/log", "lines in the log"),
    (
        "iggy:connector/publisher",
        "messages to the configured streams",
    ),
    ("iggy:connector/state", "one slot for its state"),
    (
        "wasi:cli/environment",
        "arguments and variables: there are none",
    ),
    (
        "wasi:cli/exit",
        "an end of its own, which ends the instance",
    ),
    ("wasi:cli/stderr", "the message of a panic"),
    ("wasi:cli/stdin", "input: there is none"),
    ("wasi:cli/stdout", "output, which nobody reads"),
    ("wasi:cli/terminal-input", "a terminal: there is none"),
    ("wasi:cli/terminal-output", "a terminal: there is none"),
    ("wasi:cli/terminal-stderr", "a terminal: there is none"),
    ("wasi:cli/terminal-stdin", "a terminal: there is none"),
    ("wasi:cli/terminal-stdout", "a terminal: there is none"),
    ("wasi:io/error", "errors of the streams above"),
    ("wasi:io/poll", "waiting for the streams above"),
    ("wasi:io/streams", "the streams above, and no others"),
];

/// What no component is ever given, and what it has instead.
const NEVER: [(&str, &str); 7] = [
    (
        "wasi:clocks/",
        "a clock, which is never granted: the time comes with each call and answer",
    ),
    (
        "wasi:filesystem/",
        "files, which are never granted: a state belongs into iggy:connector/state",
    ),
    (
        "wasi:http/",
        "requests to anywhere, which are never granted: iggy:connector/http asks the configured cluster",
    ),
    (
        "wasi:keyvalue/",
        "a store, which is never granted: a state belongs into iggy:connector/state",
    ),
    (
        "wasi:messaging/",
        "messages to anywhere, which are never granted: iggy:connector/publisher has the configured streams",
    ),
    (
        "wasi:random/",
        "random numbers, which are never granted: a run must be repeatable",
    ),
    (
        "wasi:sockets/",
        "the network, which is never granted: iggy:connector/http asks the configured cluster",
    ),
];

/// Whether something is imported that a component may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Permission {
    /// It may, for this.
    Granted(&'static str),
    /// It may, but in another version: this one.
    OtherVersion(&'static str),
    /// It may not: this.
    Refused(&'static str),
}

impl Permission {
    /// That of an import, by its name with its version.
    pub fn of(import: &str) -> Self {
        let (name, version) = split(import);
        let granted = GRANTED.iter().find(|(granted, _)| *granted == name);
        let Some((_, words)) = granted else {
            let never = NEVER.iter().find(|(prefix, _)| name.starts_with(prefix));
            return Self::Refused(
                never.map_or("nothing that this program has", |(_, words)| words),
            );
        };
        let offered = match is_ours(import) {
            true => WORLD_VERSION,
            false => WASI_VERSION,
        };
        match version.is_some_and(|version| are_compatible(version, offered)) {
            true => Self::Granted(words),
            false => Self::OtherVersion(offered),
        }
    }
}

/// An interface's name and its version, if it has one.
pub(super) fn split(interface: &str) -> (&str, Option<&str>) {
    match interface.split_once('@') {
        Some((name, version)) => (name, Some(version)),
        None => (interface, None),
    }
}

/// Whether an interface belongs to the world.
pub(super) fn is_ours(interface: &str) -> bool {
    interface.starts_with("iggy:connector/")
}

/// Whether what is built for one version fits the other, as the linker judges: by the first
/// number that is not zero.
pub(super) fn are_compatible(one: &str, other: &str) -> bool {
    let (Ok(one), Ok(other)) = (Version::parse(one), Version::parse(other)) else {
        return false;
    };
    let released = one.pre.is_empty() && other.pre.is_empty();
    let significant = match (one.major, one.minor) {
        (0, 0) => false,
        (0, _) => other.major == 0 && one.minor == other.minor,
        (major, _) => major == other.major,
    };
    one == other || released && significant
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_world_is_that_of_the_interfaces() {
        let wit = include_str!("../../../wit/world.wit");
        let package = format!("package iggy:connector@{WORLD_VERSION};");
        assert!(wit.starts_with(&package));
        let name = WORLD.strip_prefix("iggy:connector/").unwrap();
        assert!(wit.contains(&format!("world {name} {{")));
        let imports = wit
            .lines()
            .filter_map(|line| line.trim().strip_prefix("import "));
        let imports = imports.map(|name| format!("iggy:connector/{}", name.trim_end_matches(';')));
        let granted = GRANTED.iter().map(|(name, _)| *name);
        assert!(imports.eq(granted.filter(|name| is_ours(name))));
    }

    #[test]
    fn versions_fit_by_their_first_number_that_is_not_zero() {
        let rows = [
            ("0.1.0", "0.1.7", true),
            ("0.1.7", "0.1.0", true),
            ("0.1.0", "0.2.0", false),
            ("0.1.0", "1.1.0", false),
            ("1.2.3", "1.9.0", true),
            ("1.0.0", "2.0.0", false),
            ("0.0.1", "0.0.2", false),
            ("0.0.1", "0.0.1", true),
            ("0.1.0-rc.1", "0.1.0", false),
            ("0.1", "0.1.0", false),
        ];
        for (one, other, fit) in rows {
            assert_eq!(are_compatible(one, other), fit, "{one} {other}");
        }
    }

    #[test]
    fn what_is_not_listed_is_refused() {
        let granted = |import| matches!(Permission::of(import), Permission::Granted(_));
        assert!(granted("iggy:connector/http@0.1.3") && granted("wasi:io/poll@0.2.9"));
        for import in [
            "iggy:connector/httpx@0.1.0",
            "iggy:connector/shell@0.1.0",
            "wasi:filesystem/types@0.2.6",
            "wasi:cli/run@0.2.6",
            "some:other/thing@1.0.0",
            "function",
            "",
        ] {
            assert!(
                matches!(Permission::of(import), Permission::Refused(_)),
                "{import}"
            );
        }
        for import in [
            "iggy:connector/http@0.2.0",
            "iggy:connector/http",
            "wasi:io/poll@0.3.0",
        ] {
            assert!(
                matches!(Permission::of(import), Permission::OtherVersion(_)),
                "{import}"
            );
        }
    }
}
