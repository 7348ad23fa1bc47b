//! What stands between two pairs: blanks, line breaks, comments.

/// The bytes of leading blanks, line breaks and comments.
pub(super) fn blank_length(text: &str) -> usize {
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', '\n']);
        rest = match rest.strip_prefix("\r\n") {
            Some(next_line) => next_line,
            None if rest.starts_with('#') => rest
                .find('\n')
                .and_then(|end| rest.get(end..))
                .unwrap_or(""),
            None => return text.len() - rest.len(),
        };
    }
}

/// Appends a gap that has a line break, with a comma in it that moves nothing: in the
/// place of a blank, of the first `#`, or at the end of the line.
pub(super) fn push_with_comma(out: &mut String, gap: &str) {
    let (before, after) = match (free_blank(gap), gap.strip_prefix('#')) {
        (Some(at), _) => (gap.get(..at), gap.get(at + 1..)),
        (None, Some(comment)) => return push_comma_for_hash(out, comment),
        (None, None) => (None, Some(gap)),
    };
    out.push_str(before.unwrap_or_default());
    out.push(',');
    out.push_str(after.unwrap_or_default());
}

/// The first blank outside comments.
fn free_blank(gap: &str) -> Option<usize> {
    let mut in_comment = false;
    gap.char_indices().find_map(|(at, c)| {
        in_comment = (in_comment || c == '#') && c != '\n';
        (!in_comment && matches!(c, ' ' | '\t')).then_some(at)
    })
}

/// The comma takes the place of the `#`, and the `#` that of the next character.
fn push_comma_for_hash(out: &mut String, comment: &str) {
    let mut rest = comment.chars();
    out.push(',');
    if !comment.starts_with(['\n', '\r']) {
        rest.next();
        out.push('#');
    }
    out.push_str(rest.as_str());
}
