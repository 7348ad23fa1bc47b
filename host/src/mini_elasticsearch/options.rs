//! How the server is started, and what it hands back to its owner.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::error::Cause;

/// Whose answers to give.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Product {
    /// As Elasticsearch 8.19 answers.
    #[default]
    Elasticsearch,
    /// As OpenSearch 2.19 answers.
    OpenSearch,
}

/// Who is let in.
#[derive(Clone)]
pub struct Credentials {
    /// The whole `Authorization` header.
    authorization: String,
}

impl Credentials {
    /// A user with a password.
    pub fn basic(username: &str, password: &str) -> Self {
        Self {
            authorization: format!(
                "Basic {}",
                STANDARD.encode(format!("{username}:{password}"))
            ),
        }
    }

    /// An API key in the encoded form.
    pub fn api_key(encoded: &str) -> Self {
        Self {
            authorization: format!("ApiKey {encoded}"),
        }
    }

    /// A bearer token.
    pub fn token(token: &str) -> Self {
        Self {
            authorization: format!("Bearer {token}"),
        }
    }

    pub(super) fn admit(&self, sent: &[u8]) -> bool {
        sent == self.authorization.as_bytes()
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Credentials(..)")
    }
}

/// How to start.
#[derive(Debug, Clone)]
pub struct Options {
    /// Whose answers to give.
    pub product: Product,
    /// Who is let in; everybody when absent.
    pub credentials: Option<Credentials>,
    /// Documents stay invisible to searches until a refresh is asked for. Otherwise
    /// every search sees everything that was written before it.
    pub manual_refresh: bool,
    /// How many of the latest requests are recorded.
    pub recorded_max: usize,
    /// Which cluster it says it is.
    pub cluster_uuid: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            product: Product::default(),
            credentials: None,
            manual_refresh: false,
            recorded_max: 10_000,
            cluster_uuid: "mini".to_owned(),
        }
    }
}

/// Why a document or an index was not accepted, in the words of the real servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(String);

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Refused {}

impl From<Cause> for Refused {
    fn from(cause: Cause) -> Self {
        Self(cause.reason().to_owned())
    }
}

/// What a written document became.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inserted {
    /// The id, made up where none was given.
    pub id: String,
    /// The shard that holds it.
    pub shard: usize,
    /// The sequence number in that shard.
    pub seq_no: i64,
    /// 1 for a new document, one more with every update.
    pub version: u64,
}
