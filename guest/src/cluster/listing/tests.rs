//! What a list asks for, and what it counts.

use serde_json::{Value, json};

use super::*;
use crate::config::Config;
use crate::host::scripted::Scripted;
use crate::time::Unit;

/// A cluster that answers pages of these places, as far as its window allows.
fn pages(places: &[(String, i64)], window: u64, body: &Value) -> (u16, Value) {
    let size = body["size"].as_u64().unwrap();
    if size > window {
        return (400, json!({"error": "Result window is too large"}));
    }
    let after = body["search_after"].as_array();
    let after = after.map(|after| (after[0].as_str().unwrap(), after[1].as_i64().unwrap()));
    let behind = |(id, seq_no): &&(String, i64)| Some((id.as_str(), *seq_no)) > after;
    let hits = places.iter().filter(behind).take(size as usize);
    let hit =
        |(id, seq_no): &(String, i64)| json!({"_index": "i", "_id": id, "sort": [id, seq_no]});
    let hits: Vec<_> = hits.map(hit).collect();
    let total = json!({"value": places.len(), "relation": "eq"});
    let page = json!({"timed_out": false, "_shards": {"failed": 0}, "hits": {"total": total, "hits": hits}});
    (200, page)
}

/// So many documents at each of these places.
fn places(groups: &[u64]) -> Vec<(String, i64)> {
    let groups = (0..).zip(groups);
    let all = groups.flat_map(|(at, count)| (0..*count).map(move |_| (format!("{at:06}"), at)));
    all.collect()
}

/// What a list finds, and the largest page that it asks for.
fn listed(batch_size: u64, places: &[(String, i64)], window: u64) -> (Result<u64, String>, u64) {
    let config =
        format!(r#"{{"index": "i", "pagination": "document_id", "batch_size": {batch_size}}}"#);
    let config = Config::parse(&config).unwrap();
    let selection = Selection {
        config: &config,
        unit: Unit::Text,
    };
    let mut host =
        Scripted::new(|request: &Request| pages(places, window, request.body.as_ref().unwrap()));
    let mut client = Client {
        host: &mut host,
        product: &mut None,
        now_ms: 0,
    };
    let found = list(
        &mut client,
        selection,
        Slice::WHOLE,
        Some("pit"),
        &Key::MIN,
        None,
    );
    let found = found.map_err(|failure| crate::error::Error::from(failure).to_string());
    let sizes = host.asked.iter().map(|(_, body)| body["size"].as_u64());
    (
        found.map(|listed| listed.within),
        sizes.max().flatten().unwrap(),
    )
}

#[test]
fn a_list_asks_for_pages_that_fit_the_window_and_for_larger_ones_only_where_it_must() {
    let rows = [
        ("one of each", vec![1; 2_500], 1_000, 1_000),
        ("pages that end inside of a place", vec![3; 500], 100, 100),
        ("a page as large as a place", vec![1, 10, 1], 10, 20),
        ("a place larger than two pages", vec![5, 350, 5], 100, 400),
        ("a place larger than the rest", vec![9_999], 1_000, 10_000),
        ("nothing", vec![], 1_000, 1_000),
    ];
    for (what, groups, batch_size, largest) in rows {
        let places = places(&groups);
        let all = places.len() as u64;
        assert_eq!(
            listed(batch_size, &places, largest),
            (Ok(all), largest),
            "{what}"
        );
    }
}

#[test]
fn more_documents_at_one_place_than_a_cluster_lists_are_an_error_that_names_the_remedy() {
    let (found, largest) = listed(1_000, &places(&[10_001]), 10_000);
    let error = found.unwrap_err();
    assert!(
        error.contains("10000 documents or more") && error.contains("\"id_field\""),
        "{error}"
    );
    assert_eq!(largest, 10_000);
}
