//! `[sources.NAME.grants]`: which requests the component may make.

use std::fmt;

use super::section::Section;
use super::tree::{Node, Value};
use super::value::{flag, text};
use crate::capability::grants::Shape;

/// The most shapes of one source.
const SHAPES_MAX: usize = 64;

/// What a source's component may ask the cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grants {
    /// Whether it may make the requests that reading the configured index needs; yes by
    /// default.
    pub reading: bool,
    /// Requests beside those, up to 64; none by default.
    pub http: Vec<Shape>,
}

pub(super) fn read(section: &Section<'_>) -> Grants {
    Grants {
        reading: section.optional("reading", flag).unwrap_or(true),
        http: section.optional("http", shapes).unwrap_or_default(),
    }
}

/// A list of shapes, or one.
fn shapes(node: &Node) -> Result<Vec<Shape>, String> {
    let Value::List(nodes) = &node.value else {
        return Ok(vec![text(node)?.parse()?]);
    };
    if nodes.len() > SHAPES_MAX {
        return Err(format!("is a list of at most {SHAPES_MAX} requests"));
    }
    let shapes = (1..).zip(nodes).map(|(number, node)| {
        let shape = text(node).and_then(|text| text.parse());
        shape.map_err(|message| format!("number {number} {message}"))
    });
    shapes.collect()
}

impl fmt::Display for Grants {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let reading = self.reading.then(|| "reading of its index".to_owned());
        let shapes = self.http.iter().map(ToString::to_string);
        let all: Vec<_> = reading.into_iter().chain(shapes).collect();
        match all.as_slice() {
            [] => f.write_str("no requests at all"),
            all => f.write_str(&all.join(", ")),
        }
    }
}
