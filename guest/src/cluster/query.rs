//! The filter of a read: the user's query between two places of the reading order.

use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::key::{Key, Point};
use crate::paging::document_id;
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
    /// Documents that have a value to be ordered by.
    pub fn all(&self) -> Value {
        let mut filter = vec![self.config.query.clone()];
        filter.extend(self.exists());
        json!({"bool": {"filter": filter}})
    }

    /// Documents from `from` on and before `to`; all of them where no range can be asked for.
    pub fn between(&self, from: &Key, to: &Key) -> Value {
        if document_id::has_no_ranges(self.config) {
            return self.all();
        }
        let mut filter = vec![self.config.query.clone()];
        filter.extend(self.exists());
        filter.push(self.within(from, to));
        json!({"bool": {"filter": filter}})
    }

    /// From `from` on and before `to`, whatever the query.
    pub fn within(&self, from: &Key, to: &Key) -> Value {
        let mut filter = self.not_before(from);
        filter.push(self.before(to));
        json!({"bool": {"filter": filter}})
    }

    /// Documents at or after this value.
    pub fn since(&self, point: &Point) -> Value {
        let since = self.range(&[("gte", point)]);
        json!({"bool": {"filter": [self.config.query, since]}})
    }

    /// Documents that have no value to be ordered by.
    pub fn without_timestamp(&self) -> Value {
        json!({"bool": {"filter": [self.config.query], "must_not": self.exists().as_slice()}})
    }

    /// Every document has a sequence number, and an id.
    fn exists(&self) -> Option<Value> {
        let field = self.config.field()?;
        Some(json!({"exists": {"field": field}}))
    }

    fn not_before(&self, from: &Key) -> Vec<Value> {
        if from.point == Point::MIN {
            return Vec::new();
        }
        let mut filter = vec![self.range(&[("gte", &from.point)])];
        if !from.begins_group() {
            filter.push(json!({"bool": {"must_not": [self.earlier_in_group(from)]}}));
        }
        filter
    }

    fn before(&self, to: &Key) -> Value {
        let earlier = self.range(&[("lt", &to.point)]);
        if to.begins_group() {
            return earlier;
        }
        let should = [earlier, self.earlier_in_group(to)];
        json!({"bool": {"minimum_should_match": 1, "should": should}})
    }

    /// Of the value of this place, but before it.
    fn earlier_in_group(&self, Key { point, seq_no }: &Key) -> Value {
        let group = self.range(&[("gte", point), ("lt", &point.next())]);
        // What lacks the field comes last, at a place that is out of range for shorter numbers.
        let field = self.config.tiebreaker();
        let earlier = match *seq_no {
            i64::MAX => json!({"exists": {"field": field}}),
            _ => json!({"range": {field: {"lt": seq_no}}}),
        };
        json!({"bool": {"filter": [group, earlier]}})
    }

    /// Dates are written as such, which fields of every date format read; others as they are.
    fn range(&self, bounds: &[(&str, &Point)]) -> Value {
        let is_date = self.unit.numeric_type().is_some();
        let bound = |point: &Point| {
            if is_date {
                json!(self.unit.describe(point))
            } else {
                json!(point)
            }
        };
        let bounds = bounds
            .iter()
            .map(|(name, at)| ((*name).to_owned(), bound(at)));
        let format = is_date.then(|| ("format".to_owned(), json!(FORMAT)));
        let range: Map<_, _> = bounds.chain(format).collect();
        json!({"range": {self.config.order(): range}})
    }
}
