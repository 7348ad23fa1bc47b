//! All that the doctor found about a source: sentences for people, figures for programs.

use serde::Serialize;

use super::answers::Answers;
use super::finding::{Finding, Level, Topic};
use super::limits::ClusterSettings;
use super::plan::{Pagination, Plan};
use super::question::Question;
use super::server::{Product, Root};
use super::settings::Settings;
use super::size::Sample;
use super::verdict::{self, Grounds};
use super::{
    access, documents, group, indices, kept, limits, mapping, server, settings, size, tiebreaker,
};

/// What the doctor found.
#[derive(Debug, Serialize)]
pub struct Examination {
    /// Whether there is no problem.
    pub healthy: bool,
    /// The ways of paging that lose nothing that they promise to read.
    pub safe_pagination: Vec<Pagination>,
    /// What was counted; null is not known.
    pub figures: Figures,
    /// In the order of their topics.
    pub findings: Vec<Finding>,
}

/// What was counted; none is not known.
#[derive(Debug, Default, Serialize)]
pub struct Figures {
    /// Whose server answers.
    pub product: Option<Product>,
    /// Its version.
    pub version: Option<String>,
    /// The open indices that match.
    pub indices: Option<Vec<String>>,
    /// Documents that match.
    pub documents: Option<u64>,
    /// Of these, those without a timestamp.
    pub without_timestamp: Option<u64>,
    /// Of these, those in the future.
    pub in_the_future: Option<u64>,
    /// The oldest timestamp, in milliseconds since the epoch.
    pub oldest_ms: Option<i64>,
    /// The newest timestamp, in milliseconds since the epoch.
    pub newest_ms: Option<i64>,
    /// The most documents with the same timestamp, in milliseconds.
    pub largest_group: Option<u64>,
    /// Whether no group can be larger, as the cluster looked at all of them.
    pub largest_group_is_exact: Option<bool>,
    /// How old a document must be to be read, in milliseconds.
    pub settle_ms: Option<u64>,
    /// The average size of a document, in bytes, estimated.
    pub document_bytes: Option<u64>,
    /// Documents that a first read brings.
    pub first_read_documents: Option<u64>,
    /// Their size in bytes, estimated.
    pub first_read_bytes: Option<u64>,
}

impl Examination {
    /// Of these findings only.
    pub(super) fn of(findings: Vec<Finding>) -> Self {
        Self {
            healthy: is_healthy(&findings),
            safe_pagination: Vec::new(),
            figures: Figures::default(),
            findings,
        }
    }

    /// The same with these findings about the server, after the first one.
    pub(super) fn and_of_server(mut self, more: Vec<Finding>) -> Self {
        self.findings.splice(1..1, more);
        Self {
            healthy: is_healthy(&self.findings),
            ..self
        }
    }

    /// Of what the cluster at these addresses answered.
    pub(super) fn of_answers(plan: &Plan, addresses: &str, answers: &Answers) -> Self {
        let open = open_settings(answers);
        let grounds = Grounds {
            order: answers.order(plan),
            matching: answers.counted.matching,
            window: open.as_ref().and_then(Settings::window),
            sorts_by_id: answers
                .cluster
                .as_ref()
                .and_then(ClusterSettings::sorts_by_id),
        };
        let mut findings = vec![server::judge(&answers.root, addresses)];
        findings.extend(judge_indices(plan, answers, open.as_ref()));
        if is_there(answers) {
            findings.extend(judge_documents(plan, answers));
            findings.extend(open.iter().flat_map(|open| settings::judge(plan, open)));
            findings.extend(answers.cluster.iter().filter_map(limits::judge));
        }
        if let Some(held) = answers.held {
            let what = match held {
                Question::OpenScroll => "scroll",
                _ => "point in time",
            };
            let message = format!("a {what} can be opened, and was closed again");
            findings.push(Topic::Access.ok(message));
        }
        findings.extend(access::judge(&answers.unanswered));
        findings.push(verdict::judge(plan, &grounds));
        Self {
            safe_pagination: verdict::safe(&grounds),
            figures: figures(plan, answers, open.as_ref()),
            ..Self::of(findings)
        }
    }
}

fn is_healthy(findings: &[Finding]) -> bool {
    findings
        .iter()
        .all(|finding| finding.level != Level::Problem)
}

/// Whether there is anything to say of indices.
fn is_there(answers: &Answers) -> bool {
    answers
        .caps
        .as_ref()
        .is_ok_and(|caps| !caps.indices.is_empty())
}

/// The settings of open indices.
fn open_settings(answers: &Answers) -> Option<Settings> {
    let (settings, caps) = (answers.settings.as_ref()?, answers.caps.as_ref().ok()?);
    Some(settings.of(&caps.indices))
}

fn judge_indices(plan: &Plan, answers: &Answers, open: Option<&Settings>) -> Vec<Finding> {
    let mut findings = indices::judge(plan, &answers.caps, answers.settings.as_ref());
    let mappings = answers.mappings.as_ref();
    if is_there(answers)
        && let (Some(field), Ok(caps)) = (plan.field(), &answers.caps)
    {
        findings.extend(mapping::judge(plan, field, caps, mappings));
        let tiebreaker = plan.tiebreaker_field.iter();
        findings.extend(tiebreaker.flat_map(|field| tiebreaker::judge(field, caps)));
    }
    findings.extend(kept::judge(mappings, open, answers.sample.as_ref()));
    findings
}

fn judge_documents(plan: &Plan, answers: &Answers) -> Vec<Finding> {
    let (counted, field) = (&answers.counted, plan.field());
    let order = answers.order(plan);
    let mut findings = documents::judge(field, order, counted);
    let with_field = counted.with_field;
    findings.extend(order.and_then(|order| group::judge(plan, order, with_field, answers.largest)));
    findings.extend(size::judge(
        plan,
        counted,
        answers.sample.as_ref(),
        answers.stats,
    ));
    findings
}

fn figures(plan: &Plan, answers: &Answers, open: Option<&Settings>) -> Figures {
    let (root, counted) = (answers.root.as_ref().ok(), &answers.counted);
    let settle = settings::settle(plan, open);
    let document_bytes = answers.sample.as_ref().and_then(Sample::average);
    let first_read_documents = counted.readable();
    Figures {
        product: root.and_then(Root::product),
        version: root.and_then(Root::version).map(str::to_owned),
        indices: answers.caps.as_ref().ok().map(|caps| caps.indices.clone()),
        documents: counted.matching,
        without_timestamp: counted.without_field(),
        in_the_future: counted.later,
        oldest_ms: counted.span.and_then(|span| span.oldest),
        newest_ms: counted.span.and_then(|span| span.newest),
        largest_group: answers.largest.map(|largest| largest.count),
        largest_group_is_exact: answers.largest.map(|largest| largest.is_exact),
        settle_ms: u64::try_from(settle.as_millis()).ok(),
        document_bytes,
        first_read_documents,
        first_read_bytes: first_read_documents
            .zip(document_bytes)
            .map(|(documents, each)| documents.saturating_mul(each)),
    }
}
