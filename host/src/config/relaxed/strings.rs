//! The strings of TOML and of JSON.
//!
//! They differ in escapes only: JSON has `\/`, and two `\u` escapes for one character
//! beyond U+FFFF. Nothing is decoded here.

use super::{Notation, Pass, Step, Stop};

impl Pass<'_> {
    /// Copies one string, which a quote starts.
    pub(super) fn string(&mut self, notation: Notation) -> Step {
        let quote = self.peek().unwrap_or('"');
        let fence = if quote == '"' { r#"""""# } else { "'''" };
        if self.rest.starts_with(fence) {
            return self.string_of_lines(quote, fence);
        }
        let (rest, length) = (self.rest, self.out.len());
        let mut shortened = 0;
        let step = self.string_of_one_line(quote, notation, &mut shortened);
        self.out.extend(std::iter::repeat_n(' ', shortened));
        if let Err(Stop::Lost) = step {
            self.rest = rest;
            self.out.truncate(length);
        }
        step
    }

    fn string_of_one_line(
        &mut self,
        quote: char,
        notation: Notation,
        shortened: &mut usize,
    ) -> Step {
        self.take();
        loop {
            match self.peek() {
                None | Some('\n') => return Err(Stop::Lost),
                Some('\\') if quote == '"' => *shortened += self.escape(notation)?,
                Some(next) => {
                    self.take();
                    if next == quote {
                        return Ok(());
                    }
                }
            }
        }
    }

    fn string_of_lines(&mut self, quote: char, fence: &str) -> Step {
        self.copy(fence.len());
        while !self.rest.starts_with(fence) {
            match self.peek() {
                None => return Err(Stop::Lost),
                Some('\\') if quote == '"' => {
                    self.take();
                    self.take();
                }
                Some(_) => self.take(),
            }
        }
        // Up to two quotes may stand directly before the three that close.
        let quotes = self
            .rest
            .chars()
            .take_while(|c| *c == quote)
            .take(5)
            .count();
        self.copy(quotes);
        Ok(())
    }

    /// Copies one escape and returns by how many characters it got shorter.
    fn escape(&mut self, notation: Notation) -> Result<usize, Stop> {
        let kind = self.rest.chars().nth(1);
        match (notation, kind) {
            (Notation::Json, Some('/')) => {
                self.skip(1);
                self.take();
                Ok(1)
            }
            (Notation::Json, Some('u')) => self.unicode_escape(),
            (Notation::Toml, _) | (_, Some('"' | '\\' | 'b' | 'f' | 'n' | 'r' | 't')) => {
                self.take();
                self.take();
                Ok(0)
            }
            _ => Err(Stop::Refused(
                "this is no escape of a JSON string".to_owned(),
            )),
        }
    }

    /// JSON writes characters beyond U+FFFF as two escapes, TOML as one.
    fn unicode_escape(&mut self) -> Result<usize, Stop> {
        let broken = || Stop::Refused("this \\u escape is not a character".to_owned());
        let first = code_unit(self.rest).ok_or_else(broken)?;
        let Some(Err(_)) = char::decode_utf16([first]).next() else {
            self.copy(6);
            return Ok(0);
        };
        let second = self.rest.get(6..).and_then(code_unit).ok_or_else(broken)?;
        let Some(Ok(character)) = char::decode_utf16([first, second]).next() else {
            return Err(broken());
        };
        self.skip(12);
        self.out
            .push_str(&format!("\\U{:08X}", u32::from(character)));
        Ok(2)
    }
}

/// The number in a leading `\uXXXX`.
fn code_unit(text: &str) -> Option<u16> {
    let digits = text.strip_prefix("\\u")?.get(..4)?;
    let all_hex = digits.bytes().all(|b| b.is_ascii_hexdigit());
    all_hex.then(|| u16::from_str_radix(digits, 16).ok())?
}
