//! What fields can do: `_field_caps`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::Product;
use super::api::{Reply, Server};
use super::call::Call;
use super::cluster::matches;
use super::error::{ApiError, Cause};
use super::index::Index;

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
    let mut types: BTreeMap<String, BTreeMap<String, Vec<&str>>> = BTreeMap::new();
    for index in names.iter().filter_map(|name| cluster.indices.get(name)) {
        for (path, type_name) in capable(index, fields) {
            types
                .entry(path)
                .or_default()
                .entry(type_name)
                .or_default()
                .push(&index.name);
        }
    }
    if call.params.flag("include_unmapped", false) {
        for by_type in types.values_mut() {
            let unmapped = |name: &&String| {
                !by_type
                    .values()
                    .flatten()
                    .any(|other| *other == name.as_str())
            };
            let unmapped: Vec<&str> = names.iter().filter(unmapped).map(String::as_str).collect();
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

/// The fields of an index that are asked for, with their types.
fn capable(index: &Index, wanted: &str) -> Vec<(String, String)> {
    let is_wanted = |path: &str| wanted.split(',').any(|pattern| matches(pattern, path));
    let mapped = index
        .mapping
        .fields
        .iter()
        .map(|field| (field.path.to_string(), field.type_name.to_string()));
    let meta = ["_id", "_index", "_seq_no"].map(|name| (name.to_owned(), name.to_owned()));
    mapped
        .chain(meta)
        .filter(|(path, _)| is_wanted(path))
        .collect()
}

fn capabilities(product: Product, by_type: &BTreeMap<String, Vec<&str>>) -> Value {
    let one = |(type_name, indices): (&String, &Vec<&str>)| {
        let usable = !matches!(type_name.as_str(), "object" | "unmapped");
        let aggregatable = usable && type_name != "text" && type_name != "_id";
        let mut json =
            json!({"type": type_name, "searchable": usable, "aggregatable": aggregatable});
        if let Some(fields) = json.as_object_mut() {
            if product == Product::Elasticsearch {
                fields.insert("metadata_field".into(), type_name.starts_with('_').into());
            }
            if by_type.len() > 1 {
                fields.insert("indices".into(), json!(indices));
            }
        }
        (type_name.clone(), json)
    };
    Value::Object(by_type.iter().map(one).collect())
}
