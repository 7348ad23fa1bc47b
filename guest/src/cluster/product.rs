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
    /// Elasticsearch from 7.14 on carries its header all the same. None where neither is proved:
    /// what it understands shows then which one it is.
    pub fn detect(header: Option<&str>, body: &[u8]) -> Option<Self> {
        if header == Some("Elasticsearch") {
            return Some(Self::Elasticsearch);
        }
        let root: Value = serde_json::from_slice(body).ok()?;
        match root.pointer("/version/distribution").map(Value::as_str) {
            Some(Some("opensearch")) => Some(Self::OpenSearch),
            Some(_) => None,
            None => Self::by_tagline(root.get("tagline")?.as_str()?),
        }
    }

    /// OpenSearch may give itself out as version 7.10 of the other, and keeps its tagline.
    fn by_tagline(tagline: &str) -> Option<Self> {
        match tagline {
            "You Know, for Search" => Some(Self::Elasticsearch),
            "The OpenSearch Project: https://opensearch.org/" => Some(Self::OpenSearch),
            _ => None,
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
        let (elasticsearch, opensearch) = (Some(Product::Elasticsearch), Some(Product::OpenSearch));
        let es = Some("Elasticsearch");
        #[rustfmt::skip]
        let rows = [
            (es, "forbidden", elasticsearch),
            (None, r#"{"version":{"number":"7.10.2"},"tagline":"You Know, for Search"}"#, elasticsearch),
            (None, r#"{"version":{"distribution":"opensearch","number":"2.19.6"}}"#, opensearch),
            // With `compatibility.override_main_response_version`.
            (None, r#"{"version":{"number":"7.10.2"},"tagline":"The OpenSearch Project: https://opensearch.org/"}"#, opensearch),
            (None, r#"{"version":{"number":"7.10.2"},"tagline":"Something else"}"#, None),
            (None, r#"{"version":{"number":"7.10.2"}}"#, None),
            (None, r#"{"version":{"distribution":"other","number":"1"},"tagline":"You Know, for Search"}"#, None),
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
