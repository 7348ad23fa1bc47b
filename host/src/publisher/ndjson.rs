//! One message as one line of JSON, for the outputs that are files.
//!
//! `{"id":"32 hex digits","headers":{..},"payload":<document>}`: the id stands first
//! and at a fixed width, so that reading back looks at nothing else. The document's
//! bytes stay as they are, apart from raw line breaks: JSON has them only between
//! tokens, where a space means the same.

use std::io::{BufRead, Read};

use serde_json::{Map, Value};

use super::destination::{HeaderValue, Message};

const BEFORE_ID: &[u8] = b"{\"id\":\"";
const AFTER_ID: &[u8] = b"\",";
const ID_DIGITS: usize = 32;
const START: usize = BEFORE_ID.len() + ID_DIGITS + AFTER_ID.len();

/// Appends the message's line, with its line break.
pub(super) fn encode(message: &Message, out: &mut Vec<u8>) {
    let headers: Map<String, Value> = message
        .headers
        .iter()
        .map(|(name, value)| (name.clone(), json(value)))
        .collect();
    let start = format!(
        "{{\"id\":\"{:032x}\",\"headers\":{},\"payload\":",
        message.id,
        Value::Object(headers)
    );
    out.reserve(start.len() + message.payload.len() + 2);
    out.extend_from_slice(start.as_bytes());
    out.extend(message.payload.iter().map(|&byte| match byte {
        b'\n' | b'\r' => b' ',
        other => other,
    }));
    out.extend_from_slice(b"}\n");
}

pub(super) fn json(value: &HeaderValue) -> Value {
    match value {
        HeaderValue::Text(text) => Value::from(text.as_str()),
        HeaderValue::Unsigned(number) => Value::from(*number),
    }
}

/// Reads one line and returns its id: `None` at the end, `Some(None)` for a line that
/// is not of this form and so not one of ours. Holds no more than the line's start.
pub(super) fn next_id(reader: &mut impl BufRead) -> std::io::Result<Option<Option<u128>>> {
    let mut start = Vec::with_capacity(START);
    reader
        .by_ref()
        .take(START as u64)
        .read_until(b'\n', &mut start)?;
    if start.is_empty() {
        return Ok(None);
    }
    if start.last() != Some(&b'\n') {
        reader.skip_until(b'\n')?;
    }
    Ok(Some(id_of(&start)))
}

fn id_of(start: &[u8]) -> Option<u128> {
    let digits = start.strip_prefix(BEFORE_ID)?.strip_suffix(AFTER_ID)?;
    if digits.len() != ID_DIGITS || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    u128::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::Bytes;

    fn line(message: &Message) -> String {
        let mut out = Vec::new();
        encode(message, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn a_payload_keeps_its_bytes_and_stays_on_one_line() {
        let message = Message {
            id: 0xab,
            key: None,
            payload: Bytes::from_static(b"{\r\n \"b\": 0.10,\n\"a\":1e2, \"t\":\"\\n\"}"),
            headers: vec![
                ("index".into(), HeaderValue::Text("a\"\nb".into())),
                ("seq".into(), HeaderValue::Unsigned(u64::MAX)),
            ],
        };
        assert_eq!(
            line(&message),
            "{\"id\":\"000000000000000000000000000000ab\",\
             \"headers\":{\"index\":\"a\\\"\\nb\",\"seq\":18446744073709551615},\
             \"payload\":{   \"b\": 0.10, \"a\":1e2, \"t\":\"\\n\"}}\n"
        );
    }

    #[test]
    fn ids_are_read_from_our_lines_and_from_no_others() {
        let ours = line(&Message {
            id: 7,
            key: None,
            payload: Bytes::from_static(b"{}"),
            headers: vec![],
        });
        let lines = format!(
            "{ours}\n{{}}\n{{\"id\":\"short\"}}\n{}{ours}",
            "x".repeat(100) + "\n"
        );
        let mut reader = lines.as_bytes();
        let mut ids = Vec::new();
        while let Some(id) = next_id(&mut reader).unwrap() {
            ids.push(id);
        }
        assert_eq!(ids, [Some(7), None, None, None, None, Some(7)]);
    }
}
