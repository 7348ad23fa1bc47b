//! `[[sources.NAME.streams]]`: where in the output the documents of a source go.

use std::collections::BTreeSet;
use std::time::Duration;

use super::section::Section;
use super::value::{choice, duration, integer, text};

/// The longest name of a stream or topic, in bytes, that Iggy takes.
const NAME_MAX: usize = 255;

/// One stream and topic that every document is published to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stream {
    /// The stream's name, up to 255 bytes.
    pub stream: String,
    /// The topic's name, up to 255 bytes.
    pub topic: String,
    /// What the payload is declared to be; the bytes are the same for all.
    pub schema: Schema,
    /// The most messages of one publish, 1 to 100,000; 1,000 by default.
    pub batch_length: u32,
    /// How long a publish may wait for more messages, up to a minute; 5 ms by default.
    pub linger_time: Duration,
}

/// The declared format of payloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Schema {
    /// `json`, the default.
    Json,
    /// `raw`
    Raw,
    /// `text`
    Text,
}

impl Schema {
    /// The schema as the configuration writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Raw => "raw",
            Self::Text => "text",
        }
    }
}

/// All streams of a source, at least one, none twice.
pub(super) fn read_all(source: &Section<'_>) -> Option<Vec<Stream>> {
    let sections = source.list("streams");
    if sections.is_empty() {
        source.refuse_table("no stream: write [[sources.NAME.streams]] with stream and topic");
    }
    let mut seen = BTreeSet::new();
    let streams = sections.iter().map(|section| {
        let stream = read(section)?;
        if !seen.insert((stream.stream.clone(), stream.topic.clone())) {
            section.refuse(
                "topic",
                "is there already in this stream, and would get every document twice",
            );
        }
        Some(stream)
    });
    // All of them are read before one that is wrong ends it.
    let streams: Vec<_> = streams.collect();
    streams.into_iter().collect()
}

fn read(section: &Section<'_>) -> Option<Stream> {
    let name = |key: &str| {
        section.required(key, &format!("{key} = \"NAME\""), |node| {
            let short = |name: &String| name.len() <= NAME_MAX;
            text(node).and_then(|name| {
                Some(name)
                    .filter(short)
                    .ok_or(format!("is at most {NAME_MAX} bytes long"))
            })
        })
    };
    let (stream, topic) = (name("stream"), name("topic"));
    let schemas = [Schema::Json, Schema::Raw, Schema::Text].map(|schema| (schema.as_str(), schema));
    let schema = section.optional("schema", choice(&schemas));
    let batch_length = section.optional("batch_length", integer(1..=100_000));
    let linger_time = section.optional(
        "linger_time",
        duration(Duration::ZERO..=Duration::from_secs(60)),
    );
    Some(Stream {
        stream: stream?,
        topic: topic?,
        schema: schema.unwrap_or(Schema::Json),
        batch_length: batch_length.unwrap_or(1_000),
        linger_time: linger_time.unwrap_or(Duration::from_millis(5)),
    })
}
