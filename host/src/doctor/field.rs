//! The field that a source reads by, and what its values have to be.

use serde::Deserialize;

/// Types of whole numbers.
const WHOLE: [&str; 4] = ["byte", "integer", "long", "short"];

/// The field that orders the documents.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field<'a> {
    pub(super) name: &'a str,
    /// The key of the configuration that names it.
    pub(super) key: &'static str,
    pub(super) values: Values,
}

/// What its values are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Values {
    Dates,
    /// Whole numbers that count these since 1970.
    Times(Step),
    /// Whole numbers that only grow.
    Sequence,
    /// Texts, or whole numbers, that only grow.
    Ids,
}

/// What one step of a whole number is, as `timestamp_unit` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Step {
    S,
    Ms,
    Us,
    Ns,
    /// No time at all.
    Sequence,
}

impl Values {
    /// Of a timestamp field.
    pub(super) fn of_step(step: Option<Step>) -> Self {
        match step {
            None => Self::Dates,
            Some(Step::Sequence) => Self::Sequence,
            Some(step) => Self::Times(step),
        }
    }

    /// Whether a field of this type holds them.
    pub(super) fn fit(self, kind: &str) -> bool {
        match self {
            Self::Dates => matches!(kind, "date" | "date_nanos"),
            Self::Times(Step::S) => matches!(kind, "long" | "integer"),
            Self::Times(_) | Self::Sequence => kind == "long",
            Self::Ids => matches!(kind, "keyword" | "long"),
        }
    }

    /// What makes a field of this type one that holds them, as "..: map it as ..".
    pub(super) fn remedy(self, kind: &str) -> &'static str {
        match self {
            Self::Dates if is_whole(kind) => {
                "say in \"timestamp_unit\" what one step of it is (\"s\", \"ms\", \"us\" or \"ns\"), map it as date or date_nanos and reindex"
            }
            Self::Dates => "map it as date or date_nanos and reindex",
            Self::Times(_) | Self::Sequence if Self::Dates.fit(kind) => {
                "leave \"timestamp_unit\" out, which is for whole numbers"
            }
            Self::Times(_) | Self::Sequence => "map it as long and reindex",
            Self::Ids => "map it as keyword or long and reindex",
        }
    }
}

impl Step {
    /// The value at this time; as good as any where it is none.
    pub(super) fn of_ms(self, ms: i64) -> i64 {
        match self {
            Self::S => ms.div_euclid(1_000),
            Self::Ms | Self::Sequence => ms,
            Self::Us => ms.saturating_mul(1_000),
            Self::Ns => ms.saturating_mul(1_000_000),
        }
    }

    /// The time of a value, rounded down to milliseconds.
    pub(super) fn to_ms(self, value: i64) -> i64 {
        match self {
            Self::S => value.saturating_mul(1_000),
            Self::Ms | Self::Sequence => value,
            Self::Us => value.div_euclid(1_000),
            Self::Ns => value.div_euclid(1_000_000),
        }
    }
}

/// Whether numbers of this type are whole ones.
pub(super) fn is_whole(kind: &str) -> bool {
    WHOLE.contains(&kind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_as_long_as_its_name_says() {
        for (step, value) in [
            (Step::S, 1_767_225_600),
            (Step::Ms, 1_767_225_600_000),
            (Step::Us, 1_767_225_600_000_000),
            (Step::Ns, 1_767_225_600_000_000_000),
        ] {
            assert_eq!(step.of_ms(1_767_225_600_000), value, "{step:?}");
            assert_eq!(step.to_ms(value), 1_767_225_600_000, "{step:?}");
        }
        assert_eq!((Step::S.of_ms(-1), Step::Ns.to_ms(-1)), (-1, -1));
    }
}
