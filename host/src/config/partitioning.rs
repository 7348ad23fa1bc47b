//! `partitioning` and `partitions` of a stream: how its documents are spread.

use super::section::Section;
use super::tree::Node;
use super::value::{integer, text};
use crate::publisher::iggy::Partitioning;

/// The most partitions that Iggy creates with a topic.
const PARTITIONS_MAX: u32 = 1_000;
/// The most partitions that a topic of Iggy's has.
const PARTITION_ID_MAX: u32 = 999_999;
/// The longest path of a field, in bytes.
const KEY_MAX: usize = 255;
/// The metadata of a document that can be its key.
const METADATA: [&str; 2] = ["_id", "_index"];

const WAYS: &str = "is \"balanced\", { partition_id = NUMBER } or { key = \"FIELD\" }";

/// How messages are spread, and the partitions of a topic that has to be created.
pub(super) fn read(stream: &Section<'_>) -> (Option<Partitioning>, Option<u32>) {
    let partitioning = read_partitioning(stream);
    let partitions = stream.optional("partitions", integer(1..=PARTITIONS_MAX));
    // Without partitions, the topic may be there and have any number of them.
    if let (Some(Partitioning::PartitionId(id)), Some(partitions)) = (&partitioning, partitions)
        && *id >= partitions
    {
        let message = format!("is not below partitions, {partitions}: they are counted from 0");
        stream
            .section("partitioning")
            .refuse("partition_id", &message);
    }
    (partitioning, partitions)
}

/// A word, or a table with one key.
fn read_partitioning(stream: &Section<'_>) -> Option<Partitioning> {
    let table = stream.section("partitioning");
    let Some(branches) = table.node().and_then(Node::branches) else {
        return stream.optional("partitioning", |node| match text(node)?.as_str() {
            "balanced" => Ok(Partitioning::Balanced),
            _ => Err(WAYS.to_owned()),
        });
    };
    let keys: Vec<_> = branches.keys().map(String::as_str).collect();
    match keys.as_slice() {
        ["partition_id"] => table
            .optional("partition_id", integer(0..=PARTITION_ID_MAX))
            .map(Partitioning::PartitionId),
        ["key"] => table.optional("key", field).map(Partitioning::Key),
        _ => {
            stream.refuse("partitioning", WAYS);
            None
        }
    }
}

fn field(node: &Node) -> Result<String, String> {
    let field = text(node)?;
    if field.len() > KEY_MAX {
        return Err(format!("is the name of a field of at most {KEY_MAX} bytes"));
    }
    if field.split('.').any(str::is_empty) {
        return Err("has an empty part: write the path of a field, like \"user.id\"".to_owned());
    }
    if field.starts_with('_') && !METADATA.contains(&field.as_str()) {
        return Err(
            "begins with _, which is for metadata: write _id, _index or a field".to_owned(),
        );
    }
    Ok(field)
}
