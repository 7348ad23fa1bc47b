//! Whether the indices keep documents, and as they were written: without `_source` there is
//! nothing to deliver.

use serde_json::Value;

use super::finding::{Finding, Topic::Mapping};
use super::mapping::FieldMappings;
use super::settings::Settings;
use super::size::Sample;
use super::words::indices;

/// Judges what the mappings say of `_source` and, where nobody may read them, a few documents.
pub(super) fn judge(
    mappings: Option<&FieldMappings>,
    settings: Option<&Settings>,
    sample: Option<&Sample>,
) -> Vec<Finding> {
    let with = |is_so: &dyn Fn(&Value) -> bool| {
        mappings.map_or_else(Vec::new, |mappings| mappings.source_with(is_so))
    };
    let mut findings = Vec::new();
    let dropped = match mappings {
        Some(_) => with(&|source| source.get("enabled") == Some(&Value::Bool(false))),
        None => sample.map(Sample::not_kept).unwrap_or_default(),
    };
    if !dropped.is_empty() {
        findings.push(Mapping.problem(format!(
            "no documents are kept in {} (\"_source\" is disabled), so there is nothing to deliver: reindex with \"_source\", or leave that out of \"index\"",
            indices(&dropped)
        )));
    }
    let partial = with(&|source| is_listed(source, "includes") || is_listed(source, "excludes"));
    if !partial.is_empty() {
        findings.push(Mapping.note(format!(
            "only a part of each document is kept in {} (\"_source\" has includes or excludes): the rest is not delivered",
            indices(&partial)
        )));
    }
    let mut rebuilt = with(&|source| source.get("mode").is_some_and(|mode| mode == "synthetic"));
    rebuilt.extend(settings.map(Settings::synthetic).unwrap_or_default());
    rebuilt.sort_unstable();
    rebuilt.dedup();
    if !rebuilt.is_empty() {
        findings.push(Mapping.note(format!(
            "documents are rebuilt from their fields in {} (synthetic \"_source\"): what is delivered is not the bytes that were indexed",
            indices(&rebuilt)
        )));
    }
    findings
}

fn is_listed(source: &Value, key: &str) -> bool {
    let list = source.get(key).and_then(Value::as_array);
    list.is_some_and(|list| !list.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;

    #[test]
    fn an_index_without_documents_is_a_problem_and_one_with_parts_is_worth_a_note() {
        let rows = [
            ("{}", None),
            (r#"{"_source":{"includes":[],"excludes":[]}}"#, None),
            (r#"{"_source":{"enabled":true}}"#, None),
            (
                r#"{"_source":{"enabled":false}}"#,
                Some((Level::Problem, "no documents are kept in 1 index (i)")),
            ),
            (
                r#"{"_source":{"excludes":["x"]}}"#,
                Some((Level::Note, "only a part")),
            ),
            (
                r#"{"_source":{"mode":"synthetic"}}"#,
                Some((Level::Note, "rebuilt")),
            ),
        ];
        for (mapping, expected) in rows {
            let json = format!(r#"{{"i":{{"mappings":{{"_source":{{"mapping":{mapping}}}}}}}}}"#);
            let mappings: FieldMappings = serde_json::from_str(&json).unwrap();
            let findings = judge(Some(&mappings), None, None);
            let found = findings
                .first()
                .map(|finding| (finding.level, &finding.message));
            match (found, expected) {
                (None, None) => {}
                (Some((level, message)), Some((expected, part))) => {
                    assert_eq!(level, expected, "{mapping}");
                    assert!(message.contains(part), "{message}");
                }
                (found, _) => panic!("{mapping}: {found:?}"),
            }
        }
        let settings = r#"{"i":{"settings":{"index.mapping.source.mode":"SYNTHETIC"}}}"#;
        let settings: Settings = serde_json::from_str(settings).unwrap();
        assert_eq!(judge(None, Some(&settings), None).len(), 1);
    }

    #[test]
    fn where_mappings_are_not_known_documents_tell() {
        let hits = r#"{"hits":{"hits":[{"_index":"i"},{"_index":"j","_source":{}}]}}"#;
        let sample: Sample = serde_json::from_str(hits).unwrap();
        let findings = judge(None, None, Some(&sample));
        assert!(
            findings[0].message.contains("kept in 1 index (i)"),
            "{findings:?}"
        );
        assert_eq!(
            judge(Some(&FieldMappings::default()), None, Some(&sample)),
            []
        );
    }
}
