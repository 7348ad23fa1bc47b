//! What people read.

use std::time::Instant;

use crate::support::program::{self, Finished};
use crate::support::world::World;

use super::{attacker, cluster, failure, json};

/// Runs the program, which logs as JSON.
async fn run(world: World) -> Finished {
    let world = world.logging("format = \"json\"");
    tokio::task::spawn_blocking(move || {
        world.config_file();
        program::run(world.folder(), &["run", "test.toml", "--once"])
    })
    .await
    .unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_million_lines_are_a_hundred_and_one_that_says_how_many_are_missing() {
    let cluster = cluster();
    let world = attacker(&cluster, "poll", "lines")
        .raw("count", "1000000")
        .limits("log_lines = 10\nguest_time = \"1m\"");
    let begun = Instant::now();
    let finished = run(world).await;
    let seconds = begun.elapsed().as_secs() + 1;
    assert_eq!(finished.code, Some(0), "{finished:?}");
    let lines = finished.stderr.lines();
    let (mut written, mut left_out, mut notices) = (0, 0, 0);
    for line in lines {
        if line.contains("hostile line") {
            written += 1;
        }
        if let Some((_, rest)) = line.split_once("\"left_out\":") {
            notices += 1;
            left_out += rest
                .split(',')
                .next()
                .unwrap()
                .trim_end_matches('}')
                .parse::<u64>()
                .unwrap();
            assert!(
                line.contains("raise log_lines in [sources.test.limits]"),
                "{line}"
            );
        }
    }
    assert_eq!(
        written + left_out,
        1_000_000,
        "every line is written or counted"
    );
    assert!(
        written <= 10 * (seconds + 1),
        "{written} lines in {seconds} s"
    );
    assert!(notices <= written / 10 + 1, "{notices} for {written} lines");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_line_is_cut_and_one_that_looks_like_two_is_one() {
    let cluster = cluster();
    let forged = "a\n2026-01-01T00:00:00Z ERROR source{key=other}: forged \u{1b}[31m";
    let rows = [
        ("line", "1000000", "0", "bytes, cut)"),
        ("fields", "0", "100000", "and 99936 more fields"),
        ("fields", "300", "64", "and 58 more fields"),
        ("fields", "4096", "64", "and 62 more fields"),
    ];
    let formats = ["format = \"text\"", "format = \"json\""];
    for (attack, bytes, count, words) in rows {
        for format in formats {
            let world = attacker(&cluster, "poll", attack)
                .raw("text", &json(forged))
                .raw("bytes", bytes)
                .raw("count", count)
                .limits("guest_time = \"10s\"");
            let world = world.logging(format);
            let finished = tokio::task::spawn_blocking(move || {
                world.config_file();
                program::run(world.folder(), &["run", "test.toml", "--once"])
            });
            let finished = finished.await.unwrap();
            let lines: Vec<_> = finished.stderr.lines().collect();
            let longest = lines.iter().map(|line| line.len()).max().unwrap();
            assert!(longest < 17_000, "{attack}, {format}: {longest}");
            assert!(
                lines.iter().all(|line| !line.starts_with("2026-01-01")),
                "{lines:?}"
            );
            assert!(!finished.stderr.contains('\u{1b}'));
            assert!(finished.stderr.contains(words), "{finished:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_error_of_ten_megabytes_is_one_short_line() {
    let cluster = cluster();
    for kind in ["transient", "permanent", "key", "conflict"] {
        let world = attacker(&cluster, "poll", "error")
            .key("path", kind)
            .raw("bytes", "10000000")
            .limits("guest_time = \"10s\"");
        let message = failure(&world).await.0.to_string();
        assert!(
            message.contains("long\\nlong") && !message.contains('\n'),
            "{kind}"
        );
        assert!(message.contains("(10000000 bytes, cut)"), "{kind}");
        assert!(message.len() < 12_000, "{kind}: {} bytes", message.len());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_printed_is_kept_up_to_a_limit() {
    let cluster = cluster();
    let world = attacker(&cluster, "poll", "print").limits("guest_time = \"10s\"");
    let (failure, _) = failure(&world).await;
    assert!(failure.to_string().len() < 5_000, "{failure}");
}
