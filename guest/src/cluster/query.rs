//! The filter of a read: the user's query between two places of the reading order.

use chrono::Datelike as _;
use serde_json::{Map, Value, json};

use crate::config::Config;
use crate::key::{Key, Point};
use crate::paging::document_id;
use crate::time::Unit;

/// The format that `date` and `date_nanos` fields accept alike.
const FORMAT: &str = "strict_date_optional_time_nanos";

/// The same, and the milliseconds of dates that it can not write.
const FORMAT_OR_MILLIS: &str = "strict_date_optional_time_nanos||epoch_millis";
/// Before it no nanosecond is counted: there is no document, and the server refuses to be asked.
const EPOCH: Point = Point::Number(0);

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

    /// From `from` on and before `to`, whatever the query. Both bounds stand in one range: a
    /// document with several values is selected where one of them lies within, and not where two
    /// lie on either side.
    pub fn within(&self, from: &Key, to: &Key) -> Value {
        let mut filter = vec![self.before(from, to)];
        if from.point != Point::MIN && !from.begins_group() {
            filter.push(json!({"bool": {"must_not": [self.earlier_in_group(from)]}}));
        }
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

    /// From the value of `from` on, and before `to`.
    fn before(&self, from: &Key, to: &Key) -> Value {
        let mut bounds = vec![("lt", &to.point)];
        if from.point != Point::MIN {
            bounds.push(("gte", &from.point));
        }
        let earlier = self.range(&bounds);
        if to.begins_group() {
            return earlier;
        }
        let in_group = self.earlier_in_group(to);
        if from.point == to.point {
            return in_group;
        }
        json!({"bool": {"minimum_should_match": 1, "should": [earlier, in_group]}})
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

    fn range(&self, bounds: &[(&str, &Point)]) -> Value {
        let is_early = |at: &Point| self.unit == Unit::Ns && *at < EPOCH;
        if bounds
            .iter()
            .any(|(name, at)| *name == "lt" && is_early(at))
        {
            return json!({"match_none": {}});
        }
        let bounds = bounds.iter().filter(|(_, at)| !is_early(at));
        let bounds = bounds.map(|(name, at)| ((*name).to_owned(), self.bound(at)));
        let mut range: Map<_, _> = bounds.collect();
        if self.unit.numeric_type().is_some() {
            let format = match range.values().all(Value::is_string) {
                true => FORMAT,
                false => FORMAT_OR_MILLIS,
            };
            range.insert("format".to_owned(), json!(format));
        }
        json!({"range": {self.config.order(): range}})
    }

    /// Dates are written as such, which fields of every date format read, in the years that every
    /// server reads; others are written as they are.
    fn bound(&self, at: &Point) -> Value {
        let is_date = self.unit.numeric_type().is_some();
        let date = at.number().and_then(|number| self.unit.to_date(number));
        let year = date.filter(|_| is_date).map(|date| date.year());
        match year {
            Some(0..=9_999) => json!(self.unit.describe(at)),
            _ => json!(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn within(more: &str, unit: Unit, from: &Key, to: &Key) -> Value {
        let config = format!(r#"{{"index": "i"{more}}}"#);
        let config = &Config::parse(&config).unwrap();
        let mut query = Selection { config, unit }.within(from, to);
        query["bool"]["filter"].take()
    }

    /// Two ranges would also select what has one value before and another one behind.
    #[test]
    fn both_bounds_stand_in_one_range_and_groups_that_are_cut_beside_it() {
        let range = |bounds: Value| json!({"range": {"t": bounds}});
        let earlier = |point: i64, seq_no: i64| {
            let group = range(json!({"gte": point, "lt": point + 1}));
            json!({"bool": {"filter": [group, {"range": {"_seq_no": {"lt": seq_no}}}]}})
        };
        let either = |one: Value, other: Value| json!({"bool": {"minimum_should_match": 1, "should": [one, other]}});
        let not = |query: Value| json!({"bool": {"must_not": [query]}});
        let both = || range(json!({"gte": 5, "lt": 9}));
        let rows = [
            (Key::at(5), Key::at(9), json!([both()])),
            (Key::MIN, Key::at(9), json!([range(json!({"lt": 9}))])),
            (
                (5, 3).into(),
                Key::at(9),
                json!([both(), not(earlier(5, 3))]),
            ),
            (
                Key::at(5),
                (9, 4).into(),
                json!([either(both(), earlier(9, 4))]),
            ),
            (Key::at(9), (9, 4).into(), json!([earlier(9, 4)])),
            (
                (9, 2).into(),
                (9, 4).into(),
                json!([earlier(9, 4), not(earlier(9, 2))]),
            ),
        ];
        let seconds = r#", "timestamp_field": "t", "timestamp_unit": "s""#;
        for (from, to, expected) in rows {
            let found = within(seconds, Unit::NumberS, &from, &to);
            assert_eq!(found, expected, "{from:?} {to:?}");
        }
    }

    #[test]
    fn dates_that_servers_can_not_read_are_written_in_milliseconds() {
        let year_9999 = "9999-12-31T23:59:59.999000000Z";
        let rows = [
            (
                (-9_000_000_000_000_000, 253_402_300_799_999),
                json!({"gte": -9_000_000_000_000_000_i64, "lt": year_9999, "format": FORMAT_OR_MILLIS}),
            ),
            (
                (-62_167_219_200_001, -62_167_219_200_000),
                json!({"gte": -62_167_219_200_001_i64, "lt": "0000-01-01T00:00:00.000000000Z", "format": FORMAT_OR_MILLIS}),
            ),
            (
                (253_402_300_799_999, 253_402_300_800_000),
                json!({"gte": year_9999, "lt": 253_402_300_800_000_i64, "format": FORMAT_OR_MILLIS}),
            ),
        ];
        for ((from, to), expected) in rows {
            let (from, to) = (Key::at(from), Key::at(to));
            let found = within(r#", "timestamp_field": "t""#, Unit::Ms, &from, &to);
            assert_eq!(found, json!([{"range": {"t": expected}}]));
        }
    }

    #[test]
    fn nothing_before_1970_is_asked_for_in_nanoseconds() {
        let range = |bounds: Value| {
            let mut range = bounds;
            range["format"] = json!(FORMAT);
            json!([{"range": {"t": range}}])
        };
        let (epoch, after) = (
            "1970-01-01T00:00:00.000000000Z",
            "1970-01-01T00:00:00.000000005Z",
        );
        let none = json!([{"match_none": {}}]);
        let rows = [
            (
                Unit::Ns,
                Key::at(-5),
                Key::at(5),
                range(json!({"lt": after})),
            ),
            (
                Unit::Ns,
                Key::at(-5),
                Key::at(0),
                range(json!({"lt": epoch})),
            ),
            (Unit::Ns, Key::at(-5), Key::at(-1), none.clone()),
            (Unit::Ns, Key::MIN, Key::at(-1), none),
            (
                Unit::Ns,
                Key::at(0),
                Key::at(5),
                range(json!({"gte": epoch, "lt": after})),
            ),
            (
                Unit::Ms,
                Key::at(-1),
                Key::at(0),
                range(json!({"gte": "1969-12-31T23:59:59.999000000Z", "lt": epoch})),
            ),
        ];
        for (unit, from, to, expected) in rows {
            let found = within(r#", "timestamp_field": "t""#, unit, &from, &to);
            assert_eq!(found, expected, "{unit:?} {from:?} {to:?}");
        }
    }

    #[test]
    fn dates_are_written_with_their_format_and_texts_as_they_are() {
        let dates = json!([{"range": {"t": {
            "gte": "1970-01-01T00:00:00.000000005Z", "lt": "1970-01-01T00:00:01.000000000Z", "format": FORMAT,
        }}}]);
        let by_date = r#", "timestamp_field": "t""#;
        let (from, to) = (Key::at(5), Key::at(1_000_000_000));
        assert_eq!(within(by_date, Unit::Ns, &from, &to), dates);
        let texts = json!([{"range": {"t": {"gte": "a", "lt": "b"}}}]);
        let by_text = r#", "pagination": "document_id", "id_field": "t""#;
        let (from, to) = (Key::at("a"), Key::at("b"));
        assert_eq!(within(by_text, Unit::Text, &from, &to), texts);
    }
}
