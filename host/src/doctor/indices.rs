//! Which indices the expression means now.

use super::asking::{Asked, Unknown};
use super::finding::{Finding, Topic::Indices};
use super::mapping::FieldCaps;
use super::plan::Plan;
use super::settings::Settings;
use super::words::indices;

/// Judges the indices that are found, and those that the settings tell of beside them. Why
/// nothing is known is judged elsewhere, unless it is that the index is missing.
pub(super) fn judge(
    plan: &Plan,
    caps: &Asked<FieldCaps>,
    settings: Option<&Settings>,
) -> Vec<Finding> {
    let index = &plan.index;
    let caps = match caps {
        Ok(caps) => caps,
        Err(Unknown::NotFound(_)) => {
            return vec![Indices.problem(format!(
                "there is no index {index}: check \"index\", or use a pattern such as \"logs-*\" for an index that is yet to come"
            ))];
        }
        Err(_) => return Vec::new(),
    };
    let mut findings = vec![match caps.indices.as_slice() {
        [] => Indices.note(format!(
            "no index matches {index} yet: the source waits for one"
        )),
        found => Indices.ok(format!("{index} is {}", indices(found))),
    }];
    let closed = settings.map_or_else(Vec::new, |settings| settings.beside(&caps.indices));
    if !closed.is_empty() {
        findings.push(Indices.note(format!(
            "closed: {}; nothing of it is read until it is opened, and what lies before the watermark not even then",
            indices(&closed)
        )));
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;
    use crate::doctor::finding::tests::assert_said;
    use crate::doctor::plan::tests::plan;

    fn caps(indices: &str) -> Asked<FieldCaps> {
        Ok(serde_json::from_str(&format!(r#"{{"indices":{indices},"fields":{{}}}}"#)).unwrap())
    }

    #[test]
    fn indices_are_open_closed_or_yet_to_come() {
        let settings: Settings = serde_json::from_str(r#"{"a":{},"b":{}}"#).unwrap();
        let missing = Unknown::NotFound("no such index".to_owned());
        let rows = [
            (
                caps(r#"["a","b"]"#),
                vec![(Level::Ok, "logs-* is 2 indices (a, b)")],
            ),
            (
                caps(r#"["a"]"#),
                vec![(Level::Ok, "(a)"), (Level::Note, "closed: 1 index (b)")],
            ),
            (
                caps("[]"),
                vec![
                    (Level::Note, "waits for one"),
                    (Level::Note, "closed: 2 indices (a, b)"),
                ],
            ),
            (
                Err(missing),
                vec![(Level::Problem, "there is no index logs-*")],
            ),
            (Err(Unknown::Refused), vec![]),
        ];
        for (caps, expected) in rows {
            let findings = judge(&plan(serde_json::json!({})), &caps, Some(&settings));
            assert_said(&findings, &expected);
        }
    }
}
