//! The tables and keys that the host knows, and the refusal of all others.
//!
//! It says nothing about values. The source's `config` and `config.state` are open:
//! what the host does not know in them belongs to the component, which refuses what it
//! does not know in turn.

use super::error::Report;
use super::suggestion::nearest;
use super::tree::{Node, Value};

/// What a table may hold.
pub(super) struct Table {
    /// Keys with a value.
    pub(super) keys: &'static [&'static str],
    /// Keys with tables.
    pub(super) tables: &'static [(&'static str, Shape)],
    /// Whether the component has keys here as well.
    pub(super) open: bool,
}

/// How tables stand under a key.
pub(super) enum Shape {
    /// One table.
    One(&'static Table),
    /// A table of tables, whose names the user chooses.
    Named(&'static Table),
    /// A list of tables.
    List(&'static Table),
}

impl Table {
    const fn of(keys: &'static [&'static str]) -> Self {
        Self {
            keys,
            tables: &[],
            open: false,
        }
    }

    /// All names that the host knows here.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        let tables = self.tables.iter().map(|(name, _)| *name);
        self.keys.iter().copied().chain(tables)
    }

    pub(super) fn shape(&self, name: &str) -> Option<&'static Shape> {
        let mut tables = self.tables.iter();
        tables
            .find(|(known, _)| *known == name)
            .map(|(_, shape)| shape)
    }
}

/// The whole file.
pub(super) static ROOT: Table = Table {
    keys: &[],
    tables: &[
        (
            "cache",
            Shape::One(&Table::of(&["enabled", "path", "max_size"])),
        ),
        (
            "http",
            Shape::One(&Table::of(&["enabled", "address", "api_key"])),
        ),
        ("iggy", Shape::One(&IGGY)),
        ("logging", Shape::One(&Table::of(&["format", "level"]))),
        ("output", Shape::One(&Table::of(&["type", "path"]))),
        ("sources", Shape::Named(&SOURCE)),
    ],
    open: false,
};

static IGGY: Table = Table {
    keys: &[
        "address",
        "username",
        "password",
        "token",
        "timeout",
        "publish_quiet",
        "max_message_size",
    ],
    tables: &[(
        "tls",
        Shape::One(&Table::of(&["enabled", "ca_file", "domain"])),
    )],
    open: false,
};

/// `[sources.NAME]`
pub(super) static SOURCE: Table = Table {
    keys: &["enabled", "name", "path", "sha256", "delivery"],
    tables: &[
        ("streams", Shape::List(&STREAM)),
        ("dead_letter", Shape::One(&Table::of(&["stream", "topic"]))),
        ("config", Shape::One(&CONFIG)),
        (
            "registry",
            Shape::One(&Table::of(&["username", "password", "plain_http"])),
        ),
        ("grants", Shape::One(&Table::of(&["reading", "http"]))),
        ("limits", Shape::One(&LIMITS)),
    ],
    open: false,
};

static STREAM: Table = Table::of(&[
    "stream",
    "topic",
    "schema",
    "batch_length",
    "linger_time",
    "metadata",
    "partitioning",
    "partitions",
    "durability",
]);

static LIMITS: Table = Table::of(&[
    "memory",
    "poll_pages",
    "poll_time",
    "guest_time",
    "call_time",
    "table_elements",
    "call_bytes",
    "handles",
    "requests",
    "held_bytes",
    "messages",
    "log_lines",
]);

/// `[sources.NAME.config]`
pub(super) static CONFIG: Table = Table {
    keys: &[
        "url",
        "cloud_id",
        "index",
        "slice",
        "username",
        "password",
        "api_key",
        "token",
        "proxy",
        "headers",
        "compatible_with",
        "polling_interval",
        "timeout",
        "max_response_bytes",
    ],
    tables: &[
        ("aws", Shape::One(&AWS)),
        ("tls", Shape::One(&TLS)),
        ("state", Shape::One(&STATE)),
    ],
    open: true,
};

/// `aws` beside the `url` of a cluster.
static AWS: Table = Table::of(&[
    "region",
    "service",
    "access_key_id",
    "secret_access_key",
    "session_token",
]);

/// `tls` beside the `url` of a cluster.
static TLS: Table = Table::of(&[
    "ca_file",
    "certificate_file",
    "key_file",
    "danger_accept_invalid_certs",
]);

/// `state` in `[sources.NAME.config]`
pub(super) static STATE: Table = Table {
    keys: &[
        "enabled",
        "storage_type",
        "state_id",
        "lease_time",
        "on_conflict",
    ],
    tables: &[("storage_config", Shape::One(&STORAGE))],
    open: true,
};

/// What all storage types know together; [`super::state`] refuses what is another's.
static STORAGE: Table = Table {
    keys: &[
        "base_path",
        "url",
        "cloud_id",
        "username",
        "password",
        "api_key",
        "token",
        "proxy",
        "headers",
        "compatible_with",
        "index",
        "key_prefix",
        "timeout",
    ],
    tables: &[("aws", Shape::One(&AWS)), ("tls", Shape::One(&TLS))],
    open: false,
};

/// What is called like this, or nearly, is never passed on to the component.
const CREDENTIALS: [&str; 5] = ["api_key", "password", "secret", "token", "username"];

/// Reports what the host's tables hold and should not.
pub(super) fn check(root: &Node, report: &Report<'_>) {
    check_table("", root, &ROOT, report);
}

fn check_table(path: &str, node: &Node, table: &Table, report: &Report<'_>) {
    let Value::Table(branches) = &node.value else {
        let name = if path.is_empty() { "the file" } else { path };
        return report.value(
            &node.origin,
            format!("{name} is a table: write [{path}] or {{ .. }}"),
        );
    };
    for (key, child) in branches {
        match table.shape(key) {
            Some(shape) => check_shape(&below(path, key), child, shape, report),
            None if table.keys.contains(&key.as_str()) => {}
            None if table.open && nearest(key, CREDENTIALS).is_none() => {}
            None => report.key(&child.origin, unknown(path, key, table)),
        }
    }
}

fn check_shape(path: &str, node: &Node, shape: &Shape, report: &Report<'_>) {
    match (shape, &node.value) {
        (Shape::One(table), _) => check_table(path, node, table, report),
        (Shape::Named(table), Value::Table(branches)) => {
            for (name, child) in branches {
                check_table(&below(path, name), child, table, report);
            }
        }
        (Shape::List(table), Value::List(items)) => {
            for (index, child) in items.iter().enumerate() {
                check_table(&below(path, &index.to_string()), child, table, report);
            }
        }
        (Shape::Named(_), _) => report.value(
            &node.origin,
            format!("{path} is a table: write [{path}.NAME]"),
        ),
        (Shape::List(_), _) => report.value(
            &node.origin,
            format!("{path} is a list of tables: write [[{path}]]"),
        ),
    }
}

fn below(path: &str, key: &str) -> String {
    let separator = if path.is_empty() { "" } else { "." };
    format!("{path}{separator}{key}")
}

fn unknown(path: &str, key: &str, table: &Table) -> String {
    let place = match path {
        "" => "the file".to_owned(),
        path => format!("[{path}]"),
    };
    let meant = nearest(key, table.names()).map(|name| format!("; did you mean \"{name}\"?"));
    let names: Vec<_> = table.names().collect();
    let known = names.join(", ");
    format!(
        "unknown key \"{key}\" in {place}{}; known keys: {known}",
        meant.unwrap_or_default()
    )
}
