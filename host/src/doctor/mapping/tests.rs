//! How mappings are judged.

use serde_json::json;

use super::*;
use crate::doctor::finding::Level;
use crate::doctor::finding::tests::assert_said;
use crate::doctor::plan::tests::plan;

/// `o.t`, of these values.
fn field(values: Values) -> Field<'static> {
    Field {
        name: "o.t",
        key: "timestamp_field",
        values,
    }
}

fn caps(fields: &str) -> FieldCaps {
    let json = format!(r#"{{"indices":["a","b","c"],"fields":{fields}}}"#);
    serde_json::from_str(&json).unwrap()
}

fn kind(kind: &str, indices: &str) -> String {
    format!(r#""{kind}":{{"aggregatable":true,"indices":{indices}}}"#)
}

#[test]
fn a_field_is_judged_by_type_doc_values_and_what_it_lies_in() {
    let (date, nanos) = (kind("date", r#"["a"]"#), kind("date_nanos", r#"["b"]"#));
    let unmapped = r#""unmapped":{"aggregatable":false,"indices":["c"]}"#;
    let all = r#""date":{"aggregatable":true}"#;
    let without = r#""date":{"aggregatable":false,"non_aggregatable_indices":["b"]}"#;
    let text = r#""text":{"aggregatable":false,"indices":["c"]}"#;
    let nested = r#""nested":{"aggregatable":false}"#;
    let millis = |mixed| Order::Millis { mixed };
    let rows = [
        (
            format!(r#"{{"o.t":{{{all}}}}}"#),
            millis(false),
            vec![(Level::Ok, "o.t is date in 3 indices (a, b, c)")],
        ),
        (
            format!(r#"{{"o.t":{{{date},{nanos}}}}}"#),
            millis(true),
            vec![
                (Level::Ok, "date in 1 index (a)"),
                (Level::Ok, "date_nanos in 1 index (b)"),
                (Level::Note, "milliseconds"),
            ],
        ),
        (
            format!(r#"{{"o.t":{{{nanos},{unmapped}}}}}"#),
            Order::Nanos,
            vec![
                (Level::Ok, "date_nanos"),
                (Level::Note, "not mapped in 1 index (c)"),
            ],
        ),
        (
            format!(r#"{{"o.t":{{{without}}}}}"#),
            Order::Unsorted,
            vec![
                (Level::Ok, "date"),
                (Level::Problem, "can not be sorted by in 1 index (b)"),
            ],
        ),
        (
            format!(r#"{{"o.t":{{{date},{text}}}}}"#),
            Order::Unsorted,
            vec![
                (Level::Ok, "date"),
                (Level::Problem, "mapped as text in 1 index (c)"),
            ],
        ),
        (
            format!(r#"{{"o":{{{nested}}},"o.t":{{{all}}}}}"#),
            Order::Unsorted,
            vec![(Level::Problem, "lies in o")],
        ),
        (
            "{}".to_owned(),
            Order::Nowhere,
            vec![(Level::Note, "mapped in no index")],
        ),
        (
            format!(r#"{{"o.t":{{{unmapped}}}}}"#),
            Order::Nowhere,
            vec![(Level::Note, "mapped in no index")],
        ),
    ];
    for (fields, order, expected) in rows {
        let caps = caps(&fields);
        let by = field(Values::Dates);
        assert_eq!(caps.order(by), order, "{fields}");
        let findings = judge(&plan(json!({})), by, &caps, None);
        assert_said(&findings, &expected);
    }
}

#[test]
fn the_formats_of_a_type_are_named_once() {
    let of = |index: &str, format: &str| {
        format!(
            r#""{index}":{{"mappings":{{"o.t":{{"full_name":"o.t","mapping":{{"t":{{"type":"date","format":"{format}"}}}}}}}}}}"#
        )
    };
    let json = format!(
        "{{{},{},{}}}",
        of("a", "epoch_second"),
        of("b", "epoch_second"),
        of("c", "dd/MM/yyyy")
    );
    let mappings: FieldMappings = serde_json::from_str(&json).unwrap();
    let findings = judge(
        &plan(json!({})),
        field(Values::Dates),
        &caps(r#"{"o.t":{"date":{"aggregatable":true}}}"#),
        Some(&mappings),
    );
    let message = &findings[0].message;
    assert!(
        message.ends_with("as dd/MM/yyyy, epoch_second"),
        "{message}"
    );
}

#[test]
fn numbers_and_ids_are_judged_by_what_they_are_configured_as() {
    let times = Values::Times(Step::Us);
    let (integer, long) = (kind("integer", r#"["a"]"#), kind("long", r#"["b","c"]"#));
    let (date, keyword) = (kind("date", r#"["a"]"#), kind("keyword", r#"["b","c"]"#));
    let both = (Level::Ok, "is long in 2 indices (b, c)");
    let rows = [
        (
            Values::Times(Step::S),
            format!("{integer},{long}"),
            Order::Times(Step::S),
            vec![(Level::Ok, "is integer in 1 index (a)"), both],
        ),
        (
            times,
            integer,
            Order::Unsorted,
            vec![(Level::Problem, "map it as long")],
        ),
        (Values::Ids, long.clone(), Order::Ids, vec![both]),
        (Values::Sequence, long.clone(), Order::Sequence, vec![both]),
        (
            Values::Ids,
            keyword.clone(),
            Order::Ids,
            vec![(Level::Ok, "is keyword in 2 indices (b, c)")],
        ),
        (
            Values::Dates,
            long.clone(),
            Order::Unsorted,
            vec![(
                Level::Problem,
                "mapped as long in 2 indices (b, c): say in \"timestamp_unit\" what one step of it is",
            )],
        ),
        (
            times,
            format!("{date},{long}"),
            Order::Unsorted,
            vec![
                (
                    Level::Problem,
                    "mapped as date in 1 index (a): leave \"timestamp_unit\" out",
                ),
                both,
            ],
        ),
        (
            times,
            keyword,
            Order::Unsorted,
            vec![(Level::Problem, "map it as long")],
        ),
        (
            Values::Ids,
            kind("text", r#"["b","c"]"#),
            Order::Unsorted,
            vec![(Level::Problem, "map it as keyword or long")],
        ),
    ];
    for (values, types, order, expected) in rows {
        let caps = caps(&format!(r#"{{"o.t":{{{types}}}}}"#));
        assert_eq!(caps.order(field(values)), order, "{values:?} {types}");
        assert_said(
            &judge(&plan(json!({})), field(values), &caps, None),
            &expected,
        );
    }
}

#[test]
fn what_breaks_ties_within_a_millisecond_is_named() {
    let (date, nanos) = (kind("date", r#"["a"]"#), kind("date_nanos", r#"["b"]"#));
    let caps = caps(&format!(r#"{{"o.t":{{{date},{nanos}}}}}"#));
    for (keys, then) in [
        (json!({}), "within one by sequence number"),
        (json!({"tiebreaker_field": "n"}), "within one by n"),
    ] {
        let findings = judge(&plan(keys), field(Values::Dates), &caps, None);
        assert!(findings[2].message.ends_with(then), "{findings:?}");
    }
}
