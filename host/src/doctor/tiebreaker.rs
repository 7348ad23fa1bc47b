//! How the field is mapped that tells documents of one timestamp apart in the place of
//! sequence numbers.

use super::field::is_whole;
use super::finding::{Finding, Topic::Mapping};
use super::mapping::FieldCaps;
use super::words::indices;

/// Judges it, where it is configured.
pub(super) fn judge(field: &str, caps: &FieldCaps) -> Vec<Finding> {
    if let Some(parent) = caps.nested(field) {
        return vec![Mapping.problem(format!(
            "{field} lies in {parent}, which is mapped as nested: it can not tell documents of one timestamp apart, name another field in \"tiebreaker_field\""
        ))];
    }
    let is_number = |kind: &str| kind == "_seq_no" || is_whole(kind);
    let types = caps.types(field);
    let mut findings: Vec<_> = types
        .iter()
        .map(|(kind, capability)| {
            let of = indices(caps.of(capability));
            match is_number(kind) {
                true => Mapping.ok(format!("{field}, which tells documents of one timestamp apart, is {kind} in {of}")),
                false => Mapping.problem(format!(
                    "{field} is mapped as {kind} in {of}, and only whole numbers tell documents of one timestamp apart: map it as long, integer, short or byte and reindex, or name another field in \"tiebreaker_field\""
                )),
            }
        })
        .collect();
    let without = caps.without_doc_values(field, is_number);
    if !without.is_empty() {
        findings.push(Mapping.problem(format!(
            "{field} can not be sorted by in {}: map it with doc values (\"doc_values\": true) and reindex, or name another field in \"tiebreaker_field\"",
            indices(&without)
        )));
    }
    let unmapped = caps.unmapped(field);
    if types.is_empty() {
        findings.push(Mapping.problem(format!(
            "{field}, which is to tell documents of one timestamp apart, is mapped in no index: check \"tiebreaker_field\", or map it as long; as long as there are no documents, the source waits for that"
        )));
    } else if !unmapped.is_empty() {
        findings.push(Mapping.note(format!(
            "{field} is not mapped in {}: more than 10,000 documents of one timestamp that lack it can not be told apart, and stop the source",
            indices(unmapped)
        )));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;
    use crate::doctor::finding::tests::assert_said;

    #[test]
    fn whole_numbers_with_doc_values_tell_documents_apart() {
        let of = |kind: &str, more: &str| format!(r#""{kind}":{{"aggregatable":{more}}}"#);
        let some = |kind: &str, index: &str| of(kind, &format!(r#"true,"indices":["{index}"]"#));
        let nested = of("nested", "false");
        let rows = [
            (
                format!(r#"{{"o.n":{{{}}}}}"#, of("long", "true")),
                vec![(Level::Ok, "is long in 2 indices (a, b)")],
            ),
            (
                format!(
                    r#"{{"o.n":{{{},{}}}}}"#,
                    some("byte", "a"),
                    some("long", "b")
                ),
                vec![
                    (Level::Ok, "byte in 1 index (a)"),
                    (Level::Ok, "long in 1 index (b)"),
                ],
            ),
            (
                format!(
                    r#"{{"o.n":{{{},{}}}}}"#,
                    some("keyword", "a"),
                    some("long", "b")
                ),
                vec![
                    (
                        Level::Problem,
                        "mapped as keyword in 1 index (a), and only whole numbers",
                    ),
                    (Level::Ok, "long in 1 index (b)"),
                ],
            ),
            (
                format!(
                    r#"{{"o.n":{{{}}}}}"#,
                    of("long", r#"false,"non_aggregatable_indices":["b"]"#)
                ),
                vec![
                    (Level::Ok, "long"),
                    (Level::Problem, "can not be sorted by in 1 index (b)"),
                ],
            ),
            (
                format!(r#"{{"o":{{{nested}}},"o.n":{{{}}}}}"#, of("long", "true")),
                vec![(Level::Problem, "lies in o")],
            ),
            (
                format!(
                    r#"{{"other":{{{nested}}},"o.n":{{{}}}}}"#,
                    of("long", "true")
                ),
                vec![(Level::Ok, "long")],
            ),
            (
                format!(
                    r#"{{"o.n":{{{},"unmapped":{{"aggregatable":false,"indices":["b"]}}}}}}"#,
                    some("long", "a")
                ),
                vec![
                    (Level::Ok, "long"),
                    (Level::Note, "not mapped in 1 index (b)"),
                ],
            ),
            (
                "{}".to_owned(),
                vec![(Level::Problem, "mapped in no index")],
            ),
        ];
        for (fields, expected) in rows {
            let caps = format!(r#"{{"indices":["a","b"],"fields":{fields}}}"#);
            let caps: FieldCaps = serde_json::from_str(&caps).unwrap();
            assert_said(&judge("o.n", &caps), &expected);
        }
    }
}
