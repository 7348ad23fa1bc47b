//! Which shards are asked, and which fields the cluster computes for the source.

use serde_json::Value;

use super::Config;
use super::keys::Keys;
use crate::error::Error;

/// Servers read 4,096 bytes of a request's first line, where three may stand for one, and
/// the numbers of a slice's shards take 2,000.
const TEXT_MAX: usize = 256;

impl Keys {
    /// The routing values whose shards are asked, with commas between.
    pub(super) fn routing(&mut self) -> Result<Option<String>, Error> {
        self.short_text("routing")
    }

    /// Which copies of the shards are asked. Not which shards: another choice would be of
    /// other documents.
    pub(super) fn preference(&mut self) -> Result<Option<String>, Error> {
        let preference = self.short_text("preference")?;
        if preference
            .as_ref()
            .is_some_and(|text| text.starts_with("_shards"))
        {
            return Err(self.error(
                "preference",
                "must not choose shards, which would leave the documents of others out; choose them by \"routing\"",
            ));
        }
        Ok(preference)
    }

    fn short_text(&mut self, key: &str) -> Result<Option<String>, Error> {
        match self.text(key)? {
            Some(text) if text.len() > TEXT_MAX => {
                Err(self.error(key, format!("must have at most {TEXT_MAX} bytes")))
            }
            text => Ok(text),
        }
    }

    /// Fields that every search defines, by their names.
    pub(super) fn runtime_mappings(&mut self) -> Result<Option<Value>, Error> {
        let Some(mappings) = self.keys.remove("runtime_mappings") else {
            return Ok(None);
        };
        let has_type = |field: &Value| field.get("type").is_some_and(Value::is_string);
        let fields = mappings.as_object();
        match fields.and_then(|fields| fields.iter().find(|(_, field)| !has_type(field))) {
            Some((name, _)) => Err(self.error(
                &format!("runtime_mappings.{name}"),
                "must be a table with a \"type\" such as \"keyword\", and maybe a \"script\"",
            )),
            None if fields.is_none_or(|fields| fields.is_empty()) => Err(self.error(
                "runtime_mappings",
                "must be a table of fields such as { name = { type = \"keyword\" } }",
            )),
            None => Ok(Some(mappings)),
        }
    }
}

impl Config {
    /// A field that the cluster computes would hide the one of the index.
    pub(super) fn check_runtime_mappings(&self) -> Result<(), Error> {
        let mappings = self.runtime_mappings.as_ref();
        let computes = |name: &&str| mappings.is_some_and(|fields| fields.get(*name).is_some());
        match [self.order(), self.tiebreaker()]
            .iter()
            .find(|name| computes(name))
        {
            Some(name) => Err(Error::config(
                format!("runtime_mappings.{name}"),
                "must not be a field that orders the documents, which the index must hold; name it otherwise",
            )),
            None => Ok(()),
        }
    }
}
