//! `state list` and `state stats`: all states of a place.

use super::Looked;
use crate::cli::say::{say_all, say_json};
use crate::state_manager::{Entry, StateStats};

pub(super) async fn list(arguments: &Looked) -> anyhow::Result<()> {
    let entries = arguments.which.open().await?.manager.list().await?;
    match arguments.json {
        true => say_json(&entries),
        false => say_all(entries.iter().map(line)),
    }
}

pub(super) async fn stats(arguments: &Looked) -> anyhow::Result<()> {
    let stats = arguments.which.open().await?.manager.stats().await?;
    match arguments.json {
        true => say_json(&stats),
        false => say_all(lines(&stats)),
    }
}

fn line(entry: &Entry) -> String {
    let saved = entry.last_updated.as_deref();
    let parts = [
        entry.error.clone(),
        saved.map(|date| format!("saved {date}")),
        entry.documents.map(|n| format!("{n} documents")),
        entry.version.map(|version| format!("version {version}")),
        entry.bytes.map(|bytes| format!("{bytes} bytes")),
        entry.configured.then(|| "configured".to_owned()),
        entry.holder.as_ref().map(|who| format!("held by {who}")),
    ];
    let parts: Vec<_> = parts.into_iter().flatten().collect();
    format!("{}: {}", entry.id, parts.join(", "))
}

fn lines(stats: &StateStats) -> [String; 5] {
    let date = |date: &Option<String>| date.clone().unwrap_or_else(|| "-".to_owned());
    [
        format!(
            "states      {}, {} bytes",
            stats.total_states, stats.total_bytes
        ),
        format!("held        {}", stats.leased),
        format!("unreadable  {}", stats.unreadable),
        format!("oldest      {}", date(&stats.oldest)),
        format!("newest      {}", date(&stats.newest)),
    ]
}
