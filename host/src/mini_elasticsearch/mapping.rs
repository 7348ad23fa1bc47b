//! What fields an index has, and how the values of a document are read into them.

use std::collections::HashMap;

use serde_json::{Map, Value, json};

use super::date::Formats;
use super::error::Cause;

/// `index.mapping.total_fields.limit`.
const FIELDS_MAX: usize = 1_000;

/// How a field keeps its values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Date,
    DateNanos,
    Long,
    Float,
    Boolean,
    Keyword,
    Text,
    Object,
}

impl Kind {
    fn of(type_name: &str) -> Option<Self> {
        Some(match type_name {
            "date" => Self::Date,
            "date_nanos" => Self::DateNanos,
            "long" | "integer" | "short" | "byte" => Self::Long,
            "double" | "float" | "half_float" => Self::Float,
            "boolean" => Self::Boolean,
            "keyword" => Self::Keyword,
            "text" => Self::Text,
            "object" => Self::Object,
            _ => return None,
        })
    }

    /// What `numeric_type` can turn into another kind here.
    pub(super) fn is_whole(self) -> bool {
        self.is_date() || self == Self::Long
    }

    pub(super) fn is_date(self) -> bool {
        matches!(self, Self::Date | Self::DateNanos)
    }
}

/// One field; its number is its place in [`Mapping::fields`].
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub(super) path: Box<str>,
    pub(super) type_name: Box<str>,
    pub(super) kind: Kind,
    pub(super) formats: Formats,
    /// Whether it can be sorted by.
    pub(super) doc_values: bool,
    /// Longer texts are not indexed, in characters.
    pub(super) ignore_above: usize,
    /// The numbers of the fields that index the same value in another way.
    pub(super) also: Vec<u16>,
}

/// The fields of an index. Fields are only ever added, so numbers stay valid.
#[derive(Debug, Clone, Default)]
pub(super) struct Mapping {
    pub(super) fields: Vec<Field>,
    by_path: HashMap<Box<str>, u16>,
    /// The `mappings` as `GET _mapping` shows them.
    tree: Map<String, Value>,
    pub(super) dynamic: bool,
}

impl Mapping {
    pub(super) fn from_json(mappings: &Value) -> Result<Self, Cause> {
        let mut mapping = Self {
            dynamic: true,
            ..Self::default()
        };
        mapping.merge(mappings)?;
        Ok(mapping)
    }

    /// Adds the fields of a `mappings` object; existing fields keep their type.
    pub(super) fn merge(&mut self, mappings: &Value) -> Result<(), Cause> {
        for (key, value) in mappings.as_object().into_iter().flatten() {
            match (key.as_str(), value) {
                ("properties", Value::Object(properties)) => self.properties("", properties)?,
                ("dynamic", Value::Bool(dynamic)) => self.dynamic = *dynamic,
                ("dynamic", Value::String(dynamic)) if dynamic == "true" || dynamic == "false" => {
                    self.dynamic = dynamic == "true";
                }
                _ => {
                    let reason = format!(
                        "Root mapping definition has unsupported parameters:  [{key} : {value}]"
                    );
                    return Err(Cause::new(400, "mapper_parsing_exception", reason));
                }
            }
        }
        Ok(())
    }

    pub(super) fn number(&self, path: &str) -> Option<u16> {
        self.by_path.get(path).copied()
    }

    pub(super) fn get(&self, path: &str) -> Option<(u16, &Field)> {
        let number = self.number(path)?;
        Some((number, self.field(number)?))
    }

    pub(super) fn field(&self, number: u16) -> Option<&Field> {
        self.fields.get(usize::from(number))
    }

    /// The mapping as JSON: `{"properties": {..}}`, empty without fields.
    pub(super) fn json(&self) -> Value {
        let mut json = Map::new();
        if !self.dynamic {
            json.insert("dynamic".into(), json!("false"));
        }
        if !self.tree.is_empty() {
            json.insert("properties".into(), Value::Object(self.tree.clone()));
        }
        Value::Object(json)
    }

    /// The definition of one field as JSON.
    pub(super) fn definition(&self, path: &str) -> Option<&Value> {
        let pointer = format!("/{}", path.replace('.', "/properties/"));
        let (first, rest) = pointer
            .trim_start_matches('/')
            .split_once('/')
            .unwrap_or((path, ""));
        let value = self.tree.get(first)?;
        if rest.is_empty() {
            Some(value)
        } else {
            value.pointer(&format!("/{rest}"))
        }
    }

    fn properties(&mut self, parent: &str, properties: &Map<String, Value>) -> Result<(), Cause> {
        for (name, definition) in properties {
            let path = if parent.is_empty() {
                name.clone()
            } else {
                format!("{parent}.{name}")
            };
            self.add(&path, definition)?;
        }
        Ok(())
    }

    /// Adds a field, or an object with its fields, at a dotted path.
    pub(super) fn add(&mut self, path: &str, definition: &Value) -> Result<(), Cause> {
        let properties = definition.get("properties").and_then(Value::as_object);
        let type_name = definition
            .get("type")
            .and_then(Value::as_str)
            .unwrap_or("object");
        let number = self.add_field(path, type_name, definition)?;
        self.remember(path, definition);
        if let Some(properties) = properties {
            self.properties(path, properties)?;
        }
        for (name, definition) in definition
            .get("fields")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
        {
            let type_name = definition
                .get("type")
                .and_then(Value::as_str)
                .unwrap_or_default();
            let also = self.add_field(&format!("{path}.{name}"), type_name, definition)?;
            if let Some(field) = self.fields.get_mut(usize::from(number)) {
                field.also.push(also);
            }
        }
        Ok(())
    }

    fn add_field(&mut self, path: &str, type_name: &str, definition: &Value) -> Result<u16, Cause> {
        let failed = |reason: String| Cause::new(400, "mapper_parsing_exception", reason);
        let kind = Kind::of(type_name).ok_or_else(|| {
            failed(format!(
                "No handler for type [{type_name}] declared on field [{path}]"
            ))
        })?;
        if let Some((number, field)) = self.get(path) {
            let reason = || {
                format!(
                    "mapper [{path}] cannot be changed from type [{}] to [{type_name}]",
                    field.type_name
                )
            };
            return if &*field.type_name == type_name {
                Ok(number)
            } else {
                Err(Cause::argument(reason()))
            };
        }
        let format = definition
            .get("format")
            .and_then(Value::as_str)
            .unwrap_or(Formats::DEFAULT);
        let above = definition
            .get("ignore_above")
            .and_then(Value::as_u64)
            .unwrap_or(u64::MAX);
        let number = u16::try_from(self.fields.len()).unwrap_or(u16::MAX);
        if self.fields.len() >= FIELDS_MAX {
            return Err(Cause::argument(format!(
                "Limit of total fields [{FIELDS_MAX}] has been exceeded"
            )));
        }
        self.fields.push(Field {
            path: path.into(),
            type_name: type_name.into(),
            kind,
            formats: Formats::parse(format).map_err(failed)?,
            doc_values: definition.get("doc_values") != Some(&Value::Bool(false)),
            ignore_above: usize::try_from(above).unwrap_or(usize::MAX),
            also: Vec::new(),
        });
        self.by_path.insert(path.into(), number);
        Ok(number)
    }

    /// Keeps the definition in the tree that `GET _mapping` shows.
    fn remember(&mut self, path: &str, definition: &Value) {
        let mut level = &mut self.tree;
        let mut parts = path.split('.').peekable();
        while let Some(part) = parts.next() {
            let entry = level.entry(part).or_insert_with(|| json!({}));
            if parts.peek().is_none() {
                if entry.as_object().is_none_or(Map::is_empty) {
                    *entry = definition.clone();
                }
                return;
            }
            let Some(fields) = entry.as_object_mut() else {
                return;
            };
            let below = fields.entry("properties").or_insert_with(|| json!({}));
            let Some(below) = below.as_object_mut() else {
                return;
            };
            level = below;
        }
    }
}
