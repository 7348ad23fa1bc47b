//! From a hit to a message: an id that never changes, and headers.

use sha2::{Digest, Sha256};

use crate::cluster::answer::Hit;
use crate::payload::Payload;

/// A message for the publisher.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// See [`message_id`].
    pub id: u128,
    /// What it says.
    pub payload: Payload,
    /// `_index`, `_id`, `_seq_no` and `_primary_term`.
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
    vec![
        ("_index", HeaderValue::Text(hit.index.clone().into_owned())),
        ("_id", HeaderValue::Text(hit.id.clone().into_owned())),
        ("_seq_no", HeaderValue::Unsigned(hit.seq_no)),
        ("_primary_term", HeaderValue::Unsigned(hit.primary_term)),
    ]
}

/// 128 bits that are the same for the same version of the same document, always: the
/// namespace's [`id_prefix`], and 112 bits of a SHA-256 over namespace, index, id, sequence
/// number and primary term.
///
/// A cryptographic hash, since ids are often chosen by whoever writes the documents, and
/// two documents with one id would be one message. Lengths stand before the texts, so
/// that no two lists of parts read alike.
pub fn message_id(namespace: &str, hit: &Hit<'_>) -> u128 {
    let mut hash = Sha256::new();
    for part in [namespace, &hit.index, &hit.id] {
        add(&mut hash, part);
    }
    hash.update(hit.seq_no.to_le_bytes());
    hash.update(hit.primary_term.to_le_bytes());
    begun_with(id_prefix(namespace), hash)
}

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
