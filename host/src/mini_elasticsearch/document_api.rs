//! The requests that write documents, and the one that reads a document by its id.

use bytes::Bytes;
use serde_json::{Value, json};

use super::api::{Reply, Server};
use super::call::Call;
use super::cluster::Cluster;
use super::error::{ApiError, Cause};
use super::index::{Action, Write, Written};
use super::indexing::text;

/// `PUT|POST {index}/_doc[/{id}]`, `{index}/_create/{id}` and `DELETE`.
pub(super) fn write(
    server: &Server,
    call: &Call,
    name: &str,
    id: Option<&str>,
    create: bool,
) -> Result<Reply, ApiError> {
    let create = create || call.params.get("op_type") == Some("create");
    let action = match (call.method.as_str(), create) {
        ("DELETE", _) => Action::Delete,
        (_, true) => Action::Create,
        _ => Action::Index,
    };
    if action != Action::Delete && call.body.is_empty() {
        return Err(Cause::new(400, "parse_exception", "request body is required").into());
    }
    let mut cluster = server.cluster();
    let id = id.map_or_else(|| cluster.new_id(), str::to_owned);
    let routing = call.params.get("routing");
    let write = Write {
        action,
        id: &id,
        routing,
        expected: expected(call)?,
        source: call.body.clone(),
    };
    let shards = cluster.index_to_write(name)?;
    let replicas = replicas(shards.setting("index.number_of_replicas", "1"));
    let written = shards.write(write)?;
    refresh(&mut cluster, call, name);
    let status = match written.result {
        "created" => 201,
        "not_found" => 404,
        _ => 200,
    };
    Ok(Reply::json(
        status,
        &written_json(name, &id, replicas, written),
    ))
}

/// The seq_no of a conditional write; the primary term is always 1.
fn expected(call: &Call) -> Result<Option<i64>, Cause> {
    let number = |name: &str| {
        let text = call.params.get(name);
        text.map(|text| {
            text.parse::<i64>().map_err(|_| {
                Cause::argument(format!(
                    "Failed to parse long parameter [{name}] with value [{text}]"
                ))
            })
        })
        .transpose()
    };
    match (number("if_seq_no")?, number("if_primary_term")?) {
        (None, None) => Ok(None),
        (Some(seq_no), Some(1)) => Ok(Some(seq_no)),
        // No document has another term: a seq_no that none has makes it a conflict.
        (Some(_), Some(_)) => Ok(Some(i64::MAX)),
        (Some(_), None) => Err(Cause::validation("ifSeqNo is set, but primary term is [0]")),
        (None, Some(_)) => Err(Cause::validation(
            "ifSeqNo is unassigned, but primary term is [1]",
        )),
    }
}

fn refresh(cluster: &mut Cluster, call: &Call, name: &str) {
    let wanted = call
        .params
        .get("refresh")
        .is_some_and(|refresh| refresh != "false");
    if let (true, Some(index)) = (wanted, cluster.indices.get_mut(name)) {
        index.refresh(None);
    }
}

fn replicas(setting: &str) -> u64 {
    setting.parse().unwrap_or(0)
}

fn written_json(name: &str, id: &str, replicas: u64, written: Written) -> Value {
    json!({
        "_index": name, "_id": id, "_version": written.version, "result": written.result,
        "_shards": {"total": replicas + 1, "successful": 1, "failed": 0},
        "_seq_no": written.seq_no, "_primary_term": written.primary_term(),
    })
}

/// `GET {index}/_doc/{id}`.
pub(super) fn get(server: &Server, call: &Call, name: &str, id: &str) -> Result<Reply, ApiError> {
    let cluster = server.cluster();
    let index = cluster
        .indices
        .get(name)
        .ok_or_else(|| Cause::no_such_index(name))?;
    let Some(document) = index.get(id, call.params.get("routing")) else {
        return Ok(Reply::json(
            404,
            &json!({"_index": name, "_id": id, "found": false}),
        ));
    };
    let mut head = json!({"_index": name, "_id": id, "_version": document.version, "found": true});
    if let Some(fields) = head.as_object_mut() {
        if index.keeps_seq_nos() {
            fields.insert("_seq_no".into(), document.seq_no.into());
            fields.insert("_primary_term".into(), 1.into());
        }
        if let Some(routing) = &document.routing {
            fields.insert("_routing".into(), Value::from(&**routing));
        }
    }
    let mut body = head.to_string().into_bytes();
    if call.params.flag("_source", true) {
        body.pop();
        body.extend_from_slice(b",\"_source\":");
        body.extend_from_slice(&document.source);
        body.push(b'}');
    }
    Ok(Reply::bytes(200, Bytes::from(body)))
}

/// `POST [{index}/]_bulk`.
pub(super) fn bulk(server: &Server, call: &Call, name: Option<&str>) -> Result<Reply, ApiError> {
    if call.body.is_empty() {
        return Err(Cause::new(400, "parse_exception", "request body is required").into());
    }
    if !call.body.ends_with(b"\n") {
        return Err(
            Cause::argument("The bulk request must be terminated by a newline [\\n]").into(),
        );
    }
    let operations = operations(&call.body, name)?;
    let mut cluster = server.cluster();
    let (mut items, mut errors) = (Vec::with_capacity(operations.len()), false);
    for operation in &operations {
        let (item, failed) = run(&mut cluster, operation);
        items.push(item);
        errors |= failed;
    }
    for operation in &operations {
        refresh(&mut cluster, call, &operation.index);
    }
    Ok(Reply::json(
        200,
        &json!({"took": 0, "errors": errors, "items": items}),
    ))
}

struct Operation {
    name: String,
    action: Action,
    index: String,
    id: Option<String>,
    routing: Option<String>,
    expected: Option<i64>,
    source: Bytes,
}

/// The operations of a bulk body. Sources are slices of it, byte for byte.
fn operations(body: &Bytes, index: Option<&str>) -> Result<Vec<Operation>, Cause> {
    let lines = body
        .split_inclusive(|byte| *byte == b'\n')
        .map(|line| line.strip_suffix(b"\n").unwrap_or(line));
    let mut lines = (1..).zip(lines);
    let mut operations = Vec::new();
    while let Some((number, line)) = lines.next() {
        if line.iter().all(u8::is_ascii_whitespace) {
            continue;
        }
        let malformed = |why: String| {
            Cause::argument(format!("Malformed action/metadata line [{number}], {why}"))
        };
        let mut operation = operation(line, index).map_err(malformed)?;
        if operation.action != Action::Delete {
            let (_, source) = lines
                .next()
                .ok_or_else(|| malformed("the source is missing".into()))?;
            operation.source = body.slice_ref(source);
        }
        operations.push(operation);
    }
    Ok(operations)
}

/// Reads the line before a source.
fn operation(line: &[u8], index: Option<&str>) -> Result<Operation, String> {
    let json: Value = serde_json::from_slice(line).map_err(|error| error.to_string())?;
    let mut entries = json.as_object().into_iter().flatten();
    let (Some((name, meta)), None) = (entries.next(), entries.next()) else {
        return Err("expected one action".into());
    };
    let action = match name.as_str() {
        "index" => Action::Index,
        "create" => Action::Create,
        "delete" => Action::Delete,
        other => {
            return Err(format!(
                "expected field [create], [delete] or [index] but found [{other}]"
            ));
        }
    };
    let known = ["_index", "_id", "routing", "if_seq_no", "if_primary_term"];
    if let Some(key) = meta
        .as_object()
        .and_then(|meta| meta.keys().find(|key| !known.contains(&key.as_str())))
    {
        return Err(format!("unknown parameter [{key}]"));
    }
    let get = |key: &str| meta.get(key).map(text);
    Ok(Operation {
        name: name.clone(),
        action,
        index: get("_index")
            .or_else(|| index.map(str::to_owned))
            .ok_or("index is missing")?,
        id: get("_id"),
        routing: get("routing"),
        expected: meta.get("if_seq_no").and_then(Value::as_i64),
        source: Bytes::new(),
    })
}

fn run(cluster: &mut Cluster, operation: &Operation) -> (Value, bool) {
    let id = operation.id.clone().unwrap_or_else(|| cluster.new_id());
    let write = Write {
        action: operation.action,
        id: &id,
        routing: operation.routing.as_deref(),
        expected: operation.expected,
        source: operation.source.clone(),
    };
    let result = cluster.index_to_write(&operation.index).and_then(|index| {
        let replicas = replicas(index.setting("index.number_of_replicas", "1"));
        Ok((index.write(write)?, replicas))
    });
    let failed = result.is_err();
    let mut json = match result {
        Ok((written, replicas)) => written_json(&operation.index, &id, replicas, written),
        Err(cause) => {
            json!({"_index": operation.index, "_id": id, "error": cause.json, "status": cause.status})
        }
    };
    let status = match json.get("result").and_then(Value::as_str) {
        Some("created") => Some(201),
        Some("not_found") => Some(404),
        Some(_) => Some(200),
        None => None,
    };
    if let (Some(status), Some(fields)) = (status, json.as_object_mut()) {
        fields.insert("status".into(), status.into());
    }
    let mut item = serde_json::Map::new();
    item.insert(operation.name.clone(), json);
    (Value::Object(item), failed)
}
