//! Which keys a way of reading needs, and which it has no use for: what is configured is used,
//! or it is an error.

use super::{Config, ID, SEQUENCE};
use crate::error::Error;
use crate::paging::{Pagination, scroll};
use crate::time::Unit;

use Pagination::{DocumentId, Offset, Scroll, Timestamp};

impl Config {
    pub(super) fn check_ways(&self, given: &[String]) -> Result<(), Error> {
        if self.pagination == Timestamp && self.timestamp_field.is_none() {
            return Err(Error::config(
                "timestamp_field",
                "is missing; name the date field that orders the documents, or set \"pagination\" to \"document_id\" for ids that only grow, to \"scroll\" for one export, or to \"offset\" for at most 10,000 documents",
            ));
        }
        self.check_fields()?;
        let is_given = |key: &str| given.iter().any(|given| given == key);
        let mut useless = self.useless().into_iter();
        match useless.find(|(key, why)| why.is_some() && is_given(key)) {
            Some((key, why)) => Err(Error::config(key, why.unwrap_or_default())),
            None => Ok(()),
        }
    }

    /// That the fields it names are the documents' own, and two of them.
    fn check_fields(&self) -> Result<(), Error> {
        let (id, tiebreaker) = (self.id_field.as_deref(), self.tiebreaker_field.as_deref());
        let metadata = |field: Option<&str>| field.is_some_and(|field| field.starts_with('_'));
        let wrong = if id == Some(ID) {
            ("id_field", "is \"_id\" by default; leave it out")
        } else if metadata(id) {
            (
                "id_field",
                "must be a field of the documents, keyword or long, that only grows",
            )
        } else if metadata(tiebreaker.filter(|field| *field != SEQUENCE)) {
            (
                "tiebreaker_field",
                "must be a field of the documents, a whole number; leave it out for their sequence numbers",
            )
        } else if tiebreaker == Some(self.order()) {
            (
                "tiebreaker_field",
                "orders the documents already; name another field, in which those of one value differ",
            )
        } else {
            return Ok(());
        };
        Err(Error::config(wrong.0, wrong.1))
    }

    /// Keys that the way of reading has no use for, and why.
    fn useless(&self) -> [(&'static str, Option<&'static str>); 9] {
        const NO_TIMESTAMP: &str = "needs a \"timestamp_field\", which is missing";
        const BY_ID: &str = "is of no use with pagination \"document_id\", where ids order the documents; leave one of them out";
        const BY_SCROLL: &str = "is for pagination \"scroll\"; leave it out";
        const READS_ALL: &str =
            "is of no use where every cycle reads all documents, or one export does; leave it out";
        let (way, has_timestamp) = (self.pagination, self.timestamp_field.is_some());
        let reads_all = way == Offset || scroll::is_export(self);
        let without_timestamp = (!has_timestamp).then_some(NO_TIMESTAMP);
        let without_order = without_timestamp.filter(|_| way != DocumentId);
        let grows = self.timestamp_unit == Some(Unit::Number);
        [
            ("timestamp_field", (way == DocumentId).then_some(BY_ID)),
            ("id_field", (way != DocumentId).then_some("is for pagination \"document_id\"; leave it out, or set that")),
            ("timestamp_unit", without_timestamp),
            ("start", without_timestamp.or(grows.then_some("is a date, and the numbers of timestamp_unit \"sequence\" are none; leave one of them out"))),
            ("tiebreaker_field", without_order),
            ("settle", without_order),
            ("overlap", reads_all.then_some(READS_ALL)),
            ("scroll_timeout", (way != Scroll).then_some(BY_SCROLL)),
            ("slices", (way == Offset && self.slices > 1).then_some("is of no use with pagination \"offset\", which is for few documents; leave it out")),
        ]
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    /// What is wrong with a configuration, by its keys after the index.
    fn refused(keys: &str) -> Option<String> {
        let json = format!(r#"{{"index": "i"{keys}}}"#);
        let refused = Config::parse(&json).err()?;
        Some(refused.to_string())
    }

    #[test]
    fn a_key_that_the_way_of_reading_has_no_use_for_is_refused() {
        let by_id = r#", "pagination": "document_id""#;
        let by_time = r#", "timestamp_field": "t""#;
        let export = r#", "pagination": "scroll""#;
        let offset = r#", "pagination": "offset""#;
        let rows = [
            (by_id, "", None),
            (by_id, r#""id_field": "k""#, None),
            (
                by_id,
                r#""settle": "5s", "overlap": "1m", "slices": 2, "tiebreaker_field": "n""#,
                None,
            ),
            (
                by_id,
                r#""id_field": "_id""#,
                Some("id_field: is \"_id\" by default"),
            ),
            (
                by_id,
                r#""id_field": "_doc""#,
                Some("id_field: must be a field of the documents"),
            ),
            (by_time, r#""tiebreaker_field": "_seq_no""#, None),
            (
                by_time,
                r#""tiebreaker_field": "_id""#,
                Some("tiebreaker_field: must be a field of the documents"),
            ),
            (
                by_time,
                r#""tiebreaker_field": "_doc""#,
                Some("tiebreaker_field: must be a field of the documents"),
            ),
            (
                by_id,
                r#""id_field": "k", "tiebreaker_field": "k""#,
                Some("tiebreaker_field: orders the documents already"),
            ),
            (
                export,
                r#""tiebreaker_field": "n""#,
                Some("tiebreaker_field: needs"),
            ),
            (
                by_time,
                r#""tiebreaker_field": "t""#,
                Some("tiebreaker_field: orders the documents already"),
            ),
            (
                by_id,
                r#""timestamp_field": "t""#,
                Some("timestamp_field: is of no use"),
            ),
            (
                by_id,
                r#""start": "now""#,
                Some("start: needs a \"timestamp_field\""),
            ),
            (
                by_id,
                r#""timestamp_unit": "s""#,
                Some("timestamp_unit: needs"),
            ),
            (
                by_id,
                r#""scroll_timeout": "1m""#,
                Some("scroll_timeout: is for"),
            ),
            (
                by_time,
                r#""id_field": "k""#,
                Some("id_field: is for pagination \"document_id\""),
            ),
            (by_time, r#""timestamp_unit": "sequence""#, None),
            (
                by_time,
                r#""timestamp_unit": "sequence", "start": "now""#,
                Some("start: is a date"),
            ),
            (
                by_time,
                r#""scroll_timeout": "1m""#,
                Some("scroll_timeout: is for"),
            ),
            (
                by_time,
                r#""pagination": "scroll", "scroll_timeout": "1m", "overlap": "1m""#,
                None,
            ),
            (export, r#""slices": 2"#, None),
            (export, r#""overlap": "1m""#, Some("overlap: is of no use")),
            (export, r#""settle": "1m""#, Some("settle: needs")),
            (offset, r#""overlap": "1m""#, Some("overlap: is of no use")),
            (offset, r#""slices": 1"#, None),
            (offset, r#""slices": 2"#, Some("slices: is of no use")),
        ];
        for (way, keys, expected) in rows {
            let comma = if keys.is_empty() { "" } else { ", " };
            let refused = refused(&format!("{way}{comma}{keys}"));
            let fits = match (&refused, expected) {
                (Some(refused), Some(start)) => refused.starts_with(start),
                (refused, expected) => refused.is_none() && expected.is_none(),
            };
            assert!(fits, "{way} {keys}: {refused:?}");
        }
    }
}
