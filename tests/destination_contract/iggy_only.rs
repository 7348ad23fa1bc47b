//! What only a server can do to its client: refuse, stay silent, close, forget.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::{Duration, Instant};

use elasticsearch_source::publisher::destination::{Committed, Destination, Offset, Range, Wanted};
use elasticsearch_source::publisher::iggy::{Durability, IggyConfig, IggyDestination};
use elasticsearch_source::publisher::outbox::{Delivery, Extent, Outbox};
use elasticsearch_source::state_store::{LeaseTerms, MemoryRecords, OnConflict, States};
use tokio::task::JoinSet;

use super::backends::{config, iggy};
use super::{PREFIX, messages, unsettled_at};
use crate::support::iggy::codes::*;
use crate::support::iggy::{Fault, IggyStandIn};

const INVALID_COMMAND: u32 = 3;
const UNAUTHORIZED: u32 = 41;
const TRANSIENT_NOT_ACCEPTED: u32 = 58;
const TOPIC_FULL: u32 = 3009;
const TOO_MANY_MESSAGES: u32 = 4023;
const UNSUPPORTED_OPTION_KEY: u32 = 4041;
const QUIET: Duration = Duration::from_millis(200);

fn short(server: &IggyStandIn) -> IggyConfig {
    IggyConfig {
        timeout: QUIET,
        publish_quiet: QUIET,
        ..config(server.address())
    }
}

fn open(config: IggyConfig) -> IggyDestination {
    iggy(config, "s", "t").unwrap()
}

fn outbox(server: &IggyStandIn) -> Outbox {
    let batch_length = NonZeroUsize::new(2).unwrap();
    let destination = IggyDestination::new(short(server), "s", "t", batch_length, 1).unwrap();
    Outbox::new(vec![Box::new(destination)], Delivery::ExactlyOnce)
}

/// The thread of the connection knows of the lease itself: nobody else stops a request that
/// it was given before the process was stopped.
#[tokio::test]
async fn a_request_is_not_sent_when_its_lease_has_ended() {
    let server = IggyStandIn::start().await;
    let terms = LeaseTerms {
        time: Duration::from_secs(1),
        request: Duration::ZERO,
    };
    let states = States::shared(Arc::new(MemoryRecords::default()), terms);
    let held = states.hold("id", OnConflict::Stop).await.unwrap();
    let mut destination = open(short(&server)).permitted(held.permit.clone());
    destination.append(&messages(1..2)).await.unwrap();
    held.keeper.as_ref().unwrap().abort();
    tokio::time::sleep(terms.time).await;
    let error = destination.append(&messages(2..3)).await.unwrap_err();
    assert_eq!(
        (error.committed, error.transient),
        (Committed::Unknown, true)
    );
    assert_eq!(server.messages("s", "t").len(), 1);
}

#[tokio::test]
async fn a_refused_sign_in_is_permanent_and_names_the_configuration() {
    let server = IggyStandIn::start().await;
    let rows = [
        (
            IggyConfig {
                password: "wrong".into(),
                ..config(server.address())
            },
            "[iggy] username",
        ),
        (
            IggyConfig {
                username: "nobody".into(),
                ..config(server.address())
            },
            "\"nobody\"",
        ),
        (
            IggyConfig {
                token: Some("wrong".into()),
                ..config(server.address())
            },
            "[iggy] token",
        ),
    ];
    for (config, expected) in rows {
        let error = open(config).append(&messages(2..3)).await.unwrap_err();
        assert_eq!(
            (error.transient, &error.committed),
            (false, &Committed::Nothing)
        );
        assert!(error.to_string().contains(expected), "{error}");
        assert!(!error.to_string().contains("wrong"), "{error}");
    }
}

#[tokio::test]
async fn any_password_and_a_token_sign_in() {
    let server = IggyStandIn::start().await;
    server.add_user("joe", "p@ss:w/rd ü?&%40", &[]);
    server.add_token("iggypat-1", "joe");
    let password = "p@ss:w/rd ü?&%40".to_owned();
    let by_password = IggyConfig {
        username: "joe".into(),
        password,
        ..config(server.address())
    };
    let by_token = IggyConfig {
        token: Some("iggypat-1".into()),
        ..config(server.address())
    };
    open(by_password).append(&messages(1..2)).await.unwrap();
    open(by_token).append(&messages(2..3)).await.unwrap();
    assert_eq!(server.ids("s", "t"), [1, 2]);
}

#[tokio::test]
async fn an_unreachable_server_is_transient_and_names_the_address() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    drop(listener);
    let error = open(config(&address))
        .append(&messages(1..2))
        .await
        .unwrap_err();
    assert_eq!(
        (error.transient, &error.committed),
        (true, &Committed::Nothing)
    );
    let expected = format!("cannot connect to iggy at {address}, is the server running?");
    assert!(error.to_string().starts_with(&expected), "{error}");
}

#[tokio::test]
async fn a_server_of_another_kind_is_told_from_a_missing_one() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    tokio::spawn(async move { while listener.accept().await.is_ok() {} });
    let error = open(config(&address))
        .append(&messages(1..2))
        .await
        .unwrap_err();
    assert_eq!(
        (error.transient, &error.committed),
        (true, &Committed::Nothing)
    );
    assert!(
        error.to_string().contains("closed while signing in"),
        "{error}"
    );
}

#[tokio::test]
async fn another_protocol_version_is_permanent_and_said_so() {
    let server = IggyStandIn::start().await;
    let newer = |minor: u32, patch: u32| (minor << 10) | patch;
    server.accept_versions(newer(12, 0), newer(12, 2));
    let error = open(config(server.address()))
        .append(&messages(1..2))
        .await
        .unwrap_err();
    assert_eq!(
        (error.transient, &error.committed),
        (false, &Committed::Nothing)
    );
    let text = error.to_string();
    assert!(
        text.contains("server speaks another protocol version"),
        "{text}"
    );
    assert!(text.contains("server accepts [0.12.0, 0.12.2]"), "{text}");
}

#[tokio::test]
async fn a_missing_permission_is_named_and_permanent_until_the_topic_is_found() {
    let rows = [
        (GET_TOPIC_CODE, "read_topics", false),
        (CREATE_STREAM_CODE, "manage_streams", false),
        (CREATE_TOPIC_CODE, "manage_topics", false),
        (SEND_MESSAGES_CODE, "send_messages", true),
    ];
    for (command, permission, transient) in rows {
        let server = IggyStandIn::start().await;
        server.add_user("joe", "secret", &[command]);
        let (username, password) = ("joe".to_owned(), "secret".to_owned());
        let config = IggyConfig {
            username,
            password,
            ..config(server.address())
        };
        let error = open(config).append(&messages(2..3)).await.unwrap_err();
        assert_eq!(
            (error.transient, &error.committed),
            (transient, &Committed::Nothing)
        );
        let expected = format!("\"joe\" lacks the permission {permission}");
        assert!(error.to_string().contains(&expected), "{error}");
    }
}

#[tokio::test]
async fn the_permission_to_read_is_named_when_reading() {
    let server = IggyStandIn::start().await;
    server.create_topic("s", "t", 1);
    server.produce("s", "t", 0, &[1]);
    server.inject(POLL_MESSAGES_CODE, 1, Fault::Status(UNAUTHORIZED));
    let error = open(config(server.address()))
        .read(&Wanted::default())
        .await
        .unwrap_err();
    assert!(
        error
            .to_string()
            .contains("lacks the permission poll_messages"),
        "{error}"
    );
}

#[tokio::test]
async fn a_new_topic_keeps_everything_and_is_as_durable_as_configured() {
    for durability in [Durability::Persisted, Durability::Replicated] {
        let server = IggyStandIn::start().await;
        let (config, one) = (config(server.address()), NonZeroUsize::MIN);
        let mut destination = IggyDestination::new(config, "s", "t", one, 3).unwrap();
        if durability != Durability::default() {
            destination = destination.acknowledging(durability);
        }
        assert_eq!(destination.ends().await.unwrap().len(), 3);
        let options = server.topic_options("s", "t");
        let unlimited = u64::MAX.to_le_bytes();
        assert_eq!(options["message_expiry"], unlimited, "{options:?}");
        assert_eq!(options["max_topic_size"], unlimited, "{options:?}");
        assert_eq!(
            options["durability"],
            durability.as_str().as_bytes(),
            "{options:?}"
        );
    }
}

#[tokio::test]
async fn an_option_that_the_server_does_not_know_is_never_left_out() {
    let server = IggyStandIn::start().await;
    server.inject(CREATE_TOPIC_CODE, 1, Fault::Status(UNSUPPORTED_OPTION_KEY));
    let mut destination = open(config(server.address()));
    let error = destination.append(&messages(2..3)).await.unwrap_err();
    assert!(!error.transient, "{error}");
    assert!(
        error.to_string().contains("durability)") && error.to_string().contains("by hand"),
        "{error}"
    );
    assert_eq!(server.requests(CREATE_TOPIC_CODE), 1);
}

#[tokio::test]
async fn an_existing_topic_is_left_as_it_is() {
    let server = IggyStandIn::start().await;
    server.create_topic("s", "t", 2);
    open(config(server.address()))
        .append(&messages(1..2))
        .await
        .unwrap();
    assert_eq!(
        server.requests(CREATE_TOPIC_CODE) + server.requests(CREATE_STREAM_CODE),
        0
    );
    assert_eq!(server.ids("s", "t"), [1]);
}

#[tokio::test]
async fn requests_go_to_the_partitions_in_turn_and_all_are_read_back() {
    let server = IggyStandIn::start().await;
    let two = NonZeroUsize::new(2).unwrap();
    let mut destination = IggyDestination::new(config(server.address()), "s", "t", two, 3).unwrap();
    let ends = super::ends(destination.append(&messages(1..9)).await.unwrap());
    assert_eq!(server.ids("s", "t"), [1, 2, 7, 8, 3, 4, 5, 6]);
    let end = |partition, next| Offset { partition, next };
    assert_eq!(ends, [end(0, 4), end(1, 2), end(2, 2)]);
    let tail = destination
        .read(&Wanted::since(&[end(0, 2), end(1, 2)]))
        .await
        .unwrap();
    assert_eq!(
        tail.ids,
        [7, 8, 5, 6],
        "a partition that is not named is read whole"
    );
}

#[tokio::test]
async fn refused_requests_leave_what_was_sent_before_them() {
    let server = IggyStandIn::start().await;
    let rows = [(TOPIC_FULL, true), (TOO_MANY_MESSAGES, false)];
    for (status, transient) in rows {
        let topic = format!("t{status}");
        let two = NonZeroUsize::new(2).unwrap();
        let config = config(server.address());
        let mut destination = IggyDestination::new(config, "s", &topic, two, 1).unwrap();
        let end = super::ends(destination.append(&messages(1..3)).await.unwrap());
        assert_eq!(
            end,
            [Offset {
                partition: 0,
                next: 2
            }]
        );
        server.inject(SEND_MESSAGES_CODE, 1, Fault::Status(status));
        let error = destination.append(&messages(3..9)).await.unwrap_err();
        assert_eq!(
            (error.transient, error.committed),
            (transient, Committed::Nothing)
        );
    }
}

#[tokio::test]
async fn the_prefix_of_a_batch_is_reported_with_its_end() {
    let server = IggyStandIn::start().await;
    server.create_topic("s", "t", 2);
    server.produce("s", "t", 0, &[90]);
    let two = NonZeroUsize::new(2).unwrap();
    let mut destination = IggyDestination::new(config(server.address()), "s", "t", two, 1).unwrap();
    server.inject(SEND_MESSAGES_CODE, 1, Fault::AnswerAfter(Duration::ZERO));
    server.inject(SEND_MESSAGES_CODE, 1, Fault::Status(TOPIC_FULL));
    let error = destination.append(&messages(1..9)).await.unwrap_err();
    let ranges = vec![Range {
        partition: 0,
        from: 1,
        to: 3,
    }];
    let places = vec![0, 1];
    assert_eq!(
        (error.transient, error.committed),
        (true, Committed::Part { places, ranges })
    );
    assert_eq!(server.ids("s", "t"), [90, 1, 2]);
}

#[tokio::test]
async fn every_unknown_outcome_ends_with_each_message_once() {
    let faults = [
        Fault::CloseBefore,
        Fault::CloseAfter,
        Fault::CloseThenApply(QUIET / 2),
        Fault::SilenceBefore,
        Fault::SilenceAfter,
        Fault::AnswerAfter(QUIET * 2),
        Fault::Status(INVALID_COMMAND),
    ];
    let mut cases = JoinSet::new();
    for fault in faults {
        (0..3).for_each(|request| drop(cases.spawn(recovers_from(fault, request))));
    }
    cases.join_all().await;
}

/// The request of the batch, of two messages each, that fails, and how.
async fn recovers_from(fault: Fault, request: u32) {
    let server = IggyStandIn::start().await;
    let mut outbox = outbox(&server);
    outbox.resume(None, PREFIX).await.unwrap();
    if request > 0 {
        server.inject(
            SEND_MESSAGES_CODE,
            request,
            Fault::AnswerAfter(Duration::ZERO),
        );
    }
    server.inject(SEND_MESSAGES_CODE, 1, fault);
    let error = outbox.publish(&messages(1..7)).await.unwrap_err();
    assert_eq!(
        (error.committed, error.transient),
        (Extent::Unknown, true),
        "{fault:?}"
    );
    let published = outbox.publish(&messages(1..9)).await.unwrap();
    assert_eq!(
        server.ids("s", "t"),
        (1..9).collect::<Vec<_>>(),
        "{fault:?} of {request}"
    );
    assert_eq!(published.new + published.already_there, 8);
    assert_eq!(published.marks[0].next, 8);
}

#[tokio::test]
async fn rejected_batches_move_nothing() {
    let server = IggyStandIn::start().await;
    let mut outbox = outbox(&server);
    let start = outbox.resume(None, PREFIX).await.unwrap().marks;
    server.inject(SEND_MESSAGES_CODE, 5, Fault::Status(TOPIC_FULL));
    for _ in 0..5 {
        let error = outbox.publish(&messages(1..5)).await.unwrap_err();
        assert!(error.transient, "{error}");
        assert_eq!(outbox.marks(), start);
    }
    assert_eq!(server.ids("s", "t"), [0; 0]);
    assert_eq!(outbox.publish(&messages(1..5)).await.unwrap().new, 4);
    assert_eq!(server.ids("s", "t"), [1, 2, 3, 4]);
}

#[tokio::test]
async fn a_restart_finds_what_the_last_run_left_without_a_saved_state() {
    let server = IggyStandIn::start().await;
    let mut first = outbox(&server);
    let saved = first.resume(None, PREFIX).await.unwrap().marks;
    first.publish(&messages(1..4)).await.unwrap();
    server.produce("s", "t", 0, &[90]);
    server.inject(SEND_MESSAGES_CODE, 1, Fault::CloseThenApply(QUIET / 2));
    first.publish(&messages(4..6)).await.unwrap_err();
    drop(first);
    let mut second = outbox(&server);
    second
        .resume(Some(&unsettled_at(&saved)), PREFIX)
        .await
        .unwrap();
    assert_eq!(
        second.publish(&messages(1..8)).await.unwrap().already_there,
        5
    );
    assert_eq!(server.ids("s", "t"), [1, 2, 3, 90, 4, 5, 6, 7]);
}

#[tokio::test]
async fn abandoning_closes_the_connection_of_a_request_under_way() {
    let server = IggyStandIn::start().await;
    let mut destination = open(short(&server));
    destination.append(&messages(1..2)).await.unwrap();
    server.inject(SEND_MESSAGES_CODE, 1, Fault::SilenceBefore);
    let error = destination.append(&messages(2..3)).await.unwrap_err();
    assert_eq!(error.committed, Committed::Unknown);
    assert_eq!(destination.abandon(), QUIET);
    let given_up = Instant::now();
    while server.connections() > 0 {
        assert!(given_up.elapsed() < QUIET, "the connection is still open");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn a_request_that_the_server_is_not_ready_for_is_sent_no_longer_than_the_timeout() {
    let server = IggyStandIn::start().await;
    let mut destination = open(short(&server));
    destination.append(&messages(1..2)).await.unwrap();
    server.inject(
        SEND_MESSAGES_CODE,
        10_000,
        Fault::Status(TRANSIENT_NOT_ACCEPTED),
    );
    let started = Instant::now();
    destination.append(&messages(2..3)).await.unwrap_err();
    assert!(started.elapsed() < QUIET * 2);
    tokio::time::sleep(QUIET).await;
    let sent = server.requests(SEND_MESSAGES_CODE);
    tokio::time::sleep(QUIET).await;
    assert_eq!(
        server.requests(SEND_MESSAGES_CODE),
        sent,
        "nothing is sent after that"
    );
}

#[tokio::test]
async fn a_connection_that_died_while_idle_costs_no_failure() {
    let server = IggyStandIn::start().await;
    let mut destination = open(config(server.address()));
    destination.append(&messages(1..2)).await.unwrap();
    server.inject(PING_CODE, 1, Fault::CloseBefore);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    destination.append(&messages(2..3)).await.unwrap();
    assert_eq!(server.ids("s", "t"), [1, 2]);
    assert_eq!(server.requests(LOGIN_REGISTER_CODE), 2);
}

#[tokio::test]
async fn deleted_messages_behind_the_position_do_not_stop_the_reading() {
    let server = IggyStandIn::start().await;
    server.create_topic("s", "t", 1);
    server.produce("s", "t", 0, &[1, 2, 3, 4, 5]);
    let mut destination = open(config(server.address()));
    let from = [Offset {
        partition: 0,
        next: 1,
    }];
    let end = vec![Offset {
        partition: 0,
        next: 5,
    }];
    server.delete_first("s", "t", 0, 3);
    let tail = destination.read(&Wanted::since(&from)).await.unwrap();
    assert_eq!((tail.ids, tail.end), (vec![4, 5], end.clone()));
    server.delete_first("s", "t", 0, 2);
    let tail = destination.read(&Wanted::since(&from)).await.unwrap();
    assert_eq!((tail.ids, tail.end), (vec![], end));
}

#[tokio::test]
async fn reading_asks_for_fewer_messages_where_they_are_large() {
    let server = IggyStandIn::start().await;
    let mut destination = open(config(server.address()));
    destination.append(&messages(1..2_001)).await.unwrap();
    let small = server.requests(POLL_MESSAGES_CODE);
    assert_eq!(
        destination
            .read(&Wanted::default())
            .await
            .unwrap()
            .ids
            .len(),
        2_000
    );
    assert_eq!(
        server.requests(POLL_MESSAGES_CODE) - small,
        3,
        "16, then a thousand at a time"
    );
}
