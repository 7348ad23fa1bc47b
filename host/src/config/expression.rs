//! Which index an expression names, as the servers read it: names and patterns with commas
//! between, of which one that begins with `-` takes out what patterns before it brought in.

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

/// Whether a name is like a pattern, in which `*` stands for anything.
fn is_like(pattern: &str, name: &str) -> bool {
    let Some((begin, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let (middle, end) = rest.rsplit_once('*').unwrap_or(("", rest));
    let between = name.strip_prefix(begin);
    let between = between.and_then(|name| name.strip_suffix(end));
    between.is_some_and(|between| has_in_order(between, middle.split('*')))
}

fn has_in_order<'a>(text: &str, mut parts: impl Iterator<Item = &'a str>) -> bool {
    let after = |left, part| str::split_once(left, part).map(|(_, after)| after);
    parts.try_fold(text, after).is_some()
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
