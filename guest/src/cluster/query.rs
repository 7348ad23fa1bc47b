//! The filter of a read: the user's query between two places of the reading order.

use serde_json::{Value, json};

use crate::config::Config;
use crate::key::Key;
use crate::time::Unit;

/// The format that `date` and `date_nanos` fields accept alike.
const FORMAT: &str = "strict_date_optional_time_nanos";

/// What a source reads, whatever the place.
#[derive(Debug, Clone, Copy)]
pub struct Selection<'a> {
    /// The user's query and the name of the field.
    pub config: &'a Config,
    /// The unit of all keys.
    pub unit: Unit,
}

impl Selection<'_> {
    /// Documents from `from` on and before `to`.
    pub fn between(&self, from: Key, to: Key) -> Value {
        let mut filter = vec![self.config.query.clone(), self.exists()];
        filter.extend(self.not_before(from));
        filter.push(self.before(to));
        json!({"bool": {"filter": filter}})
    }

    /// Documents at or after this timestamp.
    pub fn since(&self, timestamp: i64) -> Value {
        json!({"bool": {"filter": [self.config.query, self.range("gte", timestamp)]}})
    }

    /// Documents that have no value to be ordered by.
    pub fn without_timestamp(&self) -> Value {
        json!({"bool": {"filter": [self.config.query], "must_not": [self.exists()]}})
    }

    fn exists(&self) -> Value {
        json!({"exists": {"field": self.config.timestamp_field}})
    }

    fn not_before(&self, from: Key) -> Vec<Value> {
        if from == Key::MIN {
            return Vec::new();
        }
        let mut filter = vec![self.range("gte", from.timestamp)];
        if from.seq_no > 0 {
            let earlier =
                json!([self.equal(from.timestamp), {"range": {"_seq_no": {"lt": from.seq_no}}}]);
            filter.push(json!({"bool": {"must_not": [{"bool": {"filter": earlier}}]}}));
        }
        filter
    }

    fn before(&self, to: Key) -> Value {
        let earlier = self.range("lt", to.timestamp);
        if to.seq_no == 0 {
            return earlier;
        }
        let same = json!([self.equal(to.timestamp), {"range": {"_seq_no": {"lt": to.seq_no}}}]);
        json!({"bool": {"minimum_should_match": 1, "should": [earlier, {"bool": {"filter": same}}]}})
    }

    fn equal(&self, timestamp: i64) -> Value {
        let date = self.unit.to_iso(timestamp);
        json!({"range": {&self.config.timestamp_field: {"gte": date, "lt": self.unit.to_iso(timestamp.saturating_add(1)), "format": FORMAT}}})
    }

    fn range(&self, bound: &str, timestamp: i64) -> Value {
        json!({"range": {&self.config.timestamp_field: {bound: self.unit.to_iso(timestamp), "format": FORMAT}}})
    }
}
