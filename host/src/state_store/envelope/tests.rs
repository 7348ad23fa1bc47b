//! The envelope: what is kept, what is refused, and that data passes untouched.

use super::*;

/// The state of the reference, as printed there.
pub(crate) const SAMPLE: &str = r#"{
  "id": "elasticsearch_logs_connector",
  "last_updated": "2024-01-15T10:30:00Z",
  "version": 1,
  "data": {
    "last_poll_timestamp": "2024-01-15T10:30:00Z",
    "total_documents_fetched": 15000,
    "poll_count": 150,
    "last_document_id": "doc_12345",
    "last_scroll_id": "scroll_abc123",
    "last_offset": 15000,
    "error_count": 2,
    "last_error": "Connection timeout",
    "processing_stats": {
      "total_bytes_processed": 1048576,
      "avg_batch_processing_time_ms": 125.5,
      "last_successful_poll": "2024-01-15T10:30:00Z",
      "empty_polls_count": 5,
      "successful_polls_count": 145
    }
  },
  "metadata": {
    "connector_type": "elasticsearch_source",
    "connector_id": 1,
    "index": "logs-*",
    "url": "http://localhost:9200"
  }
}"#;

fn owner() -> Owner {
    Owner {
        state_id: "id".to_owned(),
        connector_id: 1,
        index: "logs-*".to_owned(),
        slice: Slice::WHOLE,
        url: Url::parse("http://elastic:hunter2@localhost:9200").unwrap(),
    }
}

fn at(text: &str) -> DateTime<Utc> {
    text.parse().unwrap()
}

fn open(document: &str) -> Result<Envelope, StoreError> {
    Envelope::unwrap(document.as_bytes(), "id", 2, "state file x.json")
}

#[test]
fn the_sample_of_the_reference_is_read() {
    let envelope =
        Envelope::unwrap(SAMPLE.as_bytes(), "elasticsearch_logs_connector", 1, "x").unwrap();
    assert_eq!(
        (envelope.version(), envelope.last_updated()),
        (1, Some("2024-01-15T10:30:00Z"))
    );
    assert!(
        envelope
            .data()
            .starts_with(b"{\n    \"last_poll_timestamp\": \"2024-01-15T10:30:00Z\",\n")
    );
    assert!(envelope.data().ends_with(b"145\n    }\n  }"));
    assert_eq!(envelope.metadata("index").as_deref(), Some("logs-*"));
}

#[test]
fn data_passes_byte_by_byte() {
    let data = "{ \"n\":123456789012345678901234567890,\"f\" : 0.10, \"e\":\"\\u00e9\\/\",\"a\":1,\"a\":2\n\n }";
    let bytes = wrap(
        &owner(),
        data.as_bytes(),
        2,
        None,
        at("2024-01-15T10:30:00Z"),
    )
    .unwrap();
    let envelope = Envelope::unwrap(&bytes, "id", 2, "x").unwrap();
    assert_eq!(envelope.data(), data.as_bytes());
}

#[test]
fn a_document_is_written_as_the_reference_prints_it() {
    let bytes = wrap(&owner(), b"{}", 1, None, at("2024-01-15T11:30:00.9+01:00")).unwrap();
    let expected = r#"{
  "id": "id",
  "last_updated": "2024-01-15T10:30:00Z",
  "version": 1,
  "data": {},
  "metadata": {
    "connector_id": 1,
    "connector_type": "elasticsearch_source",
    "index": "logs-*",
    "url": "http://localhost:9200"
  }
}"#;
    assert_eq!(bytes, expected);
}

#[test]
fn what_it_does_not_know_is_kept() {
    let previous = r#"{"id":"id","version":1,"data":{"a":1},"metadata":{"team":"x","url":"old"},"note":[1.10]}"#;
    let previous = open(previous).unwrap();
    let bytes = wrap(
        &owner(),
        b"{\"a\":2}",
        2,
        Some(&previous),
        at("2024-01-15T10:30:00Z"),
    )
    .unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    for part in [
        "\"note\": [1.10]",
        "\"team\": \"x\"",
        "\"data\": {\"a\":2}",
        "\"url\": \"http://localhost:9200\"",
        "\"version\": 2",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
    open(&text).unwrap();
}

#[test]
fn metadata_that_is_null_is_none_and_the_rest_is_kept() {
    let previous = r#"{"id":"id","version":1,"data":{"a":1},"metadata":null,"note":null}"#;
    let previous = open(previous).unwrap();
    assert_eq!(previous.metadata("index"), None);
    let bytes = wrap(
        &owner(),
        b"{}",
        1,
        Some(&previous),
        at("2024-01-15T10:30:00Z"),
    )
    .unwrap();
    let text = String::from_utf8(bytes.to_vec()).unwrap();
    assert!(
        text.contains("\"note\": null") && text.contains("\"index\": \"logs-*\""),
        "{text}"
    );
}

#[test]
fn an_unreadable_document_names_the_place_and_the_way_out() {
    let whole = r#"{"id":"id","version":1,"data":{"a":"bcd"}}"#;
    open(whole).unwrap();
    let mut broken: Vec<String> = (0..whole.len())
        .map(|end| whole[..end].to_owned())
        .collect();
    let rows = [
        "[]",
        "null",
        r#"{"id":"other","version":1,"data":{}}"#,
        r#"{"id":"id","version":0,"data":{}}"#,
        r#"{"id":"id","version":"1","data":{}}"#,
        r#"{"id":"id","version":1,"data":[]}"#,
        r#"{"id":"id","version":1}"#,
        r#"{"id":"id","version":1,"data":{},"metadata":1}"#,
        r#"{"version":1,"data":{}}"#,
    ];
    broken.extend(rows.map(str::to_owned));
    broken.push(format!("{whole}x"));
    for document in broken {
        let Err(StoreError::Corrupt(cause)) = open(&document) else {
            panic!("not corrupt: {document}");
        };
        let message = cause.to_string();
        let parts = [
            "state file x.json",
            "restore a backup",
            "reads everything again",
        ];
        assert!(parts.iter().all(|part| message.contains(part)), "{message}");
    }
    assert!(matches!(
        Envelope::unwrap(b"\xff{}", "id", 1, "x"),
        Err(StoreError::Corrupt(_))
    ));
}

#[test]
fn a_newer_version_is_refused() {
    let Err(StoreError::Invalid(cause)) = open(r#"{"id":"id","version":3,"data":{}}"#) else {
        panic!("a newer version was taken");
    };
    let message = cause.to_string();
    assert!(
        message.contains("version 3") && message.contains("up to 2"),
        "{message}"
    );
}

#[test]
fn data_that_is_no_json_object_is_not_saved() {
    for data in ["", "[]", "{", "{} {}", "\u{0}"] {
        let result = wrap(
            &owner(),
            data.as_bytes(),
            1,
            None,
            at("2024-01-15T10:30:00Z"),
        );
        assert!(matches!(result, Err(StoreError::Invalid(_))), "{data}");
    }
}
