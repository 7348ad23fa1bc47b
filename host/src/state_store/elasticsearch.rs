//! States in an index of Elasticsearch or OpenSearch: one document each, its `_id` the name.
//!
//! The document is the state itself, as it would stand in a file; a cluster gives it back
//! byte for byte. The revision is the document's sequence number and primary term. The
//! index maps nothing, so that no state can be too deep or too wide for it.

mod answer;
mod broken;
mod mapping;

use bytes::Bytes;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use reqwest::{Method, Url};
use serde_json::{Value, json};

use super::{
    LISTED_MAX, Listed, Records, StoreError, Stored, check_id, check_size, check_stored, too_many,
};
use crate::cluster::{Request, Response, Transport};
use answer::{Document, Found, Written, failed, parse, unreachable};

/// The records of an index.
pub struct ElasticsearchRecords {
    cluster: Box<dyn Transport>,
    address: Url,
    index: String,
}

impl ElasticsearchRecords {
    /// Takes the index, which is created if need be. The address, without credentials, is
    /// for messages.
    ///
    /// # Errors
    /// [`StoreError::Unavailable`] if the cluster does not answer, and
    /// [`StoreError::Invalid`] if this user may not have such an index there, or the index
    /// that is there maps fields.
    pub async fn open(
        cluster: Box<dyn Transport>,
        address: Url,
        index: &str,
    ) -> Result<Self, StoreError> {
        let records = Self {
            cluster,
            address,
            index: index.to_owned(),
        };
        records.create_index().await?;
        records.check_mapping().await?;
        Ok(records)
    }

    /// What the user may not ask stays unknown, and is said.
    async fn check_mapping(&self) -> Result<(), StoreError> {
        let place = format!("index {} at {}", self.index, self.address);
        let path = format!("/{}/_mapping", self.index);
        let answer = self.send(&place, Method::GET, path, None).await?;
        match answer.status {
            200 => mapping::check(&place, &answer.body),
            403 => {
                tracing::info!(
                    place,
                    "whether the index maps fields is unknown without the privilege view_index_metadata; see that its mapping is {{\"dynamic\": \"false\"}}"
                );
                Ok(())
            }
            _ => Err(failed(&place, &answer)),
        }
    }

    /// Asks first, as whoever may write documents need not be allowed to create indices.
    async fn create_index(&self) -> Result<(), StoreError> {
        let place = format!("index {} at {}", self.index, self.address);
        let read = self.path("_doc", "any");
        let answer = self.send(&place, Method::GET, read, None).await?;
        match answer.status {
            200 => return Ok(()),
            404 if !is(&answer, "index_not_found_exception") => return Ok(()),
            404 => {}
            _ => return Err(failed(&place, &answer)),
        }
        let settings = json!({"number_of_shards": 1, "auto_expand_replicas": "0-1"});
        let body = json!({"settings": settings, "mappings": {"dynamic": false}}).to_string();
        let path = format!("/{}", self.index);
        let created = self.send(&place, Method::PUT, path, Some(body.into()));
        match created.await? {
            created if created.status == 200 => Ok(()),
            // Somebody was faster.
            refused if is(&refused, "resource_already_exists_exception") => Ok(()),
            refused => Err(failed(&place, &refused)),
        }
    }

    async fn send(
        &self,
        place: &str,
        method: Method,
        path: String,
        body: Option<Bytes>,
    ) -> Result<Response, StoreError> {
        let headers = vec![("content-type".to_owned(), "application/json".to_owned())];
        let request = Request {
            method,
            path,
            headers: if body.is_some() { headers } else { Vec::new() },
            body: body.map(Vec::from),
        };
        let sent = self.cluster.send(request).await;
        sent.map_err(|error| unreachable(place, error))
    }

    /// `/INDEX/ENDPOINT/NAME`, encoded.
    fn path(&self, endpoint: &str, name: &str) -> String {
        let mut url = self.address.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.clear().extend([&self.index, endpoint, name]);
        }
        url.path().to_owned()
    }

    async fn read(&self, name: &str) -> Result<Option<Stored>, StoreError> {
        let place = self.describe(name);
        let path = self.path("_doc", name);
        let answer = self.send(&place, Method::GET, path, None).await?;
        match answer.status {
            200 => {}
            404 if !is(&answer, "index_not_found_exception") => return Ok(None),
            _ => return Err(failed(&place, &answer)),
        }
        let document: Document<'_> = parse(&place, &answer.body)?;
        let Some(source) = document.source else {
            return Err(StoreError::corrupt(&place, "it has no _source"));
        };
        let revision = document.place.revision();
        check_stored(
            &place,
            answer.body.slice_ref(source.get().as_bytes()),
            revision,
        )
        .map(Some)
    }

    async fn write(
        &self,
        name: &str,
        bytes: Bytes,
        expected: Option<&str>,
    ) -> Result<String, StoreError> {
        let place = self.describe(name);
        check_size(&place, &bytes)?;
        let path = match expected {
            None => self.path("_create", name),
            Some(revision) => self.conditional(name, revision)?,
        };
        let answer = self.send(&place, Method::PUT, path, Some(bytes)).await?;
        match answer.status {
            200 | 201 => Ok(parse::<Written>(&place, &answer.body)?.revision()),
            409 => Err(self.conflict(name, expected).await),
            _ => Err(failed(&place, &answer)),
        }
    }

    async fn delete(&self, name: &str, expected: &str) -> Result<(), StoreError> {
        let (place, path) = (self.describe(name), self.conditional(name, expected)?);
        let answer = self.send(&place, Method::DELETE, path, None).await?;
        match answer.status {
            200 => Ok(()),
            404 | 409 => Err(self.conflict(name, Some(expected)).await),
            _ => Err(failed(&place, &answer)),
        }
    }

    fn conditional(&self, name: &str, revision: &str) -> Result<String, StoreError> {
        let path = self.path("_doc", name);
        let Some((seq_no, term)) = Written::parse(revision) else {
            // Another store's, or nobody's.
            let place = self.describe(name);
            return Err(StoreError::conflict(
                &place,
                Some("another"),
                Some(revision),
            ));
        };
        Ok(format!("{path}?if_seq_no={seq_no}&if_primary_term={term}"))
    }

    async fn conflict(&self, name: &str, expected: Option<&str>) -> StoreError {
        let stored = self.read(name).await.ok().flatten();
        let stored = stored.as_ref().map(|stored| stored.revision.as_str());
        StoreError::conflict(&self.describe(name), stored, expected)
    }

    /// A search sees what was there at the last refresh.
    async fn states(&self) -> Result<Vec<Listed>, StoreError> {
        let place = format!("index {} at {}", self.index, self.address);
        let refresh = format!("/{}/_refresh", self.index);
        let refreshed = self.send(&place, Method::POST, refresh, None).await?;
        if refreshed.status != 200 {
            return Err(failed(&place, &refreshed));
        }
        let body = json!({"size": LISTED_MAX, "_source": false, "track_total_hits": true});
        let search = format!("/{}/_search?allow_partial_search_results=false", self.index);
        let found = self.send(&place, Method::POST, search, Some(body.to_string().into()));
        let found = found.await?;
        if found.status != 200 {
            return Err(failed(&place, &found));
        }
        let found: Found = parse(&place, &found.body)?;
        if found.total() > LISTED_MAX as u64 {
            return Err(too_many(&place));
        }
        let mut names: Vec<_> = found.into_ids().collect();
        names.retain(|name| check_id(name).is_ok());
        names.sort();
        let listed = names.into_iter().map(|name| Listed {
            name,
            bytes: None,
            changed: None,
        });
        Ok(listed.collect())
    }
}

/// Whether the first cause of an error has this type.
fn is(answer: &Response, kind: &str) -> bool {
    let body: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    body.pointer("/error/type").and_then(Value::as_str) == Some(kind)
}

impl Records for ElasticsearchRecords {
    fn load<'a>(&'a self, name: &'a str) -> BoxFuture<'a, Result<Option<Stored>, StoreError>> {
        self.read(name).boxed()
    }

    fn save<'a>(
        &'a self,
        name: &'a str,
        bytes: Bytes,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<String, StoreError>> {
        self.write(name, bytes, expected).boxed()
    }

    fn remove<'a>(
        &'a self,
        name: &'a str,
        expected: &'a str,
    ) -> BoxFuture<'a, Result<(), StoreError>> {
        self.delete(name, expected).boxed()
    }

    fn set_aside<'a>(
        &'a self,
        name: &'a str,
        expected: Option<&'a str>,
    ) -> BoxFuture<'a, Result<Option<String>, StoreError>> {
        self.move_aside(name, expected).boxed()
    }

    fn list(&self) -> BoxFuture<'_, Result<Vec<Listed>, StoreError>> {
        self.states().boxed()
    }

    fn describe(&self, name: &str) -> String {
        let Self { address, index, .. } = self;
        format!("document {name} of index {index} at {address}")
    }
}
