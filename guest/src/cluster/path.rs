//! Parts of paths: which index, and which of its shards.

use crate::cluster::shards::Slice;
use crate::config::Config;

/// The parameters of a request that chooses the shards to ask: a search without a point in
/// time, or the opening of one, which then keeps to these. Of the shards of a routing, a slice
/// asks those that are its own.
pub(super) fn shards(config: &Config, slice: Slice) -> String {
    let preference = [slice.preference(), config.preference.clone()];
    let preference: Vec<_> = preference.into_iter().flatten().collect();
    let parameters = [
        ("routing", config.routing.clone().unwrap_or_default()),
        ("preference", preference.join("|")),
    ];
    let set = parameters.iter().filter(|(_, value)| !value.is_empty());
    set.map(|(name, value)| format!("&{name}={}", encode(value)))
        .collect()
}

/// Percent-encodes what may not stand in a path as it is.
pub(super) fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z'
            | b'A'..=b'Z'
            | b'0'..=b'9'
            | b'-'
            | b'_'
            | b'.'
            | b'*'
            | b','
            | b'@'
            | b':' => encoded.push(char::from(byte)),
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}
