//! `[output]`: where documents go when it is not an Iggy server.

use std::path::PathBuf;

use super::section::Section;
use super::value::{choice, text};

/// Where documents are published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// The server of `[iggy]`; the default.
    Iggy,
    /// `PATH/STREAM/TOPIC.ndjson`.
    File {
        /// The folder of all streams.
        path: PathBuf,
    },
    /// Standard output, which can not be read back.
    Stdout,
}

pub(super) fn read(section: &Section<'_>) -> Option<Output> {
    let kinds = [("iggy", "iggy"), ("file", "file"), ("stdout", "stdout")];
    let kind = match section.exists() {
        true => section.required(
            "type",
            "type = \"iggy\", \"file\" or \"stdout\"",
            choice(&kinds),
        )?,
        false => "iggy",
    };
    if kind != "file" && section.section("path").exists() {
        section.refuse("path", "belongs to type = \"file\" only: leave it out");
    }
    match kind {
        "file" => {
            let path = section.required("path", "path = \"FOLDER\" for the files", text);
            Some(Output::File { path: path?.into() })
        }
        "stdout" => Some(Output::Stdout),
        _ => Some(Output::Iggy),
    }
}
