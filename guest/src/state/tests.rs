//! What a state says, refuses, and keeps.

use super::*;
use crate::paging::slices::Plan;

const SAMPLE: &str = r#"{
        "last_poll_timestamp": "2024-01-15T10:30:00Z", "total_documents_fetched": 15000, "poll_count": 150,
        "last_document_id": "doc_12345", "last_scroll_id": "scroll_abc123", "last_offset": 15000,
        "error_count": 2, "last_error": "Connection timeout",
        "processing_stats": {"total_bytes_processed": 1048576, "avg_batch_processing_time_ms": 125.5,
            "last_successful_poll": "2024-01-15T10:30:00Z", "empty_polls_count": 5, "successful_polls_count": 145},
        "of_a_later_version": [1]
    }"#;

fn config() -> Config {
    Config::parse(r#"{"index": "logs-*", "timestamp_field": "t"}"#).unwrap()
}

fn deliver(state: &mut State) {
    let slices = &mut state.reading.as_mut().unwrap().slices;
    slices.slices[0].position = Some((1_705_314_600_000, 3).into());
}

#[test]
fn another_selection_is_refused_with_its_key() {
    let mut state = State::default();
    state.reading(&config(), Unit::Ms).unwrap();
    assert!(state.check(&config()).is_ok());
    for (key, json) in [
        ("index", r#"{"index": "other", "timestamp_field": "t"}"#),
        (
            "timestamp_field",
            r#"{"index": "logs-*", "timestamp_field": "u"}"#,
        ),
        (
            "query",
            r#"{"index": "logs-*", "timestamp_field": "t", "query": {"term": {"a": 1}}}"#,
        ),
        (
            "id_namespace",
            r#"{"index": "logs-*", "timestamp_field": "t", "id_namespace": "n"}"#,
        ),
        (
            "pagination",
            r#"{"index": "logs-*", "timestamp_field": "t", "pagination": "offset"}"#,
        ),
        (
            "timestamp_unit",
            r#"{"index": "logs-*", "timestamp_field": "t", "timestamp_unit": "s"}"#,
        ),
        (
            "tiebreaker_field",
            r#"{"index": "logs-*", "timestamp_field": "t", "tiebreaker_field": "n"}"#,
        ),
        (
            "routing",
            r#"{"index": "logs-*", "timestamp_field": "t", "routing": "a"}"#,
        ),
        (
            "runtime_mappings",
            r#"{"index": "logs-*", "timestamp_field": "t", "runtime_mappings": {"a": {"type": "long"}}}"#,
        ),
        (
            "slice",
            r#"{"index": "logs-*", "timestamp_field": "t", "slice": "0/2"}"#,
        ),
    ] {
        let error = state
            .check(&Config::parse(json).unwrap())
            .unwrap_err()
            .to_string();
        assert!(
            error.starts_with(key) && (error.contains("state_id") || key == "slice"),
            "{error}"
        );
    }
}

#[test]
fn a_state_of_the_reference_resumes_at_its_timestamp_inclusive() {
    let mut state = State::parse(SAMPLE.as_bytes(), 1).unwrap();
    assert_eq!(
        (
            state.total_documents_fetched,
            state.processing_stats.successful_polls_count
        ),
        (15_000, 145)
    );
    let start = state.reading(&config(), Unit::Ms).unwrap().slices.start();
    assert_eq!(start, Key::at(1_705_314_600_000));
}

#[test]
fn what_a_state_says_survives_being_saved_unknown_fields_too() {
    let mut state = State::parse(SAMPLE.as_bytes(), 1).unwrap();
    state
        .reading(&config(), Unit::Ns)
        .unwrap()
        .slices
        .deliver(&Key::at(i64::MAX), Unit::Ns);
    let saved = state.to_json(None).unwrap();
    assert_eq!(State::parse(&saved, FORMAT).unwrap(), state);
    assert!(
        String::from_utf8(saved)
            .unwrap()
            .contains("\"of_a_later_version\":[1]")
    );
}

#[test]
fn untracked_fields_are_left_out_but_never_what_reading_on_needs() {
    let mut state = State::parse(SAMPLE.as_bytes(), 1).unwrap();
    let tracked = ["poll_count".to_owned()];
    let early = state.to_json(Some(&tracked)).unwrap();
    let early = State::parse(&early, FORMAT).unwrap();
    assert_eq!(early.last_poll_timestamp, state.last_poll_timestamp);
    state.reading(&config(), Unit::Ms).unwrap();
    let unread = state.to_json(Some(&tracked)).unwrap();
    let unread = State::parse(&unread, FORMAT).unwrap();
    assert_eq!(unread.last_poll_timestamp, state.last_poll_timestamp);
    deliver(&mut state);
    let saved = state.to_json(Some(&tracked)).unwrap();
    let saved: Value = serde_json::from_slice(&saved).unwrap();
    assert!(saved.get("poll_count").is_some() && saved.get("reading").is_some());
    assert!(saved.get("error_count").is_none());
    assert!(saved.get("last_poll_timestamp").is_none());
}

#[test]
fn a_new_source_begins_at_its_start_and_one_with_a_state_goes_on() {
    let at = "2026-01-31T08:00:00.123456789Z";
    let rows = [
        (None, "{}", None),
        (Some(Start::At(at.parse().unwrap())), "{}", Some(at)),
        (Some(Start::Now), "{}", Some("2026-01-01T00:00:00Z")),
        (Some(Start::Now), SAMPLE, Some("2024-01-15T10:30:00Z")),
        (Some(Start::Now), r#"{"output":[]}"#, None),
    ];
    for (start, saved, expected) in rows {
        let mut state = State::parse(saved.as_bytes(), 1).unwrap();
        state.start(start, 1_767_225_600_000);
        assert_eq!(state.last_poll_timestamp.as_deref(), expected, "{saved}");
        let place = state.reading(&config(), Unit::Ms).unwrap().slices.start();
        assert_eq!(place == Key::MIN, expected.is_none(), "{saved}");
    }
}

#[test]
fn a_state_that_can_not_be_read_is_an_error() {
    for (data, format, part) in [
        ("{", 1, "can not be read"),
        ("{}", 4, "format 4"),
        (r#"{"poll_count":"x"}"#, 1, "can not be read"),
        (r#"{"last_poll_timestamp":"x"}"#, 1, "\"x\" is no date"),
    ] {
        let error = State::parse(data.as_bytes(), format)
            .unwrap_err()
            .to_string();
        assert!(error.contains(part), "{error}");
    }
}

/// As nothing but a beginning anew could follow it.
#[test]
fn a_reading_without_slices_is_an_error() {
    let mut state = State::default();
    state.reading(&config(), Unit::Ms).unwrap();
    let saved = state.to_json(None).unwrap();
    let mut saved: Value = serde_json::from_slice(&saved).unwrap();
    saved["reading"]["slices"] = serde_json::json!([]);
    let error = State::parse(saved.to_string().as_bytes(), FORMAT);
    let error = error.unwrap_err().to_string();
    assert!(error.contains("expected one slice at least"), "{error}");
}

#[test]
fn only_a_date_is_saved_as_the_last_timestamp_and_what_else_stands_there_stops_no_reading() {
    let before = Some("2024-01-15T10:30:00Z");
    let rows = [
        (Unit::Ms, 0, Some("1970-01-01T00:00:00.000000000Z")),
        (
            Unit::Ms,
            -8_000_000_000_000_000,
            Some("-251540-02-03T09:46:40.000000000Z"),
        ),
        (Unit::Ms, -9_000_000_000_000_000, None),
        (Unit::NumberS, -9_000_000_000_000_000_000, None),
        (Unit::Number, -9_000_000_000_000_000_000, before),
    ];
    for (unit, last, expected) in rows {
        let mut state = State::parse(SAMPLE.as_bytes(), 1).unwrap();
        state.reading(&config(), unit).unwrap();
        state.note_position(Some(&(last, 1).into()), unit);
        assert_eq!(state.last_poll_timestamp.as_deref(), expected, "{last}");
        state.last_poll_timestamp = Some(last.to_string());
        let saved = state.to_json(None).unwrap();
        assert_eq!(State::parse(&saved, FORMAT).unwrap(), state);
    }
}

#[test]
fn a_field_that_is_mapped_anew_stops_a_state_unless_both_are_dates() {
    let by_time = r#"{"index": "logs-*", "timestamp_field": "f"}"#;
    let by_id = r#"{"index": "logs-*", "pagination": "document_id", "id_field": "f"}"#;
    let rows = [
        (by_time, Unit::Ms, Unit::Ns, None),
        (by_time, Unit::Ns, Unit::Ms, None),
        (by_id, Unit::Text, Unit::Text, None),
        (by_id, Unit::Number, Unit::Text, Some(["keyword", "long"])),
        (by_id, Unit::Text, Unit::Number, Some(["long", "keyword"])),
        (by_id, Unit::Ms, Unit::Number, Some(["long", "date"])),
    ];
    for (json, before, now, expected) in rows {
        let config = Config::parse(json).unwrap();
        let mut state = State::default();
        state.reading(&config, before).unwrap();
        match (state.reading(&config, now), expected) {
            (Ok(reading), None) => assert_eq!(reading.unit, before),
            (Err(Error::Permanent(message)), Some([now, before])) => {
                let mappings = format!(
                    "id_field \"f\" of index \"logs-*\" is mapped as {now}, and what was read so far had it mapped as {before}"
                );
                assert!(message.starts_with(&mappings), "{message}");
                assert!(message.contains("another \"state_id\""), "{message}");
            }
            (other, _) => panic!("{before:?} and {now:?}: {other:?}"),
        }
    }
}

#[test]
fn the_unit_follows_the_mapping_until_something_was_delivered_and_then_never_again() {
    let start = "2026-01-31T08:00:00.123456789Z";
    let (ms, ns) = (1_769_846_400_123, 1_769_846_400_123_456_789);
    let rows = [
        (Unit::Ns, Unit::Ms, None, false, Unit::Ms, Key::MIN),
        (
            Unit::Ns,
            Unit::Ms,
            Some(start),
            false,
            Unit::Ms,
            Key::at(ms),
        ),
        (
            Unit::Ms,
            Unit::Ns,
            Some(start),
            false,
            Unit::Ns,
            Key::at(ns),
        ),
        (Unit::Ns, Unit::Ms, Some(start), true, Unit::Ns, Key::at(ns)),
        (Unit::Ms, Unit::Ns, None, true, Unit::Ms, Key::MIN),
    ];
    for (before, now, start, is_delivered, unit, place) in rows {
        let mut state = State {
            last_poll_timestamp: start.map(str::to_owned),
            ..State::default()
        };
        state.reading(&config(), before).unwrap();
        if is_delivered {
            deliver(&mut state);
        }
        state.follow(&config(), now);
        let reading = state.reading(&config(), now).unwrap();
        assert_eq!((reading.unit, reading.slices.start()), (unit, place));
    }
}

#[test]
fn a_unit_is_kept_where_nothing_says_where_to_begin_in_another() {
    let mut state = State::parse(SAMPLE.as_bytes(), 1).unwrap();
    state.reading(&config(), Unit::Ns).unwrap();
    state.last_poll_timestamp = None;
    state.follow(&config(), Unit::Ms);
    assert_eq!(state.reading(&config(), Unit::Ms).unwrap().unit, Unit::Ns);
}

#[test]
fn what_the_cluster_keeps_for_a_unit_that_is_given_up_is_closed() {
    let mut state = State::default();
    let slices = &mut state.reading(&config(), Unit::Ns).unwrap().slices;
    slices.begin(Plan {
        horizon: 9.into(),
        keep_from: 5.into(),
        size: 10,
        again: false,
        until_ms: 9,
    });
    let pit = Context::Pit("p".to_owned());
    slices.slices[0].pass.as_mut().unwrap().context = Some(pit.clone());
    assert_eq!(state.follow(&config(), Unit::Ns), []);
    assert_eq!(state.follow(&config(), Unit::Ms), [pit]);
    assert!(state.reading.is_none());
}
