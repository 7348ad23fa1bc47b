//! The largest group of documents with the same timestamp, against what the edge remembers.

use serde::Deserialize;

use super::finding::{Finding, Topic};
use super::mapping::Order;
use super::plan::{Pagination, Plan};
use super::words::{date, documents};

/// Among more documents nobody looks for groups: every distinct timestamp costs the
/// cluster memory.
pub(super) const LOOKED_THROUGH_MAX: u64 = 10_000_000;
/// The largest `edge_max` that can be configured.
const EDGE_MAX: u64 = 1 << 20;
/// The largest page: fewer documents can have one place in the order.
const PAGE_MAX: u64 = 10_000;

/// The largest group, as the shards know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(from = "Found")]
pub(super) struct Largest {
    pub(super) count: u64,
    /// Whether none is larger: shards report only their own largest groups, and the cluster
    /// knows no more where these are not all.
    pub(super) is_exact: bool,
    /// Dates in milliseconds, to which the cluster rounds; 0 without documents.
    at: i64,
}

#[derive(Deserialize)]
struct Found {
    aggregations: Aggregations,
}

#[derive(Deserialize)]
struct Aggregations {
    group: Terms,
}

#[derive(Deserialize)]
struct Terms {
    doc_count_error_upper_bound: i64,
    buckets: Vec<Bucket>,
}

#[derive(Deserialize)]
struct Bucket {
    key: i64,
    documents: Documents,
}

#[derive(Deserialize)]
struct Documents {
    value: u64,
}

impl From<Found> for Largest {
    fn from(Found { aggregations }: Found) -> Self {
        let Terms {
            doc_count_error_upper_bound: error,
            buckets,
        } = aggregations.group;
        let largest = buckets.first();
        Self {
            count: largest.map_or(0, |bucket| bucket.documents.value),
            // Else -1, as the groups are ordered by another count.
            is_exact: error == 0,
            at: largest.map_or(0, |bucket| bucket.key),
        }
    }
}

/// Judges the largest group among this many documents, of a source that reads in this order.
pub(super) fn judge(
    plan: &Plan,
    order: Order,
    with_field: Option<u64>,
    largest: Option<Largest>,
) -> Option<Finding> {
    let has_groups = order.is_sorted() && order != Order::Ids;
    if let Some(too_many) = with_field.filter(|all| has_groups && *all > LOOKED_THROUGH_MAX) {
        return Some(not_looked_for(too_many));
    }
    let largest = largest?;
    let finding = against_edge(plan, order, largest)?;
    match &plan.tiebreaker_field {
        // A scroll reads any number of them.
        Some(field) if largest.count >= PAGE_MAX && plan.pagination != Pagination::Scroll => Some(Topic::Group.note(format!(
            "{}. Fewer than {PAGE_MAX} of them may have the same {field:?} (\"tiebreaker_field\"), or lack it, which is not looked for here",
            finding.message
        ))),
        _ => Some(finding),
    }
}

fn against_edge(plan: &Plan, order: Order, largest: Largest) -> Option<Finding> {
    let (most, edge_max) = (largest.count, plan.edge_max);
    let group = described(order, largest)?;
    if most <= edge_max {
        let pages = if most > plan.batch_size {
            ", in several pages"
        } else {
            ""
        };
        return Some(Topic::Group.ok(format!(
            "{group}; the edge remembers {edge_max}{pages} (\"edge_max\")"
        )));
    }
    Some(Topic::Group.note(match order {
        Order::Nanos => format!(
            "{group}, more than the edge remembers, {edge_max}; if more than that share a nanosecond, which the cluster does not say, raise \"edge_max\""
        ),
        _ if most <= EDGE_MAX => format!(
            "{group}, more than the edge remembers, {edge_max}: they are delivered once, but the source stops if more of them come later; set \"edge_max\" to {most} or more"
        ),
        _ => format!(
            "{group}, more than an edge can remember, {EDGE_MAX}: they are delivered once, but the source stops if more of them come later; give them timestamps that differ"
        ),
    }))
}

fn described(order: Order, largest: Largest) -> Option<String> {
    let Largest {
        count,
        is_exact,
        at,
    } = largest;
    let about = if is_exact { "" } else { "about " };
    let (share, at) = match order {
        Order::Millis { .. } | Order::Times(_) => {
            ("with the same timestamp", date(order.to_ms(at)))
        }
        Order::Nanos => ("within one millisecond", date(at)),
        Order::Sequence => ("with the same value", at.to_string()),
        Order::Ids | Order::Unsorted | Order::Nowhere => return None,
    };
    (count > 0).then(|| {
        format!(
            "the largest group {share} is {about}{}, at {at}",
            documents(count)
        )
    })
}

fn not_looked_for(with_field: u64) -> Finding {
    Topic::Group.note(format!(
        "the largest group of equal timestamps was not looked for: among {}, more than {LOOKED_THROUGH_MAX}, that would cost the cluster much memory",
        documents(with_field)
    ))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::field::Step;
    use crate::doctor::finding::Level;
    use crate::doctor::plan::tests::plan;

    fn largest(count: u64, error: i64) -> Largest {
        let group = json!({"doc_count_error_upper_bound": error, "buckets": [{"key": 1_767_225_600_000_i64, "doc_count": 9 * count, "documents": {"value": count}}]});
        serde_json::from_value(json!({"aggregations": {"group": group}})).unwrap()
    }

    #[test]
    fn a_group_is_judged_by_the_edge_and_its_uncertainty_is_said() {
        let millis = Order::Millis { mixed: false };
        let (ok, note) = (Level::Ok, Level::Note);
        let rows = [
            (
                millis,
                largest(7, 0),
                ok,
                "the largest group with the same timestamp is 7 documents, at 2026-01-01T00:00:00.000Z; the edge remembers 100 (",
            ),
            (millis, largest(60, 0), ok, "in several pages"),
            (
                millis,
                largest(101, 0),
                note,
                "set \"edge_max\" to 101 or more",
            ),
            (millis, largest(7, -1), ok, "is about 7 documents, at"),
            (
                millis,
                largest(2_000_000, 0),
                note,
                "timestamps that differ",
            ),
            (
                Order::Nanos,
                largest(7, 0),
                ok,
                "within one millisecond is 7 documents",
            ),
            (
                Order::Nanos,
                largest(200, 0),
                note,
                "which the cluster does not say",
            ),
            (
                Order::Times(Step::Us),
                largest(7, 0),
                ok,
                "with the same timestamp is 7 documents, at 1970-01-21T10:53:45.600Z",
            ),
            (
                Order::Sequence,
                largest(7, 0),
                ok,
                "with the same value is 7 documents, at 1767225600000",
            ),
        ];
        let plan = plan(json!({"batch_size": 50, "edge_max": 100}));
        for (order, largest, level, part) in rows {
            let finding = judge(&plan, order, Some(60), Some(largest)).unwrap();
            assert_eq!(finding.level, level, "{finding:?}");
            assert!(finding.message.contains(part), "{finding:?}");
        }
    }

    #[test]
    fn a_field_that_breaks_ties_has_to_where_a_group_is_larger_than_a_page() {
        let millis = Order::Millis { mixed: false };
        let rows = [
            (json!({}), 10_000, false),
            (json!({"tiebreaker_field": "n"}), 9_999, false),
            (json!({"tiebreaker_field": "n"}), 10_000, true),
            (json!({"tiebreaker_field": "n"}), 100_000, true),
            (
                json!({"tiebreaker_field": "n", "pagination": "scroll"}),
                100_000,
                false,
            ),
        ];
        for (keys, most, is_said) in rows {
            let judged = judge(&plan(keys), millis, None, Some(largest(most, 0)));
            let Finding { level, message, .. } = judged.unwrap();
            let said = "Fewer than 10000 of them may have the same \"n\"";
            assert_eq!(message.contains(said), is_said, "{message}");
            assert!(level == Level::Note || !is_said, "{message}");
        }
    }

    #[test]
    fn without_documents_there_is_no_group() {
        let none =
            json!({"aggregations": {"group": {"doc_count_error_upper_bound": 0, "buckets": []}}});
        let none = serde_json::from_value(none).unwrap();
        let plan = plan(json!({}));
        assert_eq!(judge(&plan, Order::Nanos, Some(0), Some(none)), None);
    }

    #[test]
    fn among_too_many_documents_no_group_is_looked_for() {
        let plan = plan(json!({}));
        let found = judge(&plan, Order::Nanos, Some(LOOKED_THROUGH_MAX + 1), None).unwrap();
        assert_eq!(found.level, Level::Note);
        assert!(
            found
                .message
                .contains("not looked for: among 10000001 documents")
        );
        assert_eq!(
            judge(&plan, Order::Unsorted, Some(LOOKED_THROUGH_MAX + 1), None),
            None
        );
        assert_eq!(judge(&plan, Order::Nanos, None, None), None);
    }
}
