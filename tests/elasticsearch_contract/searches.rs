//! Totals, queries, and what a search refuses.

use serde_json::json;

use super::reader::{found, hits, load, search};
use crate::support::servers::{Cluster, for_each_cluster};

async fn index(cluster: &Cluster) -> String {
    let mappings = json!({"properties": {"at": {"type": "date"}, "k": {"type": "keyword"}, "n": {"type": "long"}, "t": {"type": "text"}}});
    let index = cluster.create("searches", 3, mappings).await;
    let documents = [
        (
            "a",
            r#"{"at":"2026-01-01","k":["x","y"],"n":5,"t":"The quick Fox"}"#,
        ),
        ("b", r#"{"at":"2026-01-02","k":"y","n":-1}"#),
        ("c", r#"{"at":null,"k":[],"n":[7,3]}"#),
        ("d", r#"{"other":{"z":1}}"#),
    ];
    load(
        cluster,
        &index,
        documents.map(|(id, source)| (id.to_owned(), source.to_owned())),
    )
    .await;
    index
}

for_each_cluster! {
    async fn queries_find_what_they_say(cluster) {
        let index = index(cluster).await;
        let cases: &[(serde_json::Value, &[&str])] = &[
            (json!({"match_all": {}}), &["a", "b", "c", "d"]),
            (json!({"exists": {"field": "at"}}), &["a", "b"]),
            (json!({"exists": {"field": "k"}}), &["a", "b"]),
            (json!({"exists": {"field": "other"}}), &["d"]),
            (json!({"exists": {"field": "unmapped"}}), &[]),
            (json!({"bool": {"must_not": [{"exists": {"field": "at"}}]}}), &["c", "d"]),
            (json!({"term": {"k": "y"}}), &["a", "b"]),
            (json!({"term": {"n": {"value": 3}}}), &["c"]),
            (json!({"terms": {"k": ["x", "z"]}}), &["a"]),
            (json!({"term": {"at": "2026-01-02"}}), &["b"]),
            (json!({"ids": {"values": ["a", "d", "nobody"]}}), &["a", "d"]),
            (json!({"match": {"t": "FOX unknown"}}), &["a"]),
            (json!({"match": {"t": {"query": "fox unknown", "operator": "and"}}}), &[]),
            (json!({"term": {"t": "Fox"}}), &[]),
            (json!({"range": {"n": {"gt": 4}}}), &["a", "c"]),
            (json!({"range": {"n": {"gte": 2.5, "lte": 5}}}), &["a", "c"]),
            (json!({"range": {"unmapped": {"gte": 0}}}), &[]),
            (json!({"bool": {}}), &["a", "b", "c", "d"]),
            (json!({"bool": {"should": [{"term": {"k": "x"}}, {"term": {"n": 7}}]}}), &["a", "c"]),
            (json!({"bool": {"filter": {"match_all": {}}, "should": [{"term": {"k": "x"}}]}}), &["a", "b", "c", "d"]),
            (json!({"bool": {"filter": [{"range": {"n": {"gte": 3}}}], "should": [{"term": {"k": "x"}}], "minimum_should_match": 1}}), &["a"]),
            (json!({"bool": {"filter": [{"range": {"n": {"gte": 3}}}], "must_not": [{"term": {"k": "x"}}]}}), &["c"]),
            (json!({"bool": {"must": [{"term": {"k": "y"}}], "filter": [{"range": {"n": {"lt": 0}}}]}}), &["b"]),
        ];
        for (query, expected) in cases {
            assert_eq!(&found(cluster, &index, query.clone()).await, expected, "{query}");
        }
    }

    async fn a_range_over_sequence_numbers_counts_per_shard(cluster) {
        let index = cluster.create("seq-no", 1, json!({})).await;
        load(cluster, &index, (0..5).map(|n| (format!("d{n}"), "{}".into()))).await;
        assert_eq!(found(cluster, &index, json!({"range": {"_seq_no": {"gt": 1, "lte": 3}}})).await, ["d2", "d3"]);
    }

    async fn count_and_an_empty_page_say_the_same_total(cluster) {
        let index = index(cluster).await;
        for query in [json!({"match_all": {}}), json!({"exists": {"field": "at"}}), json!({"term": {"k": "nobody"}})] {
            let body = json!({"query": query}).to_string();
            let count = cluster.call("POST", &format!("/{index}/_count"), body).await.ok();
            let body = json!({"size": 0, "track_total_hits": true, "query": query});
            let page = search(cluster, &format!("/{index}/_search"), body).await;
            assert_eq!(count["count"], page["hits"]["total"]["value"]);
            assert_eq!(page["hits"]["total"]["relation"], "eq");
            assert!(hits(&page).is_empty());
            assert_eq!(count["_shards"], json!({"total": 3, "successful": 3, "skipped": 0, "failed": 0}));
        }
    }

    async fn the_total_is_as_exact_as_asked_for(cluster) {
        let path = format!("/{}/_search", index(cluster).await);
        let total = async |track: serde_json::Value| search(cluster, &path, json!({"size": 0, "track_total_hits": track})).await["hits"]["total"].clone();
        assert_eq!(total(json!(true)).await, json!({"value": 4, "relation": "eq"}));
        assert_eq!(total(json!(3)).await, json!({"value": 3, "relation": "gte"}));
        assert_eq!(total(json!(false)).await, json!(null));
    }

    async fn a_field_that_is_not_mapped_is_sorted_only_with_unmapped_type(cluster) {
        let path = format!("/{}/_search", index(cluster).await);
        let answer = cluster.call("POST", &path, json!({"sort": ["nowhere"]}).to_string()).await;
        assert_eq!(answer.cause(400), "query_shard_exception");
        let body = json!({"sort": [{"nowhere": {"order": "asc", "unmapped_type": "date"}}]});
        let answer = search(cluster, &path, body).await;
        assert_eq!(hits(&answer)[0]["sort"], json!([i64::MAX]));
    }

    async fn one_index_without_the_field_makes_the_answer_partial(cluster) {
        cluster.create("part-a", 1, json!({"properties": {"at": {"type": "date"}}})).await;
        cluster.create("part-b", 2, json!({})).await;
        let path = format!("/{}/_search", cluster.name("part-*"));
        let body = json!({"sort": ["at"]}).to_string();
        let answer = cluster.call("POST", &path, body.clone()).await.ok();
        assert_eq!((&answer["_shards"]["total"], &answer["_shards"]["failed"]), (&json!(3), &json!(2)));
        assert_eq!(answer["_shards"]["failures"][0]["reason"]["type"], "query_shard_exception");
        let answer = cluster.call("POST", &format!("{path}?allow_partial_search_results=false"), body).await;
        assert_eq!(answer.cause(400), "query_shard_exception");
    }

    async fn a_page_larger_than_the_window_is_refused(cluster) {
        let path = format!("/{}/_search", index(cluster).await);
        let answer = cluster.call("POST", &path, json!({"size": 10_001}).to_string()).await;
        assert_eq!(answer.cause(400), "illegal_argument_exception");
        assert!(answer.text.contains("Result window is too large"), "{}", answer.text);
        search(cluster, &path, json!({"size": 10_000})).await;
    }

    async fn what_is_not_known_is_refused(cluster) {
        let path = format!("/{}/_search", index(cluster).await);
        let bodies = [
            json!({"unknown": 1}),
            json!({"query": {"unknown": {}}}),
            json!({"query": {}}),
            json!({"query": {"match_all": {}, "term": {"k": "x"}}}),
            json!({"query": {"range": {"n": {"above": 1}}}}),
            json!({"query": {"range": {"n": {"gt": "x"}}}}),
            json!({"query": {"bool": {"unknown": []}}}),
            json!({"sort": [{"n": {"unknown": 1}}]}),
            json!({"sort": [{"n": "up"}]}),
            json!({"sort": ["t"]}),
            json!({"size": -2}),
            json!({"sort": ["n"], "search_after": [1, 2]}),
            json!({"sort": ["n"], "search_after": ["x"]}),
            json!({"search_after": [1]}),
            json!({"size": 0, "aggs": {"a": {"unknown": {"field": "n"}}}}),
            json!({"size": 0, "aggs": {"a": {"value_count": {}}}}),
            json!({"size": 0, "aggs": {"a": {"value_count": {"field": "n", "unknown": 1}}}}),
        ];
        for body in bodies {
            let answer = cluster.call("POST", &path, body.to_string()).await;
            assert_eq!(answer.status, 400, "{body} {}", answer.text);
        }
        for path in [format!("{path}?unknown=1"), path.replace("_search", "_unknown")] {
            assert_eq!(cluster.call("POST", &path, "{}").await.status, 400, "{path}");
        }
        assert_eq!(cluster.call("PUT", &path, "{}").await.status, 405);
        assert_eq!(cluster.call("POST", &path, "{").await.status, 400);
    }

    async fn documents_are_counted_per_minute(cluster) {
        let index = cluster.create("histogram", 2, json!({"properties": {"at": {"type": "date_nanos"}, "n": {"type": "long"}}})).await;
        let documents = [(0, 10), (59, 11), (60, 60), (180, -1)];
        let documents = documents.map(|(second, n)| (format!("d{second}"), format!(r#"{{"at":{},"n":{n}}}"#, 1_767_225_600_000_i64 + second * 1_000)));
        load(cluster, &index, documents).await;
        let aggs = json!({
            "minutes": {"date_histogram": {"field": "at", "fixed_interval": "1m", "min_doc_count": 1}},
            "tens": {"histogram": {"field": "n", "interval": 10, "min_doc_count": 1}},
            "largest": {"max": {"field": "n"}},
            "first": {"min": {"field": "at"}},
            "nothing": {"max": {"field": "nowhere"}},
        });
        let answer = search(cluster, &format!("/{index}/_search"), json!({"size": 0, "aggs": aggs})).await;
        let counts = |name: &str| -> Vec<(i64, i64)> {
            let buckets = answer["aggregations"][name]["buckets"].as_array().unwrap();
            buckets.iter().map(|bucket| (bucket["key"].as_f64().unwrap() as i64, bucket["doc_count"].as_i64().unwrap())).collect()
        };
        assert_eq!(counts("minutes"), [(1_767_225_600_000, 2), (1_767_225_660_000, 1), (1_767_225_780_000, 1)]);
        assert_eq!(counts("tens"), [(-10, 1), (10, 2), (60, 1)]);
        assert_eq!(answer["aggregations"]["largest"]["value"], 60.0);
        assert_eq!(answer["aggregations"]["first"]["value_as_string"], "2026-01-01T00:00:00.000Z");
        assert_eq!(answer["aggregations"]["nothing"]["value"], json!(null));
    }

    async fn a_document_that_stands_for_several_is_counted_once_by_its_index_only(cluster) {
        for (name, sources) in [("many-a", [r#"{"n":1,"_doc_count":5}"#, r#"{"n":1}"#, r#"{"n":2}"#]), ("many-b", [r#"{"n":2}"#, r#"{"n":2}"#, r#"{"a":{"_doc_count":9}}"#])] {
            let index = cluster.create(name, 2, json!({"properties": {"n": {"type": "long"}}})).await;
            let sources = sources.iter().enumerate();
            load(cluster, &index, sources.map(|(n, source)| (n.to_string(), (*source).to_owned()))).await;
        }
        let below = |mut aggregation: serde_json::Value| {
            aggregation["aggs"] = json!({"documents": {"value_count": {"field": "_index"}}});
            aggregation
        };
        let filter = |n: i64| json!({"term": {"n": n}});
        let aggs = json!({
            "all": {"value_count": {"field": "_index"}},
            "filters": below(json!({"filters": {"filters": {"1": filter(1), "2": filter(2), "3": filter(3)}}})),
            "histogram": below(json!({"histogram": {"field": "n", "interval": 1, "min_doc_count": 1}})),
            "terms": below(json!({"terms": {"field": "n", "size": 1}})),
            "ordered": below(json!({"terms": {"field": "n", "size": 1, "order": {"documents": "desc"}}})),
        });
        let pattern = cluster.name("many-*");
        let body = json!({"size": 0, "track_total_hits": true, "aggs": aggs});
        let answer = search(cluster, &format!("/{pattern}/_search"), body).await;
        let bucket = |doc_count: u64, documents: u64| json!({"doc_count": doc_count, "documents": {"value": documents}});
        let with_key = |key: serde_json::Value, mut bucket: serde_json::Value| {
            bucket["key"] = key;
            bucket
        };
        let found = &answer["aggregations"];
        assert_eq!((&answer["hits"]["total"]["value"], &found["all"]), (&json!(6), &json!({"value": 6})));
        assert_eq!(found["filters"]["buckets"], json!({"1": bucket(6, 2), "2": bucket(3, 3), "3": bucket(0, 0)}));
        assert_eq!(found["histogram"]["buckets"], json!([with_key(json!(1.0), bucket(6, 2)), with_key(json!(2.0), bucket(3, 3))]));
        for (name, others, first) in [("terms", 3, with_key(json!(1), bucket(6, 2))), ("ordered", 6, with_key(json!(2), bucket(3, 3)))] {
            let expected = json!({"doc_count_error_upper_bound": 0, "sum_other_doc_count": others, "buckets": [first]});
            assert_eq!(found[name], expected, "{name}");
        }
        let counted = cluster.call("POST", &format!("/{pattern}/_count"), r#"{"query":{"match_all":{}}}"#).await;
        assert_eq!(counted.ok()["count"], 6);
    }

    async fn for_how_many_a_document_stands_is_one_positive_whole_number_and_no_field(cluster) {
        let index = cluster.create("stands", 1, json!({"properties": {"n": {"type": "long"}}})).await;
        let path = format!("/{index}/_doc/1");
        for wrong in ["0", "-1", "1.5", "\"3\"", "true", "null", "[2,3]", "{\"a\":1}"] {
            let answer = cluster.call("PUT", &path, format!(r#"{{"_doc_count":{wrong}}}"#)).await;
            assert_eq!(answer.status, 400, "{wrong}: {}", answer.text);
        }
        assert_eq!(cluster.call("PUT", &path, r#"{"_doc_count":3}"#).await.status, 201);
        let mapping = cluster.call("GET", &format!("/{index}/_mapping"), "").await.ok();
        assert_eq!(mapping[&index]["mappings"], json!({"properties": {"n": {"type": "long"}}}));
    }

    async fn shards_that_are_not_there_have_no_document_and_no_aggregation(cluster) {
        let index = cluster.create("few", 2, json!({"properties": {"n": {"type": "long"}}})).await;
        load(cluster, &index, [("d".to_owned(), r#"{"n":1}"#.to_owned())]).await;
        let body = json!({"size": 1, "track_total_hits": true, "aggs": {"a": {"filters": {"filters": {"b": {"match_all": {}}}}}}});
        let path = format!("/{index}/_search?preference=_shards:2,5");
        let answer = cluster.call("POST", &path, body.to_string()).await.ok();
        assert_eq!(answer["hits"]["total"]["value"], 0);
        assert_eq!((&answer["_shards"]["total"], &answer["timed_out"]), (&json!(0), &json!(false)));
        assert_eq!(answer.get("aggregations"), None);
        let all = json!({"query": {"match_all": {}}}).to_string();
        let counted = cluster.call("POST", &format!("/{index}/_count?preference=_shards:2,5"), all).await;
        assert_eq!(counted.ok()["count"], 0);
    }

    async fn the_most_frequent_timestamp_is_found_by_the_millisecond(cluster) {
        let index = cluster.create("frequent", 2, json!({"properties": {"at": {"type": "date_nanos"}, "n": {"type": "long"}}})).await;
        let at = ["00.000000001Z", "00.000999999Z", "00.000001Z", "01Z"];
        let documents = at.iter().enumerate().map(|(n, at)| (format!("d{n}"), format!(r#"{{"at":"2026-01-01T00:00:{at}","n":{}}}"#, n / 2)));
        load(cluster, &index, documents).await;
        let terms = |field: &str| json!({"terms": {"field": field, "size": 1, "shard_size": 100}});
        let aggs = json!({"at": terms("at"), "n": terms("n"), "nothing": terms("nowhere")});
        let answer = search(cluster, &format!("/{index}/_search"), json!({"size": 0, "aggs": aggs})).await;
        let expected = json!({
            "at": {"doc_count_error_upper_bound": 0, "sum_other_doc_count": 1, "buckets": [{"key": 1_767_225_600_000_i64, "key_as_string": "2026-01-01T00:00:00.000Z", "doc_count": 3}]},
            "n": {"doc_count_error_upper_bound": 0, "sum_other_doc_count": 2, "buckets": [{"key": 0, "doc_count": 2}]},
            "nothing": {"doc_count_error_upper_bound": 0, "sum_other_doc_count": 0, "buckets": []},
        });
        assert_eq!(answer["aggregations"], expected);
    }
}
