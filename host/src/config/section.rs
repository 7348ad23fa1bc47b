//! One table of the configuration, read key by key.
//!
//! A mistake goes to the report and reads as `None`, so that the reading goes on and
//! finds the next one.

use super::error::{Origin, Report};
use super::tree::{Node, Value};

/// A table, or the place of one that is not there.
#[derive(Clone)]
pub(super) struct Section<'a> {
    report: &'a Report<'a>,
    path: String,
    node: Option<&'a Node>,
    /// Where the table was set, or the nearest one around it.
    origin: &'a Origin,
}

impl<'a> Section<'a> {
    pub(super) fn root(node: &'a Node, report: &'a Report<'a>) -> Self {
        Self {
            report,
            path: String::new(),
            node: Some(node),
            origin: &node.origin,
        }
    }

    fn below(&self, name: &str, node: Option<&'a Node>) -> Self {
        let separator = if self.path.is_empty() { "" } else { "." };
        Self {
            report: self.report,
            path: format!("{}{separator}{name}", self.path),
            node,
            origin: node.map_or(self.origin, |node| &node.origin),
        }
    }

    /// The table under a key; it reads as empty if there is none.
    pub(super) fn section(&self, key: &str) -> Self {
        self.below(key, self.get(key))
    }

    /// The tables in the list under a key.
    pub(super) fn list(&self, key: &str) -> Vec<Self> {
        let items = match self.get(key).map(|node| &node.value) {
            Some(Value::List(items)) => items.as_slice(),
            _ => &[],
        };
        let named = items.iter().enumerate();
        named
            .map(|(index, item)| self.below(&format!("{key}.{index}"), Some(item)))
            .collect()
    }

    /// The tables in this table, with their names.
    pub(super) fn children(&self) -> Vec<(&'a str, Self)> {
        let branches = self.node.and_then(Node::branches).into_iter().flatten();
        branches
            .map(|(name, node)| (name.as_str(), self.below(name, Some(node))))
            .collect()
    }

    pub(super) fn exists(&self) -> bool {
        self.node.is_some()
    }

    pub(super) fn node(&self) -> Option<&'a Node> {
        self.node
    }

    pub(super) fn origin(&self) -> &'a Origin {
        self.origin
    }

    pub(super) fn file(&self) -> &'a str {
        self.report.file
    }

    fn get(&self, key: &str) -> Option<&'a Node> {
        self.node?.get(key)
    }

    /// The value of a key, `None` if there is none or a wrong one.
    pub(super) fn optional<T>(
        &self,
        key: &str,
        read: impl FnOnce(&Node) -> Result<T, String>,
    ) -> Option<T> {
        let node = self.get(key)?;
        read(node)
            .map_err(|message| self.refuse(key, &message))
            .ok()
    }

    /// The value of a key that must be there; the example is what to write.
    pub(super) fn required<T>(
        &self,
        key: &str,
        example: &str,
        read: impl FnOnce(&Node) -> Result<T, String>,
    ) -> Option<T> {
        if self.get(key).is_none() {
            self.refuse_table(&format!("\"{key}\" is missing: write {example}"));
        }
        self.optional(key, read)
    }

    /// Refuses either of two keys without the other.
    pub(super) fn needs_both(&self, keys: [&str; 2]) {
        let [first, second] = keys;
        for (one, other) in [(first, second), (second, first)] {
            if self.get(one).is_some() && self.get(other).is_none() {
                self.refuse(one, &format!("needs {other} beside it"));
            }
        }
    }

    /// Reports a mistake in the value of a key.
    pub(super) fn refuse(&self, key: &str, message: &str) {
        let at_key = self.section(key);
        self.report
            .value(at_key.origin, format!("{}: {message}", at_key.path));
    }

    /// Reports that this table lacks something, or should not be there.
    pub(super) fn refuse_table(&self, message: &str) {
        let name = if self.path.is_empty() {
            "the file".to_owned()
        } else {
            format!("[{}]", self.path)
        };
        self.report.key(self.origin, format!("{name}: {message}"));
    }
}
