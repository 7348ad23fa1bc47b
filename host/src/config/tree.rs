//! The configuration as a tree in which every value knows where it was set.
//!
//! It is read from TOML, changed by environment variables, and then read by
//! [`super::section`]. It knows no key.

use std::collections::BTreeMap;

use serde_json::{Number, Value as Json};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::{Origin, Report};
use super::position::Lines;

pub(super) type Branches = BTreeMap<String, Node>;

/// A value and where it was set.
pub(super) struct Node {
    pub(super) origin: Origin,
    pub(super) value: Value,
}

pub(super) enum Value {
    Table(Branches),
    List(Vec<Node>),
    /// Text, a number or a boolean; a date is its text.
    Scalar(Json),
}

impl Node {
    pub(super) fn table(origin: Origin) -> Self {
        Self {
            origin,
            value: Value::Table(Branches::new()),
        }
    }

    pub(super) fn branches(&self) -> Option<&Branches> {
        match &self.value {
            Value::Table(branches) => Some(branches),
            Value::List(_) | Value::Scalar(_) => None,
        }
    }

    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        self.branches()?.get(key)
    }

    /// The value alone. A text that an environment variable set is what it means in
    /// JSON, and itself where it means nothing there.
    pub(super) fn to_json(&self) -> Json {
        match (&self.value, &self.origin) {
            (Value::Table(branches), _) => {
                let pairs = branches
                    .iter()
                    .map(|(key, node)| (key.clone(), node.to_json()));
                Json::Object(pairs.collect())
            }
            (Value::List(items), _) => items.iter().map(Self::to_json).collect(),
            (Value::Scalar(Json::String(text)), Origin::Environment(_)) => {
                let meant = serde_json::from_str(text)
                    .ok()
                    .filter(|value: &Json| !value.is_null());
                meant.unwrap_or_else(|| Json::String(text.clone()))
            }
            (Value::Scalar(value), _) => value.clone(),
        }
    }
}

/// Reads TOML; what it refuses goes to the report, and the tree lacks it.
pub(super) fn parse(toml: &str, report: &Report<'_>) -> Node {
    let lines = Lines::of(toml);
    let reading = Reading { lines, report };
    let mut root = Node::table(Origin::Document);
    match DeTable::parse(toml) {
        Ok(table) => root.value = Value::Table(reading.branches(table.get_ref())),
        Err(error) => {
            let position = error.span().map(|span| reading.lines.position(span.start));
            report.at(position, error.message().to_owned());
        }
    }
    root
}

struct Reading<'a> {
    lines: Lines<'a>,
    report: &'a Report<'a>,
}

impl Reading<'_> {
    fn branches(&self, table: &DeTable<'_>) -> Branches {
        let pairs = table.iter().map(|(key, value)| {
            let node = self.node(key.span().start, value);
            (key.get_ref().to_string(), node)
        });
        pairs.collect()
    }

    fn node(&self, key: usize, spanned: &Spanned<DeValue<'_>>) -> Node {
        let origin = Origin::File {
            key: self.lines.position(key),
            value: self.lines.position(spanned.span().start),
        };
        let value = match spanned.get_ref() {
            DeValue::Table(table) => Value::Table(self.branches(table)),
            DeValue::Array(items) => {
                let items = items.iter().map(|item| self.node(item.span().start, item));
                Value::List(items.collect())
            }
            scalar => Value::Scalar(self.scalar(scalar, &origin)),
        };
        Node { origin, value }
    }

    fn scalar(&self, value: &DeValue<'_>, origin: &Origin) -> Json {
        let number = match value {
            DeValue::String(text) => return Json::from(text.as_ref()),
            DeValue::Boolean(flag) => return Json::from(*flag),
            DeValue::Integer(integer) => i128::from_str_radix(integer.as_str(), integer.radix())
                .ok()
                .and_then(Number::from_i128),
            DeValue::Float(float) => float.as_str().parse().ok().and_then(Number::from_f64),
            DeValue::Datetime(date) => return Json::from(date.to_string()),
            DeValue::Array(_) | DeValue::Table(_) => None,
        };
        number.map(Json::Number).unwrap_or_else(|| {
            self.report
                .value(origin, "numbers are finite and fit into 64 bits".to_owned());
            Json::Null
        })
    }
}
