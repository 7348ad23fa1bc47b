//! Which of the two servers answers, and the few things in which they differ.

use serde_json::Value;

/// A search server. What is not known is treated as the stricter of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Product {
    /// Elasticsearch 7.10 or later.
    Elasticsearch,
    /// OpenSearch 2.4 or later.
    OpenSearch,
}

impl Product {
    /// Reads the answer to `GET /`. A restricted key may not ask that; every answer of
    /// Elasticsearch from 7.14 on carries its header all the same.
    pub fn detect(header: Option<&str>, body: &[u8]) -> Option<Self> {
        if header == Some("Elasticsearch") {
            return Some(Self::Elasticsearch);
        }
        let root: Value = serde_json::from_slice(body).ok()?;
        let version = root.get("version")?;
        match version.get("distribution").and_then(Value::as_str) {
            Some("opensearch") => Some(Self::OpenSearch),
            Some(_) => None,
            None => version.get("number").map(|_| Self::Elasticsearch),
        }
    }

    /// The other one, to ask when the first does not know a path.
    pub const fn other(self) -> Self {
        match self {
            Self::Elasticsearch => Self::OpenSearch,
            Self::OpenSearch => Self::Elasticsearch,
        }
    }

    /// For people.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Elasticsearch => "elasticsearch",
            Self::OpenSearch => "opensearch",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_product_is_known_by_its_header_or_by_its_root() {
        let rows: [(Option<&str>, &str, Option<Product>); 6] = [
            (
                Some("Elasticsearch"),
                "forbidden",
                Some(Product::Elasticsearch),
            ),
            (
                None,
                r#"{"version":{"number":"7.10.2"}}"#,
                Some(Product::Elasticsearch),
            ),
            (
                None,
                r#"{"version":{"distribution":"opensearch","number":"2.19.6"}}"#,
                Some(Product::OpenSearch),
            ),
            (
                None,
                r#"{"version":{"distribution":"other","number":"1"}}"#,
                None,
            ),
            (None, "forbidden", None),
            (None, "{}", None),
        ];
        for (header, body, product) in rows {
            assert_eq!(
                Product::detect(header, body.as_bytes()),
                product,
                "{header:?} {body}"
            );
        }
    }
}
