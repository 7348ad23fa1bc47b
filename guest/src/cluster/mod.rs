//! Elasticsearch and OpenSearch: what is asked, what they answer, and where they differ.

pub mod answer;
pub mod client;
pub mod facts;
pub mod failure;
pub mod field_caps;
pub mod histogram;
pub mod listing;
mod path;
pub mod product;
pub mod query;
pub mod request;
pub mod search;
pub mod shards;
pub mod tiebreaker;
