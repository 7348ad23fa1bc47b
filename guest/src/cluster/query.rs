//! The filter of a read: the user's query between two places of the reading order.

use serde_json::{Map, Value, json};

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
        let mut filter = vec![self.config.query.clone()];
        filter.extend(self.exists());
        filter.push(self.within(from, to));
        json!({"bool": {"filter": filter}})
    }

    /// One value from `from` on and before `to`, whatever the query.
    pub fn stretch(&self, from: i64, to: i64) -> Value {
        self.range(&[("gte", from), ("lt", to)])
    }

    /// From `from` on and before `to`, whatever the query.
    fn within(&self, from: Key, to: Key) -> Value {
        let mut filter = self.not_before(from);
        filter.push(self.before(to));
        json!({"bool": {"filter": filter}})
    }

    /// Documents at or after this timestamp.
    pub fn since(&self, timestamp: i64) -> Value {
        let since = self.range(&[("gte", timestamp)]);
        json!({"bool": {"filter": [self.config.query, since]}})
    }

    /// Documents that have no value to be ordered by.
    pub fn without_timestamp(&self) -> Value {
        json!({"bool": {"filter": [self.config.query], "must_not": self.exists().as_slice()}})
    }

    /// Every document has a sequence number.
    fn exists(&self) -> Option<Value> {
        let field = self.config.timestamp_field.as_ref()?;
        Some(json!({"exists": {"field": field}}))
    }

    fn not_before(&self, from: Key) -> Vec<Value> {
        if from.timestamp == i64::MIN {
            return Vec::new();
        }
        let mut filter = vec![self.range(&[("gte", from.timestamp)])];
        if !from.begins_group() {
            filter.push(json!({"bool": {"must_not": [self.earlier_in_group(from)]}}));
        }
        filter
    }

    fn before(&self, to: Key) -> Value {
        let earlier = self.range(&[("lt", to.timestamp)]);
        if to.begins_group() {
            return earlier;
        }
        let should = [earlier, self.earlier_in_group(to)];
        json!({"bool": {"minimum_should_match": 1, "should": should}})
    }

    /// Of the timestamp of this place, but before it.
    fn earlier_in_group(&self, Key { timestamp, seq_no }: Key) -> Value {
        let group = self.range(&[("gte", timestamp), ("lt", timestamp.saturating_add(1))]);
        // What lacks the field comes last, at a place that is out of range for shorter numbers.
        let field = self.config.tiebreaker();
        let earlier = match seq_no {
            i64::MAX => json!({"exists": {"field": field}}),
            _ => json!({"range": {field: {"lt": seq_no}}}),
        };
        json!({"bool": {"filter": [group, earlier]}})
    }

    /// Dates are written as such, which fields of every date format read; numbers as they are.
    fn range(&self, bounds: &[(&str, i64)]) -> Value {
        let is_date = self.unit.numeric_type().is_some();
        let bound = |timestamp| {
            if is_date {
                json!(self.unit.to_iso(timestamp))
            } else {
                json!(timestamp)
            }
        };
        let bounds = bounds
            .iter()
            .map(|(name, at)| ((*name).to_owned(), bound(*at)));
        let format = is_date.then(|| ("format".to_owned(), json!(FORMAT)));
        let range: Map<_, _> = bounds.chain(format).collect();
        json!({"range": {self.config.order(): range}})
    }
}
