//! Texts of a component that people read: of a limited length, in one line, and without
//! what would make a terminal show something else.

/// The longest text of a component in a log or an error, in bytes.
pub(crate) const TEXT_MAX: usize = 4_096;

/// The text as people may see it.
pub(crate) fn shown(text: &str) -> String {
    let mut shown = String::new();
    for character in text.chars() {
        let before = shown.len();
        push(&mut shown, character);
        if shown.len() > TEXT_MAX {
            shown.truncate(before);
            shown.push_str(&format!(".. ({} bytes, cut)", text.len()));
            break;
        }
    }
    shown
}

/// The same of any length: its parts have limits of their own.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let characters = text.chars();
    characters.for_each(|character| push(&mut escaped, character));
    escaped
}

fn push(text: &mut String, character: char) {
    match is_plain(character) {
        true => text.push(character),
        false => text.extend(character.escape_default()),
    }
}

/// Neither a control character, nor one that changes the direction or the line.
fn is_plain(character: char) -> bool {
    let turns = matches!(character,
        '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !character.is_control() && !turns
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_one_short_line_whatever_is_in_it() {
        let long = "ä".repeat(TEXT_MAX);
        let rows = [
            ("plain, \"quoted\" ü \\", "plain, \"quoted\" ü \\"),
            ("a\r\n\x1b[31mb\0", "a\\r\\n\\u{1b}[31mb\\u{0}"),
            (
                &"\0".repeat(820),
                &format!("{}.. (820 bytes, cut)", "\\u{0}".repeat(819)),
            ),
            ("a\u{202e}b\u{2028}", "a\\u{202e}b\\u{2028}"),
            (
                &long,
                &format!("{}.. (8192 bytes, cut)", "ä".repeat(TEXT_MAX / 2)),
            ),
        ];
        for (text, expected) in rows {
            assert_eq!(shown(text), expected);
            assert_eq!(escaped(text).len() > TEXT_MAX, expected.ends_with("cut)"));
        }
    }
}
