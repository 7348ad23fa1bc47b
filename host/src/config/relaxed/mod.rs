//! Rewrites the two allowances of this configuration into TOML 1.1.
//!
//! Between the pairs of an inline table a line break may stand for the comma, and a
//! value may be a JSON object. The rewriting keeps every line and column, so that what
//! the `toml` crate says about its result is true of the original: a comma takes the
//! place of a blank, or is added at the end of a line; the `:` of a JSON pair becomes
//! `=`; an escape that gets shorter is made up for behind its string.
//!
//! It judges nothing but these allowances. Plain TOML passes unchanged, and from the
//! first thing that it does not understand it copies the rest, for `toml` to refuse.

mod gap;
mod strings;
#[cfg(test)]
mod tests;

use super::position::{Lines, Position};
use gap::{blank_length, push_with_comma};

/// How deep tables and arrays may nest; the `toml` crate refuses what is deeper.
const DEPTH_MAX: usize = 80;

/// A use of an allowance that has no TOML form.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) position: Position,
    pub(super) message: String,
}

/// The same configuration in plain TOML, every line and column where it was.
pub(super) fn to_toml(text: &str) -> Result<String, Refusal> {
    let mut pass = Pass::over(text);
    match pass.document() {
        Ok(()) | Err(Stop::Lost) => Ok(pass.out + pass.rest),
        Err(Stop::Refused(message)) => Err(Refusal {
            position: Lines::of(&pass.out).position(pass.out.len()),
            message,
        }),
    }
}

/// Why the pass ends before the text does.
enum Stop {
    /// This is no TOML; `toml` will say so better.
    Lost,
    /// A mistake in what only this pass knows.
    Refused(String),
}

type Step = Result<(), Stop>;

fn refused(message: impl Into<String>) -> Step {
    Err(Stop::Refused(message.into()))
}

/// How pairs are written between one `{` and its `}`.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Notation {
    Toml,
    Json,
}

struct Pass<'a> {
    rest: &'a str,
    out: String,
    depth: usize,
}

impl<'a> Pass<'a> {
    fn over(text: &'a str) -> Self {
        Self {
            rest: text,
            out: String::with_capacity(text.len() + 64),
            depth: 0,
        }
    }

    fn peek(&self) -> Option<char> {
        self.rest.chars().next()
    }

    fn skip(&mut self, length: usize) -> &'a str {
        let (skipped, rest) = self
            .rest
            .split_at_checked(length)
            .unwrap_or((self.rest, ""));
        self.rest = rest;
        skipped
    }

    fn copy(&mut self, length: usize) {
        let copied = self.skip(length);
        self.out.push_str(copied);
    }

    /// Copies one character.
    fn take(&mut self) {
        self.copy(self.peek().map_or(0, char::len_utf8));
    }

    fn document(&mut self) -> Step {
        loop {
            self.copy(blank_length(self.rest));
            match self.peek() {
                None => return Ok(()),
                Some('[') => self.copy(self.rest.find('\n').unwrap_or(self.rest.len())),
                Some(_) => self.pair(Notation::Toml)?,
            }
        }
    }

    fn pair(&mut self, notation: Notation) -> Step {
        if notation == Notation::Json && self.peek() != Some('"') {
            return refused("the keys of a JSON object stand in double quotes");
        }
        self.key(notation)?;
        match (self.peek(), notation) {
            (Some('='), Notation::Toml) => self.take(),
            (Some(':'), Notation::Json) => {
                self.skip(1);
                self.out.push('=');
            }
            (Some('=' | ':'), _) => {
                return refused(
                    "pairs are all written key = value, or all \"key\": value as in JSON",
                );
            }
            _ => return Err(Stop::Lost),
        }
        self.value(notation)
    }

    fn key(&mut self, notation: Notation) -> Step {
        while let Some(next) = self.peek() {
            match next {
                '"' | '\'' => self.string(notation)?,
                '=' | ':' | ',' | '{' | '}' | '[' | ']' | '#' | '\n' => break,
                _ => self.take(),
            }
        }
        Ok(())
    }

    fn value(&mut self, notation: Notation) -> Step {
        let blank = match notation {
            Notation::Toml => self.rest.len() - self.rest.trim_start_matches([' ', '\t']).len(),
            Notation::Json => blank_length(self.rest),
        };
        self.copy(blank);
        match self.peek() {
            Some('"' | '\'') => self.string(notation),
            Some('[') => self.nested(|pass| pass.array(notation)),
            Some('{') => self.nested(Self::table),
            _ => self.bare(),
        }
    }

    fn nested(&mut self, inner: impl FnOnce(&mut Self) -> Step) -> Step {
        if self.depth == DEPTH_MAX {
            return Err(Stop::Lost);
        }
        self.depth += 1;
        self.take();
        inner(self)?;
        self.take();
        self.depth -= 1;
        Ok(())
    }

    /// A number, a boolean, a date.
    fn bare(&mut self) -> Step {
        let end = self.rest.find([',', ']', '}', '#', '\n']);
        let value = self.rest.get(..end.unwrap_or(self.rest.len()));
        match value.map(str::trim_end).unwrap_or_default() {
            "" => Err(Stop::Lost),
            "null" => refused("null has no meaning here: leave the key out"),
            value => {
                self.copy(value.len());
                Ok(())
            }
        }
    }

    fn array(&mut self, notation: Notation) -> Step {
        loop {
            self.copy(blank_length(self.rest));
            match self.peek() {
                None => return Err(Stop::Lost),
                Some(']') => return Ok(()),
                Some(',') => self.take(),
                Some(_) => self.value(notation)?,
            }
        }
    }

    fn table(&mut self) -> Step {
        let notation = notation_of(self.rest);
        loop {
            self.copy(blank_length(self.rest));
            match self.peek() {
                None => return Err(Stop::Lost),
                Some('}') => return Ok(()),
                Some(',') => self.take(),
                Some(_) => {
                    self.pair(notation)?;
                    if notation == Notation::Toml {
                        self.line_break_as_comma();
                    }
                }
            }
        }
    }

    fn line_break_as_comma(&mut self) {
        let length = blank_length(self.rest);
        let starts_key = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '"' | '\'');
        let (gap, after) = self
            .rest
            .split_at_checked(length)
            .unwrap_or((self.rest, ""));
        if gap.contains('\n') && after.starts_with(starts_key) {
            self.skip(length);
            push_with_comma(&mut self.out, gap);
        }
    }
}

/// A table is a JSON object when its first key is quoted and followed by `:`.
fn notation_of(inside: &str) -> Notation {
    let mut ahead = Pass::over(inside);
    ahead.skip(blank_length(inside));
    let quoted = ahead.peek() == Some('"');
    if quoted && ahead.string(Notation::Toml).is_ok() {
        ahead.skip(blank_length(ahead.rest));
        if ahead.peek() == Some(':') {
            return Notation::Json;
        }
    }
    Notation::Toml
}
