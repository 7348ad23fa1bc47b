//! How single values are read: as text, flags, numbers, durations, sizes, choices.
//!
//! What an environment variable sets is text, and means the same as in the file.

use std::ops::RangeInclusive;
use std::time::Duration;

use serde_json::Value as Json;

use super::error::Origin;
use super::tree::{Node, Value};
use super::units;

/// The text of an environment variable, or the value in the file.
enum Setting<'a> {
    Variable(&'a str),
    File(&'a Json),
    Other,
}

fn setting(node: &Node) -> Setting<'_> {
    match (&node.value, &node.origin) {
        (Value::Scalar(Json::String(text)), Origin::Environment(_)) => Setting::Variable(text),
        (Value::Scalar(value), _) => Setting::File(value),
        (Value::Table(_) | Value::List(_), _) => Setting::Other,
    }
}

/// Text that is not empty.
pub(super) fn text(node: &Node) -> Result<String, String> {
    match setting(node) {
        Setting::Variable("") => Err("is empty".to_owned()),
        Setting::File(Json::String(text)) if text.is_empty() => Err("is empty".to_owned()),
        Setting::Variable(text) => Ok(text.to_owned()),
        Setting::File(Json::String(text)) => Ok(text.clone()),
        Setting::File(_) | Setting::Other => Err("is text: write it in quotes".to_owned()),
    }
}

pub(super) fn flag(node: &Node) -> Result<bool, String> {
    match setting(node) {
        Setting::File(Json::Bool(flag)) => Ok(*flag),
        Setting::Variable("true") => Ok(true),
        Setting::Variable("false") => Ok(false),
        _ => Err("is true or false, without quotes".to_owned()),
    }
}

/// A whole number within limits.
pub(super) fn integer(limits: RangeInclusive<u32>) -> impl FnOnce(&Node) -> Result<u32, String> {
    move |node| {
        let number = match setting(node) {
            Setting::File(Json::Number(number)) => number.as_u64(),
            Setting::Variable(text) => text.parse().ok(),
            _ => None,
        };
        let number = number.and_then(|n| u32::try_from(n).ok());
        let (least, most) = limits.clone().into_inner();
        let wrong = || format!("is a whole number from {least} to {most}");
        number.filter(|n| limits.contains(n)).ok_or_else(wrong)
    }
}

/// A duration within limits.
pub(super) fn duration(
    limits: RangeInclusive<Duration>,
) -> impl FnOnce(&Node) -> Result<Duration, String> {
    move |node| {
        let written = text(node).map_err(|_| "is a duration in quotes, like \"30s\"".to_owned())?;
        let duration = units::duration(&written)?;
        let show = units::show_duration;
        let wrong = || {
            format!(
                "is a duration from {} to {}",
                show(*limits.start()),
                show(*limits.end())
            )
        };
        Some(duration)
            .filter(|d| limits.contains(d))
            .ok_or_else(wrong)
    }
}

/// A size in bytes within limits: a number of bytes, or text with a unit.
pub(super) fn size(limits: RangeInclusive<u64>) -> impl FnOnce(&Node) -> Result<u64, String> {
    move |node| {
        let size = match setting(node) {
            Setting::File(Json::Number(number)) => {
                number.as_u64().ok_or("is a size in bytes, not negative")?
            }
            Setting::Variable(text) if text.parse::<u64>().is_ok() => text.parse().unwrap_or(0),
            _ => units::size(
                &text(node)
                    .map_err(|_| "is a number of bytes, or text like \"64MiB\"".to_owned())?,
            )?,
        };
        let show = units::show_size;
        let wrong = || {
            format!(
                "is a size from {} to {}",
                show(*limits.start()),
                show(*limits.end())
            )
        };
        Some(size).filter(|s| limits.contains(s)).ok_or_else(wrong)
    }
}

/// One of a few words.
pub(super) fn choice<T: Clone>(known: &[(&str, T)]) -> impl FnOnce(&Node) -> Result<T, String> {
    move |node| {
        let written = text(node)?;
        let found = known.iter().find(|(word, _)| *word == written);
        let words = || {
            known
                .iter()
                .map(|(word, _)| format!("\"{word}\""))
                .collect::<Vec<_>>()
                .join(", ")
        };
        let wrong = || format!("\"{written}\" is not known here: write one of {}", words());
        found.map(|(_, value)| value.clone()).ok_or_else(wrong)
    }
}

/// `HOST:PORT`, without a scheme.
pub(super) fn host_and_port(node: &Node) -> Result<String, String> {
    let address = text(node)?;
    let valid = address.rsplit_once(':').is_some_and(|(host, port)| {
        let bracketed = host.starts_with('[') && host.ends_with(']');
        let host_is_plain = !host.is_empty() && !host.contains(['/', '@', ' ']);
        host_is_plain && (bracketed || !host.contains(':')) && port.parse::<u16>().is_ok()
    });
    match valid {
        true => Ok(address),
        false => Err("is HOST:PORT without a scheme, like \"127.0.0.1:8090\"".to_owned()),
    }
}
