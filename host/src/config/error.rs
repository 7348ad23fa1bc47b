//! What is wrong with a configuration, and where it says so.

use std::cell::RefCell;
use std::fmt;

use super::position::Position;

/// One mistake, displayed as `FILE:LINE:COLUMN: message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, or the environment variable that set the value.
    pub file: String,
    /// Where in the file; absent for an environment variable or the file as a whole.
    pub position: Option<Position>,
    /// The key, what is wrong with it, and what to write instead. Never a secret.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.position {
            Some(position) => write!(f, "{}:{position}: {}", self.file, self.message),
            None => write!(f, "{}: {}", self.file, self.message),
        }
    }
}

impl std::error::Error for ConfigError {}

/// All the mistakes that one reading found, at least one; displayed one a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// The mistakes, by file and position.
    pub fn errors(&self) -> &[ConfigError] {
        &self.0
    }

    /// A single mistake that has no position in the file.
    pub(super) fn of_file(file: &str, message: String) -> Self {
        Self(vec![ConfigError {
            file: file.to_owned(),
            position: None,
            message,
        }])
    }

    /// Something is missing that no other mistake tells of.
    pub(super) fn incomplete(file: &str) -> Self {
        Self::of_file(file, "the configuration is incomplete".to_owned())
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.0.iter().enumerate() {
            let line_break = if index == 0 { "" } else { "\n" };
            write!(f, "{line_break}{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Where a value was set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// Nowhere in particular: the file as a whole.
    Document,
    /// In the file.
    File { key: Position, value: Position },
    /// By the environment variable of this name.
    Environment(String),
}

impl Origin {
    fn error(&self, file: &str, position: Option<Position>, message: String) -> ConfigError {
        let file = match self {
            Self::Environment(name) => name,
            Self::Document | Self::File { .. } => file,
        };
        ConfigError {
            file: file.to_owned(),
            position,
            message,
        }
    }

    /// An error about the key.
    pub(super) fn key_error(&self, file: &str, message: String) -> ConfigError {
        self.error(file, self.key(), message)
    }

    /// Where the key stands in the file, if it does.
    pub(super) fn key(&self) -> Option<Position> {
        match self {
            Self::File { key, .. } => Some(*key),
            Self::Document | Self::Environment(_) => None,
        }
    }

    fn value(&self) -> Option<Position> {
        match self {
            Self::File { value, .. } => Some(*value),
            Self::Document | Self::Environment(_) => None,
        }
    }
}

/// Collects the mistakes of one file, so that a user sees them together.
pub(super) struct Report<'a> {
    pub(super) file: &'a str,
    errors: RefCell<Vec<ConfigError>>,
}

impl<'a> Report<'a> {
    pub(super) fn on(file: &'a str) -> Self {
        Self {
            file,
            errors: RefCell::new(Vec::new()),
        }
    }

    /// Notes a mistake in a key, or in what a table lacks.
    pub(super) fn key(&self, origin: &Origin, message: String) {
        let error = origin.key_error(self.file, message);
        self.errors.borrow_mut().push(error);
    }

    /// Notes a mistake in a value.
    pub(super) fn value(&self, origin: &Origin, message: String) {
        let error = origin.error(self.file, origin.value(), message);
        self.errors.borrow_mut().push(error);
    }

    /// Notes a mistake at a position that no value has.
    pub(super) fn at(&self, position: Option<Position>, message: String) {
        let error = Origin::Document.error(self.file, position, message);
        self.errors.borrow_mut().push(error);
    }

    /// Ends the collection: an error if there was a mistake, `Ok` otherwise.
    pub(super) fn verdict(&self) -> Result<(), ConfigErrors> {
        let mut errors = self.errors.take();
        if errors.is_empty() {
            return Ok(());
        }
        errors.sort_by(|a, b| (&a.file, a.position).cmp(&(&b.file, b.position)));
        Err(ConfigErrors(errors))
    }
}
