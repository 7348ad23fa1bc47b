//! `state show`: what a state says, for people.

use bytes::Bytes;
use serde_json::{Value, json};

use super::Looked;
use crate::cli::say::{say, say_all, say_json};
use crate::state_store::StoreError;

pub(super) async fn show(arguments: &Looked) -> anyhow::Result<()> {
    let manager = arguments.which.open().await?.manager;
    let place = manager.place();
    // Whoever holds it, the state itself may be as it should.
    let (holder, unknown) = match manager.holder().await {
        Err(StoreError::Corrupt(cause)) => (None, Some(format!("{cause:#}"))),
        holder => (holder?, None),
    };
    let document = manager.export().await?;
    let read = |document: Bytes| serde_json::from_slice::<Value>(&document);
    let state = document.map(read).transpose()?;
    if arguments.json {
        return say_json(
            &json!({"place": place, "holder": holder, "holder_error": unknown, "state": state}),
        );
    }
    say(format!("{:12}{place}", "place"))?;
    let holder = match (holder, unknown) {
        (_, Some(why)) => format!("not known: {why}"),
        (holder, None) => holder.unwrap_or_else(|| "nobody".to_owned()),
    };
    say(format!("{:12}{holder}", "holder"))?;
    match &state {
        Some(state) => say_all(lines(state)),
        None => say(format!(
            "{:12}none yet: the next run reads from the beginning",
            "state"
        )),
    }
}

/// What the fields mean. Any may be missing, as a state tracks what it was told to.
fn lines(state: &Value) -> Vec<String> {
    let said = |pointer| text(state.pointer(pointer));
    let data = |field: &str| text(state.pointer(&format!("/data/{field}")));
    let stats = |field: &str| data(&format!("processing_stats/{field}"));
    let rows = [
        (
            "saved",
            format!("{}, version {}", said("/last_updated"), said("/version")),
        ),
        (
            "reads",
            format!(
                "{} at {}{}",
                said("/metadata/index"),
                said("/metadata/url"),
                slice(state)
            ),
        ),
        ("watermark", watermark(state)),
        (
            "documents",
            format!(
                "{} delivered, {} bytes; {} of them dead-lettered",
                data("total_documents_fetched"),
                stats("total_bytes_processed"),
                data("dead_lettered")
            ),
        ),
        (
            "cycles",
            format!(
                "{} finished, {} with documents and {} without; the last one {}",
                data("poll_count"),
                stats("successful_polls_count"),
                stats("empty_polls_count"),
                stats("last_successful_poll")
            ),
        ),
        (
            "receipts",
            format!(
                "{} agreed, {} led to another read",
                data("receipts/agreed"),
                data("receipts/differed")
            ),
        ),
        (
            "errors",
            format!(
                "{} polls failed, the last one: {}",
                data("error_count"),
                data("last_error")
            ),
        ),
        ("clean stop", data("settled")),
    ];
    let rows = rows.into_iter().chain(output(state));
    rows.map(|(name, text)| format!("{name:12}{text}"))
        .collect()
}

/// How far it is delivered: a time, or the number or text of the last document where none
/// orders them.
fn watermark(state: &Value) -> String {
    let data = |field: &str| text(state.pointer(&format!("/data/{field}")));
    let (mut value, mut what) = (data("last_poll_timestamp"), "timestamp");
    let slices = state.pointer("/data/reading/slices");
    let slices = slices.and_then(Value::as_array).into_iter().flatten();
    let places = slices.filter_map(|slice| slice.pointer("/position/0"));
    let last = places.max_by_key(|place| (place.as_i64(), place.as_str()));
    if let Some(last) = last.filter(|_| value == "-") {
        (value, what) = (text(Some(last)), "place");
    }
    format!(
        "{value}, the {what} of the last document, {}",
        data("last_document_id")
    )
}

/// Which slice of it, where there are several.
fn slice(state: &Value) -> String {
    match state.pointer("/metadata/slice") {
        Some(slice) => format!(", slice {}", text(Some(slice))),
        None => String::new(),
    }
}

/// Where each partition ended when the state was saved.
fn output(state: &Value) -> Vec<(&'static str, String)> {
    let marks = state.pointer("/data/output").and_then(Value::as_array);
    let mark = |mark: &Value| {
        let said = |field: &str| text(mark.get(field));
        let (stream, topic, next) = (said("stream"), said("topic"), said("next"));
        (
            "output",
            format!(
                "{stream}, topic {topic}, partition {} ends at {next}",
                said("partition")
            ),
        )
    };
    marks.into_iter().flatten().map(mark).collect()
}

fn text(value: Option<&Value>) -> String {
    match value {
        None | Some(Value::Null) => "-".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
    }
}
