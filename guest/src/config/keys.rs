//! Raw keys, taken one by one; what is left at the end is unknown.

use serde_json::{Map, Value};

use super::date_math::{find_now, has_wrapper};
use super::{Start, TRACKABLE};
use crate::cluster::shards::Slice;
use crate::error::Error;
use crate::paging::Pagination;
use crate::time::Unit;

/// The keys of one table that were not taken yet.
pub(super) struct Keys {
    pub(super) prefix: &'static str,
    pub(super) keys: Map<String, Value>,
}

impl Keys {
    pub(super) fn error(&self, key: &str, message: impl Into<String>) -> Error {
        Error::config(format!("{}{key}", self.prefix), message)
    }

    pub(super) fn table(&mut self, key: &str) -> Result<Self, Error> {
        match self.keys.remove(key) {
            None => Ok(Self {
                prefix: "state.",
                keys: Map::new(),
            }),
            Some(Value::Object(keys)) => Ok(Self {
                prefix: "state.",
                keys,
            }),
            Some(_) => Err(self.error(key, "must be a table")),
        }
    }

    pub(super) fn text(&mut self, key: &str) -> Result<Option<String>, Error> {
        match self.keys.remove(key) {
            None => Ok(None),
            Some(Value::String(text)) if !text.is_empty() || key == "id_namespace" => {
                Ok(Some(text))
            }
            Some(_) => Err(self.error(key, "must be a text that is not empty")),
        }
    }

    pub(super) fn number(
        &mut self,
        key: &str,
        least: u64,
        most: u64,
    ) -> Result<Option<u64>, Error> {
        let Some(value) = self.keys.remove(key) else {
            return Ok(None);
        };
        match value.as_u64() {
            Some(number) if (least..=most).contains(&number) => Ok(Some(number)),
            _ => Err(self.error(
                key,
                format!("must be a whole number from {least} to {most}, not {value}"),
            )),
        }
    }

    /// A duration in milliseconds.
    pub(super) fn duration(&mut self, key: &str) -> Result<Option<u64>, Error> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        match parse_duration(&text) {
            Some(millis) => Ok(Some(millis)),
            None => Err(self.error(
                key,
                format!(
                    "must be a duration such as \"500ms\", \"30s\", \"5m\" or \"1h\", not {text:?}"
                ),
            )),
        }
    }

    /// A size in bytes.
    pub(super) fn bytes(&mut self, key: &str) -> Result<Option<u64>, Error> {
        let Some(text) = self.text(key)? else {
            return Ok(None);
        };
        match parse_bytes(&text) {
            Some(bytes @ 1..) => Ok(Some(bytes)),
            _ => Err(self.error(
                key,
                format!("must be a size such as \"512KiB\" or \"16MiB\", not {text:?}"),
            )),
        }
    }

    pub(super) fn start(&mut self) -> Result<Option<Start>, Error> {
        let Some(text) = self.text("start")? else {
            return Ok(None);
        };
        match (text.as_str(), text.parse()) {
            ("now", _) => Ok(Some(Start::Now)),
            (_, Ok(date)) => Ok(Some(Start::At(date))),
            (_, Err(cause)) => Err(self.error(
                "start",
                format!(
                    "must be \"now\" or a date such as \"2026-01-31T08:00:00Z\", not {text:?}: {cause}"
                ),
            )),
        }
    }

    pub(super) fn slice(&mut self) -> Result<Slice, Error> {
        let Some(text) = self.text("slice")? else {
            return Ok(Slice::WHOLE);
        };
        Slice::parse(&text).ok_or_else(|| {
            self.error(
                "slice",
                format!("must be a number from 0 and how many there are, 2 to 64, such as \"0/3\", not {text:?}"),
            )
        })
    }

    pub(super) fn timestamp_unit(&mut self) -> Result<Option<Unit>, Error> {
        let Some(text) = self.text("timestamp_unit")? else {
            return Ok(None);
        };
        match text.as_str() {
            "s" => Ok(Some(Unit::NumberS)),
            "ms" => Ok(Some(Unit::NumberMs)),
            "us" => Ok(Some(Unit::NumberUs)),
            "ns" => Ok(Some(Unit::NumberNs)),
            "sequence" => Ok(Some(Unit::Number)),
            other => Err(self.error(
                "timestamp_unit",
                format!("must be \"s\", \"ms\", \"us\" or \"ns\", what one step of the number is, or \"sequence\" if it only grows, not {other:?}"),
            )),
        }
    }

    pub(super) fn pagination(&mut self) -> Result<Pagination, Error> {
        match self.text("pagination")?.as_deref() {
            None | Some("timestamp") => Ok(Pagination::Timestamp),
            Some("document_id") => Ok(Pagination::DocumentId),
            Some("scroll") => Ok(Pagination::Scroll),
            Some("offset") => Ok(Pagination::Offset),
            Some(other) => Err(self.error(
                "pagination",
                format!(
                    "must be \"timestamp\", \"document_id\", \"scroll\" or \"offset\", not {other:?}"
                ),
            )),
        }
    }

    pub(super) fn query(&mut self) -> Result<Value, Error> {
        let query = self
            .keys
            .remove("query")
            .unwrap_or_else(|| serde_json::json!({"match_all": {}}));
        if !query.is_object() {
            return Err(self.error(
                "query",
                "must be an object of the query language, such as {\"match_all\": {}}",
            ));
        }
        if has_wrapper(&query) {
            return Err(self.error(
                "query",
                "must not have a \"wrapper\", as nobody sees what stands in it: write the query itself",
            ));
        }
        match find_now(&query) {
            Some(text) => Err(self.error("query", format!("must not contain {text:?}: \"now\" changes from page to page; write the date, or leave the limit to \"settle\""))),
            None => Ok(query),
        }
    }

    pub(super) fn tracked_fields(&mut self) -> Result<Option<Vec<String>>, Error> {
        let Some(value) = self.keys.remove("tracked_fields") else {
            return Ok(None);
        };
        let fields: Vec<String> = serde_json::from_value(value)
            .map_err(|_| self.error("tracked_fields", "must be a list of field names"))?;
        match fields
            .iter()
            .find(|field| !TRACKABLE.contains(&field.as_str()))
        {
            Some(unknown) => Err(self.error(
                "tracked_fields",
                format!(
                    "names the unknown field {unknown:?}; known are {}",
                    TRACKABLE.join(", ")
                ),
            )),
            None => Ok(Some(fields)),
        }
    }

    pub(super) fn finish(&self) -> Result<(), Error> {
        match self.keys.keys().next() {
            Some(unknown) => Err(self.error(
                unknown,
                format!("is not a known key; known are {}", known(self.prefix)),
            )),
            None => Ok(()),
        }
    }
}

fn known(prefix: &str) -> &'static str {
    match prefix {
        "" => {
            "index, timestamp_field, id_field, timestamp_unit, tiebreaker_field, start, query, runtime_mappings, routing, preference, _source, fields, batch_size, batch_bytes, slice, slices, pagination, scroll_timeout, settle, overlap, edge_max, id_namespace, state, and the host's own: url, cloud_id, username, password, api_key, token, aws, tls, proxy, headers, compatible_with, polling_interval, timeout, max_response_bytes"
        }
        _ => {
            "auto_save_interval, tracked_fields, unsaved_max, and the host's own: enabled, storage_type, storage_config, state_id, lease_time, on_conflict"
        }
    }
}

/// "100B", "512KiB", "16MiB", "1GiB" in bytes.
fn parse_bytes(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit = match unit.trim() {
        "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit)
}

/// "5ms", "30s", "5m", "1h", "1d" in milliseconds.
pub(super) fn parse_duration(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let (number, unit) = text.split_at(digits);
    let unit_ms = match unit.trim() {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return None,
    };
    number.parse::<u64>().ok()?.checked_mul(unit_ms)
}
