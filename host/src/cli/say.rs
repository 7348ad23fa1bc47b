//! What commands print, in lines that nothing of what is in them ends or forges. A reader that has seen enough, as `head` has, is no error; a disk
//! without room for it is one.

use std::fmt;
use std::io::{self, ErrorKind, Write as _, stdout};

use serde::Serialize;

use crate::capability::text::escaped;
use crate::config::ConfigErrors;

/// Why standard output did not take it.
#[derive(Debug)]
pub(super) struct NotPrinted(io::Error);

impl fmt::Display for NotPrinted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot write to standard output: {}", self.0)
    }
}

impl std::error::Error for NotPrinted {}

/// Prints a line.
pub(super) fn say(line: impl AsRef<str>) -> anyhow::Result<()> {
    write(format!("{}\n", escaped(line.as_ref())).as_bytes())
}

/// Prints a line of JSON, which escapes by itself.
pub(super) fn say_json(value: &impl Serialize) -> anyhow::Result<()> {
    write(format!("{}\n", serde_json::to_string(value)?).as_bytes())
}

/// Prints a line on standard error.
pub(super) fn complain(line: &str) {
    eprintln!("{}", escaped(line));
}

/// Prints an error there. The mistakes of a configuration stand in a line each.
pub(super) fn complain_of(error: &anyhow::Error) {
    let text = format!("error: {error:#}");
    match error.is::<ConfigErrors>() {
        true => text.lines().for_each(complain),
        false => complain(&text),
    }
}

/// Prints lines.
pub(super) fn say_all(lines: impl IntoIterator<Item = impl AsRef<str>>) -> anyhow::Result<()> {
    lines.into_iter().try_for_each(say)
}

/// Prints bytes as they are.
pub(super) fn write(bytes: &[u8]) -> anyhow::Result<()> {
    let mut out = stdout().lock();
    match out.write_all(bytes).and_then(|()| out.flush()) {
        Err(cause) if cause.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => Ok(written.map_err(NotPrinted)?),
    }
}
