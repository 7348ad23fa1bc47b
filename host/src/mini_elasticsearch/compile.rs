//! Makes a query ready for one index: fields by number, bounds as values of the field.

use std::collections::HashSet;

use serde_json::Value;

use super::date::Formats;
use super::error::Cause;
use super::indexing::{in_resolution, text};
use super::mapping::{Field, Kind};
use super::matcher::{Matcher, tokens};
use super::query::{Query, Side};
use super::searcher::Searcher;

/// Makes a query ready. `numbers_are_millis`: Elasticsearch reads a number in a
/// range over dates as milliseconds, OpenSearch in the field's own format.
pub(super) fn matcher(
    query: &Query,
    searcher: &Searcher,
    numbers_are_millis: bool,
) -> Result<Matcher, Cause> {
    let build = |query: &Query| matcher(query, searcher, numbers_are_millis);
    let all = |queries: &[Query]| queries.iter().map(build).collect::<Result<Vec<_>, _>>();
    Ok(match query {
        Query::All => Matcher::All,
        Query::Nothing => Matcher::Nothing,
        Query::Bool {
            must,
            must_not,
            should,
            should_min,
        } => Matcher::Bool {
            must: all(must)?,
            must_not: all(must_not)?,
            should: all(should)?,
            should_min: *should_min,
        },
        Query::Range {
            field,
            bounds,
            format,
        } => Reader {
            searcher,
            format: format.as_deref(),
            numbers_are_millis,
        }
        .range(field, bounds)?,
        Query::Exists(field) => exists(field, searcher),
        Query::Terms { field, values } => Reader {
            searcher,
            format: None,
            numbers_are_millis,
        }
        .terms(field, values)?,
        Query::Ids(ids) => Matcher::Ids(ids.iter().cloned().collect()),
        Query::Match {
            field,
            text,
            all_tokens,
        } => match searcher.mapping.get(field) {
            Some((
                number,
                Field {
                    kind: Kind::Text, ..
                },
            )) => Matcher::Tokens {
                field: number,
                tokens: tokens(text).collect(),
                all: *all_tokens,
            },
            _ => build(&Query::Terms {
                field: field.clone(),
                values: vec![Value::String(text.clone())],
            })?,
        },
    })
}

/// A field exists where it or a field below it has a value.
fn exists(field: &str, searcher: &Searcher) -> Matcher {
    if field == "_seq_no" && !searcher.keeps.seq_nos {
        return Matcher::Nothing;
    }
    if matches!(field, "_seq_no" | "_id" | "_index") {
        return Matcher::All;
    }
    let below = format!("{field}.");
    let fields = searcher.mapping.fields.iter().zip(0_u16..);
    let fields =
        fields.filter(|(other, _)| &*other.path == field || other.path.starts_with(&below));
    Matcher::Exists(fields.map(|(_, number)| number).collect())
}

/// Reads values of a query as values of a field.
struct Reader<'a> {
    searcher: &'a Searcher,
    format: Option<&'a str>,
    numbers_are_millis: bool,
}

impl Reader<'_> {
    fn range(&self, field: &str, bounds: &[(Side, Value)]) -> Result<Matcher, Cause> {
        if field == "_seq_no" {
            self.searcher.check_seq_nos().map_err(|cause| {
                let reason = format!("failed to create query: {}", cause.reason());
                Cause::query_shard(reason)
                    .with("index", &*self.searcher.index)
                    .with("index_uuid", &*self.searcher.uuid)
            })?;
            let (low, high) = self.limits(bounds, |value, side| self.long(value, side))?;
            return Ok(Matcher::SeqNos(low, high));
        }
        let Some((number, field)) = self.searcher.mapping.get(field) else {
            return Ok(Matcher::Nothing);
        };
        match field.kind {
            Kind::Date | Kind::DateNanos => {
                let (low, high) =
                    self.limits(bounds, |value, side| self.date(field, value, side))?;
                Ok(Matcher::Ints(number, low, high))
            }
            Kind::Long | Kind::Boolean => {
                let (low, high) = self.limits(bounds, |value, side| self.long(value, side))?;
                Ok(Matcher::Ints(number, low, high))
            }
            Kind::Float => self.floats(number, bounds),
            Kind::Keyword | Kind::Text => Ok(Matcher::Texts(
                number,
                bounds
                    .iter()
                    .map(|(side, value)| (*side, text(value)))
                    .collect(),
            )),
            Kind::Object => Ok(Matcher::Nothing),
        }
    }

    /// The first and the last value that all bounds allow.
    fn limits(
        &self,
        bounds: &[(Side, Value)],
        read: impl Fn(&Value, Side) -> Result<i64, Cause>,
    ) -> Result<(i64, i64), Cause> {
        let (mut low, mut high) = (i64::MIN, i64::MAX);
        for (side, value) in bounds {
            let limit = read(value, *side)?;
            match side {
                Side::Gte => low = low.max(limit),
                Side::Gt => low = low.max(limit.saturating_add(1)),
                Side::Lte => high = high.min(limit),
                Side::Lt => high = high.min(limit.saturating_sub(1)),
            }
        }
        Ok((low, high))
    }

    /// A date in the field's resolution. What the text leaves open is filled so that
    /// `gt` and `lte` mean the whole of the named day, second or millisecond.
    fn date(&self, field: &Field, value: &Value, side: Side) -> Result<i64, Cause> {
        let own;
        let formats = match self.format {
            Some(format) => {
                own = Formats::parse(format).map_err(Cause::argument)?;
                &own
            }
            None if value.is_number() && self.numbers_are_millis => {
                own = Formats::parse("epoch_millis").map_err(Cause::argument)?;
                &own
            }
            None => &field.formats,
        };
        let text = text(value);
        let instant = formats
            .instant(&text, matches!(side, Side::Gt | Side::Lte))
            .ok_or_else(|| {
                let reason = format!(
                    "failed to parse date field [{text}] with format [{}]",
                    formats.text()
                );
                Cause::new(400, "parse_exception", format!("{reason}: [{reason}]"))
            })?;
        in_resolution(field.kind, instant).map_err(Cause::argument)
    }

    fn long(&self, value: &Value, side: Side) -> Result<i64, Cause> {
        let text = text(value);
        if let Ok(number) = text.parse() {
            return Ok(number);
        }
        let number: f64 = text.parse().map_err(|_| self.not_a_number(&text))?;
        Ok(match side {
            Side::Gte | Side::Lt => number.ceil() as i64,
            Side::Gt | Side::Lte => number.floor() as i64,
        })
    }

    fn floats(&self, number: u16, bounds: &[(Side, Value)]) -> Result<Matcher, Cause> {
        let (mut low, mut high) = (f64::NEG_INFINITY, f64::INFINITY);
        for (side, value) in bounds {
            let limit: f64 = text(value)
                .parse()
                .map_err(|_| self.not_a_number(&text(value)))?;
            match side {
                Side::Gte => low = low.max(limit),
                Side::Gt => low = low.max(limit.next_up()),
                Side::Lte => high = high.min(limit),
                Side::Lt => high = high.min(limit.next_down()),
            }
        }
        Ok(Matcher::Floats(number, low, high))
    }

    fn terms(&self, field: &str, values: &[Value]) -> Result<Matcher, Cause> {
        let any = || values.iter().map(text).collect::<HashSet<_>>();
        match field {
            "_id" => return Ok(Matcher::Ids(any())),
            "_index" => {
                return Ok(if any().contains(&*self.searcher.index) {
                    Matcher::All
                } else {
                    Matcher::Nothing
                });
            }
            _ => {}
        }
        match self.searcher.mapping.get(field) {
            Some((
                number,
                Field {
                    kind: Kind::Keyword,
                    ..
                },
            )) => Ok(Matcher::AnyText(number, any())),
            Some((
                number,
                Field {
                    kind: Kind::Text, ..
                },
            )) => {
                // The index holds tokens: a term with capitals or blanks finds nothing.
                let tokens = any()
                    .into_iter()
                    .filter(|term| tokens(term).eq([term.clone()]))
                    .collect();
                Ok(Matcher::Tokens {
                    field: number,
                    tokens,
                    all: false,
                })
            }
            _ => self.equal(field, values),
        }
    }

    /// Numbers and dates: equal is from the value to the value.
    fn equal(&self, field: &str, values: &[Value]) -> Result<Matcher, Cause> {
        let range = |value: &Value| {
            let value = match value {
                Value::Bool(value) => Value::from(i64::from(*value)),
                value => value.clone(),
            };
            self.range(field, &[(Side::Gte, value.clone()), (Side::Lte, value)])
        };
        let should = values.iter().map(range).collect::<Result<_, _>>()?;
        Ok(Matcher::Bool {
            must: Vec::new(),
            must_not: Vec::new(),
            should,
            should_min: 1,
        })
    }

    fn not_a_number(&self, text: &str) -> Cause {
        Cause::query_shard(format!(
            "failed to create query: For input string: \"{text}\""
        ))
        .with("index", &*self.searcher.index)
        .with("index_uuid", &*self.searcher.uuid)
    }
}
