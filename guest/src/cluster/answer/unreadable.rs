//! Which document keeps an answer from being read. A cluster sends a `_source` as it was stored,
//! and stores some that are no JSON: with comments, a byte order mark, or UTF-8 of Java's own.

use serde::Deserialize;

/// What is open where a hit begins: the answer, its `hits`, the list in there, the hit.
const HIT: &[u8] = b"{{[{";

/// What a hit says before its `_source`.
#[derive(Deserialize)]
struct Head {
    _index: String,
    _id: String,
}

/// Where an answer can not be read, and what helps if a document is why.
pub(super) fn describe(body: &[u8], error: &serde_json::Error) -> String {
    match document(body, error) {
        Some(Head { _index, _id }) => format!(
            "{error}, in document {_id:?} of index {_index:?}; if this repeats, what is stored as its _source is no JSON: correct or delete that document, or leave it out by \"query\", with another \"state_id\""
        ),
        None => error.to_string(),
    }
}

/// The document in which reading ended. An answer that was cut off, or is another one than was
/// asked for, is no document's fault.
fn document(body: &[u8], error: &serde_json::Error) -> Option<Head> {
    if !error.is_syntax() {
        return None;
    }
    let lines = body.split_inclusive(|byte| *byte == b'\n');
    let before: usize = lines
        .take(error.line().checked_sub(1)?)
        .map(<[u8]>::len)
        .sum();
    // The last byte that was read may be the one that is wrong.
    let read = body.get(..(before + error.column()).checked_sub(1)?)?;
    serde_json::from_slice(&[head(read)?, b"}"].concat()).ok()
}

/// The beginning of the hit in which a stretch of valid JSON ends, up to its last comma.
fn head(read: &[u8]) -> Option<&[u8]> {
    let mut open = Vec::new();
    let (mut begin, mut comma) = (0, 0);
    let mut bytes = read.iter().copied().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'"' => pass_text(&mut bytes),
            b'{' | b'[' => {
                open.push(byte);
                begin = if open == HIT { at } else { begin };
            }
            b'}' | b']' => drop(open.pop()),
            b',' if open == HIT => comma = at,
            _ => {}
        }
    }
    match open.starts_with(HIT) {
        true => read.get(begin..comma),
        false => None,
    }
}

fn pass_text(bytes: &mut impl Iterator<Item = (usize, u8)>) {
    while let Some((_, byte)) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => drop(bytes.next()),
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Page;
    use crate::error::Error;

    /// Three documents, of which the second is stored as these bytes.
    fn page(source: &[u8]) -> Vec<u8> {
        let hit = |id: &str, source: &[u8], at: u64| {
            let head = format!(r#"{{"_index":"logs \"a\"","_id":"{id}","_score":null,"_source":"#);
            let tail = format!(r#","sort":[{at},{at}]}}"#);
            [head.as_bytes(), source, tail.as_bytes()].concat()
        };
        let sources: [&[u8]; 3] = [br#"{"a":"}]\"{","b":[{}]}"#, source, b"{/* as well */}"];
        let hits = (0..).zip(["one", "two", "three"]).zip(sources);
        let hits = hits.map(|((at, id), source)| hit(id, source, at));
        let hits: Vec<_> = hits.collect();
        let shards = br#"{"timed_out":false,"_shards":{"failed":0,"failures":[{"_index":"x","_id":"y"}]},"hits":{"hits":["#;
        [shards, &*hits.join(&b","[..]), b"]}}"].concat()
    }

    fn refused(body: &[u8]) -> String {
        let failure = Page::parse(body).unwrap_err();
        let error = Error::from(failure);
        assert!(matches!(error, Error::Transient { .. }), "{error:?}");
        error.to_string()
    }

    #[test]
    fn a_document_that_is_no_json_is_named_where_its_page_can_not_be_read() {
        let rows: [&[u8]; 13] = [
            b"{\"a\":1 /* } \" { */}",
            b"{\"a\":[1, // ]\n2]}",
            b"/* c */{\"a\":1}",
            b"{\"a\":1} // x\n",
            b"\xef\xbb\xbf{\"a\":1}",
            b"{\"a\":\"x\xc0\x80y\"}",
            b"{\"a\":\"\xed\xa0\xbd\xed\xb8\x80\"}",
            b"{\n  \"a\": \"\xc0\x80\",\n  \"b\": 1\n}\n",
            b"{\"_index\":\"no\",\"_id\":\"no\",\"c\":[{\"_id\":NaN}]}",
            b"{\"hits\":{\"hits\":[{\"_index\":\"no\",\"_id\":\"no\",\"c\":#}]}}",
            b"{\"a\":}",
            b"{a:1}",
            b"",
        ];
        for source in rows {
            let message = refused(&page(source));
            let expected = r#", in document "two" of index "logs \"a\""; if this repeats, what is stored as its _source is no JSON: correct or delete that document"#;
            let what = String::from_utf8_lossy(source);
            assert!(message.contains(expected), "{what}: {message}");
        }
    }

    #[test]
    fn what_is_no_documents_fault_names_none() {
        let whole = page(b"{}");
        let text = String::from_utf8(whole)
            .unwrap()
            .replace("/* as well */", "");
        assert!(Page::parse(text.as_bytes()).is_ok());
        let cut = text.split_at(text.len() - 40).0.to_owned();
        let rows = [
            ("cut off", cut),
            ("another order", text.replace("[1,1]", "[1.5,1]")),
            ("no id", text.replace("_id", "id")),
            ("a broken shard", text.replace(r#""_id":"y""#, "NaN")),
            ("behind the hits", text.replace("]}}", "]]}}")),
            ("a page of a proxy", "<html> busy</html>".to_owned()),
            ("nothing", String::new()),
        ];
        for (what, body) in rows {
            let message = refused(body.as_bytes());
            let known = message.starts_with("the cluster's answer is not a search result");
            assert!(
                known && !message.contains("in document"),
                "{what}: {message}"
            );
        }
    }
}
