//! What of a document is delivered: its `_source`, filtered or whole, or its `fields`.

use serde_json::{Value, json};

use super::keys::Keys;
use crate::error::Error;

/// The most names and patterns in one list.
const NAMES_MAX: usize = 1_000;

/// What of a document is the payload of its message.
#[derive(Debug, Clone, Default, PartialEq)]
pub enum Content {
    /// `_source`, all of it.
    #[default]
    Document,
    /// What this filter leaves of `_source`.
    Filtered(Value),
    /// The values of these fields, as the cluster reads them, in the place of `_source`.
    Fields(Value),
}

impl Content {
    /// What a search says to get it.
    pub fn wanted(&self) -> Vec<(&'static str, Value)> {
        match self {
            Self::Document => vec![],
            Self::Filtered(filter) => vec![("_source", filter.clone())],
            Self::Fields(fields) => vec![("_source", json!(false)), ("fields", fields.clone())],
        }
    }

    /// The same as one value, to be compared with that of another run.
    pub fn as_json(&self) -> Value {
        let wanted = self.wanted().into_iter();
        Value::Object(wanted.map(|(key, value)| (key.to_owned(), value)).collect())
    }

    /// The key that chooses it.
    pub const fn key(&self) -> &'static str {
        match self {
            Self::Document | Self::Filtered(_) => "_source",
            Self::Fields(_) => "fields",
        }
    }
}

impl Keys {
    pub(super) fn content(&mut self) -> Result<Content, Error> {
        match (self.keys.remove("_source"), self.keys.remove("fields")) {
            (None, None) => Ok(Content::Document),
            (Some(filter), None) => self.filter(filter),
            (None, Some(fields)) => self.fields(fields),
            (Some(_), Some(_)) => Err(self.error(
                "fields",
                "can not stand beside \"_source\", as a message has one payload; leave one of them out",
            )),
        }
    }

    fn filter(&self, filter: Value) -> Result<Content, Error> {
        match &filter {
            Value::Array(names) => self.check_names("_source", names)?,
            Value::Object(lists) if !lists.is_empty() => {
                for (list, names) in lists {
                    let key = format!("_source.{list}");
                    match (list.as_str(), names) {
                        ("includes" | "excludes", Value::Array(names)) => {
                            self.check_names(&key, names)?;
                        }
                        ("includes" | "excludes", _) => return Err(self.error(&key, NAMES)),
                        _ => {
                            return Err(self.error(
                                &key,
                                "is not a known key; known are includes and excludes",
                            ));
                        }
                    }
                }
            }
            other => {
                return Err(self.error(
                    "_source",
                    format!("must be a list of fields such as [\"a\", \"b.*\"], or {{ includes = [..], excludes = [..] }}, not {other}: a message is made of something"),
                ));
            }
        }
        Ok(Content::Filtered(filter))
    }

    fn fields(&self, fields: Value) -> Result<Content, Error> {
        let Value::Array(items) = &fields else {
            return Err(self.error("fields", FIELDS));
        };
        self.check_length("fields", items)?;
        for (at, item) in items.iter().enumerate() {
            if !is_name(item) && !is_field_with_format(item) {
                return Err(self.error(&format!("fields.{at}"), FIELD));
            }
        }
        Ok(Content::Fields(fields))
    }

    fn check_names(&self, key: &str, names: &[Value]) -> Result<(), Error> {
        self.check_length(key, names)?;
        match names.iter().all(is_name) {
            true => Ok(()),
            false => Err(self.error(key, NAMES)),
        }
    }

    fn check_length(&self, key: &str, items: &[Value]) -> Result<(), Error> {
        match items.len() {
            1..=NAMES_MAX => Ok(()),
            length => Err(self.error(
                key,
                format!("must name 1 to {NAMES_MAX} fields, not {length}"),
            )),
        }
    }
}

const NAMES: &str = "must be a list of fields such as [\"a\", \"b.*\"]";
const FIELDS: &str =
    "must be a list of fields such as [\"a\", { field = \"b\", format = \"epoch_millis\" }]";
const FIELD: &str = "must be a field's name, or a table of \"field\" and maybe \"format\"";

fn is_name(value: &Value) -> bool {
    value.as_str().is_some_and(|name| !name.is_empty())
}

fn is_field_with_format(value: &Value) -> bool {
    let known = |(key, value)| matches!(key, "field" | "format") && is_name(value);
    value.as_object().is_some_and(|keys| {
        keys.contains_key("field") && keys.iter().all(|(key, value)| known((key.as_str(), value)))
    })
}
