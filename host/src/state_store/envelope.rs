//! The document around a state: `{id, last_updated, version, data, metadata}`.
//!
//! `data` belongs to the component and passes through byte by byte. What else is in a
//! document, from a newer version or a person, is kept. It says nothing about places.

use std::collections::BTreeMap;

use anyhow::{Context, anyhow};
use bytes::Bytes;
use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::Url;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::{RawValue, to_raw_value};

use super::{Slice, StoreError};

type Fields = BTreeMap<String, Box<RawValue>>;

/// The kind of connector that every document names.
const CONNECTOR_TYPE: &str = "elasticsearch_source";

/// Whose state it is.
#[derive(Debug, Clone)]
pub struct Owner {
    /// The state's name.
    pub state_id: String,
    /// The source's number among those of its configuration, from 1.
    pub connector_id: u32,
    /// The index expression that it reads.
    pub index: String,
    /// Which slice of it.
    pub slice: Slice,
    /// The cluster; credentials in it are left out.
    pub url: Url,
}

/// A document, opened.
#[derive(Debug)]
pub struct Envelope {
    id: String,
    version: u32,
    last_updated: Option<String>,
    data: Box<RawValue>,
    metadata: Fields,
    unknown: Fields,
}

/// A document as it is written, its fields in this order.
#[derive(Serialize)]
struct Document<'a> {
    id: &'a str,
    last_updated: String,
    version: u32,
    data: &'a RawValue,
    metadata: Fields,
    #[serde(flatten)]
    unknown: Option<&'a Fields>,
}

impl Envelope {
    /// Opens what a store loaded. `newest` is the newest version that is understood,
    /// `place` the store's [`describe`](super::StateStore::describe).
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if it is no such document, or that of another state;
    /// [`StoreError::Invalid`] if its version is newer.
    pub fn unwrap(
        bytes: &[u8],
        state_id: &str,
        newest: u32,
        place: &str,
    ) -> Result<Self, StoreError> {
        let envelope = Self::of(bytes, state_id, place)?;
        if envelope.version > newest {
            return Err(StoreError::Invalid(anyhow!(
                "{place} has version {}, and this component understands versions up to {newest}: run the newer component that wrote it, or restore an older backup",
                envelope.version
            )));
        }
        Ok(envelope)
    }

    /// The same for who only looks at it: of any version.
    ///
    /// # Errors
    /// [`StoreError::Corrupt`] if it is no such document, or that of another state.
    pub fn of(bytes: &[u8], state_id: &str, place: &str) -> Result<Self, StoreError> {
        let read = Self::read(bytes).and_then(|envelope| {
            let id = &envelope.id;
            anyhow::ensure!(id == state_id, "its id is {id:?} and not {state_id:?}");
            Ok(envelope)
        });
        read.map_err(|cause| StoreError::corrupt(place, format!("{cause:#}")))
    }

    /// Opens a document of any name and version.
    ///
    /// # Errors
    /// Why it is none, without a place.
    pub fn read(bytes: &[u8]) -> anyhow::Result<Self> {
        let mut fields: Fields =
            serde_json::from_slice(bytes).context("it is no complete json object")?;
        let id: String = take(&mut fields, "id")?.context("it has no \"id\"")?;
        let version: u32 = take(&mut fields, "version")?.context("it has no \"version\"")?;
        anyhow::ensure!(version > 0, "its version is 0");
        let data = fields.remove("data").context("it has no \"data\"")?;
        anyhow::ensure!(
            data.get().starts_with('{'),
            "its \"data\" is no json object"
        );
        let last_updated = take(&mut fields, "last_updated")?;
        // Null is as good as none.
        let metadata: Option<Option<Fields>> = take(&mut fields, "metadata")?;
        Ok(Self {
            id,
            version,
            last_updated,
            data,
            metadata: metadata.flatten().unwrap_or_default(),
            unknown: fields,
        })
    }

    /// The name of the state.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The version of the data's format, from 1.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// When it was saved, as the document says it; documents by hand may not.
    pub fn last_updated(&self) -> Option<&str> {
        self.last_updated.as_deref()
    }

    /// The component's data, the bytes as they stand in the document.
    pub fn data(&self) -> &[u8] {
        self.data.get().as_bytes()
    }

    /// A text in the metadata, like `index` or `url`.
    pub fn metadata(&self, key: &str) -> Option<String> {
        let value = self.metadata.get(key)?;
        serde_json::from_str(value.get()).ok()
    }
}

fn take<T: DeserializeOwned>(fields: &mut Fields, name: &str) -> anyhow::Result<Option<T>> {
    let value = fields.remove(name);
    let read = value
        .map(|value| serde_json::from_str(value.get()))
        .transpose();
    read.with_context(|| format!("its {name:?} is unreadable"))
}

/// Puts data of some version into a document that keeps what else was in the previous
/// one.
///
/// # Errors
/// [`StoreError::Invalid`] if the data is no JSON object.
pub fn wrap(
    owner: &Owner,
    data: &[u8],
    version: u32,
    previous: Option<&Envelope>,
    now: DateTime<Utc>,
) -> Result<Bytes, StoreError> {
    let document = || -> anyhow::Result<Vec<u8>> {
        let data: &RawValue = serde_json::from_slice(data)?;
        anyhow::ensure!(data.get().starts_with('{'), "it is no json object");
        let document = Document {
            id: &owner.state_id,
            last_updated: now.to_rfc3339_opts(SecondsFormat::Secs, true),
            version,
            data,
            metadata: metadata(owner, previous)?,
            unknown: previous.map(|previous| &previous.unknown),
        };
        Ok(serde_json::to_vec_pretty(&document)?)
    };
    let state_id = &owner.state_id;
    let refused = |cause: anyhow::Error| {
        cause.context(format!(
            "the data of state {state_id:?} can not be saved: this is a defect of the component"
        ))
    };
    document()
        .map(Bytes::from)
        .map_err(|cause| StoreError::Invalid(refused(cause)))
}

fn metadata(owner: &Owner, previous: Option<&Envelope>) -> anyhow::Result<Fields> {
    let mut fields = previous
        .map(|previous| previous.metadata.clone())
        .unwrap_or_default();
    let known = [
        ("connector_type", to_raw_value(CONNECTOR_TYPE)?),
        ("connector_id", to_raw_value(&owner.connector_id)?),
        ("index", to_raw_value(&owner.index)?),
        ("url", to_raw_value(&public(&owner.url))?),
    ];
    fields.extend(known.map(|(name, value)| (name.to_owned(), value)));
    fields.remove("slice");
    if owner.slice.is_part() {
        fields.insert("slice".to_owned(), to_raw_value(&owner.slice.to_string())?);
    }
    Ok(fields)
}

/// A url as documents have it: without credentials and the `/` that stands for no path.
pub(crate) fn public(url: &Url) -> String {
    let mut url = url.clone();
    // Both fail only for urls that have no host, and so no credentials either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.as_str().trim_end_matches('/').to_owned()
}

#[cfg(test)]
pub(crate) mod tests;
