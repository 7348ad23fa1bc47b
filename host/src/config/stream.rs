//! `[[sources.NAME.streams]]`: where in the output the documents of a source go.

use std::collections::BTreeSet;
use std::time::Duration;

use super::output::Output;
use super::partitioning;
use super::section::Section;
use super::value::{choice, duration, integer, text};
use crate::publisher::iggy::{Durability, Partitioning};
use crate::publisher::shape::Metadata;

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
    /// Where the metadata of documents goes; into headers by default.
    pub metadata: Metadata,
    /// How messages are spread over the topic's partitions; balanced by default.
    pub partitioning: Partitioning,
    /// The partitions of a topic that has to be created, 1 to 1,000; 1 by default.
    pub partitions: u32,
    /// When messages of a topic that has to be created are acknowledged; once persisted by
    /// default.
    pub durability: Durability,
}

/// `[sources.NAME.dead_letter]`: where a note goes of every document that a stream refuses.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeadLetter {
    /// The stream's name, up to 255 bytes.
    pub stream: String,
    /// The topic's name, up to 255 bytes.
    pub topic: String,
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

/// A source of the program publishes somewhere.
pub(super) fn refuse_none(source: &Section<'_>) {
    if source.list("streams").is_empty() {
        source.refuse_table("no stream: write [[sources.NAME.streams]] with stream and topic");
    }
}

/// All streams of a source, none twice.
pub(super) fn read_all(source: &Section<'_>) -> Option<Vec<Stream>> {
    let sections = source.list("streams");
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

/// `[sources.NAME.dead_letter]`, which is none of the source's streams.
pub(super) fn read_dead_letter(source: &Section<'_>, streams: &[Stream]) -> Option<DeadLetter> {
    let section = source.section("dead_letter");
    if !section.exists() {
        return None;
    }
    let (stream, topic) = (name(&section, "stream"), name(&section, "topic"));
    let (stream, topic) = (stream?, topic?);
    if streams
        .iter()
        .any(|s| s.stream == stream && s.topic == topic)
    {
        section.refuse(
            "topic",
            "is one of the source's own, which get its documents: choose another topic",
        );
    }
    Some(DeadLetter { stream, topic })
}

fn name(section: &Section<'_>, key: &str) -> Option<String> {
    section.required(key, &format!("{key} = \"NAME\""), |node| {
        let short = |name: &String| name.len() <= NAME_MAX;
        text(node).and_then(|name| {
            Some(name)
                .filter(short)
                .ok_or(format!("is at most {NAME_MAX} bytes long"))
        })
    })
}

fn read(section: &Section<'_>) -> Option<Stream> {
    let (stream, topic) = (name(section, "stream"), name(section, "topic"));
    let schemas = [Schema::Json, Schema::Raw, Schema::Text].map(|schema| (schema.as_str(), schema));
    let schema = section.optional("schema", choice(&schemas));
    let batch_length = section.optional("batch_length", integer(1..=100_000));
    let linger_time = section.optional(
        "linger_time",
        duration(Duration::ZERO..=Duration::from_secs(60)),
    );
    let modes = [Metadata::Headers, Metadata::Envelope, Metadata::None];
    let metadata = section.optional("metadata", choice(&modes.map(|mode| (mode.as_str(), mode))));
    let (partitioning, partitions) = partitioning::read(section);
    let durabilities = [Durability::Persisted, Durability::Replicated].map(|d| (d.as_str(), d));
    let durability = section.optional("durability", choice(&durabilities));
    Some(Stream {
        stream: stream?,
        topic: topic?,
        schema: schema.unwrap_or(Schema::Json),
        batch_length: batch_length.unwrap_or(1_000),
        linger_time: linger_time.unwrap_or(Duration::from_millis(5)),
        metadata: metadata.unwrap_or_default(),
        partitioning: partitioning.unwrap_or_default(),
        partitions: partitions.unwrap_or(1),
        durability: durability.unwrap_or_default(),
    })
}

/// Refuses what only topics of Iggy have, as it would not take effect.
pub(super) fn check_output(source: &Section<'_>, streams: &[Stream], output: &Output) {
    let why = match output {
        Output::Iggy => return,
        Output::File { .. } => "a file has one partition and is always written to the disk",
        Output::Stdout => "standard output has no partitions and keeps nothing",
    };
    for (section, stream) in source.list("streams").iter().zip(streams) {
        for key in stream.settings_of_topics() {
            let message = format!("belongs to topics of iggy, and {why}: leave it out");
            section.refuse(key, &message);
        }
    }
}

impl Stream {
    /// The keys that are not as by default and mean something for topics of Iggy only.
    fn settings_of_topics(&self) -> impl Iterator<Item = &'static str> {
        let partitioned = self.partitioning != Partitioning::default();
        let durable = self.durability != Durability::default();
        [
            partitioned.then_some("partitioning"),
            (self.partitions != 1).then_some("partitions"),
            durable.then_some("durability"),
        ]
        .into_iter()
        .flatten()
    }
}
