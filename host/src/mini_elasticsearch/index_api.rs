//! The requests about indices: creating and deleting, mappings, settings, refresh.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::Product;
use super::api::{Reply, Server};
use super::call::Call;
use super::cluster::Cluster;
use super::error::{ApiError, Cause};
use super::index::Index;
use super::search_request::json_object;
use super::settings::{check, check_change, flat_settings, settings_json};

/// `PUT`, `DELETE` and `HEAD` of an index.
pub(super) fn index(server: &Server, call: &Call, name: &str) -> Result<Reply, ApiError> {
    let mut cluster = server.cluster();
    match call.method.as_str() {
        "PUT" => {
            let body = Value::Object(json_object(&call.body)?);
            check(server.product, body.get("settings").unwrap_or(&Value::Null))?;
            cluster.create_index(name, &body)?;
            Ok(Reply::json(
                200,
                &json!({"acknowledged": true, "shards_acknowledged": true, "index": name}),
            ))
        }
        "DELETE" => {
            if server.product == Product::Elasticsearch && name.contains('*') {
                return Err(
                    Cause::argument("Wildcard expressions or all indices are not allowed").into(),
                );
            }
            for name in cluster.resolve(call.expression(Some(name)))? {
                cluster.indices.remove(&name);
            }
            Ok(Reply::json(200, &json!({"acknowledged": true})))
        }
        _ => {
            let found = cluster
                .resolve(call.expression(Some(name)))
                .is_ok_and(|names| !names.is_empty());
            Ok(Reply::bytes(
                if found { 200 } else { 404 },
                bytes::Bytes::new(),
            ))
        }
    }
}

/// `_refresh`.
pub(super) fn refresh(
    server: &Server,
    call: &Call,
    index: Option<&str>,
) -> Result<Reply, ApiError> {
    let mut cluster = server.cluster();
    let mut shards = 0;
    for name in cluster.resolve(call.expression(index))? {
        if let Some(index) = cluster.indices.get_mut(&name) {
            index.refresh(None);
            shards += index.shards.len();
        }
    }
    Ok(Reply::json(
        200,
        &json!({"_shards": {"total": shards, "successful": shards, "failed": 0}}),
    ))
}

/// One JSON object with an entry for every index that is meant.
fn by_index(
    cluster: &Cluster,
    call: &Call,
    index: Option<&str>,
    json: impl Fn(&Index) -> Value,
) -> Result<Reply, ApiError> {
    let names = cluster.resolve(call.expression(index))?;
    let indices = names.iter().filter_map(|name| cluster.indices.get(name));
    let entries: Map<String, Value> = indices
        .map(|index| (index.name.to_string(), json(index)))
        .collect();
    Ok(Reply::json(200, &Value::Object(entries)))
}

/// `GET` and `PUT` of `_mapping`.
pub(super) fn mapping(
    server: &Server,
    call: &Call,
    index: Option<&str>,
) -> Result<Reply, ApiError> {
    let mut cluster = server.cluster();
    if call.method == "GET" {
        return by_index(
            &cluster,
            call,
            index,
            |index| json!({"mappings": index.mapping.json()}),
        );
    }
    let mappings = Value::Object(json_object(&call.body)?);
    for name in cluster.resolve(call.expression(index))? {
        if let Some(index) = cluster.indices.get_mut(&name) {
            Arc::make_mut(&mut index.mapping).merge(&mappings)?;
            index.changed();
        }
    }
    Ok(Reply::json(200, &json!({"acknowledged": true})))
}

/// `GET _mapping/field/{fields}`: names with commas between, and `_source`.
pub(super) fn field_mapping(
    server: &Server,
    call: &Call,
    index: Option<&str>,
    fields: &str,
) -> Result<Reply, ApiError> {
    by_index(&server.cluster(), call, index, |index| {
        let found = fields.split(',').filter_map(|field| {
            let mapping = match field {
                "_source" => json!({}),
                _ => {
                    let last = field.rsplit('.').next().unwrap_or(field);
                    json!({last: index.mapping.definition(field)?})
                }
            };
            Some((
                field.to_owned(),
                json!({"full_name": field, "mapping": mapping}),
            ))
        });
        json!({"mappings": Value::Object(found.collect())})
    })
}

/// `GET` and `PUT` of `_settings`.
pub(super) fn settings(
    server: &Server,
    call: &Call,
    index: Option<&str>,
    name: Option<&str>,
) -> Result<Reply, ApiError> {
    let mut cluster = server.cluster();
    if call.method == "GET" {
        let (flat, defaults) = (
            call.params.flag("flat_settings", false),
            call.params.flag("include_defaults", false),
        );
        return by_index(&cluster, call, index, |index| {
            settings_json(index, name.unwrap_or("*"), flat, defaults)
        });
    }
    let settings = flat_settings(&Value::Object(json_object(&call.body)?));
    for name in cluster.resolve(call.expression(index))? {
        check_change(&settings, &name)?;
        if let Some(index) = cluster.indices.get_mut(&name) {
            index.settings.extend(settings.clone());
            index.changed();
        }
    }
    Ok(Reply::json(200, &json!({"acknowledged": true})))
}
