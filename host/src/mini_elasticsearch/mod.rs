//! An Elasticsearch (or OpenSearch) in this process, as small as the connector and its
//! tests need it.
//!
//! The demo reads from it, the tests use it as the cluster, the benchmark as a source
//! that is never the bottleneck. It answers as the real servers do, kept honest by a
//! contract suite that runs against both; what it does not know it refuses with a 400,
//! never with a default answer. It is no search engine: nothing is scored, nothing is
//! on disk, and it listens on the loopback interface only.
//!
//! From the outside in: `http` takes requests, records them and plays faults; `api`
//! dispatches them to the files named `.._api`; a `cluster` has indices; searches run over a `view`, which never changes and is what a PIT holds.

mod aggregation;
mod answer;
mod api;
mod call;
mod civil;
mod cluster;
mod compile;
mod contexts;
mod date;
mod document;
mod document_api;
mod error;
mod fault;
mod field_caps_api;
mod fields;
mod http;
mod index;
mod index_api;
mod indexing;
mod mapping;
mod matcher;
mod options;
mod order;
mod pit_api;
mod prepare;
mod query;
mod scroll_api;
mod search;
mod search_api;
mod search_request;
mod searcher;
mod settings;
mod sort;
mod sort_value;
mod source_filter;
mod view;

use std::fmt;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde_json::{Value, json};

pub use fault::{Effect, Fault};
pub use http::{Answered, Recorded};
pub use options::{Credentials, Inserted, Options, Product, Refused};

use api::Server;
use cluster::Cluster;
use index::{Action, Write};

/// A running server; it ends, with all connections, when this is dropped.
pub struct MiniElasticsearch {
    url: String,
    node: Arc<http::Node>,
    /// Threads of its own, so that neither a blocked test nor a busy one slows it.
    runtime: Option<tokio::runtime::Runtime>,
}

impl fmt::Debug for MiniElasticsearch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MiniElasticsearch")
            .field("url", &self.url)
            .finish_non_exhaustive()
    }
}

impl Drop for MiniElasticsearch {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl MiniElasticsearch {
    /// Starts on a free port of 127.0.0.1. Works inside a runtime and outside.
    ///
    /// # Errors
    ///
    /// No free port, or no threads.
    pub fn start(options: Options) -> io::Result<Self> {
        let listener = std::net::TcpListener::bind(("127.0.0.1", 0))?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}", listener.local_addr()?);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("mini-elasticsearch")
            .enable_all()
            .build()?;
        let listener = {
            let _inside = runtime.enter();
            tokio::net::TcpListener::from_std(listener)?
        };
        let mut started = Self::without_network(options);
        runtime.spawn(http::serve(listener, Arc::clone(&started.node)));
        started.url = url;
        started.runtime = Some(runtime);
        Ok(started)
    }

    /// One that listens nowhere and is only reached by [`Self::answer`].
    pub fn without_network(options: Options) -> Self {
        let node = http::Node {
            server: Server::new(
                options.product,
                options.cluster_uuid,
                Cluster::new(options.product, options.manual_refresh),
            ),
            credentials: Mutex::new(options.credentials),
            faults: Mutex::default(),
            recorded: Mutex::default(),
            recorded_max: options.recorded_max,
        };
        Self {
            url: "http://127.0.0.1".to_owned(),
            node: Arc::new(node),
            runtime: None,
        }
    }

    /// Answers a request with a JSON body, faults included, without a connection.
    ///
    /// # Errors
    ///
    /// The connection would have been closed, or the request is no HTTP.
    pub async fn answer(&self, method: &str, target: &str, body: Bytes) -> io::Result<Answered> {
        http::answer(Arc::clone(&self.node), method, target, body).await
    }

    /// The address, without a slash at the end.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Creates an index, with the `mappings` of such a request.
    ///
    /// # Errors
    ///
    /// The name is taken or not allowed, or a mapping is not known.
    pub fn create_index(&self, name: &str, shards: usize, mappings: &Value) -> Result<(), Refused> {
        let settings = json!({"number_of_shards": shards, "number_of_replicas": 0});
        self.create_index_with(name, &settings, mappings)
    }

    /// The same with these `settings`.
    ///
    /// # Errors
    ///
    /// Those of [`Self::create_index`], and of settings that this product does not know.
    pub fn create_index_with(
        &self,
        name: &str,
        settings: &Value,
        mappings: &Value,
    ) -> Result<(), Refused> {
        settings::check(self.node.server.product, settings)?;
        let body = json!({"settings": settings, "mappings": mappings});
        Ok(self.node.server.cluster().create_index(name, &body)?)
    }

    /// Writes a document; the same id again is an update with a new sequence number.
    /// The bytes are kept as they are.
    ///
    /// # Errors
    ///
    /// The source is not a JSON object, or does not fit the mapping.
    pub fn insert(
        &self,
        index: &str,
        id: Option<&str>,
        source: impl Into<Bytes>,
    ) -> Result<Inserted, Refused> {
        self.insert_routed(index, id, None, source)
    }

    /// The same, in the shard of a routing value.
    ///
    /// # Errors
    ///
    /// Those of [`Self::insert`].
    pub fn insert_routed(
        &self,
        index: &str,
        id: Option<&str>,
        routing: Option<&str>,
        source: impl Into<Bytes>,
    ) -> Result<Inserted, Refused> {
        let mut cluster = self.node.server.cluster();
        let id = id.map_or_else(|| cluster.new_id(), str::to_owned);
        let index = cluster.index_to_write(index)?;
        let shard = index.shard_of(routing.unwrap_or(&id));
        let write = Write {
            action: Action::Index,
            id: &id,
            routing,
            expected: None,
            source: source.into(),
        };
        let written = index.write(write)?;
        Ok(Inserted {
            shard,
            seq_no: written.seq_no,
            version: written.version,
            id,
        })
    }

    /// Deletes a document and tells whether it was there.
    ///
    /// # Errors
    ///
    /// The index does not exist and cannot be created.
    pub fn delete(&self, index: &str, id: &str) -> Result<bool, Refused> {
        let mut cluster = self.node.server.cluster();
        let write = Write {
            action: Action::Delete,
            id,
            routing: None,
            expected: None,
            source: Bytes::new(),
        };
        let written = cluster.index_to_write(index)?.write(write)?;
        Ok(written.result == "deleted")
    }

    /// Makes everything visible that was written.
    pub fn refresh(&self) {
        for index in self.node.server.cluster().indices.values_mut() {
            index.refresh(None);
        }
    }

    /// Makes visible what was written to one shard of an index: shards refresh at
    /// different moments.
    pub fn refresh_shard(&self, index: &str, shard: usize) {
        if let Some(index) = self.node.server.cluster().indices.get_mut(index) {
            index.refresh(Some(shard));
        }
    }

    /// Whether documents stay invisible until a refresh is asked for, from now on.
    pub fn set_manual_refresh(&self, manual: bool) {
        self.node.server.cluster().manual_refresh = manual;
    }

    /// How many documents an index holds, visible or not; 0 where there is no index.
    pub fn count(&self, index: &str) -> usize {
        self.node
            .server
            .cluster()
            .indices
            .get(index)
            .map_or(0, index::Index::len)
    }

    /// Lets in somebody else from now on; everybody for none.
    pub fn admit(&self, credentials: Option<Credentials>) {
        let admitted = self.node.credentials.lock();
        *admitted.unwrap_or_else(PoisonError::into_inner) = credentials;
    }

    /// Lets something go wrong with requests to come.
    pub fn inject(&self, fault: Fault) {
        self.node
            .faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .inject(fault);
    }

    /// How many requests are still to be hit by faults; a test that injects some should
    /// end with none.
    pub fn pending_faults(&self) -> usize {
        self.node
            .faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pending()
    }

    /// Lets nothing go wrong any more.
    pub fn clear_faults(&self) {
        self.node
            .faults
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// The latest requests, oldest first, at most [`Options::recorded_max`].
    pub fn requests(&self) -> Vec<Recorded> {
        self.node
            .recorded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    /// Forgets the requests so far.
    pub fn clear_requests(&self) {
        self.node
            .recorded
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }

    /// How many points in time are open.
    pub fn open_pits(&self) -> usize {
        self.node.server.cluster().pits.len()
    }

    /// How many scrolls are open.
    pub fn open_scrolls(&self) -> usize {
        self.node.server.cluster().scrolls.len()
    }

    /// Closes all points in time and scrolls, as if their time were over.
    pub fn expire_contexts(&self) {
        let mut cluster = self.node.server.cluster();
        cluster.pits.close_all();
        cluster.scrolls.close_all();
    }
}
