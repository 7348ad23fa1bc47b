//! What reaches the output, and what waits for it.

use super::{attacker, cluster, remedy, stopped, told};

#[tokio::test(flavor = "multi_thread")]
async fn a_payload_that_leaves_its_body_or_overlaps_another_ends_the_instance() {
    let cluster = cluster();
    let max = u32::MAX.to_string();
    let rows = [
        ("0", max.as_str(), "1"),
        ("100000", "1", "1"),
        (max.as_str(), "1", "1"),
        (max.as_str(), max.as_str(), "1"),
        ("0", "50", "1000"),
    ];
    for (offset, length, count) in rows {
        let world = attacker(&cluster, "poll", "span")
            .raw("offset", offset)
            .raw("length", length)
            .raw("count", count);
        let message = stopped(&world).await;
        let words = ["leaves its body", "they overlap, or leave it"];
        assert!(
            words.iter().any(|words| message.contains(words)),
            "{message}"
        );
        assert_eq!(world.delivered(), []);
    }
}

/// On one thread, so that nothing is taken from the queue while it fills.
#[tokio::test]
async fn publish_storms_end_with_a_limit() {
    let cluster = cluster();
    let world = |attack: &str, count: &str, bytes: &str, limits: &str| {
        attacker(&cluster, "poll", attack)
            .raw("count", count)
            .raw("bytes", bytes)
            .key("max_response_bytes", "1MiB")
            .limits(limits)
    };
    let rows = [
        (
            world("messages", "5000", "0", "messages = 1000"),
            "it has more than 1000 messages under way at once",
            "messages",
        ),
        (
            world("messages", "1000000", "0", "call_bytes = \"8MiB\""),
            "it hands over more than 8MiB in one call",
            "call_bytes",
        ),
        (
            world("storm", "1", "2000000", "held_bytes = \"1MiB\""),
            "it has the host hold more than 1MiB",
            "held_bytes",
        ),
    ];
    for (world, words, key) in rows {
        let message = stopped(&world).await;
        assert!(
            message.contains(words) && message.contains(&remedy(key)),
            "{message}"
        );
    }
    let world = world("storm", "200", "0", "");
    assert!(
        told(&world)
            .await
            .contains("16 publishes are waiting already")
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_without_bound_end_the_instance() {
    let cluster = cluster();
    for (count, bytes) in [("1", "20000"), ("1000", "1")] {
        let world = attacker(&cluster, "poll", "header")
            .raw("count", count)
            .raw("bytes", bytes);
        let message = stopped(&world).await;
        assert!(
            message.contains("more than 32 headers, or than 16384 bytes"),
            "{message}"
        );
        assert_eq!(world.delivered(), []);
    }
}

/// However often it asks for the same place, that is read once.
#[tokio::test(flavor = "multi_thread")]
async fn a_resume_from_places_without_bound_ends_the_instance_and_none_is_read_twice() {
    let cluster = cluster();
    let world = |marks: &str, stretches: &str| {
        let delivered = r#"{"id":"00000000000000000000000000000001","payload":{}}"#;
        let world = attacker(&cluster, "poll", "resume")
            .raw("length", marks)
            .raw("count", stretches)
            .limits("guest_time = \"10s\"");
        std::fs::create_dir_all(world.folder().join("output/s")).unwrap();
        let lines = format!("{delivered}\n").repeat(20_000);
        std::fs::write(world.folder().join("output/s/t.ndjson"), lines).unwrap();
        world
    };
    let message = stopped(&world("0", "262145")).await;
    assert!(message.contains("from 262145 places"), "{message}");
    let message = told(&world("2", "1")).await;
    assert!(
        message.contains("acknowledged messages are gone"),
        "{message}"
    );
    let message = told(&world("0", "262144")).await;
    assert!(message.contains("1 found"), "{message}");
}
