//! Patterns of the names of indices and fields.

/// Whether a name is like a pattern, in which `*` stands for anything.
pub(crate) fn is_like(pattern: &str, name: &str) -> bool {
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
    fn anything_may_stand_in_the_place_of_each_star_and_nothing_in_two() {
        let rows = [
            ("abc", "abc", true),
            ("abc", "abcd", false),
            ("", "", true),
            ("*", "", true),
            ("a*", "abc", true),
            ("*c", "abc", true),
            ("a*c", "ac", true),
            ("ab*bc", "abc", false),
            ("*b*", "abc", true),
            ("*b*b*", "abc", false),
            ("a**c", "abc", true),
            ("a*b*c", "a-b-bc", true),
            ("*ab", "aab", true),
            ("ä*ü", "äöü", true),
        ];
        for (pattern, name, expected) in rows {
            assert_eq!(is_like(pattern, name), expected, "{pattern} {name}");
        }
    }
}
