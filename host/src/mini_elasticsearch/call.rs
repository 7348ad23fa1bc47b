//! One request, taken apart: what it addresses, and its parameters.

use bytes::Bytes;

use super::Product;
use super::cluster::Expression;
use super::error::{ApiError, Cause};

/// A request to the REST interface.
#[derive(Debug)]
pub(super) struct Call {
    pub(super) method: String,
    /// The path as it was sent, without the query.
    pub(super) path: String,
    pub(super) params: Params,
    pub(super) body: Bytes,
}

/// What a path addresses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Endpoint {
    Root,
    Index,
    Search,
    Count,
    Scroll,
    AllScrolls,
    OpenPit,
    ClosePit,
    Bulk,
    Refresh,
    FieldCaps,
    Mapping,
    FieldMapping(String),
    Settings(Option<String>),
    NewDocument,
    Document(String),
    Create(String),
}

impl Call {
    /// The endpoint, and the index expression before it, where there is one.
    ///
    /// # Errors
    ///
    /// 400 for a path that the product does not know, 405 for a method that the path
    /// does not have, 400 for an unknown parameter.
    pub(super) fn endpoint(
        &self,
        product: Product,
    ) -> Result<(Endpoint, Option<String>), ApiError> {
        let parts: Vec<String> = self
            .path
            .split('/')
            .filter(|part| !part.is_empty())
            .map(decode)
            .collect();
        let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
        let (index, rest) = match parts.split_first() {
            Some((first, rest)) if !first.starts_with('_') || *first == "_all" => {
                (Some((*first).to_owned()), rest)
            }
            _ => (None, parts.as_slice()),
        };
        let unknown = || {
            ApiError::text(
                400,
                format!(
                    "no handler found for uri [{}] and method [{}]",
                    self.path, self.method
                ),
            )
        };
        let endpoint = endpoint(index.is_some(), rest, product).ok_or_else(unknown)?;
        let allowed = endpoint.methods();
        if !allowed.contains(&self.method.as_str()) {
            let allowed = allowed.join(", ");
            let text = format!(
                "Incorrect HTTP method for uri [{}] and method [{}], allowed: [{allowed}]",
                self.path, self.method
            );
            let headers = vec![("allow", allowed.replace(' ', ""))];
            return Err(ApiError {
                headers,
                ..ApiError::text(405, text)
            });
        }
        self.params.only(&self.path, endpoint.params())?;
        Ok((endpoint, index))
    }

    pub(super) fn expression<'a>(&self, index: Option<&'a str>) -> Expression<'a> {
        Expression {
            text: index.unwrap_or_default(),
            ignore_unavailable: self.params.flag("ignore_unavailable", false),
            allow_no_indices: self.params.flag("allow_no_indices", true),
        }
    }
}

fn endpoint(has_index: bool, rest: &[&str], product: Product) -> Option<Endpoint> {
    use Endpoint as E;
    use Product::{Elasticsearch, OpenSearch};
    Some(match (has_index, rest, product) {
        (false, [], _) => E::Root,
        (true, [], _) => E::Index,
        (_, ["_search"], _) => E::Search,
        (_, ["_count"], _) => E::Count,
        (_, ["_bulk"], _) => E::Bulk,
        (_, ["_refresh"], _) => E::Refresh,
        (_, ["_field_caps"], _) => E::FieldCaps,
        (_, ["_mapping"], _) => E::Mapping,
        (_, ["_mapping", "field", field], _) => E::FieldMapping((*field).to_owned()),
        (_, ["_settings"], _) => E::Settings(None),
        (_, ["_settings", name], _) => E::Settings(Some((*name).to_owned())),
        (false, ["_search", "scroll"], _) => E::Scroll,
        (false, ["_search", "scroll", "_all"], _) => E::AllScrolls,
        (true, ["_pit"], Elasticsearch) | (true, ["_search", "point_in_time"], OpenSearch) => {
            E::OpenPit
        }
        (false, ["_pit"], Elasticsearch) | (false, ["_search", "point_in_time"], OpenSearch) => {
            E::ClosePit
        }
        (true, ["_doc"], _) => E::NewDocument,
        (true, ["_doc", id], _) => E::Document((*id).to_owned()),
        (true, ["_create", id], _) => E::Create((*id).to_owned()),
        _ => return None,
    })
}

const WRITE_PARAMS: [&str; 5] = [
    "refresh",
    "routing",
    "op_type",
    "if_seq_no",
    "if_primary_term",
];

/// The same, and what reading takes.
const DOCUMENT_PARAMS: [&str; 6] = [
    "_source",
    "refresh",
    "routing",
    "op_type",
    "if_seq_no",
    "if_primary_term",
];

impl Endpoint {
    fn methods(&self) -> &'static [&'static str] {
        match self {
            Self::Root => &["GET", "HEAD"],
            Self::Index => &["HEAD", "PUT", "DELETE"],
            Self::Search | Self::Count | Self::FieldCaps | Self::Refresh => &["GET", "POST"],
            Self::Scroll => &["GET", "POST", "DELETE"],
            Self::AllScrolls | Self::ClosePit => &["DELETE"],
            Self::OpenPit | Self::NewDocument => &["POST"],
            Self::Bulk | Self::Create(_) => &["POST", "PUT"],
            Self::FieldMapping(_) => &["GET"],
            Self::Mapping | Self::Settings(_) => &["GET", "PUT"],
            Self::Document(_) => &["GET", "HEAD", "POST", "PUT", "DELETE"],
        }
    }

    fn params(&self) -> &'static [&'static str] {
        match self {
            Self::Search => &[
                "allow_partial_search_results",
                "ignore_unavailable",
                "allow_no_indices",
                "expand_wildcards",
                "scroll",
                "max_concurrent_shard_requests",
                "search_type",
                "pre_filter_shard_size",
                "request_cache",
                "preference",
                "routing",
            ],
            Self::Count => &[
                "ignore_unavailable",
                "allow_no_indices",
                "expand_wildcards",
                "preference",
                "routing",
            ],
            Self::Refresh | Self::Index => {
                &["ignore_unavailable", "allow_no_indices", "expand_wildcards"]
            }
            Self::OpenPit => &[
                "keep_alive",
                "ignore_unavailable",
                "allow_no_indices",
                "expand_wildcards",
                "allow_partial_search_results",
                "allow_partial_pit_creation",
                "preference",
                "routing",
            ],
            Self::Scroll => &["scroll", "scroll_id"],
            Self::FieldCaps => &[
                "fields",
                "include_unmapped",
                "ignore_unavailable",
                "allow_no_indices",
                "expand_wildcards",
            ],
            Self::Mapping | Self::FieldMapping(_) | Self::Settings(_) => &[
                "include_defaults",
                "flat_settings",
                "ignore_unavailable",
                "allow_no_indices",
                "expand_wildcards",
            ],
            Self::Bulk | Self::NewDocument | Self::Create(_) => &WRITE_PARAMS,
            Self::Document(_) => &DOCUMENT_PARAMS,
            Self::Root | Self::AllScrolls | Self::ClosePit => &[],
        }
    }
}

/// The parameters of a query.
#[derive(Debug, Default)]
pub(super) struct Params(Vec<(String, String)>);

impl Params {
    pub(super) fn parse(query: &str) -> Self {
        let pairs = query.split('&').filter(|pair| !pair.is_empty());
        Self(
            pairs
                .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
                .map(|(name, value)| (decode(name), decode(value)))
                .collect(),
        )
    }

    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(other, _)| other == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether a flag is set; a name without a value sets it.
    pub(super) fn flag(&self, name: &str, default: bool) -> bool {
        self.get(name).map_or(default, |value| value != "false")
    }

    fn only(&self, path: &str, known: &[&str]) -> Result<(), Cause> {
        let unknown = self
            .0
            .iter()
            .find(|(name, _)| !known.contains(&name.as_str()) && name != "pretty");
        match unknown {
            Some((name, _)) => Err(Cause::argument(format!(
                "request [{path}] contains unrecognized parameter: [{name}]"
            ))),
            None => Ok(()),
        }
    }
}

/// Percent-decodes a part of a path or a query.
fn decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, tail)) = rest.split_first() {
        let hex = tail.split_at_checked(2).filter(|_| *first == b'%');
        let decoded = hex.and_then(|(digits, tail)| {
            Some((
                u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?,
                tail,
            ))
        });
        let (byte, tail) = decoded.unwrap_or((*first, tail));
        bytes.push(byte);
        rest = tail;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
