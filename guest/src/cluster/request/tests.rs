//! What a selection makes of every request that depends on it.

use super::*;
use crate::paging::context::Begin;
use crate::time::Unit;

const ALL: &str = r#"{"index": "logs-*", "timestamp_field": "t", "routing": "a,b c&d;e", "preference": "_local",
    "fields": ["day"], "runtime_mappings": {"day": {"type": "keyword"}}}"#;

fn config(json: &str) -> Config {
    Config::parse(json).unwrap()
}

/// A page, a count of the same, and, as they know no scrolls, a count by the minute.
fn searches(config: &Config, within: Within<'_>) -> Vec<Request> {
    let unit = Unit::Ms;
    let selection = Selection { config, unit };
    let search = |size| {
        Request::search(&Search {
            selection,
            within,
            slice: Slice::WHOLE,
            from: Key::MIN,
            to: Key::at(5),
            begin: Begin::First,
            size,
            count: true,
            contents: true,
            product: Some(Product::Elasticsearch),
        })
    };
    let look = Look {
        from: 0.into(),
        reach: (Key::at(5), Key::at(5)),
        first: 0,
        each_from: 1,
    };
    let mut all = vec![search(10), search(0)];
    match within {
        Within::Index => all.extend([
            Request::look(selection, Slice::WHOLE, &look, i64::MIN),
            Request::count(config, Slice::WHOLE, json!({})),
        ]),
        Within::Pit(_) | Within::NewScroll => {}
    }
    all
}

const EVERYWHERE: [Within<'_>; 3] = [Within::Index, Within::Pit("p"), Within::NewScroll];

fn wanted<'a>(request: &'a Request, key: &str) -> Option<&'a Value> {
    request.body.as_ref().unwrap().get(key)
}

#[test]
fn shards_are_chosen_where_no_point_in_time_has_chosen_them() {
    let config = config(ALL);
    let chosen = "&routing=a,b%20c%26d%3Be&preference=_local";
    let path = format!("/logs-*/_search?allow_partial_search_results=false{chosen}");
    let paths = [
        path.clone(),
        "/_search?allow_partial_search_results=false".to_owned(),
        format!("{path}&scroll=300000ms"),
    ];
    for (within, path) in EVERYWHERE.into_iter().zip(paths) {
        let searches = searches(&config, within);
        assert!(
            searches.iter().all(|request| request.path == path),
            "{path}"
        );
    }
    for product in [Product::Elasticsearch, Product::OpenSearch] {
        let path = Request::open_pit(product, &config, Slice::WHOLE).path;
        assert!(path.ends_with(chosen), "{path}");
    }
}

#[test]
fn every_search_defines_the_fields_and_a_page_alone_asks_for_content() {
    let config = config(ALL);
    for within in EVERYWHERE {
        for request in searches(&config, within) {
            let is_page = wanted(&request, "size") == Some(&json!(10));
            let defined = Some(&json!({"day": {"type": "keyword"}}));
            assert_eq!(wanted(&request, "runtime_mappings"), defined);
            let content = [wanted(&request, "_source"), wanted(&request, "fields")];
            let expected = [json!(false), json!(["day"])];
            let expected = expected.each_ref().map(|value| is_page.then_some(value));
            assert_eq!(content, expected);
        }
    }
}

#[test]
fn nothing_is_said_that_is_not_configured() {
    let config = config(r#"{"index": "logs-*", "timestamp_field": "t"}"#);
    let searches = searches(&config, Within::Index);
    for request in searches.iter().filter(|request| request.is_search()) {
        assert!(
            request
                .path
                .ends_with("_search?allow_partial_search_results=false")
        );
        for key in ["runtime_mappings", "_source", "fields", "pit"] {
            assert_eq!(wanted(request, key), None);
        }
    }
}

#[test]
fn a_count_is_a_search_only_where_fields_are_computed() {
    let rows = [
        ("", "/i/_count", false),
        (
            r#", "routing": "a", "preference": "b""#,
            "/i/_count?routing=a&preference=b",
            false,
        ),
        (
            r#", "routing": "a", "runtime_mappings": {"x": {"type": "long"}}"#,
            "/i/_search?allow_partial_search_results=false&routing=a",
            true,
        ),
    ];
    for (more, path, is_search) in rows {
        let config = config(&format!(
            r#"{{"index": "i", "timestamp_field": "t"{more}}}"#
        ));
        let request = Request::count(&config, Slice::WHOLE, json!({"match_all": {}}));
        assert_eq!((&*request.path, request.is_search()), (path, is_search));
        assert_eq!(wanted(&request, "query"), Some(&json!({"match_all": {}})));
    }
}

#[test]
fn a_slice_asks_its_own_shards_in_the_preferred_copies() {
    let slice = Slice { number: 0, of: 512 };
    let rows = [
        ("", "_shards:0,512"),
        (r#", "preference": "_local""#, "_shards:0,512%7C_local"),
    ];
    for (more, preference) in rows {
        let config = config(&format!(
            r#"{{"index": "i", "timestamp_field": "t"{more}}}"#
        ));
        let path = Request::open_pit(Product::Elasticsearch, &config, slice).path;
        assert_eq!(
            path,
            format!("/i/_pit?keep_alive=5m&preference={preference}")
        );
    }
}

#[test]
fn minutes_are_told_apart_from_where_it_matters_and_leave_no_gap() {
    let config = config(r#"{"index": "i", "timestamp_field": "t", "timestamp_unit": "s"}"#);
    let unit = Unit::NumberS;
    let selection = Selection {
        config: &config,
        unit,
    };
    let rows = [
        (
            i64::MIN,
            vec![("1", 90, 120), ("2", 120, 180), ("3", 180, 200)],
        ),
        (3, vec![("1", 90, 180), ("3", 180, 200)]),
        (i64::MAX, vec![("1", 90, 200)]),
    ];
    for (each_from, expected) in rows {
        let look = Look {
            from: 90.into(),
            reach: (Key::at(200), Key::at(200)),
            first: 3,
            each_from: 4,
        };
        let request = Request::look(selection, Slice::WHOLE, &look, each_from);
        let body = request.body.unwrap();
        let filters = body["aggs"]["minutes"]["filters"]["filters"]
            .as_object()
            .unwrap();
        let range = |(minute, filter): (&String, &Value)| {
            let range = &filter["bool"]["filter"][0]["range"]["t"];
            let bound = |name: &str| range[name].as_i64().unwrap();
            (minute.clone(), bound("gte"), bound("lt"))
        };
        let found: Vec<_> = filters.iter().map(range).collect();
        let expected = expected.into_iter();
        let expected: Vec<_> = expected
            .map(|(m, from, to)| (m.to_owned(), from, to))
            .collect();
        assert_eq!(found, expected, "{each_from}");
    }
}

#[test]
fn late_documents_of_the_first_hour_of_1970_are_looked_for_from_its_begin_on() {
    let config = config(r#"{"index": "i", "timestamp_field": "t"}"#);
    let unit = Unit::Ns;
    let selection = Selection {
        config: &config,
        unit,
    };
    let (hour, minute) = (3_600_000_000_000, 60_000_000_000);
    let look = Look {
        from: (-hour).into(),
        reach: (Key::at(0), Key::at(2 * minute)),
        first: 0,
        each_from: 1,
    };
    let body = Request::look(selection, Slice::WHOLE, &look, i64::MIN).body;
    let body = body.unwrap();
    let filters = &body["aggs"]["minutes"]["filters"]["filters"];
    assert_eq!(filters.as_object().unwrap().len(), 62);
    assert!(!body.to_string().contains("1969"), "{body}");
    assert_eq!(filters["-7"]["bool"]["filter"], json!([{"match_none": {}}]));
}
