//! What is said while there is nothing to read.

use std::cell::Cell;

use serde_json::{Value, json};

use crate::cluster::request::Request;
use crate::host::scripted::Scripted;
use crate::reader::Budget;
use crate::source::Source;

const NOTHING: &str = "no document to read yet";
const BUDGET: Budget = Budget {
    pages: 8,
    milliseconds: 1_000,
};

/// A cluster with so many documents, all of them too new to be read.
fn answer(request: &Request, documents: u64) -> (u16, Value) {
    let shards = documents.min(1);
    let shards = json!({"total": shards, "successful": shards, "failed": 0});
    let total = json!({"value": 0, "relation": "eq"});
    let body = match request.path.as_str() {
        "/" => json!({}),
        path if path.contains("_field_caps") => json!({"indices": [], "fields": {}}),
        path if path.contains("_count") => json!({"count": documents, "_shards": shards}),
        path if path.contains("_search") => {
            json!({"timed_out": false, "_shards": shards, "hits": {"total": total, "hits": []}})
        }
        path if path.contains("_settings") => json!({}),
        path => panic!("{path}"),
    };
    (200, body)
}

#[test]
fn a_pattern_that_matches_nothing_yet_is_said_to_whichever_way_it_is_read() {
    let ways = [
        r#""timestamp_field": "t""#,
        r#""pagination": "document_id", "id_field": "n""#,
        r#""pagination": "document_id""#,
        r#""pagination": "scroll""#,
        r#""pagination": "offset""#,
    ];
    for way in ways {
        let host = Scripted::new(|request: &Request| answer(request, 0));
        let config = format!(r#"{{"index": "logs-*", {way}}}"#);
        let mut source = Source::open(host, &config, 0).unwrap();
        for polls in 1..=2 {
            source.poll(60_000 * polls, BUDGET).unwrap();
            assert_eq!(source.host.said, vec![NOTHING; polls as usize], "{way}");
        }
        let searched = source
            .host
            .asked
            .iter()
            .any(|(path, _)| path.contains("_search"));
        assert!(!searched, "{way}: there is nothing to search");
    }
}

#[test]
fn a_source_that_has_begun_is_not_asked_whether_there_is_anything() {
    for pagination in ["document_id", "scroll", "offset"] {
        let documents = Cell::new(0);
        let host = Scripted::new(|request: &Request| answer(request, documents.get()));
        let config = format!(r#"{{"index": "logs-*", "pagination": "{pagination}"}}"#);
        let mut source = Source::open(host, &config, 0).unwrap();
        source.poll(60_000, BUDGET).unwrap();
        documents.set(1);
        source.poll(120_000, BUDGET).unwrap();
        documents.set(0);
        // What was learned is asked for again, and the index may be empty meanwhile.
        source.poll(1_200_000, BUDGET).unwrap();
        let Scripted { asked, said, .. } = &source.host;
        let counts = asked.iter().filter(|(path, _)| path == "/logs-*/_count");
        assert_eq!(counts.count(), 2, "{pagination}");
        assert_eq!(said[..2], [NOTHING, "reading in order"], "{pagination}");
        assert!(
            !said[2..].iter().any(|line| line == NOTHING),
            "{pagination}"
        );
    }
}
