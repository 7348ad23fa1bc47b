//! From a hit to a message: an id that never changes, and headers.

use sha2::{Digest, Sha256};

use crate::cluster::answer::Hit;
use crate::config::Config;
use crate::error::Error;
use crate::payload::{self, Payload};

/// A message for the publisher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// See [`message_id`].
    pub id: u128,
    /// What it says.
    pub payload: Payload,
    /// `_index` and `_id`, and `_seq_no` and `_primary_term` where the index keeps them.
    pub headers: Vec<(&'static str, HeaderValue)>,
}

/// The value of a header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderValue {
    /// UTF-8 text.
    Text(String),
    /// A number.
    Unsigned(u64),
}

/// The headers of a hit, all that identifies this version of the document.
pub fn headers(hit: &Hit<'_>) -> Vec<(&'static str, HeaderValue)> {
    let mut headers = vec![
        ("_index", HeaderValue::Text(hit.index.clone().into_owned())),
        ("_id", HeaderValue::Text(hit.id.clone().into_owned())),
    ];
    if let Some(write) = hit.write {
        headers.push(("_seq_no", HeaderValue::Unsigned(write.seq_no)));
        headers.push(("_primary_term", HeaderValue::Unsigned(write.primary_term)));
    }
    headers
}

/// 128 bits that are the same for the same version of the same document, always: the
/// namespace's [`id_prefix`], and 112 bits of a SHA-256 over namespace, index, id, sequence
/// number and primary term. Where the index keeps no sequence numbers, over its payload in
/// their place: what says the same is the same version there. Then over the routing, where the
/// document was written with one: every shard numbers its own writes, so that all else can be
/// equal of documents that share an id and were routed to different shards. Without one the id
/// chose the shard, and is the same as ever.
///
/// A cryptographic hash, since ids are often chosen by whoever writes the documents, and
/// two documents with one id would be one message. Lengths stand before the texts, so
/// that no two lists of parts read alike; nor does one with a payload read like one with a
/// sequence number, in whose place it has a number that none is.
///
/// # Errors
/// Permanent, if there is neither a sequence number nor a field to order by in its place, or
/// no payload that would have to stand for it.
pub fn message_id(config: &Config, hit: &Hit<'_>) -> Result<u128, Error> {
    let namespace = config.id_namespace.as_str();
    let mut hash = Sha256::new();
    for part in [namespace, &hit.index, &hit.id] {
        add(&mut hash, part);
    }
    match hit.write {
        Some(write) => {
            hash.update(write.seq_no.to_le_bytes());
            hash.update(write.primary_term.to_le_bytes());
        }
        None if config.tiebreaker_field.is_none() => return Err(no_order(hit)),
        None => {
            hash.update(NO_SEQ_NO.to_le_bytes());
            add(&mut hash, payload::text(hit, &config.content)?);
        }
    }
    if let Some(routing) = &hit.routing {
        add(&mut hash, routing);
    }
    Ok(begun_with(id_prefix(namespace), hash))
}

fn no_order(hit: &Hit<'_>) -> Error {
    Error::permanent(format!(
        "document {:?} of index {:?} has no sequence number, as the index keeps none; set \"tiebreaker_field\" to a field of whole numbers that tells documents of one timestamp apart",
        hit.id, hit.index
    ))
}

/// Where a sequence number would stand: they are 63 bits long, and this is longer.
const NO_SEQ_NO: u64 = u64::MAX;

/// The upper 16 bits of every id in a namespace. By these, messages of other producers in
/// the same topic are told from those of the source without remembering them.
pub fn id_prefix(namespace: &str) -> u16 {
    let mut hash = Sha256::new();
    add(&mut hash, namespace);
    let [first, second, ..]: [u8; 32] = hash.finalize().into();
    u16::from_be_bytes([first, second])
}

fn add(hash: &mut Sha256, part: &str) {
    hash.update((part.len() as u64).to_le_bytes());
    hash.update(part);
}

fn begun_with(prefix: u16, hash: Sha256) -> u128 {
    let digest: [u8; 32] = hash.finalize().into();
    let first = digest.iter().take(14);
    first.fold(u128::from(prefix), |id, byte| (id << 8) | u128::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::answer::Write;

    fn hit(id: &'static str, write: Option<(u64, u64)>, source: &'static str) -> Hit<'static> {
        Hit {
            key: (5, 3).into(),
            index: "logs".into(),
            id: id.into(),
            routing: None,
            write: write.map(|(seq_no, primary_term)| Write {
                seq_no,
                primary_term,
            }),
            source: Some(source),
            fields: Some(r#"{"a":[1]}"#),
        }
    }

    fn config(more: &str) -> Config {
        let json = format!(r#"{{"index": "logs", "timestamp_field": "t"{more}}}"#);
        Config::parse(&json).unwrap()
    }

    const BY_FIELD: &str = r#", "tiebreaker_field": "n""#;

    #[test]
    fn a_version_is_told_by_its_sequence_number_or_else_by_what_is_delivered_of_it() {
        let id = |more: &str, id, write, source| {
            let config = config(&format!("{BY_FIELD}{more}"));
            message_id(&config, &hit(id, write, source)).unwrap()
        };
        let numbered = id("", "a", Some((3, 1)), "{}");
        assert_eq!(numbered, id("", "a", Some((3, 1)), "{ }"));
        let unnumbered = id("", "a", None, "{}");
        assert_eq!(unnumbered, id("", "a", None, "{}"));
        let fields = r#", "fields": ["a"]"#;
        assert_eq!(
            id(fields, "a", None, "{}"),
            id(fields, "a", None, "{ }"),
            "only what is delivered counts"
        );
        let all = [
            numbered,
            id("", "a", Some((4, 1)), "{}"),
            id("", "a", Some((3, 2)), "{}"),
            unnumbered,
            id("", "a", None, "{ }"),
            id("", "b", None, "{}"),
            id(r#", "id_namespace": "n""#, "a", None, "{}"),
            id(fields, "a", None, "{}"),
        ];
        let different: std::collections::BTreeSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len());
    }

    /// Outputs and states hold ids of earlier versions.
    #[test]
    fn an_id_with_a_sequence_number_is_the_one_of_every_version() {
        for more in ["", BY_FIELD] {
            let id = message_id(&config(more), &hit("a", Some((3, 1)), "{}")).unwrap();
            assert_eq!(format!("{id:032x}"), "af554c6aef7ac2f5dc4012a57fd3d0b2");
        }
    }

    #[test]
    fn documents_of_one_id_in_several_shards_are_told_apart_by_their_routing() {
        let id = |routing: Option<&'static str>, write, source| {
            let mut hit = hit("a", write, source);
            hit.routing = routing.map(Into::into);
            message_id(&config(BY_FIELD), &hit).unwrap()
        };
        for write in [Some((3, 1)), None] {
            let routings = [None, Some(""), Some("r"), Some("s")];
            let ids = routings.map(|routing| id(routing, write, "{}"));
            let different: std::collections::BTreeSet<_> = ids.iter().collect();
            assert_eq!(different.len(), ids.len(), "{write:?}");
        }
        let routed = id(Some("r"), Some((3, 1)), "{}");
        assert_eq!(routed, id(Some("r"), Some((3, 1)), "{ }"));
        assert_eq!(format!("{routed:032x}"), "af5520a43b12845357e04307a1e95f2e");
    }

    /// Its length could be a sequence number, and its eight bytes a primary term.
    #[test]
    fn no_payload_is_taken_for_a_sequence_number() {
        let source = r#"{"a":10}"#;
        let term = u64::from_le_bytes(source.as_bytes().try_into().unwrap());
        let id = |write| message_id(&config(BY_FIELD), &hit("a", write, source)).unwrap();
        assert_ne!(id(Some((source.len() as u64, term))), id(None));
    }

    #[test]
    fn without_sequence_numbers_the_field_that_takes_their_place_must_be_named() {
        let error = message_id(&config(""), &hit("a", None, "{}")).unwrap_err();
        assert!(matches!(error, Error::Permanent(_)));
        assert!(
            error.to_string().contains("set \"tiebreaker_field\""),
            "{error}"
        );
    }

    #[test]
    fn headers_are_what_the_index_keeps() {
        let names = |write| {
            let headers = headers(&hit("a", write, "{}"));
            headers
                .into_iter()
                .map(|(name, _)| name)
                .collect::<Vec<_>>()
        };
        assert_eq!(
            names(Some((3, 1))),
            ["_index", "_id", "_seq_no", "_primary_term"]
        );
        assert_eq!(names(None), ["_index", "_id"]);
    }
}
