//! Which indices are read: an expression that says the same at every request, of one cluster.

use super::keys::Keys;
use crate::error::Error;

impl Keys {
    pub(super) fn index(&mut self) -> Result<String, Error> {
        let index = self.text("index")?.ok_or_else(|| {
            self.error(
                "index",
                "is missing; name the index, pattern or alias to read",
            )
        })?;
        match index.split(',').find_map(wrong) {
            Some(why) => Err(self.error("index", why)),
            None => Ok(index),
        }
    }
}

/// What servers allow in no name of an index.
const NEVER: [char; 7] = [' ', '"', '/', '>', '?', '\\', '|'];
/// What some of them do, but what lies between may take for something else in a path.
const DOUBTFUL: [char; 2] = ['#', '%'];

/// What is wrong with one part of the expression.
fn wrong(part: &str) -> Option<String> {
    if part.is_empty() {
        return Some("has nothing before, between or behind its commas".to_owned());
    }
    // No name of an index has this character.
    if part.contains('<') {
        return Some(format!(
            "must not be date math, as {part:?} is: when the name changes, what was not read of the index before would be lost; write a pattern such as \"logs-*\" instead"
        ));
    }
    let unfit = part.chars().find_map(|c| Some((c, unfit(c)?)));
    if let Some((character, why)) = unfit {
        return Some(format!(
            "must not have {character:?}, as {part:?} has: {why}"
        ));
    }
    // A cluster may leave another one out of an answer that otherwise says it is whole.
    let cluster = other_cluster(part)?;
    Some(format!(
        "names another cluster ({cluster}): give it a source of its own, with its own \"url\""
    ))
}

/// Why a character can not stand in an expression.
fn unfit(character: char) -> Option<&'static str> {
    if NEVER.contains(&character) {
        return Some("no index has such a name, and patterns know only \"*\"");
    }
    (DOUBTFUL.contains(&character) || character.is_control()).then_some(
        "not every way to a cluster carries it as it is; write a pattern with \"*\" in its place, or give the index an alias",
    )
}

/// The cluster that a part names, if it is not the one that is asked. Two colons are none of a
/// cluster's: what follows them is a part of a data stream.
fn other_cluster(part: &str) -> Option<String> {
    let included = part.strip_prefix('-').unwrap_or(part).replace("::", "");
    let (cluster, _) = included.split_once(':')?;
    Some(cluster.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    /// What is wrong with an index.
    fn refused(index: &str) -> Option<String> {
        let keys = serde_json::json!({"index": index, "timestamp_field": "t"});
        let refused = Config::parse(&keys.to_string()).err()?;
        Some(refused.to_string())
    }

    #[test]
    fn an_index_that_is_another_one_tomorrow_is_refused() {
        for index in [
            "<logs-{now/d}>",
            "logs,<logs-{now/d{yyyy.MM|+12:00}}>",
            "logs-*,-<logs-{now/d-1d}>",
        ] {
            let refused = refused(index).expect(index);
            assert!(
                refused.starts_with("index: must not be date math"),
                "{refused}"
            );
            assert!(refused.contains("\"logs-*\""), "{refused}");
        }
    }

    #[test]
    fn an_index_of_another_cluster_is_refused_wherever_it_stands() {
        let rows = [
            ("far:logs-*", "far"),
            ("*:logs-*", "*"),
            ("logs-*,far:logs-*", "far"),
            ("logs-*,-far:logs-*", "far"),
            ("far:logs::failures", "far"),
            ("far:", "far"),
        ];
        for (index, cluster) in rows {
            let expected = format!(
                "index: names another cluster ({cluster}): give it a source of its own, with its own \"url\""
            );
            assert_eq!(refused(index), Some(expected), "{index}");
        }
    }

    #[test]
    fn what_no_index_is_called_or_no_path_carries_is_refused() {
        let rows = [
            ("logs-?", "must not have '?', as \"logs-?\" has: no index"),
            ("logs, other", "must not have ' ', as \" other\" has"),
            ("logs/", "must not have '/'"),
            (
                "lo%67s",
                "must not have '%', as \"lo%67s\" has: not every way",
            ),
            ("logs#", "must not have '#'"),
            ("lo\\gs", "must not have '\\\\'"),
            ("\"logs\"", "must not have '\"'"),
            ("logs\n", "must not have '\\n'"),
            ("logs,,other", "has nothing before, between or behind"),
            (",logs", "has nothing"),
            ("logs,", "has nothing"),
        ];
        for (index, words) in rows {
            let refused = refused(index).expect(index);
            assert!(refused.contains(words), "{index}: {refused}");
        }
    }

    #[test]
    fn every_other_expression_is_taken_as_it_is() {
        for index in [
            "logs",
            "logs-*",
            "logs-*,-logs-old,.ds-metrics-2026.01.31-000001",
            "logs::failures",
            "_all",
            "Große_Namen+1",
        ] {
            assert_eq!(refused(index), None, "{index}");
        }
    }
}
