//! Everything that is asked of a cluster, in its order: what makes no sense after the
//! answers before it is not asked.

use chrono::{DateTime, Utc};
use serde::de::DeserializeOwned;

use super::access::Unanswered;
use super::asking::{Asked, Asking, Unknown};
use super::documents::{Count, Counted, Span};
use super::group::{LOOKED_THROUGH_MAX, Largest};
use super::limits::ClusterSettings;
use super::mapping::{FieldCaps, FieldMappings, Order};
use super::plan::Plan;
use super::question::Question;
use super::server::Root;
use super::settings::Settings;
use super::size::{Sample, Stats};

/// What the cluster said. What is absent was not asked, or stands in `unanswered`.
#[derive(Debug)]
pub(super) struct Answers {
    pub(super) root: Asked<Root>,
    pub(super) caps: Asked<FieldCaps>,
    pub(super) settings: Option<Settings>,
    pub(super) mappings: Option<FieldMappings>,
    pub(super) counted: Counted,
    pub(super) largest: Option<Largest>,
    pub(super) sample: Option<Sample>,
    pub(super) stats: Option<Stats>,
    pub(super) cluster: Option<ClusterSettings>,
    /// What could be opened and closed, as the source will.
    pub(super) held: Option<Question>,
    pub(super) unanswered: Vec<Unanswered>,
}

impl Answers {
    /// How the field orders documents, where there is one and that is known.
    pub(super) fn order(&self, plan: &Plan) -> Option<Order> {
        Some(self.caps.as_ref().ok()?.order(plan.field()?))
    }
}

/// Asks everything.
///
/// # Errors
/// Why no host answers.
pub(super) async fn ask_all(asking: Asking<'_>, now: DateTime<Utc>) -> Result<Answers, String> {
    let root = asking.ask(Question::Root).await;
    if let Err(Unknown::Unreachable(why)) = root {
        return Err(why);
    }
    let mut unanswered = Vec::new();
    let settings = known(asking, Question::Settings, &mut unanswered).await;
    let caps = asking.ask(Question::FieldCaps).await;
    let mut answers = Answers {
        root,
        caps,
        settings,
        mappings: None,
        counted: Counted::default(),
        largest: None,
        sample: None,
        stats: None,
        cluster: None,
        held: None,
        unanswered,
    };
    match &answers.caps {
        // A closed index that is named by itself shows only here.
        Ok(caps) if caps.indices.is_empty() => {
            let failed = &mut answers.unanswered;
            answers.counted.matching = count(asking, Question::Matching, failed).await;
        }
        Ok(_) => ask_about_indices(asking, now, &mut answers).await,
        // Which is judged by itself; the settings are refused for the same reason.
        Err(Unknown::NotFound(_)) => answers.unanswered.clear(),
        Err(Unknown::NotLetIn) => {
            answers.unanswered = vec![(Question::FieldCaps, Unknown::NotLetIn)]
        }
        Err(why) => answers.unanswered.push((Question::FieldCaps, why.clone())),
    }
    Ok(answers)
}

/// Asks what only makes sense where indices match.
async fn ask_about_indices(asking: Asking<'_>, now: DateTime<Utc>, answers: &mut Answers) {
    let failed = &mut answers.unanswered;
    answers.mappings = known(asking, Question::FieldMappings, failed).await;
    answers.counted.matching = count(asking, Question::Matching, failed).await;
    answers.sample = known(asking, Question::Sample, failed).await;
    answers.stats = known(asking, Question::Stats, failed).await;
    answers.cluster = known(asking, Question::ClusterSettings, failed).await;
    let product = answers.root.as_ref().ok().and_then(Root::product);
    match asking.try_holding(product).await {
        Ok(held) => answers.held = Some(held),
        Err(why) => failed.push(why),
    }
    if let Some(order) = answers.order(asking.plan) {
        ask_about_field(asking, now, order, answers).await;
    }
}

async fn ask_about_field(
    asking: Asking<'_>,
    now: DateTime<Utc>,
    order: Order,
    answers: &mut Answers,
) {
    let (counted, failed) = (&mut answers.counted, &mut answers.unanswered);
    counted.with_field = count(asking, Question::WithField, failed).await;
    if !order.is_sorted() {
        return;
    }
    if order.is_time() {
        counted.later = count(asking, Question::Later(now), failed).await;
        let span: Option<Span> = known(asking, Question::Span, failed).await;
        counted.span = span.map(|span| span.in_ms(order));
    }
    if order == (Order::Millis { mixed: true }) {
        counted.outside_nanos = count(asking, Question::OutsideNanos, failed).await;
    }
    // Ids that only grow have no groups, and texts cost the cluster more than numbers.
    let is_grouped = order != Order::Ids;
    if is_grouped
        && counted
            .with_field
            .is_some_and(|all| all <= LOOKED_THROUGH_MAX)
    {
        answers.largest = known(asking, Question::Group, failed).await;
    }
}

/// The answer, or a note that there is none.
async fn known<T: DeserializeOwned>(
    asking: Asking<'_>,
    question: Question,
    unanswered: &mut Vec<Unanswered>,
) -> Option<T> {
    let asked = asking.ask(question).await;
    asked.map_err(|why| unanswered.push((question, why))).ok()
}

async fn count(
    asking: Asking<'_>,
    question: Question,
    unanswered: &mut Vec<Unanswered>,
) -> Option<u64> {
    let count: Count = known(asking, question, unanswered).await?;
    Some(count.documents())
}
