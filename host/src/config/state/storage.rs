//! `storage_type` and `storage_config`: one of three places for states.

use std::path::PathBuf;
use std::time::Duration;

use reqwest::Url;

use crate::config::access::{self, Access};
use crate::config::secret::Secret;
use crate::config::section::Section;
use crate::config::tree::Node;
use crate::config::value::{choice, duration, text};

/// A place for states.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Storage {
    /// `storage_type = "file"`, the default.
    File {
        /// The folder of the files, `./connector_states` by default.
        base_path: PathBuf,
    },
    /// `storage_type = "elasticsearch"`, which is OpenSearch, too.
    Elasticsearch {
        /// The cluster; the source's own by default, and then maybe with credentials that
        /// are not the source's.
        access: Box<Access>,
        /// The index, `connector_states` by default; created where missing.
        index: String,
        /// How long one call may take, 10 ms to 10 minutes; 10 s by default.
        timeout: Duration,
    },
    /// `storage_type = "redis"`
    Redis {
        /// `redis://` or `rediss://`, with user, password and number of the database.
        url: Secret,
        /// The same without user and password.
        address: String,
        /// What the keys begin with, `connector_states:` by default.
        key_prefix: String,
        /// How long one call may take, 10 ms to 10 minutes; 10 s by default.
        timeout: Duration,
    },
}

#[derive(Clone, Copy, PartialEq)]
enum Kind {
    File,
    Elasticsearch,
    Redis,
}

/// The types, and the keys of each.
const KINDS: [(&str, Kind, &[&str]); 3] = [
    ("file", Kind::File, &["base_path"]),
    (
        "elasticsearch",
        Kind::Elasticsearch,
        &[
            "url",
            "cloud_id",
            "username",
            "password",
            "api_key",
            "token",
            "aws",
            "tls",
            "proxy",
            "headers",
            "compatible_with",
            "index",
            "timeout",
        ],
    ),
    ("redis", Kind::Redis, &["url", "key_prefix", "timeout"]),
];

impl Storage {
    /// The `storage_type`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::File { .. } => "file",
            Self::Elasticsearch { .. } => "elasticsearch",
            Self::Redis { .. } => "redis",
        }
    }

    /// The place of a state, for messages and for telling states apart.
    pub(super) fn place(&self, state_id: &str) -> String {
        match self {
            Self::File { base_path } => format!("{}/{state_id}.json", base_path.display()),
            Self::Elasticsearch { access, index, .. } => {
                let url = access.url.as_str().trim_end_matches('/');
                format!("{url}/{index}/_doc/{state_id}")
            }
            Self::Redis {
                address,
                key_prefix,
                ..
            } => format!("{address} {key_prefix}{state_id}"),
        }
    }
}

pub(super) fn read(section: &Section<'_>, cluster: Option<&Access>) -> Option<Storage> {
    let words = KINDS.map(|(word, kind, _)| (word, kind));
    let written = section.section("storage_type").exists();
    let kind = section.optional("storage_type", choice(&words));
    // A storage type that was refused has no keys to judge.
    let kind = if written { kind? } else { Kind::File };
    let config = section.section("storage_config");
    refuse_others(&config, kind);
    match kind {
        Kind::File => {
            let base_path = config.optional("base_path", text);
            let base_path = base_path.unwrap_or_else(|| "./connector_states".to_owned());
            Some(Storage::File {
                base_path: base_path.into(),
            })
        }
        Kind::Elasticsearch => read_elasticsearch(&config, cluster),
        Kind::Redis => read_redis(&config),
    }
}

fn refuse_others(config: &Section<'_>, kind: Kind) {
    let Some((word, _, own)) = KINDS.iter().find(|(_, known, _)| *known == kind) else {
        return;
    };
    for (name, _) in config.children() {
        let belongs_elsewhere = KINDS.iter().any(|(_, _, keys)| keys.contains(&name));
        if belongs_elsewhere && !own.contains(&name) {
            let known = own.join(", ");
            config.refuse(
                name,
                &format!("does not belong to storage_type = \"{word}\", which knows {known}"),
            );
        }
    }
}

fn read_elasticsearch(config: &Section<'_>, cluster: Option<&Access>) -> Option<Storage> {
    let elsewhere = access::HOSTS.iter().any(|key| config.section(key).exists());
    let access = match elsewhere {
        true => access::read(config),
        false => beside_the_source(config, cluster),
    };
    let index = config.optional("index", index_name);
    Some(Storage::Elasticsearch {
        access: Box::new(access?),
        index: index.unwrap_or_else(|| "connector_states".to_owned()),
        timeout: read_timeout(config),
    })
}

/// In the source's cluster, and reached as that is, though maybe by another user.
fn beside_the_source(config: &Section<'_>, cluster: Option<&Access>) -> Option<Access> {
    for key in ["tls", "proxy"].into_iter().chain(access::HEADERS) {
        if config.section(key).exists() {
            config.refuse(
                key,
                "belongs to a url of its own: write one, or leave it out",
            );
        }
    }
    let mut access = cluster?.clone();
    if access::CREDENTIALS
        .iter()
        .any(|key| config.section(key).exists())
    {
        access.credentials = access::read_credentials(config);
    }
    Some(access)
}

fn read_redis(config: &Section<'_>) -> Option<Storage> {
    let url = config.required("url", "url = \"redis://localhost:6379\"", redis_url);
    let key_prefix = config.optional("key_prefix", text);
    let timeout = read_timeout(config);
    let (url, address) = url?;
    Some(Storage::Redis {
        url,
        address,
        key_prefix: key_prefix.unwrap_or_else(|| "connector_states:".to_owned()),
        timeout,
    })
}

fn read_timeout(config: &Section<'_>) -> Duration {
    let ms = Duration::from_millis;
    let timeout = config.optional("timeout", duration(ms(10)..=ms(600_000)));
    timeout.unwrap_or(ms(10_000))
}

/// One plain index, as the rules of Elasticsearch and OpenSearch have it.
fn index_name(node: &Node) -> Result<String, String> {
    let name = text(node)?;
    let plain = |c: char| !c.is_uppercase() && !c.is_whitespace() && !"*,\\/?\"<>|#:".contains(c);
    let begins = !name.starts_with(['-', '_', '+', '.']);
    match name.len() <= 255 && begins && name.chars().all(plain) {
        true => Ok(name),
        false => {
            Err("is the name of one index, in lower case, like \"connector_states\"".to_owned())
        }
    }
}

/// The whole url, and without user and password. The text is not repeated in messages.
fn redis_url(node: &Node) -> Result<(Secret, String), String> {
    let secret = Secret::from_setting(&text(node)?)?;
    let example = "write one like \"redis://user:password@localhost:6379/0\", or \"file:PATH\"";
    let url =
        Url::parse(secret.expose()).map_err(|cause| format!("is no url ({cause}): {example}"))?;
    if !matches!(url.scheme(), "redis" | "rediss") || !url.has_host() {
        return Err(format!(
            "begins with redis:// or rediss:// and a host: {example}"
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err("has a query or a fragment: leave out what begins with ? or #".to_owned());
    }
    let database = url.path().trim_matches('/').to_owned();
    let database = if database.is_empty() { "0" } else { &database };
    if database.parse::<u32>().is_err() {
        return Err(format!("ends in no number of a database: {example}"));
    }
    let (scheme, port) = (url.scheme(), url.port().unwrap_or(6379));
    let host = url.host_str().unwrap_or_default().to_ascii_lowercase();
    let address = format!("{scheme}://{host}:{port}/{database}");
    Ok((secret, address))
}
