//! How the timestamp field is mapped, index by index: whether documents can be ordered by it.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::finding::{Finding, Topic::Mapping};
use super::words::{indices, names};

/// The answer to `_field_caps`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct FieldCaps {
    /// The open indices that the expression matches.
    pub(super) indices: Vec<String>,
    fields: BTreeMap<String, BTreeMap<String, Capability>>,
}

#[derive(Debug, Clone, Deserialize)]
struct Capability {
    /// Of the fields that this is about: whether they have doc values.
    aggregatable: bool,
    /// Absent: all.
    indices: Option<Vec<String>>,
    non_aggregatable_indices: Option<Vec<String>>,
}

/// The answer to `_mapping/field/..`, by index.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(transparent)]
pub(super) struct FieldMappings(BTreeMap<String, Fields>);

#[derive(Debug, Clone, Deserialize)]
struct Fields {
    mappings: BTreeMap<String, Field>,
}

#[derive(Debug, Clone, Deserialize)]
struct Field {
    /// By the last part of the field's name; empty where nothing differs from the defaults.
    mapping: BTreeMap<String, Value>,
}

/// How the field orders documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// In milliseconds; `mixed` with indices that hold nanoseconds.
    Millis { mixed: bool },
    /// In nanoseconds.
    Nanos,
    /// Not at all.
    Unsorted,
    /// It is mapped in no index yet.
    Nowhere,
}

impl Order {
    /// Whether documents can be read in it.
    pub(super) fn is_sorted(self) -> bool {
        matches!(self, Self::Millis { .. } | Self::Nanos)
    }
}

impl FieldCaps {
    /// What a source that reads by this field makes of it.
    pub(super) fn order(&self, field: &str) -> Order {
        let types = self.types(field);
        let kinds: Vec<_> = types.iter().map(|(kind, _)| *kind).collect();
        let sortable = types.iter().all(|(_, capability)| capability.aggregatable);
        if !sortable || self.nested(field).is_some() {
            return Order::Unsorted;
        }
        match kinds.as_slice() {
            [] => Order::Nowhere,
            ["date"] => Order::Millis { mixed: false },
            ["date", "date_nanos"] => Order::Millis { mixed: true },
            ["date_nanos"] => Order::Nanos,
            _ => Order::Unsorted,
        }
    }

    /// The indices that do not map the field.
    fn unmapped(&self, field: &str) -> &[String] {
        let types = self.fields.get(field);
        let unmapped = types.and_then(|types| types.get("unmapped"));
        unmapped
            .and_then(|unmapped| unmapped.indices.as_deref())
            .unwrap_or_default()
    }

    fn types(&self, field: &str) -> Vec<(&str, &Capability)> {
        let types = self.fields.get(field).into_iter().flatten();
        types
            .map(|(kind, capability)| (kind.as_str(), capability))
            .filter(|(kind, _)| *kind != "unmapped")
            .collect()
    }

    /// The nested object that the field lies in.
    fn nested(&self, field: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        let (parent, _) =
            fields.find(|(name, types)| *name != field && types.contains_key("nested"))?;
        Some(parent)
    }

    /// The indices of a type, all where the answer names none.
    fn of<'a>(&'a self, capability: &'a Capability) -> &'a [String] {
        capability.indices.as_deref().unwrap_or(&self.indices)
    }

    /// The indices in which a date can not be sorted by.
    fn without_doc_values(&self, field: &str) -> Vec<&String> {
        let types = self.types(field).into_iter();
        let without = types.filter(|(kind, date)| is_date(kind) && !date.aggregatable);
        let of = |(_, date): (_, &'_ Capability)| match &date.non_aggregatable_indices {
            Some(indices) => indices.clone(),
            None => self.of(date).to_vec(),
        };
        let all: Vec<_> = without.flat_map(of).collect();
        self.indices.iter().filter(|i| all.contains(i)).collect()
    }
}

impl FieldMappings {
    /// The indices whose `_source` has this said about it.
    pub(super) fn source_with(&self, is_so: impl Fn(&Value) -> bool) -> Vec<&str> {
        let source =
            |of: &'_ Fields| Some(of.mappings.get("_source")?.mapping.get("_source")?.clone());
        let found = self
            .0
            .iter()
            .filter(|(_, of)| source(of).as_ref().is_some_and(&is_so));
        found.map(|(index, _)| index.as_str()).collect()
    }

    fn format(&self, index: &str, field: &str) -> Option<&str> {
        let mapping = &self.0.get(index)?.mappings.get(field)?.mapping;
        mapping.values().next()?.get("format")?.as_str()
    }
}

/// Judges the field of a source that reads by it; formats are named where they are known.
pub(super) fn judge(
    field: &str,
    caps: &FieldCaps,
    mappings: Option<&FieldMappings>,
) -> Vec<Finding> {
    if let Some(parent) = caps.nested(field) {
        return vec![Mapping.problem(format!(
            "{field} lies in {parent}, which is mapped as nested: documents can not be ordered by it, name another field in \"timestamp_field\""
        ))];
    }
    let mut findings: Vec<_> = caps
        .types(field)
        .into_iter()
        .map(|(kind, capability)| of_type(field, kind, caps.of(capability), mappings))
        .collect();
    let unmapped = caps.unmapped(field);
    if caps.order(field) == Order::Nowhere {
        findings.push(Mapping.note(format!("{field} is mapped in no index")));
    } else if !unmapped.is_empty() {
        findings.push(Mapping.note(format!(
            "{field} is not mapped in {}: documents there are not read",
            indices(unmapped)
        )));
    }
    findings.extend(mixed(field, caps));
    let without = caps.without_doc_values(field);
    if !without.is_empty() {
        findings.push(Mapping.problem(format!(
            "{field} can not be sorted by in {}: map it with doc values (\"doc_values\": true) and reindex, or leave that out of \"index\"",
            indices(&without)
        )));
    }
    findings
}

fn of_type(field: &str, kind: &str, of: &[String], mappings: Option<&FieldMappings>) -> Finding {
    if !is_date(kind) {
        return Mapping.problem(format!(
            "{field} is mapped as {kind} in {}: map it as date or date_nanos and reindex, or name another field in \"timestamp_field\"",
            indices(of)
        ));
    }
    let mut formats: Vec<_> = of
        .iter()
        .filter_map(|index| mappings?.format(index, field))
        .collect();
    formats.sort_unstable();
    formats.dedup();
    let formats = match formats.as_slice() {
        [] => String::new(),
        formats => format!(", as {}", names(formats)),
    };
    Mapping.ok(format!("{field} is {kind} in {}{formats}", indices(of)))
}

fn is_date(kind: &str) -> bool {
    matches!(kind, "date" | "date_nanos")
}

fn mixed(field: &str, caps: &FieldCaps) -> Option<Finding> {
    (caps.order(field) == Order::Millis { mixed: true }).then(|| {
        Mapping.note(format!(
            "{field} is date in some indices and date_nanos in others: documents are ordered by milliseconds, and within one by sequence number"
        ))
    })
}
