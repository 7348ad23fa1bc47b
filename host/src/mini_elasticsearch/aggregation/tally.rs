//! What stands in a bucket: documents, and what they count for.

use std::ops::AddAssign;

use serde_json::{Map, Value, json};

use crate::mini_elasticsearch::document::Document;

/// How many documents there are, and the sum of what they stand for.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Tally {
    pub(super) documents: u64,
    pub(super) doc_count: u64,
}

impl Tally {
    pub(super) fn of(document: &Document) -> Self {
        Self {
            documents: 1,
            doc_count: document.doc_count,
        }
    }

    /// The bucket with these keys, and the number of documents under a name if it was asked for.
    pub(super) fn bucket(self, mut keys: Map<String, Value>, documents: Option<&str>) -> Value {
        keys.insert("doc_count".to_owned(), self.doc_count.into());
        if let Some(name) = documents {
            keys.insert(name.to_owned(), json!({"value": self.documents}));
        }
        Value::Object(keys)
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.documents += other.documents;
        self.doc_count += other.doc_count;
    }
}
