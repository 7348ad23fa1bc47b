//! "Did you mean": the known name nearest to an unknown one.

/// The nearest of the known names, if it is near enough to be meant: at most two
/// letters inserted, left out or replaced, and fewer than half of them.
pub(super) fn nearest<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let by_distance = known
        .into_iter()
        .map(|candidate| (distance(name, candidate), candidate));
    let (letters, candidate) = by_distance.min()?;
    (letters <= 2 && letters * 2 < candidate.len()).then_some(candidate)
}

/// The Levenshtein distance, by rows of its table.
fn distance(from: &str, to: &str) -> usize {
    let mut row: Vec<usize> = (0..=to.chars().count()).collect();
    for (deleted, a) in from.chars().enumerate() {
        let mut diagonal = deleted;
        let mut left = deleted + 1;
        let costs = row.iter().skip(1).zip(to.chars()).map(|(above, b)| {
            let replaced = diagonal + usize::from(a != b);
            diagonal = *above;
            left = replaced.min(above + 1).min(left + 1);
            left
        });
        row = std::iter::once(deleted + 1)
            .chain(costs.collect::<Vec<_>>())
            .collect();
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_the_fewest_single_letter_edits() {
        let rows = [
            ("", "", 0),
            ("", "abc", 3),
            ("abc", "", 3),
            ("kitten", "sitting", 3),
            ("flaw", "lawn", 2),
            ("ürl", "url", 1),
        ];
        for (from, to, expected) in rows {
            assert_eq!(distance(from, to), expected, "{from} to {to}");
        }
    }

    #[test]
    fn only_a_near_name_is_suggested() {
        let known = ["url", "index", "polling_interval"];
        let rows = [
            ("poling_interval", Some("polling_interval")),
            ("idnex", Some("index")),
            ("uri", Some("url")),
            ("ip", None),
            ("batch_size", None),
        ];
        for (name, expected) in rows {
            assert_eq!(nearest(name, known), expected, "{name}");
        }
    }
}
