//! What is not known, why, and which privilege would change that.

use super::asking::Unknown;
use super::finding::{Finding, Topic::Access};
use super::question::Question;

/// A question without an answer.
pub(super) type Unanswered = (Question, Unknown);

/// Judges all questions without an answer: refusals by what is lacking, others one by one.
pub(super) fn judge(unanswered: &[Unanswered]) -> Vec<Finding> {
    let mut lacking: Vec<(&str, Vec<Question>)> = Vec::new();
    let mut findings = Vec::new();
    for (question, why) in unanswered {
        if *why != Unknown::Refused {
            findings.push(failed(*question, why));
            continue;
        }
        let (privilege, _) = question.privilege();
        match lacking.iter_mut().find(|(other, _)| *other == privilege) {
            Some((_, questions)) => questions.push(*question),
            None => lacking.push((privilege, vec![*question])),
        }
    }
    let refused = lacking.iter().map(|(privilege, of)| refused(privilege, of));
    findings.extend(refused);
    findings
}

fn refused(privilege: &str, questions: &[Question]) -> Finding {
    let tells: Vec<_> = questions.iter().map(|question| question.tells()).collect();
    let permissions: Vec<_> = questions
        .iter()
        .map(|question| question.privilege().1)
        .collect();
    let message = format!(
        "not known: {}; the user may not ask (status 403), grant the {privilege} (in opensearch {})",
        tells.join("; "),
        unique(permissions).join(", ")
    );
    weigh(
        questions.iter().any(|question| question.is_needed()),
        message,
    )
}

fn failed(question: Question, why: &Unknown) -> Finding {
    let message = format!("not known: {}; {}", question.tells(), why.why());
    weigh(question.is_needed(), message)
}

fn weigh(is_needed: bool, message: String) -> Finding {
    match is_needed {
        true => Access.problem(message),
        false => Access.note(message),
    }
}

fn unique(mut names: Vec<&str>) -> Vec<&str> {
    names.sort_unstable();
    names.dedup();
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::finding::Level;
    use crate::doctor::finding::tests::assert_said;

    #[test]
    fn refusals_are_told_by_privilege_and_weigh_what_the_source_needs() {
        let failed = || Unknown::Failed("status 500".to_owned());
        let unanswered = [
            (Question::Stats, Unknown::Refused),
            (Question::Matching, Unknown::Refused),
            (Question::Group, failed()),
            (Question::Sample, Unknown::TooLarge(10)),
            (Question::OpenPit, Unknown::Refused),
        ];
        let expected = [
            (
                Level::Note,
                "how many documents have the same timestamp; status 500",
            ),
            (
                Level::Problem,
                "how large a document is; the answer is larger than 10 bytes",
            ),
            (
                Level::Note,
                "the size on disk; the user may not ask (status 403), grant the index privilege \"monitor\" (in opensearch indices:monitor/stats)",
            ),
            (
                Level::Problem,
                "how many documents match; whether a point in time can be opened; the user may not ask (status 403), grant the index privilege \"read\"",
            ),
        ];
        assert_said(&judge(&unanswered), &expected);
    }
}
