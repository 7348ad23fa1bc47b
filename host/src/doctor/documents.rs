//! How many documents are read, how many are not, and when they lie.

use serde::Deserialize;

use super::field::Field;
use super::finding::{Finding, Topic::Documents};
use super::mapping::Order;
use super::words::{date, documents};

/// The answer to a search that counts.
#[derive(Debug, Clone, Copy, Deserialize)]
pub(super) struct Count {
    hits: Hits,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Hits {
    total: Total,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Total {
    value: u64,
}

impl Count {
    pub(super) fn documents(self) -> u64 {
        self.hits.total.value
    }
}

/// What is known of all documents that match.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Counted {
    pub(super) matching: Option<u64>,
    /// Of these, those that can be ordered.
    pub(super) with_field: Option<u64>,
    /// Of these, those that lie in the future.
    pub(super) later: Option<u64>,
    /// Of these, those that nanoseconds can not express.
    pub(super) outside_nanos: Option<u64>,
    pub(super) span: Option<Span>,
}

/// The oldest and the newest timestamp, as the cluster names them or in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
#[serde(from = "Found")]
pub(super) struct Span {
    pub(super) oldest: Option<i64>,
    pub(super) newest: Option<i64>,
}

#[derive(Deserialize)]
struct Found {
    aggregations: Aggregations,
}

#[derive(Deserialize)]
struct Aggregations {
    oldest: Extreme,
    newest: Extreme,
}

#[derive(Deserialize)]
struct Extreme {
    value: Option<f64>,
}

impl From<Found> for Span {
    fn from(Found { aggregations }: Found) -> Self {
        Self {
            oldest: aggregations.oldest.value.map(|ms| ms as i64),
            newest: aggregations.newest.value.map(|ms| ms as i64),
        }
    }
}

impl Span {
    /// The same in milliseconds.
    pub(super) fn in_ms(self, order: Order) -> Self {
        Self {
            oldest: self.oldest.map(|value| order.to_ms(value)),
            newest: self.newest.map(|value| order.to_ms(value)),
        }
    }
}

impl Counted {
    /// Those that have no timestamp.
    pub(super) fn without_field(&self) -> Option<u64> {
        Some(self.matching?.saturating_sub(self.with_field?))
    }

    /// Those that a first read brings.
    pub(super) fn readable(&self) -> Option<u64> {
        let with_field = self.with_field.or(self.matching)?;
        Some(with_field.saturating_sub(self.later.unwrap_or(0)))
    }
}

/// Judges the figures of a source that reads by this field, or by none.
pub(super) fn judge(
    field: Option<Field<'_>>,
    order: Option<Order>,
    counted: &Counted,
) -> Vec<Finding> {
    let Some(matching) = counted.matching else {
        return Vec::new();
    };
    let mut findings = vec![match (matching, span(counted)) {
        (0, _) => Documents.note("\"query\" matches no document yet"),
        (_, Some(span)) => {
            Documents.ok(format!("\"query\" matches {}, {span}", documents(matching)))
        }
        (_, None) => Documents.ok(format!("\"query\" matches {}", documents(matching))),
    }];
    findings.extend(field.and_then(|field| without_field(field, matching, counted)));
    if let Some(later @ 1..) = counted.later {
        findings.push(Documents.note(format!(
            "{} in the future: each is read when its time has come",
            documents(later)
        )));
    }
    if let (Some(outside @ 1..), Some(Order::Millis { mixed: true })) =
        (counted.outside_nanos, order)
    {
        findings.push(Documents.note(format!(
            "{} outside of 1970 to 2262: a source that began when all indices held nanoseconds can not read past them, a new one can",
            documents(outside)
        )));
    }
    findings
}

fn span(counted: &Counted) -> Option<String> {
    let Span { oldest, newest } = counted.span?;
    Some(format!("from {} to {}", date(oldest?), date(newest?)))
}

fn without_field(field: Field<'_>, matching: u64, counted: &Counted) -> Option<Finding> {
    let without = counted.without_field().filter(|without| *without > 0)?;
    let Field {
        name: field, key, ..
    } = field;
    Some(if without == matching {
        Documents.problem(format!(
            "none of them has {field}, so nothing is read: check \"{key}\""
        ))
    } else {
        Documents.note(format!(
            "{} without {field}, which can not be read",
            documents(without)
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::doctor::field::{Step, Values};
    use crate::doctor::finding::Level;
    use crate::doctor::finding::tests::assert_said;

    #[test]
    fn what_is_not_read_is_said() {
        let counted = |figures: [Option<u64>; 4]| Counted {
            matching: figures[0],
            with_field: figures[1],
            later: figures[2],
            outside_nanos: figures[3],
            span: None,
        };
        let (ok, note, problem) = (Level::Ok, Level::Note, Level::Problem);
        let rows = [
            ([None; 4], vec![]),
            (
                [Some(0), Some(0), Some(0), None],
                vec![(note, "matches no document")],
            ),
            (
                [Some(1), Some(1), Some(0), None],
                vec![(ok, "matches 1 document")],
            ),
            (
                [Some(9), Some(7), Some(0), None],
                vec![(ok, "9"), (note, "2 documents without t")],
            ),
            (
                [Some(9), Some(0), Some(0), None],
                vec![(ok, "9"), (problem, "none of them has t")],
            ),
            (
                [Some(9), Some(9), Some(3), None],
                vec![(ok, "9"), (note, "3 documents in the future")],
            ),
            (
                [Some(9), Some(9), None, Some(1)],
                vec![(ok, "9"), (note, "1 document outside of 1970")],
            ),
        ];
        for (figures, expected) in rows {
            let mixed = Some(Order::Millis { mixed: true });
            let field = Field {
                name: "t",
                key: "timestamp_field",
                values: Values::Dates,
            };
            let findings = judge(Some(field), mixed, &counted(figures));
            assert_said(&findings, &expected);
        }
        assert_eq!(
            counted([Some(9), Some(7), Some(3), None]).readable(),
            Some(4)
        );
    }

    #[test]
    fn a_span_is_read_from_aggregations_that_may_have_found_nothing() {
        let rows = [
            (r#"{"value":-2.85274656E13}"#, Some(-28_527_465_600_000)),
            (r#"{"value":null}"#, None),
        ];
        for (value, ms) in rows {
            let json = format!(r#"{{"aggregations":{{"oldest":{value},"newest":{value}}}}}"#);
            let span: Span = serde_json::from_str(&json).unwrap();
            assert_eq!((span.oldest, span.newest), (ms, ms));
            let in_s = span.in_ms(Order::Times(Step::S)).oldest;
            assert_eq!(in_s, ms.map(|s| s * 1_000));
        }
    }
}
