//! What `_field_caps` says of a field: its types, and what it can do where.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::error::Error;

/// The answer to `_field_caps`.
#[derive(Deserialize)]
pub struct FieldCaps {
    fields: BTreeMap<String, BTreeMap<String, Capability>>,
}

/// What a field of one type can do.
#[derive(Deserialize)]
pub struct Capability {
    /// Whether all that map it as this have doc values.
    #[serde(default = "yes")]
    aggregatable: bool,
    /// Absent: all that map the field.
    #[serde(default)]
    indices: Vec<String>,
    /// Absent: all of these, or none.
    #[serde(default)]
    non_aggregatable_indices: Vec<String>,
}

/// The types of a field, where it is mapped.
pub type Types<'a> = Vec<(&'a str, &'a Capability)>;

/// Why a field is of no use, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaw {
    /// How it is, after its name.
    pub how: String,
    /// What somebody could do.
    pub remedy: &'static str,
}

impl FieldCaps {
    /// Reads the answer.
    ///
    /// # Errors
    /// Transient, if it is none.
    pub fn parse(body: &[u8]) -> Result<Self, Error> {
        serde_json::from_slice(body).map_err(|e| {
            Error::transient(format!(
                "the cluster's answer to _field_caps can not be read: {e}"
            ))
        })
    }

    /// How a field is mapped; nothing where it is not.
    ///
    /// # Errors
    /// It lies in a nested object, whose fields order no documents.
    pub fn types(&self, field: &str) -> Result<Types<'_>, Flaw> {
        let parents = self.fields.iter().filter(|(name, _)| lies_in(field, name));
        let mut nested = parents.filter(|(_, types)| types.contains_key("nested"));
        if let Some((parent, _)) = nested.next() {
            return Err(Flaw {
                how: format!("lies in {parent:?}, which is mapped as nested"),
                remedy: "keep it outside of nested objects",
            });
        }
        let types = self.fields.get(field).into_iter().flatten();
        let types = types.filter(|(kind, _)| *kind != "unmapped");
        Ok(types.map(|(kind, can)| (kind.as_str(), can)).collect())
    }
}

/// That documents can be sorted by a field, wherever it is mapped.
///
/// # Errors
/// It has no doc values somewhere.
pub fn check_sortable(types: &Types<'_>) -> Result<(), Flaw> {
    match types.iter().find(|(_, can)| !can.aggregatable) {
        None => Ok(()),
        Some((_, can)) => Err(Flaw {
            how: format!("can not be sorted by{}", among(can.without())),
            remedy: "map it with \"doc_values\": true and reindex",
        }),
    }
}

impl Capability {
    /// Where a field is mapped like this, after a word.
    pub fn among(&self) -> String {
        among(&self.indices)
    }

    fn without(&self) -> &[String] {
        match self.non_aggregatable_indices.as_slice() {
            [] => &self.indices,
            without => without,
        }
    }
}

/// Whether a field is part of an object.
fn lies_in(field: &str, parent: &str) -> bool {
    let rest = field.strip_prefix(parent);
    rest.is_some_and(|rest| rest.starts_with('.'))
}

/// The first of these indices, if there are any; a pattern may match thousands.
fn among(indices: &[String]) -> String {
    const NAMED_MAX: usize = 5;
    let first: Vec<_> = indices.iter().take(NAMED_MAX).map(String::as_str).collect();
    match (first.as_slice(), indices.len().saturating_sub(NAMED_MAX)) {
        ([], _) => String::new(),
        (first, 0) => format!(" in {}", first.join(", ")),
        (first, more) => format!(" in {} and {more} more", first.join(", ")),
    }
}

const fn yes() -> bool {
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_object_that_the_field_lies_in_matters() {
        let nested = r#"{"nested":{"aggregatable":false}}"#;
        for (parent, refused) in [("o", true), ("other", false), ("o.", false)] {
            let body = format!(r#"{{"fields":{{"{parent}":{nested},"o.n":{{"long":{{}}}}}}}}"#);
            let caps = FieldCaps::parse(body.as_bytes()).unwrap();
            let types = caps.types("o.n").map(|types| types.len());
            match refused {
                false => assert_eq!(types, Ok(1), "{parent}"),
                true => {
                    let how = types.unwrap_err().how;
                    assert_eq!(how, "lies in \"o\", which is mapped as nested");
                }
            }
        }
    }

    #[test]
    fn many_indices_are_not_all_named() {
        let indices: Vec<_> = (0..7).map(|n| format!("i{n}")).collect();
        assert_eq!(among(&indices), " in i0, i1, i2, i3, i4 and 2 more");
        assert_eq!(among(&indices[..2]), " in i0, i1");
    }
}
