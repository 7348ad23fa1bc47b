//! What to do about an error: by what it is called and says, or else by its status.

use super::Failure;
use super::cause::Cause;
use crate::error::Error;

/// What helps, and in words what else somebody could do. Of several, the last one here is
/// needed most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Remedy {
    /// Asking again, later.
    Wait(&'static str),
    /// A smaller page, or else asking again later.
    ShrinkOrWait(&'static str),
    /// A smaller page, and nothing else.
    Shrink(&'static str),
    /// A new point in time or scroll.
    Reopen,
    /// An index back, unless it only went while it was searched.
    Index(&'static str),
    /// Maybe the other product's path.
    OtherPath(&'static str),
    /// That somebody changes something.
    Change(&'static str),
}
use Remedy::{Change, Index, OtherPath, Reopen, Shrink, ShrinkOrWait, Wait};

const ANYTHING: &str = "check \"url\", \"index\", \"timestamp_field\" and \"query\"";
const QUERY: &str = "check \"query\"";
const RUNTIME: &str = "check \"runtime_mappings\", and scripts in \"query\"";
const CREDENTIALS: &str = "check \"username\" and \"password\", \"api_key\", \"token\" or \"aws\" of the source's configuration";
const NANOSECONDS: &str = "indices that map a field as date_nanos can not be asked for dates before 1970 or after 2262: read these and those that map it as date by a source each, with an \"index\" of its own, or check the dates in \"query\"";
const MAPPING: &str = "every index that \"index\" matches must map the field that orders in the same way: `doctor` names those that do not; if all do, check \"query\" and \"runtime_mappings\"";
const PRIVILEGES: &str =
    "give the user the privileges \"read\" and \"view_index_metadata\" on the configured index";

/// A part of the kind, a part of the reason, and what helps; the first that fits counts.
const KNOWN: &[(&str, &str, Remedy)] = &[
    ("search_context_missing_exception", "", Reopen),
    // The node that a scroll was on.
    ("illegal_state_exception", "is not available", Reopen),
    (
        "",
        "search.max_open_scroll_context",
        Wait("let other scrolls end, or raise search.max_open_scroll_context on the cluster"),
    ),
    (
        "",
        "search.max_open_pit_context",
        Wait("let other points in time end, or raise search.max_open_pit_context on the cluster"),
    ),
    // `es_rejected_execution_exception`, and OpenSearch's without the `es_`.
    ("rejected_execution_exception", "", Wait("")),
    (
        "circuit_breaking_exception",
        "",
        ShrinkOrWait("lower \"batch_size\", or give the cluster more memory"),
    ),
    (
        "",
        "index.max_result_window",
        // Where a page grew beyond "batch_size", and by offset, a smaller one does not help.
        Change(
            "raise index.max_result_window of every matched index to 10000, which is enough for all pages, or lower \"batch_size\" where it is larger than that; pagination \"offset\" reads no more than the window in all: there, set \"timestamp_field\" and leave out \"pagination\", or export the documents once with pagination \"scroll\"",
        ),
    ),
    (
        "",
        "[point_in_time.max_keep_alive]",
        Change("raise point_in_time.max_keep_alive on the cluster to 5m or more"),
    ),
    (
        "",
        "[search.max_keep_alive]",
        Change(
            "raise search.max_keep_alive on the cluster to 5m or more, or lower \"scroll_timeout\" below it if pagination is \"scroll\"",
        ),
    ),
    (
        "",
        "no Preference for",
        Change(
            "leave out \"preference\", or set it to \"_local\": beside \"slices\" or \"slice\", OpenSearch takes no text of your own there, and no cluster takes one that begins with \"_\" and is none of its own words",
        ),
    ),
    (
        "",
        "cannot be stored in nanosecond resolution",
        Change(NANOSECONDS),
    ),
    (
        "",
        "cannot be converted to nanoseconds",
        Change(NANOSECONDS),
    ),
    // An Elasticsearch that looks into documents to see how they are stored.
    (
        "not_x_content_exception",
        "",
        Wait(
            "what is stored as the _source of a document begins with something that is no JSON, as a comment: correct or delete that document, or leave it out by \"query\", with another \"state_id\"",
        ),
    ),
    (
        "",
        "indices.id_field_data.enabled",
        Change(
            "set \"id_field\" to a unique field with doc values that only grows, or allow indices.id_field_data.enabled on the cluster",
        ),
    ),
    (
        "",
        "index.max_slices_per_",
        Change(
            "lower \"slices\", or raise index.max_slices_per_pit and index.max_slices_per_scroll of every matched index",
        ),
    ),
    (
        "",
        "index.disable_sequence_numbers",
        Change(
            "set \"tiebreaker_field\" to a field of whole numbers that tells documents of one timestamp apart, beside \"timestamp_field\", or write an \"index\" that leaves out what keeps no sequence numbers",
        ),
    ),
    (
        "media_type_header_exception",
        "",
        Change(
            "set \"compatible_with\" to the cluster's major version or the one before, or leave it out",
        ),
    ),
    (
        "",
        "in order to sort on",
        Change("check \"timestamp_field\": every index that \"index\" matches must map it"),
    ),
    // An index that joined while the source runs.
    ("", "[numeric_type] option cannot be set", Change(MAPPING)),
    ("", "fielddata is unsupported on fields", Change(MAPPING)),
    ("", "require per-document field data", Change(MAPPING)),
    ("query_shard_exception", "For input string", Change(MAPPING)),
    ("", "due to missing shards", Wait("")),
    (
        "index_closed_exception",
        "",
        Index("open the index, or write an \"index\" that leaves it out"),
    ),
    (
        "index_not_found_exception",
        "",
        Index(
            "check \"index\", or use a pattern such as \"logs-*\" for an index that is yet to come",
        ),
    ),
    (
        "cluster_block_exception",
        "FORBIDDEN",
        Change("lift the block of the index, or write an \"index\" that leaves it out"),
    ),
    (
        "parsing_exception",
        "[runtime_mappings]",
        Change("leave \"runtime_mappings\" out, which only Elasticsearch knows, from 7.11 on"),
    ),
    ("mapper_parsing_exception", "", Change(RUNTIME)),
    ("script_exception", "", Change(RUNTIME)),
    ("parsing_exception", "", Change(QUERY)),
    ("x_content_parse_exception", "", Change(QUERY)),
    ("query_shard_exception", "", Change(QUERY)),
    ("too_many_clauses", "", Change(QUERY)),
    ("too_many_nested_clauses", "", Change(QUERY)),
    // Single shards can refuse, too, and AWS has one status for who and what.
    ("security_exception", "is unauthorized", Change(PRIVILEGES)),
    (
        "security_exception",
        "no permissions for",
        Change(PRIVILEGES),
    ),
    ("", "security token included", Change(CREDENTIALS)),
    ("", "signature we calculated", Change(CREDENTIALS)),
    // AWS says these with statuses that mean something else.
    ("ThrottlingException", "", Wait("")),
    ("TooManyRequestsException", "", Wait("")),
    ("", "Rate exceeded", Wait("")),
    (
        "",
        "permissible concurrent requests with unique IAM",
        Wait(""),
    ),
];

/// What is known to help against this cause.
pub(super) fn known(cause: Cause<'_>) -> Option<Remedy> {
    let fits = |(kind, reason, _): &&(&str, &str, _)| {
        cause.kind.contains(kind) && cause.reason.contains(reason)
    };
    KNOWN.iter().find(fits).map(|(_, _, remedy)| *remedy)
}

/// What helps against an error of which nothing but the status is known.
pub(super) fn by_status(status: u16) -> Remedy {
    match status {
        408 | 429 | 500 | 502 | 503 | 504 => Wait(""),
        401 => Change(CREDENTIALS),
        403 => Change(PRIVILEGES),
        413 => Shrink("lower \"batch_size\""),
        400 | 404 | 405 => OtherPath(ANYTHING),
        _ => Change(ANYTHING),
    }
}

impl Remedy {
    /// Where only some of the search failed, the next one may know that an index has gone.
    pub(super) fn of_a_part(self) -> Self {
        match self {
            Index(_) => Wait(""),
            other => other,
        }
    }

    /// The failure of a request that met the error of this message.
    pub(super) fn failure(self, message: String, retry_after_ms: Option<u64>) -> Failure {
        match self {
            Reopen => Failure::ContextGone(message),
            Wait(words) => Failure::Error(transient(message, words, retry_after_ms)),
            ShrinkOrWait(words) => Failure::TooLarge(transient(message, words, retry_after_ms)),
            Shrink(words) => Failure::TooLarge(Error::TooLarge(and(message, words))),
            OtherPath(words) => Failure::UnknownPath(Error::Permanent(and(message, words))),
            Index(words) | Change(words) => Failure::Error(Error::Permanent(and(message, words))),
        }
    }
}

fn transient(message: String, words: &str, retry_after_ms: Option<u64>) -> Error {
    Error::Transient {
        message: and(message, words),
        retry_after_ms,
    }
}

fn and(message: String, words: &str) -> String {
    match words {
        "" => message,
        words => format!("{message}; {words}"),
    }
}
