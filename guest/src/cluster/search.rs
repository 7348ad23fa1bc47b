//! One search: a page of documents, or a count of the same.

use serde_json::{Value, json};

use crate::cluster::product::Product;
use crate::cluster::query::Selection;
use crate::cluster::request::set;
use crate::cluster::shards::Slice;
use crate::config::ID;
use crate::key::{Key, Point};
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
            Begin::At(key) => set(&mut body, "search_after", just_before(key)),
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

/// Behind it, this place is the first: documents of other shards may share the last one of a
/// page. Before the least of all numbers is the last place of the value before; a text only has
/// sequence numbers beside it, which are never that small.
fn just_before(Key { point, seq_no }: &Key) -> Value {
    match (point, seq_no.checked_sub(1)) {
        (Point::Number(number), None) => json!([number.saturating_sub(1), i64::MAX]),
        (_, before) => json!([point, before.unwrap_or(*seq_no)]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_begins_with_the_documents_at_the_end_of_the_last_one() {
        let rows = [
            ((5, 3).into(), json!([5, 2])),
            ((5, 0).into(), json!([5, -1])),
            ((5, i64::MAX).into(), json!([5, i64::MAX - 1])),
            ((5, i64::MIN).into(), json!([4, i64::MAX])),
            (Key::at("a"), json!(["a", i64::MIN])),
        ];
        for (key, after) in rows {
            assert_eq!(just_before(&key), after, "{key:?}");
        }
    }
}
