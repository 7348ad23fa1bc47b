//! All indices and open contexts, and which indices an expression means.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::Value;

use super::Product;
use super::call::Params;
use super::contexts::{Contexts, Most};
use super::error::Cause;
use super::index::Index;
use super::mapping::Mapping;
use super::search_request::SearchRequest;
use super::settings::flat_settings;
use super::view::View;
use crate::wildcard::is_like;

/// How many views are kept for searches outside a PIT.
const VIEWS_MAX: usize = 4;

/// How many shards an index may have.
const SHARDS_MAX: usize = 1_024;

/// Everything that the server holds.
#[derive(Debug)]
pub(super) struct Cluster {
    pub(super) indices: BTreeMap<String, Index>,
    pub(super) pits: Contexts<Arc<View>>,
    pub(super) scrolls: Contexts<Scroll>,
    /// Whether documents stay invisible until a refresh is asked for.
    pub(super) manual_refresh: bool,
    views: Vec<Arc<View>>,
    last_id: u64,
}

/// A search that is read to its end.
#[derive(Debug, Clone)]
pub(super) struct Scroll {
    pub(super) view: Arc<View>,
    pub(super) request: SearchRequest,
    /// How many hits were returned.
    pub(super) returned: usize,
}

/// Which indices a request means.
#[derive(Debug, Clone, Copy)]
pub(super) struct Expression<'a> {
    /// Names and patterns with commas between; nothing means all.
    pub(super) text: &'a str,
    pub(super) ignore_unavailable: bool,
    pub(super) allow_no_indices: bool,
}

impl Cluster {
    pub(super) fn new(product: Product, manual_refresh: bool) -> Self {
        Self {
            indices: BTreeMap::new(),
            pits: Contexts::new("pit", Most::of_pits(product)),
            scrolls: Contexts::new("scroll", Some(Most::of_scrolls(product))),
            manual_refresh,
            views: Vec::new(),
            last_id: 0,
        }
    }

    /// The names that an expression means, in alphabetical order.
    pub(super) fn resolve(&self, expression: Expression<'_>) -> Result<Vec<String>, Cause> {
        let mut names: Vec<String> = Vec::new();
        for part in expression.text.split(',') {
            if let Some(excluded) = part.strip_prefix('-') {
                names.retain(|name| !is_like(excluded, name));
            } else if part.is_empty() || part == "_all" || part.contains('*') {
                let pattern = if part.contains('*') { part } else { "*" };
                let found = self.indices.keys().filter(|name| is_like(pattern, name));
                names.extend(found.cloned());
            } else if self.indices.contains_key(part) {
                names.push(part.to_owned());
            } else if !expression.ignore_unavailable {
                return Err(Cause::no_such_index(part));
            }
        }
        names.sort();
        names.dedup();
        if names.is_empty() && !expression.allow_no_indices {
            return Err(Cause::no_such_index(expression.text));
        }
        Ok(names)
    }

    /// What a search over these indices sees now, in the shards of its `routing` that its
    /// `preference` names.
    pub(super) fn view_of(&mut self, names: &[String], params: &Params) -> Arc<View> {
        let view = self.view(names);
        let (routing, preference) = (params.get("routing"), preferred(params));
        if routing.is_none() && preference.is_none() {
            return view;
        }
        let chosen = view.searchers.iter().filter_map(|searcher| {
            let mut shards = self.indices.get(&*searcher.index)?.shards_of(routing);
            shards.retain(|shard| preference.as_ref().is_none_or(|only| only.contains(shard)));
            Some(Arc::new(searcher.of_shards(&shards)))
        });
        Arc::new(View::new(chosen.collect()))
    }

    /// What a search over all shards of these indices sees now.
    fn view(&mut self, names: &[String]) -> Arc<View> {
        let mut searchers = Vec::new();
        for name in names {
            if let Some(index) = self.indices.get_mut(name) {
                if !self.manual_refresh {
                    index.refresh(None);
                }
                searchers.push(index.searcher());
            }
        }
        let generations = |view: &View| {
            view.searchers
                .iter()
                .map(|searcher| searcher.generation)
                .collect::<Vec<_>>()
        };
        let view = View::new(searchers);
        let wanted = generations(&view);
        if let Some(kept) = self.views.iter().find(|kept| generations(kept) == wanted) {
            return Arc::clone(kept);
        }
        let view = Arc::new(view);
        self.views.truncate(VIEWS_MAX - 1);
        self.views.insert(0, Arc::clone(&view));
        view
    }

    /// Creates an index from the body of such a request.
    pub(super) fn create_index(&mut self, name: &str, body: &Value) -> Result<(), Cause> {
        check_name(name)?;
        if let Some(index) = self.indices.get(name) {
            let reason = format!("index [{name}/{}] already exists", index.uuid);
            let cause = Cause::new(400, "resource_already_exists_exception", reason);
            return Err(cause.with("index_uuid", &*index.uuid).with("index", name));
        }
        let settings = body.get("settings").map(flat_settings).unwrap_or_default();
        let shards: usize = settings
            .get("index.number_of_shards")
            .map_or(Ok(1), |text| text.parse())
            .unwrap_or(0);
        if shards == 0 || shards > SHARDS_MAX {
            let reason = format!(
                "Failed to parse value for setting [index.number_of_shards] must be >= 1 and <= {SHARDS_MAX}"
            );
            return Err(Cause::argument(reason));
        }
        let mapping = Mapping::from_json(body.get("mappings").unwrap_or(&Value::Null))?;
        self.indices
            .insert(name.to_owned(), Index::new(name, shards, mapping, settings));
        Ok(())
    }

    /// The index to write to; it comes into being with its first document.
    pub(super) fn index_to_write(&mut self, name: &str) -> Result<&mut Index, Cause> {
        if !self.indices.contains_key(name) {
            self.create_index(name, &Value::Null)?;
        }
        self.indices
            .get_mut(name)
            .ok_or_else(|| Cause::no_such_index(name))
    }

    /// An id for a document that came without one.
    pub(super) fn new_id(&mut self) -> String {
        self.last_id += 1;
        format!(
            "mini{:016x}",
            self.last_id.wrapping_mul(0x9e37_79b9_7f4a_7c15)
        )
    }
}

/// The shards that a `preference` names; nothing where it is about their copies.
fn preferred(params: &Params) -> Option<BTreeSet<usize>> {
    let numbers = params.get("preference")?.strip_prefix("_shards:")?;
    let numbers = numbers.split('|').next()?.split(',');
    Some(numbers.filter_map(|number| number.parse().ok()).collect())
}

fn check_name(name: &str) -> Result<(), Cause> {
    const REFUSED: &str = "[' ','\"','*',',','/','<','>','?','\\','|']";
    let refused = if name.starts_with(['_', '-', '+']) {
        "must not start with '_', '-', or '+'".to_owned()
    } else if name.contains([' ', '"', '*', ',', '/', '<', '>', '?', '\\', '|']) {
        format!("must not contain the following characters {REFUSED}")
    } else if name.to_lowercase() != name {
        "must be lowercase".to_owned()
    } else if name.is_empty() || name.len() > 255 {
        "must have 1 to 255 bytes".to_owned()
    } else {
        return Ok(());
    };
    let reason = format!("Invalid index name [{name}], {refused}");
    Err(Cause::new(400, "invalid_index_name_exception", reason)
        .with("index_uuid", "_na_")
        .with("index", name))
}
