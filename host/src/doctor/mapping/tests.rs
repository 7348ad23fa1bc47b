//! How mappings are judged.

use super::*;
use crate::doctor::finding::Level;
use crate::doctor::finding::tests::assert_said;

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
        assert_eq!(caps.order("o.t"), order, "{fields}");
        let findings = judge("o.t", &caps, None);
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
        "o.t",
        &caps(r#"{"o.t":{"date":{"aggregatable":true}}}"#),
        Some(&mappings),
    );
    let message = &findings[0].message;
    assert!(
        message.ends_with("as dd/MM/yyyy, epoch_second"),
        "{message}"
    );
}
