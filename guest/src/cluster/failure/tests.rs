//! Every shape of error, and what it is taken for.

use serde_json::{Value, json};

use super::*;

/// What its reader can do about a failure.
#[derive(Debug, PartialEq)]
enum Do {
    AskAgain,
    Reopen,
    /// And else ask again.
    ShrinkOrAskAgain,
    /// And else stop.
    Shrink,
    TryTheOtherPath,
    Stop,
}
use Do::*;

fn what_to_do(failure: Failure) -> (Do, String) {
    let what = match &failure {
        Failure::ContextGone(_) => Reopen,
        Failure::TooLarge(Error::Transient { .. }) => ShrinkOrAskAgain,
        Failure::TooLarge(_) => Shrink,
        Failure::UnknownPath(Error::Permanent(_)) => TryTheOtherPath,
        Failure::Error(Error::Transient { .. }) => AskAgain,
        Failure::Error(Error::Permanent(_)) => Stop,
        other => panic!("{other:?}"),
    };
    (what, Error::from(failure).to_string())
}

fn failure(request: &Request, status: u16, headers: &[(&str, &str)], body: &str) -> Failure {
    let headers = headers
        .iter()
        .map(|(n, v)| ((*n).to_owned(), (*v).to_owned()))
        .collect();
    let answer = Answer {
        status,
        headers,
        bytes: body.into(),
        body: (),
        at_ms: 0,
    };
    check(request, &answer).unwrap_err()
}

/// An error of the cluster as a whole.
fn whole(kind: &str, reason: &str) -> String {
    let cause = json!({"type": kind, "reason": reason});
    json!({"error": {"root_cause": [cause], "type": kind, "reason": reason}}).to_string()
}

/// An error of all shards that were searched.
fn of_shards(kind: &str, reason: &str) -> String {
    let cause = json!({"type": kind, "reason": reason});
    json!({"error": {
        "root_cause": [cause], "type": "search_phase_execution_exception",
        "reason": "all shards failed", "phase": "query", "grouped": true,
        "failed_shards": [{"shard": 0, "index": "i", "node": "n", "reason": cause}],
        "caused_by": cause,
    }})
    .to_string()
}

/// What is wrong with the shards of an answer with status 200.
fn partial(failures: &[(&str, &str)]) -> (Do, String) {
    let failures: Vec<_> = failures
        .iter()
        .map(|(kind, reason)| json!({"shard": 1, "index": "i", "reason": {"type": kind, "reason": reason}}))
        .collect();
    let shards = json!({"total": 2, "successful": 1, "failed": 1, "failures": failures});
    let shards: Shards = serde_json::from_value(shards).unwrap();
    what_to_do(shards.complete().unwrap_err())
}

const REJECTED: &str =
    "rejected execution of search on QueueResizingEsThreadPoolExecutor[queue capacity = 1000]";
const BREAKER: &str = "[parent] Data too large, data for [<http_request>] would be [1039994134/991.8mb], which is larger than the limit of [1020054732/972.7mb]";
const NO_CONTEXT: &str = "No search context found for id [43993]";
const SCROLLS: &str = "Trying to create too many scroll contexts. Must be less than or equal to: [500]. This limit can be set by changing the [search.max_open_scroll_context] setting.";
const PITS: &str = "Trying to create too many Point In Time contexts. Must be less than or equal to: [300]. This limit can be set by changing the [search.max_open_pit_context] setting.";
const WINDOW: &str = "Result window is too large, from + size must be less than or equal to: [500] but was [1000]. See the scroll api for a more efficient way to request large data sets. This limit can be set by changing the [index.max_result_window] index level setting.";
const BATCH: &str = "Batch size is too large, size must be less than or equal to: [500] but was [1000]. Scroll batch sizes cost as much memory as result windows so they are controlled by the [index.max_result_window] index level setting.";
const KEEP: &str = "Keep alive for request (5m) is too large. It must be less than (2m). This limit can be set by changing the [search.max_keep_alive] cluster level setting.";
const KEEP_PIT: &str = "Keep alive for request (5m) is too large. It must be less than (2m). This limit can be set by changing the [point_in_time.max_keep_alive] cluster level setting.";
const NO_NANOS: &str = "date[1960-01-01T00:00:00Z] is before the epoch in 1970 and cannot be stored in nanosecond resolution";
const NO_NANOS_OF: &str =
    "milliSeconds [-1] are before the epoch in 1970 and cannot be converted to nanoseconds";
const NO_CONTENT: &str =
    "Compressor detection can only be called on some xcontent bytes or compressed xcontent bytes";
const NO_IDS: &str = "Fielddata access on the _id field is disallowed, you can re-enable it by updating the dynamic cluster setting: indices.id_field_data.enabled";
const SLICES: &str = "The number of slices [2000] is too large. It must be less than [1024]. This limit can be set by changing the [index.max_slices_per_pit] index level setting.";
const NO_NUMBERS: &str = "Cannot query field [_seq_no]: _seq_no cannot be queried when [index.disable_sequence_numbers] is [true]";
const NO_FIELD: &str = "No mapping found for [@timestamp] in order to sort on";
const MISSING: &str = "Search rejected due to missing shards [[idx][0]]. Consider using `allow_partial_search_results` setting to bypass this error.";

#[test]
fn every_error_that_the_cluster_explains_is_known() {
    let (es, os) = (
        "es_rejected_execution_exception",
        "rejected_execution_exception",
    );
    let (breaker, argument) = ("circuit_breaking_exception", "illegal_argument_exception");
    let context = "search_context_missing_exception";
    let raise_scrolls = "raise search.max_open_scroll_context";
    let window = "raise index.max_result_window of every matched index to 10000, which is enough for all pages, or lower \"batch_size\"";
    let sources = "read these and those that map it as date by a source each, with an \"index\"";
    let id_field = "set \"id_field\" to a unique field with doc values that only grows, or allow indices.id_field_data.enabled";
    let not_found = "index_not_found_exception";
    let mapped = "must map the field that orders in the same way: `doctor` names";
    #[rustfmt::skip]
    let rows = [
        (429, whole(es, REJECTED), AskAgain, REJECTED),
        (429, whole(os, REJECTED), AskAgain, REJECTED),
        (429, of_shards(es, REJECTED), AskAgain, REJECTED),
        (429, of_shards(os, REJECTED), AskAgain, REJECTED),
        (429, whole(breaker, BREAKER), ShrinkOrAskAgain, "lower \"batch_size\""),
        (429, of_shards(breaker, BREAKER), ShrinkOrAskAgain, "lower \"batch_size\""),
        (503, of_shards(breaker, BREAKER), ShrinkOrAskAgain, "lower \"batch_size\""),
        (404, of_shards(context, NO_CONTEXT), Reopen, NO_CONTEXT),
        (404, whole(context, NO_CONTEXT), Reopen, NO_CONTEXT),
        (500, of_shards("illegal_state_exception", "node [n1] is not available"), Reopen, "n1"),
        (500, of_shards("exception", SCROLLS), AskAgain, raise_scrolls),
        (429, of_shards(es, SCROLLS), AskAgain, raise_scrolls),
        (429, of_shards(os, SCROLLS), AskAgain, raise_scrolls),
        (429, of_shards("too_many_scroll_contexts_exception", SCROLLS), AskAgain, raise_scrolls),
        (429, of_shards(os, PITS), AskAgain, "raise search.max_open_pit_context"),
        (400, of_shards(argument, WINDOW), Stop, window),
        (400, of_shards(argument, BATCH), Stop, window),
        (400, of_shards(argument, KEEP), Stop, "raise search.max_keep_alive on the cluster to 5m or more, or lower \"scroll_timeout\""),
        (400, whole(argument, KEEP_PIT), Stop, "raise point_in_time.max_keep_alive on the cluster"),
        (400, whole(argument, "no Preference for [xyz]"), Stop, "leave out \"preference\", or set it to \"_local\""),
        (400, of_shards(argument, NO_NANOS), Stop, sources),
        (400, of_shards(argument, NO_NANOS_OF), Stop, sources),
        (500, of_shards("not_x_content_exception", NO_CONTENT), AskAgain, "correct or delete that document, or leave it out by \"query\""),
        (400, of_shards(argument, NO_IDS), Stop, id_field),
        (400, of_shards(argument, SLICES), Stop, "lower \"slices\", or raise index.max_slices_per_pit"),
        (400, of_shards(argument, NO_NUMBERS), Stop, "set \"tiebreaker_field\""),
        (400, of_shards("query_shard_exception", NO_NUMBERS), Stop, "set \"tiebreaker_field\""),
        (400, whole("media_type_header_exception", "Invalid media-type value"), Stop, "set \"compatible_with\" to"),
        (400, of_shards("query_shard_exception", "failed to create query: For input string: \"2026\""), Stop, mapped),
        (400, of_shards("query_shard_exception", "[numeric_type] option cannot be set on a non-numeric field, got keyword"), Stop, mapped),
        (400, of_shards(argument, "Can't load fielddata on [t] because fielddata is unsupported on fields of type [date]."), Stop, mapped),
        (400, of_shards(argument, "Text fields are not optimised for operations that require per-document field data like"), Stop, mapped),
        (400, of_shards("query_shard_exception", NO_FIELD), Stop, "check \"timestamp_field\""),
        (503, whole("search_phase_execution_exception", MISSING), AskAgain, MISSING),
        (400, whole("index_closed_exception", "closed"), Stop, "open the index"),
        (404, whole(not_found, "no such index [x]"), Stop, "check \"index\""),
        (404, of_shards(not_found, "no such index [x]"), AskAgain, "no such index [x]"),
        (403, whole("cluster_block_exception", "index [i] blocked by: [FORBIDDEN/7/index read (api)];"), Stop, "lift the block"),
        (503, whole("cluster_block_exception", "blocked by: [SERVICE_UNAVAILABLE/2/no master];"), AskAgain, "no master"),
        (400, whole("parsing_exception", "unknown query [mach]"), Stop, "check \"query\""),
        (400, whole("parsing_exception", "Unknown key for a START_OBJECT in [runtime_mappings]."), Stop, "leave \"runtime_mappings\" out"),
        (400, whole("mapper_parsing_exception", "No handler for type [x] declared on runtime field [a]"), Stop, "check \"runtime_mappings\""),
        (400, of_shards("script_exception", "compile error"), Stop, "check \"runtime_mappings\""),
        (400, whole("x_content_parse_exception", "[1:9] [bool] failed to parse"), Stop, "check \"query\""),
        (401, whole("security_exception", "unable to authenticate"), Stop, "check \"username\" and \"password\""),
        (403, whole("security_exception", "action [search] is unauthorized for user [u]"), Stop, "privileges \"read\""),
        (403, whole("security_exception", "no permissions for [indices:data/read/search]"), Stop, "privileges \"read\""),
        (500, whole("null_pointer_exception", "oh"), AskAgain, "null_pointer_exception: oh"),
        (400, whole(argument, "strange"), TryTheOtherPath, "check \"url\""),
        (410, whole("api_not_available_exception", "not available when running in serverless mode"), Stop, "check \"url\""),
    ];
    for (status, body, expected, part) in rows {
        let (found, message) = what_to_do(failure(&Request::root(), status, &[], &body));
        assert_eq!(found, expected, "{status} {body}");
        assert!(message.contains(part), "{part} is not in: {message}");
    }
}

#[test]
fn the_failure_of_some_shards_in_an_answer_of_status_200_means_what_it_does_elsewhere() {
    let (context, breaker) = (
        "search_context_missing_exception",
        "circuit_breaking_exception",
    );
    let (rejected, argument) = (
        "es_rejected_execution_exception",
        "illegal_argument_exception",
    );
    #[rustfmt::skip]
    let rows = [
        (vec![], AskAgain, "1 shards did not answer (for no reason given)"),
        (vec![("exception", "oh")], AskAgain, "exception: oh"),
        (vec![(rejected, REJECTED)], AskAgain, REJECTED),
        (vec![("rejected_execution_exception", REJECTED)], AskAgain, REJECTED),
        (vec![(breaker, BREAKER)], ShrinkOrAskAgain, "lower \"batch_size\""),
        (vec![(context, NO_CONTEXT)], Reopen, NO_CONTEXT),
        (vec![("exception", SCROLLS)], AskAgain, "raise search.max_open_scroll_context"),
        (vec![(argument, WINDOW)], Stop, "raise index.max_result_window of every matched index to 10000"),
        (vec![(argument, WINDOW)], Stop, "pagination \"offset\" reads no more than the window in all: there, set \"timestamp_field\""),
        (vec![(argument, NO_NANOS)], Stop, "as date by a source each"),
        (vec![(argument, NO_IDS)], Stop, "set \"id_field\""),
        (vec![("index_not_found_exception", "no such index [x]")], AskAgain, "no such index [x]"),
        (vec![("security_exception", "action [search] is unauthorized")], Stop, "privileges"),
        // Of several, the one that asks for most, wherever it stands.
        (vec![("exception", "oh"), (rejected, REJECTED), (context, NO_CONTEXT)], Reopen, NO_CONTEXT),
        (vec![(breaker, BREAKER), (rejected, REJECTED)], ShrinkOrAskAgain, BREAKER),
        (vec![(argument, WINDOW), (context, NO_CONTEXT)], Stop, WINDOW),
    ];
    for (failures, expected, part) in rows {
        let (found, message) = partial(&failures);
        assert_eq!(found, expected, "{failures:?}");
        assert!(message.contains(part), "{part} is not in: {message}");
    }
}

#[test]
fn a_shard_that_is_in_no_count_of_an_answer_of_status_200_did_not_answer() {
    let rows = [
        // `_count` of OpenSearch, where a shard has no copy.
        (json!({"total": 2, "successful": 1, "failed": 0}), Some(1)),
        (
            json!({"total": 5, "successful": 1, "skipped": 0, "failed": 1}),
            Some(4),
        ),
        (
            json!({"total": 2, "successful": 2, "skipped": 1, "failed": 0}),
            None,
        ),
        (json!({"total": 0, "successful": 0, "failed": 0}), None),
        (json!({"total": 0, "failed": 0}), None),
        (json!({"failed": 0}), None),
    ];
    for (json, lacking) in rows {
        let shards: Shards = serde_json::from_value(json.clone()).unwrap();
        let found = shards.complete().map_err(what_to_do);
        let expected = lacking.map_or(Ok(()), |number| {
            let message =
                "shards did not answer (for no reason given); a partial answer is not used";
            Err((AskAgain, format!("{number} {message}")))
        });
        assert_eq!(found, expected, "{json}");
    }
}

#[test]
fn what_stands_in_front_of_a_cluster_is_understood_without_its_words() {
    let none: &[(&str, &str)] = &[];
    #[rustfmt::skip]
    let rows = [
        (429, none, "429 Too Many Requests /logs/_search", AskAgain, "429 Too Many Requests /logs"),
        (502, none, "", AskAgain, "status 502"),
        (503, none, "<html>\n busy</html>", AskAgain, "<html> busy</html>"),
        (504, none, "{\"message\": \"Endpoint request timed out\"}", AskAgain, "Endpoint request timed out"),
        (413, none, "<html>Request Entity Too Large</html>", Shrink, "lower \"batch_size\""),
        (400, none, "{\"__type\": \"com.amazon.coral#ThrottlingException\", \"message\": \"Slow down\"}", AskAgain, "ThrottlingException: Slow down"),
        (400, &[("x-amzn-errortype", "ThrottlingException:http://a/")], "{}", AskAgain, "ThrottlingException"),
        (403, none, "{\"Message\": \"You have exceeded the number of permissible concurrent requests with unique IAM Identities. Please retry.\"}", AskAgain, "Please retry"),
        (403, none, "{\"message\": \"The security token included in the request is expired\"}", Stop, "\"aws\""),
        (403, none, "{\"message\": \"The request signature we calculated does not match\"}", Stop, "\"aws\""),
        (403, none, "{\"Message\": \"User: x is not authorized to perform: es:ESHttpGet\"}", Stop, "privileges"),
        (405, none, "{\"error\": \"Incorrect HTTP method for uri [/i/_pit]\", \"status\": 405}", TryTheOtherPath, "Incorrect HTTP method"),
        (302, none, "", Stop, "check \"url\""),
    ];
    for (status, headers, body, expected, part) in rows {
        let (found, message) = what_to_do(failure(&Request::root(), status, headers, body));
        assert_eq!(found, expected, "{status} {body}");
        assert!(message.contains(part), "{part} is not in: {message}");
    }
}

#[test]
fn an_index_that_goes_while_its_context_is_read_needs_a_new_one() {
    let search = |path: &str| Request {
        path: path.to_owned(),
        ..Request::root()
    };
    for path in [
        "/_search?allow_partial_search_results=false",
        "/_search/scroll",
    ] {
        for (status, kind) in [
            (404, "index_not_found_exception"),
            (400, "index_closed_exception"),
            (404, "resource_not_found_exception"),
        ] {
            for body in [whole(kind, "gone"), of_shards(kind, "gone")] {
                let (found, _) = what_to_do(failure(&search(path), status, &[], &body));
                assert_eq!(found, Reopen, "{path}: {body}");
            }
        }
    }
}

#[test]
fn the_deepest_cause_is_found_and_the_servers_wish_kept() {
    let inner = json!({"type": "circuit_breaking_exception", "reason": BREAKER});
    let outer = json!({"type": "fetch_phase_exception", "reason": "x", "caused_by": {"type": "y", "caused_by": inner}});
    let body =
        json!({"error": {"root_cause": [], "reason": "all shards failed", "caused_by": outer}});
    let wish = [("retry-after", "7")];
    let found = failure(&Request::root(), 503, &wish, &body.to_string());
    let Failure::TooLarge(Error::Transient { retry_after_ms, .. }) = found else {
        panic!("{found:?}")
    };
    assert_eq!(retry_after_ms, Some(7_000));
    let busy = failure(&Request::root(), 429, &wish, &Value::Null.to_string());
    let expected = Error::Transient {
        message: "GET / was answered with status 429: null".to_owned(),
        retry_after_ms: Some(7_000),
    };
    assert_eq!(busy, Failure::Error(expected));
}

#[test]
fn an_answer_that_the_host_does_not_take_asks_for_a_smaller_page() {
    let failure = Failure::from(Error::TooLarge("lower \"batch_size\"".to_owned()));
    assert_eq!(what_to_do(failure).0, Shrink);
    assert_eq!(what_to_do(Error::permanent("x").into()).0, Stop);
}
