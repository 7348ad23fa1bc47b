//! Which requests a component may make: by method, the shape of the path, its query, and
//! what its body names beside the index.
//!
//! Reading the configured index is granted, and what a configuration adds. Small and pure,
//! so that a reviewer can read it whole; what is not listed is denied.

mod contexts;
mod found;
mod reserved;
mod shape;

use std::fmt;

use serde_json::Value;

pub use contexts::Contexts;
use reserved::Reserved;
pub use shape::Shape;

/// The requests that one source may make.
#[derive(Debug, Clone)]
pub struct Grants {
    index: String,
    reading: bool,
    shapes: Vec<Shape>,
    reserved: Reserved,
    contexts: Contexts,
}

/// What to do with the answer to a request that may be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Granted {
    /// Hand it out.
    Plain,
    /// It has the id of a scroll or a point in time, which is this source's own.
    WithContext,
}

/// Why a request is not sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Denied {
    /// It is not granted; this would grant it.
    Missing(Shape),
    /// It is not granted, and can not be: servers may not agree on what its path means.
    Strange,
    /// A search that names no index reads what its point in time holds, and has none.
    NoPointInTime,
    /// It names a scroll or a point in time that is not known to be this source's own.
    NotItsOwn,
    /// Its body is nothing that could be looked into.
    NoJson,
    /// Its body is larger than what is looked into.
    TooLarge,
    /// Its body looks something up in another index.
    Lookup(String),
    /// Its body has something that the cluster would run.
    Script(String),
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(shape) => write!(
                f,
                "is not granted: if this component may do that, write http = [\"{shape}\"] in the grants of its source"
            ),
            Self::Strange => f.write_str("is not granted, and no grant allows such a request"),
            Self::NoPointInTime => {
                f.write_str("is not granted without an index, or the id of a point in time")
            }
            Self::NotItsOwn => f.write_str(
                "is not granted: it names a scroll or a point in time that no answer to this source named",
            ),
            Self::TooLarge => write!(f, "is not granted with a body of more than {BODY_MAX} bytes"),
            Self::NoJson => f.write_str("is not granted with a body that is no json"),
            Self::Lookup(pair) => write!(
                f,
                "is not granted with {pair} in its body, which may read another index: {CONFIGURE}"
            ),
            Self::Script(pair) => write!(
                f,
                "is not granted with {pair} in its body, which the cluster would run: {CONFIGURE}"
            ),
        }
    }
}

/// What grants something in a body.
const CONFIGURE: &str = "if this component may do that, write the same in \"query\" or \"runtime_mappings\" of its source, or the request in its grants";

/// Query parameters that only shape how an answer is read. `source` is not among them: it
/// would carry a body past the checks.
const PARAMETERS: [&str; 16] = [
    "allow_no_indices",
    "allow_partial_pit_creation",
    "allow_partial_search_results",
    "expand_wildcards",
    "fields",
    "filter_path",
    "flat_settings",
    "ignore_unavailable",
    "include_defaults",
    "include_unmapped",
    "keep_alive",
    "preference",
    "request_cache",
    "routing",
    "scroll",
    "track_total_hits",
];

/// The largest body that is looked into, in bytes: that takes many times its memory.
const BODY_MAX: usize = 1 << 20;

impl Grants {
    /// Reading of an index expression, as it is configured.
    pub fn reading(index: impl Into<String>) -> Self {
        Self {
            index: index.into(),
            reading: true,
            shapes: Vec::new(),
            reserved: Reserved::default(),
            contexts: Contexts::default(),
        }
    }

    /// The same with requests of these shapes, and without those that reading needs unless
    /// `reading`.
    #[must_use]
    pub fn and(self, reading: bool, shapes: &[Shape]) -> Self {
        Self {
            reading,
            shapes: shapes.to_vec(),
            ..self
        }
    }

    /// The same with the lookups in other indices and the scripts that the configuration of a
    /// component has.
    #[must_use]
    pub fn configured(self, config: &Value) -> Self {
        Self {
            reserved: Reserved::of(config),
            ..self
        }
    }

    /// The scrolls and points in time that are its own; all clones share them.
    pub fn contexts(&self) -> &Contexts {
        &self.contexts
    }

    /// Whether the request may be sent.
    ///
    /// # Errors
    /// Why not, and what would grant it.
    pub fn allow(&self, method: &str, path: &str, body: Option<&[u8]>) -> Result<Granted, Denied> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let segments = segments(path).ok_or(Denied::Strange)?;
        let segments: Vec<_> = segments.iter().map(String::as_str).collect();
        let unknown = unknown_parameters(query).ok_or(Denied::Strange)?;
        let added = |shape: &Shape| {
            let named = |name: &&str| shape.parameters().any(|parameter| parameter == *name);
            shape.fits(method, &segments, &self.index) && unknown.iter().all(named)
        };
        let reads = self.reading && unknown.is_empty() && self.allows_path(method, &segments);
        let read = reads.then(|| self.allow_body(&segments, body));
        match read {
            Some(Ok(())) => Ok(answer(&segments, query)),
            _ if self.shapes.iter().any(added) => Ok(Granted::Plain),
            Some(Err(denied)) => Err(denied),
            None => {
                let missing = Shape::granting(method, &segments, &unknown, &self.index);
                Err(missing.map_or(Denied::Strange, Denied::Missing))
            }
        }
    }

    fn allow_body(&self, segments: &[&str], body: Option<&[u8]>) -> Result<(), Denied> {
        if body.is_some_and(|body| body.len() > BODY_MAX) {
            return Err(Denied::TooLarge);
        }
        if let ["_pit"] | ["_search", "point_in_time" | "scroll"] = segments {
            let own = self.contexts.are_own(body);
            return own.then_some(()).ok_or(Denied::NotItsOwn);
        }
        let body = body.map(serde_json::from_slice::<Value>).transpose();
        let body = body.map_err(|_| Denied::NoJson)?.unwrap_or_default();
        if let ["_search"] = segments {
            let id = body.pointer("/pit/id").and_then(Value::as_str);
            let id = id.ok_or(Denied::NoPointInTime)?;
            if !self.contexts.is_own(id) {
                return Err(Denied::NotItsOwn);
            }
        }
        self.reserved.check(&body, &self.index)
    }

    fn allows_path(&self, method: &str, segments: &[&str]) -> bool {
        match (method, segments) {
            ("GET", [""]) => true,
            ("GET" | "POST", ["_search"] | ["_search", "scroll"]) => true,
            ("DELETE", ["_pit"] | ["_search", "point_in_time" | "scroll"]) => true,
            ("GET" | "POST", [index, "_search" | "_count" | "_field_caps"]) => *index == self.index,
            ("POST", [index, "_pit"] | [index, "_search", "point_in_time"]) => *index == self.index,
            ("GET", [index, "_mapping" | "_settings"] | [index, "_settings", _]) => {
                *index == self.index
            }
            ("GET", [index, "_mapping", "field", _]) => *index == self.index,
            _ => false,
        }
    }
}

/// The decoded segments of a path that means the same to every server and proxy.
fn segments(path: &str) -> Option<Vec<String>> {
    let path = path.strip_prefix('/')?;
    let printable = path
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'\\' | b'#' | b';'));
    let segments = path.split('/').map(decode).collect::<Option<Vec<_>>>()?;
    let plain = |segment: &String| {
        !matches!(segment.as_str(), "." | "..") && !segment.contains(['/', '\\', '%', '?', '#'])
    };
    (printable && segments.iter().all(plain)).then_some(segments)
}

fn decode(segment: &str) -> Option<String> {
    let mut decoded = Vec::with_capacity(segment.len());
    let mut bytes = segment.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(match byte {
            b'%' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            other => other,
        });
    }
    String::from_utf8(decoded)
        .ok()
        .filter(|text| !text.contains(char::is_control))
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|value| u8::try_from(value).ok())
}

/// The parameters beside those that reading knows; none if it is no query, or one that
/// servers split in another way: Elasticsearch does so at `;` as well.
fn unknown_parameters(query: &str) -> Option<Vec<&str>> {
    let plain = query
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'#' | b';'));
    let names = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split('=').next().unwrap_or(pair));
    let unknown = names.filter(|name| !PARAMETERS.contains(name));
    plain.then(|| unknown.collect())
}

/// Whether the answer has the id of what the cluster keeps.
fn answer(segments: &[&str], query: &str) -> Granted {
    let scrolls = || query.split('&').any(|pair| pair.starts_with("scroll="));
    match segments {
        ["_search", ..] | [_, "_pit"] | [_, "_search", "point_in_time"] => Granted::WithContext,
        [_, "_search"] if scrolls() => Granted::WithContext,
        _ => Granted::Plain,
    }
}

#[cfg(test)]
mod tests;
