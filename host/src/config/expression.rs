//! Which index an expression names, as the servers read it: names and patterns with commas
//! between, of which one that begins with `-` takes out what patterns before it brought in.

use crate::wildcard::is_like;

/// Whether it names this index, as far as its name tells: an alias may name any.
pub(super) fn names(expression: &str, index: &str) -> bool {
    let (mut is_named, mut has_pattern) = (false, false);
    for part in expression.split(',') {
        match part.strip_prefix('-').filter(|_| has_pattern) {
            Some(excluded) => is_named &= !fits(excluded, index),
            None => is_named |= fits(part, index),
        }
        has_pattern |= part.contains('*');
    }
    is_named
}

/// Whether one part fits this name. A selector tells the documents of an index (`::data`) from
/// those of its failures. What begins with a dot is hidden from patterns that do not.
fn fits(part: &str, index: &str) -> bool {
    let (pattern, selector) = part.split_once("::").unwrap_or((part, "data"));
    let pattern = if pattern == "_all" { "*" } else { pattern };
    let is_hidden = index.starts_with('.') && !pattern.starts_with('.');
    selector != "failures" && !is_hidden && is_like(pattern, index)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_expression_names_an_index_as_the_servers_read_it() {
        let rows = [
            ("states", true),
            ("logs", false),
            ("stat", false),
            ("States*", false),
            ("logs,states", true),
            ("s*", true),
            ("*tes", true),
            ("*t*t*", true),
            ("*t*t*t*", false),
            ("**", true),
            ("states*", true),
            ("s*s", true),
            ("states*s", false),
            ("*at*at*", false),
            ("_all", true),
            ("*", true),
            (".*", false),
            ("*,-states", false),
            ("*,-stat*", false),
            ("*,-*", false),
            ("*,-logs", true),
            ("logs*,states,-states", false),
            ("states,logs*,-states", false),
            ("states,-states", true),
            ("states,-s*", true),
            ("-states,s*", true),
            ("*,-s*,states", true),
            ("*::data", true),
            ("states::failures", false),
            ("*,-states::data", false),
        ];
        for (expression, expected) in rows {
            assert_eq!(names(expression, "states"), expected, "{expression}");
        }
    }

    #[test]
    fn a_hidden_index_is_named_by_itself_or_by_a_pattern_that_begins_with_a_dot() {
        let rows = [
            ("*", false),
            ("_all", false),
            ("*states", false),
            (".s*", true),
            (".states", true),
            (".*,-.states", false),
        ];
        for (expression, expected) in rows {
            assert_eq!(names(expression, ".states"), expected, "{expression}");
        }
    }
}
