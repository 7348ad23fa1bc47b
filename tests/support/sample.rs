//! A cluster in this process with numbered documents, seven with each timestamp.

use std::ops::Range;

use elasticsearch_source::mini_elasticsearch::{MiniElasticsearch, Options, Product};
use serde_json::json;

/// The index of the documents.
pub const INDEX: &str = "logs";

/// A cluster with this many documents in three shards.
pub fn cluster(product: Product, documents: u64) -> MiniElasticsearch {
    let cluster = MiniElasticsearch::start(Options {
        product,
        ..Options::default()
    })
    .unwrap();
    create(&cluster, INDEX, 3);
    insert(&cluster, 0..documents);
    cluster
}

/// Creates an index for documents with dates in `@timestamp`.
pub fn create(cluster: &MiniElasticsearch, index: &str, shards: usize) {
    let mappings = json!({"properties": {"@timestamp": {"type": "date"}}});
    cluster.create_index(index, shards, &mappings).unwrap();
}

/// Documents `d0`, `d1` and so on.
pub fn insert(cluster: &MiniElasticsearch, numbers: Range<u64>) {
    for n in numbers {
        let source = format!(
            r#"{{"@timestamp":{},"number":{n}}}"#,
            1_767_225_600_000 + n / 7
        );
        cluster
            .insert(INDEX, Some(&format!("d{n}")), source)
            .unwrap();
    }
}

/// The ids of documents.
pub fn ids(numbers: Range<u64>) -> impl Iterator<Item = String> {
    numbers.map(|n| format!("d{n}"))
}
