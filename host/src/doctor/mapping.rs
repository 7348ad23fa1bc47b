//! How the field is mapped that documents are read by, index by index: whether documents can be ordered by it.

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

use super::field::{Field, Step, Values};
use super::finding::{Finding, Topic::Mapping};
use super::plan::Plan;
use super::words::{indices, names};

/// The answer to `_field_caps`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct FieldCaps {
    /// The open indices that the expression matches.
    pub(super) indices: Vec<String>,
    fields: BTreeMap<String, BTreeMap<String, Capability>>,
}

#[derive(Debug, Clone, Deserialize)]
pub(super) struct Capability {
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
    mappings: BTreeMap<String, Mapped>,
}

#[derive(Debug, Clone, Deserialize)]
struct Mapped {
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
    /// By whole numbers that are times.
    Times(Step),
    /// By whole numbers that only grow.
    Sequence,
    /// By texts that only grow.
    Ids,
    /// Not at all.
    Unsorted,
    /// It is mapped in no index yet.
    Nowhere,
}

impl Order {
    /// Whether documents can be read in it.
    pub(super) fn is_sorted(self) -> bool {
        !matches!(self, Self::Unsorted | Self::Nowhere)
    }

    /// Whether it is that of time.
    pub(super) fn is_time(self) -> bool {
        matches!(self, Self::Millis { .. } | Self::Nanos | Self::Times(_))
    }

    /// A value as an aggregation names it, in milliseconds since 1970; dates are so already.
    pub(super) fn to_ms(self, value: i64) -> i64 {
        match self {
            Self::Times(step) => step.to_ms(value),
            _ => value,
        }
    }
}

impl FieldCaps {
    /// What a source that reads by this field makes of it.
    pub(super) fn order(&self, field: Field<'_>) -> Order {
        let types = self.types(field.name);
        let kinds: Vec<_> = types.iter().map(|(kind, _)| *kind).collect();
        let sortable = types.iter().all(|(_, capability)| capability.aggregatable);
        let fit = kinds.iter().all(|kind| field.values.fit(kind));
        match (kinds.as_slice(), field.values) {
            _ if !sortable || self.nested(field.name).is_some() => Order::Unsorted,
            ([], _) => Order::Nowhere,
            _ if !fit => Order::Unsorted,
            (["date_nanos"], Values::Dates) => Order::Nanos,
            (kinds, Values::Dates) => Order::Millis {
                mixed: kinds.len() > 1,
            },
            (_, Values::Times(step)) => Order::Times(step),
            (_, Values::Sequence) => Order::Sequence,
            (_, Values::Ids) => Order::Ids,
        }
    }

    /// The indices that do not map the field.
    pub(super) fn unmapped(&self, field: &str) -> &[String] {
        let types = self.fields.get(field);
        let unmapped = types.and_then(|types| types.get("unmapped"));
        unmapped
            .and_then(|unmapped| unmapped.indices.as_deref())
            .unwrap_or_default()
    }

    /// The types that it is mapped as, and what fields of each can do.
    pub(super) fn types(&self, field: &str) -> Vec<(&str, &Capability)> {
        let types = self.fields.get(field).into_iter().flatten();
        types
            .map(|(kind, capability)| (kind.as_str(), capability))
            .filter(|(kind, _)| *kind != "unmapped")
            .collect()
    }

    /// The nested object that the field lies in.
    pub(super) fn nested(&self, field: &str) -> Option<&str> {
        let lies_in = |name: &str| field.starts_with(&format!("{name}."));
        let mut fields = self.fields.iter();
        let (parent, _) =
            fields.find(|(name, types)| lies_in(name) && types.contains_key("nested"))?;
        Some(parent)
    }

    /// The indices of a type, all where the answer names none.
    pub(super) fn of<'a>(&'a self, capability: &'a Capability) -> &'a [String] {
        capability.indices.as_deref().unwrap_or(&self.indices)
    }

    /// The indices in which a field of a type that fits can not be sorted by.
    pub(super) fn without_doc_values(
        &self,
        field: &str,
        fits: impl Fn(&str) -> bool,
    ) -> Vec<&String> {
        let types = self.types(field).into_iter();
        let without = types.filter(|(kind, capable)| fits(kind) && !capable.aggregatable);
        let of = |(_, capable): (_, &'_ Capability)| match &capable.non_aggregatable_indices {
            Some(indices) => indices.clone(),
            None => self.of(capable).to_vec(),
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
    plan: &Plan,
    field: Field<'_>,
    caps: &FieldCaps,
    mappings: Option<&FieldMappings>,
) -> Vec<Finding> {
    let (field, by) = (field.name, field);
    if let Some(parent) = caps.nested(field) {
        return vec![Mapping.problem(format!(
            "{field} lies in {parent}, which is mapped as nested: documents can not be ordered by it, name another field in \"{}\"",
            by.key
        ))];
    }
    let mut findings: Vec<_> = caps
        .types(field)
        .into_iter()
        .map(|(kind, capability)| of_type(by, kind, caps.of(capability), mappings))
        .collect();
    let unmapped = caps.unmapped(field);
    if caps.order(by) == Order::Nowhere {
        findings.push(Mapping.note(format!("{field} is mapped in no index")));
    } else if !unmapped.is_empty() {
        findings.push(Mapping.note(format!(
            "{field} is not mapped in {}: documents there are not read",
            indices(unmapped)
        )));
    }
    findings.extend(mixed(plan, by, caps));
    let without = caps.without_doc_values(field, |kind| by.values.fit(kind));
    if !without.is_empty() {
        findings.push(Mapping.problem(format!(
            "{field} can not be sorted by in {}: map it with doc values (\"doc_values\": true) and reindex, or leave that out of \"index\"",
            indices(&without)
        )));
    }
    findings
}

fn of_type(by: Field<'_>, kind: &str, of: &[String], mappings: Option<&FieldMappings>) -> Finding {
    let field = by.name;
    if !by.values.fit(kind) {
        return Mapping.problem(format!(
            "{field} is mapped as {kind} in {}: {}, or name another field in \"{}\"",
            indices(of),
            by.values.remedy(kind),
            by.key
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

fn mixed(plan: &Plan, by: Field<'_>, caps: &FieldCaps) -> Option<Finding> {
    let then = plan.tiebreaker_field.as_deref();
    (caps.order(by) == Order::Millis { mixed: true }).then(|| {
        Mapping.note(format!(
            "{} is date in some indices and date_nanos in others: documents are ordered by milliseconds, and within one by {}",
            by.name,
            then.unwrap_or("sequence number")
        ))
    })
}
