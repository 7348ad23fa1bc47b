//! Reads the `sort` of a request.

use serde_json::Value;

use super::Product;
use super::error::Cause;
use super::indexing::text;
use super::mapping::Kind;

/// One key of a sort.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct SortKey {
    pub(super) field: String,
    pub(super) descending: bool,
    pub(super) missing: Missing,
    /// What to take an index for that lacks the field.
    pub(super) unmapped: Option<Kind>,
    /// The kind of date, or of number, that all of them are turned into.
    pub(super) numeric: Option<Kind>,
    /// Whether the largest of several values counts.
    pub(super) largest: bool,
}

/// Where documents without a value go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Missing {
    First,
    Last,
    As(i64),
}

impl SortKey {
    /// Reads a whole `sort`: a name, an object or a list of both.
    pub(super) fn parse_all(json: &Value, product: Product) -> Result<Vec<Self>, Cause> {
        let keys: Vec<Self> = match json {
            Value::Null => Vec::new(),
            Value::Array(keys) => {
                let keys: Result<Vec<_>, _> = keys
                    .iter()
                    .map(|key| Self::parse_entry(key, product))
                    .collect();
                keys?.into_iter().flatten().collect()
            }
            entry => Self::parse_entry(entry, product)?,
        };
        match keys.as_slice() {
            // What a search sorts by anyway; its answers have no sort values then.
            [only] if only.field == "_score" => Ok(Vec::new()),
            _ => Ok(keys),
        }
    }

    fn parse_entry(entry: &Value, product: Product) -> Result<Vec<Self>, Cause> {
        match entry {
            Value::String(field) => Ok(vec![Self::new(field)]),
            Value::Object(fields) => fields
                .iter()
                .map(|(field, options)| Self::parse(field, options, product))
                .collect(),
            _ => Err(Cause::argument(
                "malformed sort format, within the sort array, an object, or an actual string are allowed",
            )),
        }
    }

    fn new(field: &str) -> Self {
        let descending = field == "_score";
        Self {
            field: field.to_owned(),
            descending,
            missing: Missing::Last,
            unmapped: None,
            numeric: None,
            largest: descending,
        }
    }

    fn parse(field: &str, options: &Value, product: Product) -> Result<Self, Cause> {
        let mut key = Self::new(field);
        let Some(options) = options.as_object() else {
            key.descending = descending(&text(options), product)?;
            key.largest = key.descending;
            return Ok(key);
        };
        if let Some(order) = options.get("order") {
            key.descending = descending(&text(order), product)?;
        }
        key.largest = key.descending;
        for (name, value) in options {
            key.option(name, value)?;
        }
        Ok(key)
    }

    fn option(&mut self, name: &str, value: &Value) -> Result<(), Cause> {
        let failed = |why: String| {
            Cause::new(
                400,
                "x_content_parse_exception",
                format!("[1:1] [field_sort] {why}"),
            )
        };
        match (name, text(value).as_str()) {
            ("order", _) => {}
            ("missing", "_first") => self.missing = Missing::First,
            ("missing", "_last") => self.missing = Missing::Last,
            ("missing", number) => {
                self.missing =
                    Missing::As(number.parse().map_err(|_| {
                        failed(format!("missing value [{number}] is not an integer"))
                    })?);
            }
            ("unmapped_type", type_name) => self.unmapped = Some(unmapped(type_name)?),
            ("numeric_type", "date") => self.numeric = Some(Kind::Date),
            ("numeric_type", "date_nanos") => self.numeric = Some(Kind::DateNanos),
            ("numeric_type", "long") => self.numeric = Some(Kind::Long),
            ("numeric_type", _) => {
                return Err(failed("failed to parse field [numeric_type]".into()));
            }
            ("mode", "min") => self.largest = false,
            ("mode", "max") => self.largest = true,
            _ => return Err(failed(format!("unknown field [{name}]"))),
        }
        Ok(())
    }
}

fn descending(order: &str, product: Product) -> Result<bool, Cause> {
    match order.to_ascii_lowercase().as_str() {
        "asc" => Ok(false),
        "desc" => Ok(true),
        other => {
            let package = match product {
                Product::Elasticsearch => "elasticsearch",
                Product::OpenSearch => "opensearch",
            };
            let other = other.to_ascii_uppercase();
            Err(Cause::argument(format!(
                "No enum constant org.{package}.search.sort.SortOrder.{other}"
            )))
        }
    }
}

fn unmapped(type_name: &str) -> Result<Kind, Cause> {
    match type_name {
        "date" => Ok(Kind::Date),
        "date_nanos" => Ok(Kind::DateNanos),
        "long" | "integer" | "short" | "byte" => Ok(Kind::Long),
        "keyword" => Ok(Kind::Keyword),
        "double" | "float" => Ok(Kind::Float),
        _ => Err(Cause::argument(format!(
            "No mapper found for type [{type_name}]"
        ))),
    }
}
