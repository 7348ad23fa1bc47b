//! One source by itself, for programs that take its messages through the Rust API.

use super::error::{ConfigErrors, Report};
use super::section::Section;
use super::source::{self, Source};

/// What messages call the text.
const NAME: &str = "source";

impl Source {
    /// Reads and checks the TOML of one `[sources.NAME]`, with everything below it, as it
    /// stands in a configuration file. No environment variable overrides it.
    ///
    /// # Errors
    /// All mistakes that were found, each with its place; the text is called `source`.
    pub fn from_toml(text: &str) -> Result<Self, ConfigErrors> {
        let report = Report::on(NAME);
        let root = super::read_tree(text, &report, [])?;
        let source = read(&Section::root(&root, &report));
        report.verdict()?;
        source.ok_or_else(|| ConfigErrors::incomplete(NAME))
    }
}

fn read(root: &Section<'_>) -> Option<Source> {
    for (name, section) in root.children() {
        if name != "sources" {
            section.refuse_table(
                "is for the program; here, the messages go to the caller: leave it out",
            );
        }
    }
    let sources = root.section("sources");
    match sources.children().as_slice() {
        [(key, section)] => source::read(key, section),
        several => {
            let count = several.len();
            sources.refuse_table(&format!("has {count} sources: write one [sources.NAME]"));
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "[sources.logs.config]\nurl = \"http://localhost:9200\"\nindex = \"i\"\n";

    #[test]
    fn a_source_by_itself_needs_no_stream_and_may_have_some() {
        let source = Source::from_toml(CONFIG).unwrap();
        assert_eq!((source.key.as_str(), source.streams.len()), ("logs", 0));
        let stream = "[[sources.logs.streams]]\nstream = \"s\"\ntopic = \"t\"\n";
        let source = Source::from_toml(&format!("{stream}{CONFIG}")).unwrap();
        assert_eq!(source.streams.len(), 1);
    }

    #[test]
    fn what_is_not_one_source_is_an_error_with_its_place() {
        let second = CONFIG.replace("logs", "more");
        let rows = [
            (
                "",
                "source: [sources]: has 0 sources: write one [sources.NAME]",
            ),
            (
                &format!("{CONFIG}{second}"),
                "source:1:2: [sources]: has 2 sources: write one [sources.NAME]",
            ),
            (
                &format!("{CONFIG}[output]\ntype = \"stdout\"\n"),
                "source:4:2: [output]: is for the program; here, the messages go to the caller: leave it out",
            ),
            (
                &CONFIG.replace("url", "uri"),
                "source:1:15: [sources.logs.config]: \"url\" is missing: write url = \"http://localhost:9200\"",
            ),
            (
                "[sources.logs]\nnme = 1\n",
                "source:2:1: unknown key \"nme\" in [sources.logs]; did you mean \"name\"?",
            ),
            ("=", "source:1:1: "),
        ];
        for (text, expected) in rows {
            let errors = Source::from_toml(text).unwrap_err().to_string();
            let mut lines = errors.lines();
            assert!(
                lines.any(|line| line.starts_with(expected)),
                "{expected}\n{errors}"
            );
        }
    }
}
