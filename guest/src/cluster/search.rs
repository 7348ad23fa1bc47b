//! One search: a page of documents, or a count of the same.

use serde_json::{Value, json};

use crate::cluster::product::Product;
use crate::cluster::query::Selection;
use crate::cluster::request::set;
use crate::cluster::shards::Slice;
use crate::config::ID;
use crate::key::Key;
use crate::paging::context::{Begin, Within};

/// One search.
#[derive(Debug, Clone)]
pub struct Search<'a> {
    /// What to read.
    pub selection: Selection<'a>,
    /// What is searched.
    pub within: Within<'a>,
    /// Of which shards.
    pub slice: Slice,
    /// Where the segment begins.
    pub from: Key,
    /// Where it ends.
    pub to: Key,
    /// Where the page begins.
    pub begin: Begin,
    /// Hits in the page; 0 for a count.
    pub size: u64,
    /// Whether the total is wanted, which costs on every page.
    pub count: bool,
    /// Whether the documents' contents are wanted, and not only their places.
    pub contents: bool,
    /// OpenSearch needs a workaround; what is not known to be Elasticsearch gets it too.
    pub product: Option<Product>,
}

impl Search<'_> {
    pub(super) fn body(&self) -> Value {
        let mut body = json!({
            "size": self.size,
            "track_total_hits": self.count,
            "query": self.selection.between(&self.from, &self.to),
        });
        if self.size > 0 {
            set(
                &mut body,
                "sort",
                json!([self.point_sort(), self.tie_sort()]),
            );
            set(&mut body, "seq_no_primary_term", json!(true));
            if !self.contents {
                set(&mut body, "_source", json!(false));
            }
            for (key, value) in self.selection.config.content.wanted() {
                if self.contents {
                    set(&mut body, key, value);
                }
            }
        }
        match &self.begin {
            Begin::First => {}
            // One less: documents of other shards may share the last place of a page.
            Begin::At(Key { point, seq_no }) => {
                let after = json!([point, seq_no.saturating_sub(1)]);
                set(&mut body, "search_after", after);
            }
            Begin::Hit(hits) => set(&mut body, "from", json!(hits)),
        }
        body
    }

    fn tie_sort(&self) -> Value {
        match &self.selection.config.tiebreaker_field {
            // What is missing sorts last in every index then, whatever kind of whole number
            // it maps, and where the range of a cut group has it, too.
            Some(field) => {
                json!({field: {"order": "asc", "unmapped_type": "long", "numeric_type": "long"}})
            }
            None => json!({self.selection.config.tiebreaker(): "asc"}),
        }
    }

    /// `numeric_type` fixes the unit, whatever an index that joins the pattern maps.
    ///
    /// `missing` does nothing for documents that have the field, and only such are
    /// selected. But it keeps OpenSearch (2.19, 3.6, 3.8) from skipping documents of
    /// dense `date_nanos` timestamps over several shards.
    fn point_sort(&self) -> Value {
        let (field, unit) = (self.selection.config.order(), self.selection.unit);
        if field == ID {
            return json!({field: "asc"});
        }
        let mut order = json!({"order": "asc", "unmapped_type": unit.unmapped_type()});
        if let Some(numeric_type) = unit.numeric_type() {
            set(&mut order, "numeric_type", json!(numeric_type));
        }
        if self.product != Some(Product::Elasticsearch) {
            set(&mut order, "missing", json!("_first"));
        }
        json!({field: order})
    }
}
