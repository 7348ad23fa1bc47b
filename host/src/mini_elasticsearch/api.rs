//! The REST interface: from a request to its answer, without any network.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use serde_json::{Value, json};

use super::call::{Call, Endpoint};
use super::cluster::Cluster;
use super::error::ApiError;
use super::fault::Effect;
use super::{Product, document_api, field_caps_api, index_api, pit_api, scroll_api, search_api};

/// What all requests share.
#[derive(Debug)]
pub(super) struct Server {
    pub(super) product: Product,
    /// Which cluster it says it is.
    uuid: String,
    cluster: Mutex<Cluster>,
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Bytes,
}

impl Reply {
    pub(super) fn bytes(status: u16, body: Bytes) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body,
        }
    }

    pub(super) fn json(status: u16, json: &Value) -> Self {
        Self::bytes(status, Bytes::from(json.to_string()))
    }
}

impl From<ApiError> for Reply {
    fn from(error: ApiError) -> Self {
        Self {
            headers: error.headers,
            ..Self::json(error.status, &error.body)
        }
    }
}

impl Server {
    pub(super) fn new(product: Product, uuid: String, cluster: Cluster) -> Self {
        Self {
            product,
            uuid,
            cluster: Mutex::new(cluster),
        }
    }

    pub(super) fn cluster(&self) -> MutexGuard<'_, Cluster> {
        self.cluster.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers a request; `effect` is what a fault does to a search.
    pub(super) fn answer(&self, call: &Call, effect: Option<&Effect>) -> Reply {
        self.dispatch(call, effect).unwrap_or_else(Reply::from)
    }

    fn dispatch(&self, call: &Call, effect: Option<&Effect>) -> Result<Reply, ApiError> {
        let (endpoint, index) = call.endpoint(self.product)?;
        let index = index.as_deref();
        // The endpoints that need an index are only found with one.
        let name = index.unwrap_or_default();
        match endpoint {
            Endpoint::Root => Ok(Reply::json(200, &self.root())),
            Endpoint::Index => index_api::index(self, call, name),
            Endpoint::Search => search_api::search(self, call, index, effect),
            Endpoint::Count => search_api::count(self, call, index, effect),
            Endpoint::Scroll => scroll_api::scroll(self, call, effect),
            Endpoint::AllScrolls => Ok(scroll_api::close_all_scrolls(self)),
            Endpoint::OpenPit => pit_api::open_pit(self, call, index),
            Endpoint::ClosePit => pit_api::close_pit(self, call),
            Endpoint::Bulk => document_api::bulk(self, call, index),
            Endpoint::Refresh => index_api::refresh(self, call, index),
            Endpoint::FieldCaps => field_caps_api::field_caps(self, call, index),
            Endpoint::Mapping => index_api::mapping(self, call, index),
            Endpoint::FieldMapping(field) => index_api::field_mapping(self, call, index, &field),
            Endpoint::Settings(setting) => {
                index_api::settings(self, call, index, setting.as_deref())
            }
            Endpoint::NewDocument => document_api::write(self, call, name, None, false),
            Endpoint::Document(id) if matches!(call.method.as_str(), "GET" | "HEAD") => {
                document_api::get(self, call, name, &id)
            }
            Endpoint::Document(id) => document_api::write(self, call, name, Some(&id), false),
            Endpoint::Create(id) => document_api::write(self, call, name, Some(&id), true),
        }
    }

    /// What `GET /` says; the versions are those that the contract suite is run against.
    fn root(&self) -> Value {
        let version = match self.product {
            Product::Elasticsearch => {
                json!({"number": "8.19.21", "build_flavor": "default", "lucene_version": "9.12.2"})
            }
            Product::OpenSearch => {
                json!({"distribution": "opensearch", "number": "2.19.6", "lucene_version": "9.12.3"})
            }
        };
        let tagline = match self.product {
            Product::Elasticsearch => "You Know, for Search",
            Product::OpenSearch => "The OpenSearch Project: https://opensearch.org/",
        };
        json!({"name": "mini", "cluster_name": "mini", "cluster_uuid": self.uuid, "version": version, "tagline": tagline})
    }
}
