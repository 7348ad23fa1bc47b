//! What fields can do: `_field_caps`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Product;
use super::api::{Reply, Server};
use super::call::Call;
use super::error::{ApiError, Cause};
use super::index::Index;
use super::mapping::Kind;
use crate::wildcard::is_like;

/// `_field_caps`.
pub(super) fn field_caps(
    server: &Server,
    call: &Call,
    index: Option<&str>,
) -> Result<Reply, ApiError> {
    let missing = || match server.product {
        Product::Elasticsearch => Cause::validation("no fields specified"),
        Product::OpenSearch => Cause::argument("specified fields can't be null or empty"),
    };
    let fields = call
        .params
        .get("fields")
        .filter(|fields| !fields.is_empty())
        .ok_or_else(missing)?;
    let cluster = server.cluster();
    let names = cluster.resolve(call.expression(index))?;
    let mut types: BTreeMap<String, BTreeMap<String, Vec<Capable<'_>>>> = BTreeMap::new();
    for index in names.iter().filter_map(|name| cluster.indices.get(name)) {
        for (path, type_name, capable) in capable(index, fields) {
            types
                .entry(path)
                .or_default()
                .entry(type_name)
                .or_default()
                .push(capable);
        }
    }
    if call.params.flag("include_unmapped", false) {
        for by_type in types.values_mut() {
            let unmapped = |name: &&String| {
                !by_type
                    .values()
                    .flatten()
                    .any(|other| other.index == name.as_str())
            };
            let unmapped = names.iter().filter(unmapped).map(|index| Capable {
                index,
                is_searchable: false,
                is_aggregatable: false,
            });
            let unmapped: Vec<_> = unmapped.collect();
            if !unmapped.is_empty() {
                by_type.insert("unmapped".into(), unmapped);
            }
        }
    }
    let fields: Map<String, Value> = types
        .into_iter()
        .map(|(path, by_type)| (path, capabilities(server.product, &by_type)))
        .collect();
    Ok(Reply::json(
        200,
        &json!({"indices": names, "fields": fields}),
    ))
}

/// What a field can do in an index.
struct Capable<'a> {
    index: &'a str,
    is_searchable: bool,
    is_aggregatable: bool,
}

/// The fields of an index that are asked for, with their types.
fn capable<'a>(index: &'a Index, wanted: &str) -> Vec<(String, String, Capable<'a>)> {
    let is_wanted = |path: &str| wanted.split(',').any(|pattern| is_like(pattern, path));
    let of = |path: &str, type_name: &str, is_searchable, is_aggregatable| {
        let capable = Capable {
            index: &index.name,
            is_searchable,
            is_aggregatable,
        };
        (path.to_owned(), type_name.to_owned(), capable)
    };
    let mapped = index.mapping.fields.iter().map(|field| {
        let is_usable = field.kind != Kind::Object;
        let is_aggregatable = is_usable && field.kind != Kind::Text && field.doc_values;
        of(&field.path, &field.type_name, is_usable, is_aggregatable)
    });
    let keeps = index.keeps_seq_nos();
    let meta = [
        ("_id", true, false),
        ("_index", true, true),
        ("_seq_no", keeps, keeps),
    ];
    mapped
        .chain(
            meta.map(|(name, searchable, aggregatable)| of(name, name, searchable, aggregatable)),
        )
        .filter(|(path, ..)| is_wanted(path))
        .collect()
}

fn capabilities(product: Product, by_type: &BTreeMap<String, Vec<Capable<'_>>>) -> Value {
    let one = |(type_name, all): (&String, &Vec<Capable<'_>>)| {
        let can_not = |can: fn(&Capable<'_>) -> bool| {
            let others = all.iter().filter(|capable| !can(capable));
            others.map(|capable| capable.index).collect::<Vec<_>>()
        };
        let not_searchable = can_not(|capable| capable.is_searchable);
        let not_aggregatable = can_not(|capable| capable.is_aggregatable);
        let mut json = json!({
            "type": type_name,
            "searchable": not_searchable.is_empty(),
            "aggregatable": not_aggregatable.is_empty(),
        });
        if let Some(fields) = json.as_object_mut() {
            if product == Product::Elasticsearch {
                fields.insert("metadata_field".into(), type_name.starts_with('_').into());
            }
            // Only where the others can.
            for (key, indices) in [
                ("non_searchable_indices", not_searchable),
                ("non_aggregatable_indices", not_aggregatable),
            ] {
                if !indices.is_empty() && indices.len() < all.len() {
                    fields.insert(key.into(), json!(indices));
                }
            }
            if by_type.len() > 1 {
                let indices: Vec<_> = all.iter().map(|capable| capable.index).collect();
                fields.insert("indices".into(), json!(indices));
            }
        }
        (type_name.clone(), json)
    };
    Value::Object(by_type.iter().map(one).collect())
}
