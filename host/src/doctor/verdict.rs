//! Which ways of paging are safe for what is there, and whether the configured one is.

use super::finding::{Finding, Topic};
use super::mapping::Order;
use super::plan::{Pagination, Plan};
use super::words::documents;

/// The most that pagination "offset" reads, however large the window is.
const OFFSET_MAX: u64 = 10_000;

/// What decides; none is not known.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Grounds {
    /// By the field that the source reads by, if there is one.
    pub(super) order: Option<Order>,
    pub(super) matching: Option<u64>,
    /// The smallest `index.max_result_window`.
    pub(super) window: Option<u64>,
    /// Whether documents may be sorted by `_id`.
    pub(super) sorts_by_id: Option<bool>,
}

impl Grounds {
    /// Whether documents have a time to be read by.
    fn has_order(&self) -> bool {
        self.order.is_some_and(Order::is_time)
    }

    /// How many documents can be read by offset.
    fn reach(&self) -> Option<u64> {
        self.window.map(|window| window.min(OFFSET_MAX))
    }

    fn is_in_reach(&self) -> bool {
        let known = self.matching.zip(self.reach());
        known.is_some_and(|(matching, reach)| matching <= reach)
    }

    /// Whether everything has its place in the order, or only a scroll gets at it.
    fn instead(&self, of: Pagination) -> String {
        if self.has_order() {
            return "pagination = \"timestamp\" would be safe".to_owned();
        }
        let offset = match (self.matching, self.is_in_reach()) {
            (Some(matching), true) if of != Pagination::Offset => {
                format!(", or \"offset\", as {} fit its window", documents(matching))
            }
            _ => String::new(),
        };
        format!(
            "without a \"timestamp_field\", pagination = \"scroll\" exports what is there once{offset}; \"document_id\" reads on, by an \"id_field\" that only grows"
        )
    }
}

/// The ways of paging that lose nothing, whatever is written meanwhile or, for those that
/// read once, of what is there at their start.
pub(super) fn safe(grounds: &Grounds) -> Vec<Pagination> {
    let timestamp = grounds.has_order().then_some(Pagination::Timestamp);
    let offset = grounds.is_in_reach().then_some(Pagination::Offset);
    timestamp
        .into_iter()
        .chain([Pagination::Scroll])
        .chain(offset)
        .collect()
}

/// Judges the configured way.
pub(super) fn judge(plan: &Plan, grounds: &Grounds) -> Finding {
    let way = format!("pagination = \"{}\"", plan.pagination.as_str());
    let instead = grounds.instead(plan.pagination);
    match plan.pagination {
        Pagination::Timestamp => by_timestamp(&way, grounds, &instead),
        Pagination::DocumentId if plan.id_field.is_none() && grounds.sorts_by_id == Some(false) => {
            Topic::Pagination.problem(format!(
                "{way} sorts by _id, which this cluster does not allow: set \"id_field\" to a unique field with doc values that only grows, or allow indices.id_field_data.enabled; {instead}"
            ))
        }
        Pagination::DocumentId
            if grounds.order == Some(Order::Unsorted)
                || (grounds.order == Some(Order::Nowhere) && grounds.matching > Some(0)) =>
        {
            Topic::Pagination.problem(format!(
                "{way} can not read these indices, as their documents can not be ordered by \"id_field\"; {instead}"
            ))
        }
        Pagination::DocumentId => Topic::Pagination.note(format!(
            "{way} is safe only where ids grow: a document whose id is smaller than the last one read is not read beyond the \"overlap\"; {instead}"
        )),
        Pagination::Scroll if plan.field().is_none() => Topic::Pagination.note(format!(
            "{way} reads what is there once, and nothing that comes later; {instead}"
        )),
        Pagination::Scroll if grounds.has_order() => Topic::Pagination.note(format!(
            "{way} reads what is there, and later cycles read what is new; {instead}"
        )),
        // What the field does not order, a scroll does not either.
        Pagination::Scroll => by_timestamp(&way, grounds, &instead),
        Pagination::Offset => by_offset(&way, grounds, &instead),
    }
}

fn by_timestamp(way: &str, grounds: &Grounds, instead: &str) -> Finding {
    match grounds.order {
        Some(Order::Sequence) => Topic::Pagination.note(format!(
            "{way} by a \"sequence\" is safe only where its values grow: a document whose value is smaller than the last one read is not read beyond the \"overlap\""
        )),
        Some(order) if order.is_sorted() => {
            Topic::Pagination.ok(format!("{way} is safe for these indices"))
        }
        Some(Order::Nowhere) if grounds.matching.is_none_or(|matching| matching == 0) => {
            Topic::Pagination.note(format!(
                "whether {way} is safe shows when there are documents: the field must be mapped as date or date_nanos, or as a whole number with \"timestamp_unit\""
            ))
        }
        Some(_) => Topic::Pagination.problem(format!(
            "{way} can not read these indices, as their documents can not be ordered by that field; {instead}"
        )),
        None => Topic::Pagination.note(format!("whether {way} is safe is not known")),
    }
}

fn by_offset(way: &str, grounds: &Grounds, instead: &str) -> Finding {
    match (grounds.matching, grounds.reach()) {
        (Some(matching), Some(reach)) if matching > reach => Topic::Pagination.problem(format!(
            "{way} reads at most {reach} documents ({LIMITED_BY}), and {} match; {instead}",
            documents(matching)
        )),
        (Some(matching), Some(reach)) => Topic::Pagination.note(format!(
            "{way} reads {}, as long as there are no more than {reach} ({LIMITED_BY}); {instead}",
            documents(matching)
        )),
        _ => Topic::Pagination.note(format!(
            "whether {way} reaches everything is not known: it reads at most 10,000 documents, and no more than index.max_result_window; {instead}"
        )),
    }
}

/// What the reach of an offset depends on.
const LIMITED_BY: &str = "index.max_result_window, and never more than 10,000";

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::doctor::field::Step;
    use crate::doctor::finding::Level;
    use crate::doctor::plan::tests::plan;

    #[test]
    fn each_way_of_paging_is_judged_by_what_is_there() {
        let dates = Some(Order::Millis { mixed: false });
        let grounds = |order, matching: u64, sorts_by_id| Grounds {
            order,
            matching: Some(matching),
            window: Some(10_000),
            sorts_by_id,
        };
        let with_window = |matching, window| Grounds {
            window: Some(window),
            ..grounds(None, matching, None)
        };
        let unsorted = Some(Order::Unsorted);
        let (ok, note, problem) = (Level::Ok, Level::Note, Level::Problem);
        let rows = [
            (
                json!({}),
                grounds(dates, 10, None),
                ok,
                "\"timestamp\" is safe",
            ),
            (
                json!({}),
                grounds(Some(Order::Nanos), 10, None),
                ok,
                "is safe",
            ),
            (
                json!({}),
                grounds(unsorted, 10, None),
                problem,
                "or \"offset\", as 10 documents fit",
            ),
            (
                json!({}),
                grounds(unsorted, 10_001, None),
                problem,
                "\"scroll\" exports what is there once; \"document_id\"",
            ),
            (
                json!({}),
                grounds(Some(Order::Times(Step::Ms)), 10, None),
                ok,
                "is safe",
            ),
            (
                json!({}),
                grounds(Some(Order::Sequence), 10, None),
                note,
                "is not read beyond the \"overlap\"",
            ),
            (
                json!({"pagination": "document_id", "id_field": "n"}),
                grounds(Some(Order::Ids), 10, None),
                note,
                "smaller than the last one read is not read beyond the \"overlap\"",
            ),
            (
                json!({"pagination": "document_id", "id_field": "n"}),
                grounds(unsorted, 10, None),
                problem,
                "can not be ordered by \"id_field\"",
            ),
            (
                json!({"pagination": "document_id", "id_field": "n"}),
                grounds(Some(Order::Nowhere), 1, None),
                problem,
                "can not be ordered by \"id_field\"",
            ),
            (
                json!({"pagination": "document_id", "id_field": "n"}),
                grounds(Some(Order::Nowhere), 0, None),
                note,
                "only where ids grow",
            ),
            (
                json!({}),
                grounds(Some(Order::Nowhere), 0, None),
                note,
                "when there are documents",
            ),
            (
                json!({}),
                grounds(Some(Order::Nowhere), 1, None),
                problem,
                "can not be ordered",
            ),
            (json!({}), Grounds::default(), note, "not known"),
            (
                json!({"pagination": "document_id"}),
                grounds(dates, 10, Some(false)),
                problem,
                "set \"id_field\"",
            ),
            (
                json!({"pagination": "document_id", "id_field": "n"}),
                grounds(dates, 10, Some(false)),
                note,
                "\"timestamp\" would be safe",
            ),
            (
                json!({"pagination": "document_id"}),
                grounds(None, 10, Some(true)),
                note,
                "only where ids grow",
            ),
            (
                json!({"pagination": "scroll", "timestamp_field": null}),
                grounds(None, 10, None),
                note,
                "nothing that comes later",
            ),
            (
                json!({"pagination": "scroll"}),
                grounds(dates, 10, None),
                note,
                "later cycles read what is new; pagination = \"timestamp\" would be safe",
            ),
            (
                json!({"pagination": "scroll"}),
                grounds(Some(Order::Sequence), 10, None),
                note,
                "\"scroll\" by a \"sequence\" is safe only where its values grow",
            ),
            (
                json!({"pagination": "scroll"}),
                grounds(unsorted, 10, None),
                problem,
                "can not be ordered by that field",
            ),
            (
                json!({"pagination": "scroll"}),
                grounds(None, 10, None),
                note,
                "not known",
            ),
            (
                json!({"pagination": "offset"}),
                grounds(None, 10_000, None),
                note,
                "no more than 10000 (index.max_result_window, and never more than 10,000); without a \"timestamp_field\", pagination = \"scroll\" exports what is there once; \"document_id\"",
            ),
            (
                json!({"pagination": "offset"}),
                grounds(None, 10_001, None),
                problem,
                "at most 10000 documents (index.max_result_window, and never more than 10,000), and 10001 documents match",
            ),
            (
                json!({"pagination": "offset"}),
                with_window(10_001, 50_000),
                problem,
                "at most 10000 documents",
            ),
            (
                json!({"pagination": "offset"}),
                with_window(10_000, 50_000),
                note,
                "no more than 10000",
            ),
            (
                json!({"pagination": "offset"}),
                with_window(501, 500),
                problem,
                "at most 500 documents",
            ),
            (
                json!({"pagination": "offset"}),
                Grounds::default(),
                note,
                "not known",
            ),
        ];
        for (keys, grounds, level, part) in rows {
            let finding = judge(&plan(keys.clone()), &grounds);
            assert_eq!(finding.level, level, "{keys}: {finding:?}");
            assert!(finding.message.contains(part), "{keys}: {finding:?}");
        }
    }

    #[test]
    fn what_is_safe_follows_from_order_and_window() {
        use Pagination::{Offset, Scroll, Timestamp};
        let grounds = |order, matching, window| Grounds {
            order: Some(order),
            matching: Some(matching),
            window: Some(window),
            sorts_by_id: None,
        };
        assert_eq!(
            safe(&grounds(Order::Nanos, 10, 10)),
            [Timestamp, Scroll, Offset]
        );
        assert_eq!(safe(&grounds(Order::Unsorted, 11, 10)), [Scroll]);
        assert_eq!(safe(&grounds(Order::Unsorted, 10_001, 50_000)), [Scroll]);
    }
}
