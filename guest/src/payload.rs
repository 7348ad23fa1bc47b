//! Which bytes of a hit are the payload of its message: as the cluster sent them, always.

use crate::cluster::answer::Hit;
use crate::config::Content;
use crate::error::Error;

/// What a message says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Payload {
    /// A part of the page's body.
    Span {
        /// Where it begins, in bytes.
        offset: u32,
        /// How many bytes it has.
        length: u32,
    },
    /// Bytes that are not in the body.
    Own(&'static str),
}

impl Payload {
    /// The payload of a hit in `body`.
    ///
    /// # Errors
    /// Those of [`text`]. Permanent, if the body is larger than offsets reach.
    pub fn of(hit: &Hit<'_>, content: &Content, body: &[u8]) -> Result<Self, Error> {
        let text = text(hit, content)?;
        match (content, hit.fields) {
            (Content::Fields(_), None) => Ok(Self::Own(NO_FIELDS)),
            _ => span(text, body).ok_or_else(|| {
                Error::permanent("a page is larger than 4 GiB; lower \"batch_size\"")
            }),
        }
    }

    /// How many bytes it has.
    pub fn length(self) -> u64 {
        match self {
            Self::Span { length, .. } => u64::from(length),
            Self::Own(text) => text.len() as u64,
        }
    }
}

/// What a hit says that has no value in any of the `fields`: a cluster leaves them out of it
/// then, but the document still exists.
const NO_FIELDS: &str = "{}";

/// What is delivered of a hit.
///
/// # Errors
/// Permanent, if the index does not keep it.
pub fn text<'a>(hit: &Hit<'a>, content: &Content) -> Result<&'a str, Error> {
    match (content, hit.source) {
        (Content::Fields(_), _) => Ok(hit.fields.unwrap_or(NO_FIELDS)),
        (_, Some(source)) => Ok(source),
        (_, None) => Err(Error::permanent(format!(
            "document {:?} of index {:?} has no _source, as its mapping disables it; there is nothing to deliver",
            hit.id, hit.index
        ))),
    }
}

/// Where a text stands in the body, of which it is a part.
fn span(text: &str, body: &[u8]) -> Option<Payload> {
    let offset = (text.as_ptr() as usize).checked_sub(body.as_ptr() as usize)?;
    Some(Payload::Span {
        offset: u32::try_from(offset).ok()?,
        length: u32::try_from(text.len()).ok()?,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn payload(source: bool, fields: bool, content: &Content) -> Result<String, Error> {
        static BODY: &str = r#".. {"b": 0.10,"a":1} .. {"a":[1 ]} .."#;
        let hit = Hit {
            key: (5, 3).into(),
            index: "i".into(),
            id: "x".into(),
            routing: None,
            write: None,
            source: source.then(|| &BODY[3..20]),
            fields: fields.then(|| &BODY[24..34]),
        };
        let payload = Payload::of(&hit, content, BODY.as_bytes())?;
        let text = match payload {
            Payload::Span { offset, length } => &BODY[offset as usize..][..length as usize],
            Payload::Own(text) => text,
        };
        assert_eq!(payload.length(), text.len() as u64);
        Ok(text.to_owned())
    }

    #[test]
    fn a_payload_is_the_bytes_of_what_was_asked_for() {
        let filtered = Content::Filtered(json!(["a"]));
        let fields = Content::Fields(json!(["a"]));
        let rows = [
            (true, false, &Content::Document, r#"{"b": 0.10,"a":1}"#),
            (true, false, &filtered, r#"{"b": 0.10,"a":1}"#),
            (false, true, &fields, r#"{"a":[1 ]}"#),
            (false, false, &fields, "{}"),
        ];
        for (source, of_fields, content, expected) in rows {
            assert_eq!(payload(source, of_fields, content).unwrap(), expected);
        }
    }

    #[test]
    fn a_document_without_source_is_an_error_that_names_it() {
        for content in [Content::Document, Content::Filtered(json!(["a"]))] {
            let error = payload(false, true, &content).unwrap_err().to_string();
            assert!(error.starts_with("document \"x\" of index \"i\" has no _source"));
        }
    }
}
