//! A request that a configuration grants, by its shape: `GET /_cat/indices?format`.
//!
//! `{index}` is the configured index expression, `*` one name; what follows the question
//! mark are further query parameters, without values. There is no way to write "anything".

use std::fmt;
use std::str::FromStr;

/// The longest shape, in bytes.
const SHAPE_MAX: usize = 256;
/// The methods of an interface that a component has.
const METHODS: [&str; 5] = ["GET", "HEAD", "POST", "PUT", "DELETE"];

/// One shape of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    method: &'static str,
    segments: Vec<Segment>,
    parameters: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Segment {
    Literal(String),
    /// The configured index expression.
    Index,
    /// One name, but none of the cluster's own, which begin with `_`.
    Name,
}

impl Shape {
    /// Whether a request of decoded segments is of this shape, where this is the index.
    pub(super) fn fits(&self, method: &str, segments: &[&str], index: &str) -> bool {
        let mut pairs = self.segments.iter().zip(segments);
        self.method == method
            && self.segments.len() == segments.len()
            && pairs.all(|(expected, segment)| expected.fits(segment, index))
    }

    /// The further query parameters that it may have.
    pub(super) fn parameters(&self) -> impl Iterator<Item = &str> {
        self.parameters.iter().map(String::as_str)
    }

    /// The shape that would grant a request, if one can.
    pub(super) fn granting(
        method: &str,
        segments: &[&str],
        parameters: &[&str],
        index: &str,
    ) -> Option<Self> {
        let segments = segments.iter().map(|segment| match *segment {
            segment if segment == index => "{index}",
            // The root has one that is empty; elsewhere, none can be.
            segment if segment.is_empty() || Segment::literal(segment).is_ok() => segment,
            _ => "*",
        });
        let path = segments.collect::<Vec<_>>().join("/");
        let mark = if parameters.is_empty() { "" } else { "?" };
        let shape = format!("{method} /{path}{mark}{}", parameters.join("&"));
        shape.parse().ok()
    }
}

impl Segment {
    fn fits(&self, segment: &str, index: &str) -> bool {
        match self {
            Self::Literal(literal) => literal == segment,
            Self::Index => segment == index,
            Self::Name => !segment.is_empty() && !segment.starts_with('_'),
        }
    }

    fn literal(segment: &str) -> Result<Self, String> {
        let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~@:+,=!$".contains(&b);
        match segment {
            "." | ".." => Err(format!(
                "has {segment:?} in its path: write the path itself"
            )),
            _ if !segment.is_empty() && segment.bytes().all(plain) => {
                Ok(Self::Literal(segment.to_owned()))
            }
            _ => Err(format!(
                "has {segment:?} between slashes: write a name, * for any name, or {{index}} for the configured index"
            )),
        }
    }
}

impl FromStr for Segment {
    type Err = String;

    fn from_str(segment: &str) -> Result<Self, String> {
        match segment {
            "{index}" => Ok(Self::Index),
            "*" => Ok(Self::Name),
            segment => Self::literal(segment),
        }
    }
}

impl FromStr for Shape {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = "is a method and a path, like \"GET /_cat/indices?format\"";
        if text.len() > SHAPE_MAX {
            return Err(format!("is at most {SHAPE_MAX} bytes long"));
        }
        let (method, target) = text.split_once(' ').ok_or(wrong)?;
        let mut methods = METHODS.iter();
        let method = methods
            .find(|known| **known == method)
            .ok_or_else(|| format!("begins with one of {}", METHODS.join(", ")))?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let segments = match path.strip_prefix('/').ok_or(wrong)? {
            "" => vec![Segment::Literal(String::new())],
            path => path.split('/').map(str::parse).collect::<Result<_, _>>()?,
        };
        if segments.first() == Some(&Segment::Name) {
            return Err(
                "begins its path with *, which is every index there is: name one, or write {index}"
                    .to_owned(),
            );
        }
        Ok(Self {
            method,
            segments,
            parameters: parameters(query)?,
        })
    }
}

fn parameters(query: &str) -> Result<Vec<String>, String> {
    let plain = |name: &str| {
        let valid = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.');
        !name.is_empty() && name.bytes().all(valid)
    };
    let names = query.split('&').filter(|_| !query.is_empty());
    let read = names.map(|name| match plain(name) {
        true => Ok(name.to_owned()),
        false => Err(format!(
            "has the query parameter {name:?}: write names only, joined by &"
        )),
    });
    read.collect()
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ", self.method)?;
        for segment in &self.segments {
            match segment {
                Segment::Literal(literal) => write!(f, "/{literal}")?,
                Segment::Index => f.write_str("/{index}")?,
                Segment::Name => f.write_str("/*")?,
            }
        }
        match self.parameters.as_slice() {
            [] => Ok(()),
            names => write!(f, "?{}", names.join("&")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shape_is_shown_as_it_is_written() {
        for text in [
            "GET /",
            "GET /_cat/indices?format&h",
            "POST /{index}/_search",
            "HEAD /{index}/_doc/*",
            "PUT /.tasks/_doc/a-1",
        ] {
            assert_eq!(text.parse::<Shape>().unwrap().to_string(), text);
        }
    }

    #[test]
    fn what_is_no_shape_is_refused_with_a_reason() {
        let rows = [
            ("", "is a method and a path"),
            ("GET", "is a method and a path"),
            ("GET _cat", "is a method and a path"),
            ("get /_cat", "begins with one of GET, HEAD"),
            ("* /_cat", "begins with one of"),
            ("PATCH /_cat", "begins with one of"),
            ("GET /*", "every index there is"),
            ("DELETE /*", "every index there is"),
            ("POST /*/_search", "every index there is"),
            ("GET /logs-*/_search", "* for any name"),
            ("GET /**", "* for any name"),
            ("GET /{indices}", "{index} for the configured index"),
            ("GET //_cat", "\"\" between slashes"),
            ("GET /_cat/", "\"\" between slashes"),
            ("GET /a/../b", "\"..\" in its path"),
            ("GET /a%2fb", "write a name"),
            ("GET /a b", "write a name"),
            ("GET /a#b", "write a name"),
            ("GET /_cat?format=json", "names only"),
            ("GET /_cat?", ""),
            ("GET /_cat?a&&b", "names only"),
        ];
        for (text, part) in rows {
            match text.parse::<Shape>() {
                Err(error) => assert!(!part.is_empty() && error.contains(part), "{text}: {error}"),
                Ok(_) => assert_eq!(part, "", "{text}"),
            }
        }
        let long = format!("GET /{}", "a".repeat(SHAPE_MAX));
        assert!(long.parse::<Shape>().unwrap_err().contains("at most"));
    }
}
