//! Time, stack, memory and panics.

use std::time::Duration;

use elasticsearch_source::component::{Component, Content, Origin};
use elasticsearch_source::instance::{Failure, Instance, SavedState, Slice};
use elasticsearch_source::mini_elasticsearch::{Effect, Fault};
use elasticsearch_source::runner::Source;

use super::{PATIENCE, attacker, cluster, failure, remedy, stopped};
use crate::support::fixture;

#[tokio::test(flavor = "multi_thread")]
async fn an_endless_loop_in_any_export_ends_with_guest_time() {
    let cluster = cluster();
    let words = format!(
        "the component was stopped: it did not return within 100ms of computing: {}",
        remedy("guest_time")
    );
    for export in ["open", "poll", "backlog"] {
        let world = attacker(&cluster, export, "loop");
        assert_eq!(stopped(&world).await, words, "{export}");
    }
    let (failure, summary) = failure(&attacker(&cluster, "close", "loop")).await;
    assert_eq!((failure.to_string(), summary.retries), (words, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_computed_counts_and_what_is_waited_for_does_not() {
    let cluster = cluster();
    let world = attacker(&cluster, "poll", "waits")
        .raw("count", "300")
        .limits("guest_time = \"1s\"");
    let source = world.source().await.unwrap();
    let mut instance = source.open(0).await.unwrap();
    let started = std::time::Instant::now();
    let delay = Effect::Delay(Duration::from_millis(15));
    cluster.inject(Fault::new(delay).times(300));
    instance.poll(0, source.budget).await.unwrap();
    assert!(started.elapsed() > 4 * source.limits.guest_time);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_waits_for_one_request_after_the_other_ends_with_call_time() {
    let cluster = cluster();
    let world = attacker(&cluster, "poll", "waits")
        .raw("count", "1000000")
        .limits("call_time = \"1s\"\nguest_time = \"10m\"");
    let message = stopped(&world).await;
    let words = format!("it did not return within 1s: {}", remedy("call_time"));
    assert!(message.contains(&words), "{message}");
}

#[tokio::test(flavor = "multi_thread")]
async fn call_time_is_that_of_every_export() {
    let cluster = cluster();
    for export in ["open", "poll", "backlog", "close"] {
        let world = attacker(&cluster, export, "waits")
            .raw("count", "1000000")
            .limits("call_time = \"1s\"\nguest_time = \"10m\"");
        let source = world.source().await.unwrap();
        let mut instance = instance(&source).await;
        let calls = async {
            instance.open(&source.config, 0).await?;
            instance.poll(0, source.budget).await?;
            instance.backlog(0).await?;
            instance.close().await
        };
        let ended = tokio::time::timeout(PATIENCE, calls).await;
        let failure = ended.expect("nothing stops it").unwrap_err().to_string();
        assert!(
            failure.contains(&remedy("call_time")),
            "{export}: {failure}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_stack_and_the_memory_end_in_words() {
    let cluster = cluster();
    let rows = [
        (
            "recursion",
            "its calls are nested deeper than its stack allows".to_owned(),
        ),
        (
            "memory",
            format!("it needs more memory than 64MiB: {}", remedy("memory")),
        ),
        ("exit", "exit".to_owned()),
        ("abort", "it panicked".to_owned()),
    ];
    for (attack, words) in rows {
        let world =
            attacker(&cluster, "poll", attack).limits("guest_time = \"10s\"\nmemory = \"64MiB\"");
        let message = stopped(&world).await;
        assert!(message.contains(&words), "{attack}: {message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_in_any_export_is_told_in_its_own_words_and_ends_that_instance() {
    let cluster = cluster();
    for export in ["open", "poll", "backlog"] {
        let message = stopped(&attacker(&cluster, export, "panic")).await;
        assert!(
            message.contains("it panicked (") && message.contains("as asked"),
            "{message}"
        );
    }
    let (failure, _) = failure(&attacker(&cluster, "close", "panic")).await;
    assert!(failure.to_string().contains("it panicked ("), "{failure}");
    let long = attacker(&cluster, "poll", "panic").raw("count", "1000000");
    let message = stopped(&long.limits("guest_time = \"10s\"")).await;
    assert!(message.len() < 5_000, "{} bytes", message.len());
}

async fn instance(source: &Source) -> Instance {
    let (sandbox, component) = (&source.sandbox, &source.component);
    let capabilities = (source.capabilities)();
    let instance = Instance::new(sandbox, component, capabilities, source.limits);
    instance.await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn attacks_on_the_ways_of_states_end_in_words() {
    let cluster = cluster();
    let world = attacker(&cluster, "", "").limits("guest_time = \"100ms\"\ncall_bytes = \"8MiB\"");
    let source = world.source().await.unwrap();
    let rows = [
        (r#""attack":"loop""#, remedy("guest_time")),
        (r#""attack":"panic""#, "it panicked (".to_owned()),
        (r#""attack":"recursion""#, "its calls are nested".to_owned()),
        (r#""bytes":9000000"#, remedy("call_bytes")),
    ];
    for (settings, words) in rows {
        let data = format!(r#"{{"in":"migrate-state",{settings}}}"#);
        let migrated = instance(&source)
            .await
            .migrate_state(data.as_bytes(), 1)
            .await;
        let message = migrated.unwrap_err().to_string();
        assert!(message.contains(&words), "{settings}: {message}");
        let data = format!(r#"{{"in":"reslice-states",{settings}}}"#).into_bytes();
        let before = [SavedState { data, format: 1 }];
        let slice = Slice { number: 0, of: 1 };
        let divided = instance(&source).await.reslice_states(&before, slice).await;
        let message = divided.unwrap_err().to_string();
        assert!(message.contains(&words), "{settings}: {message}");
    }
}

/// The only export that has no configuration.
#[tokio::test(flavor = "multi_thread")]
async fn a_component_that_can_not_describe_itself_does_not_start() {
    let cluster = cluster();
    let source = attacker(&cluster, "", "").source().await.unwrap();
    let bytes = std::fs::read(fixture::component("hostile")).unwrap();
    let marker = b"describe of hostile: ok.";
    let at = bytes
        .windows(24)
        .position(|window| window == marker)
        .unwrap();
    let rows = [
        ("bad", "it panicked (", 0),
        ("nil", "it describes its state as of format 0", 0),
        ("use", "before it has described itself", 0),
        ("ask", "before it asks for anything", 0),
        ("big", "", 5_000),
    ];
    for (way, words, length) in rows {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("describes.wasm");
        let mut patched = bytes.clone();
        patched[at + 21..at + 24].copy_from_slice(way.as_bytes());
        std::fs::write(&file, patched).unwrap();
        let content = Content::read(Origin::File(file)).unwrap();
        let component = Component::load(&source.sandbox, &content).unwrap();
        let capabilities = (source.capabilities)();
        let made = Instance::new(&source.sandbox, &component, capabilities, source.limits);
        match made.await {
            Ok(instance) => {
                let name = &instance.description().name;
                assert!(
                    name.len() < length && !name.contains('\n'),
                    "{}",
                    name.len()
                );
            }
            Err(failure) => {
                assert!(matches!(failure, Failure::Trapped(_)), "{way}");
                assert!(
                    failure.to_string().contains(words) && length == 0,
                    "{failure}"
                );
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_count_can_be_ends_no_run_and_no_wait_lasts_for_ever() {
    let cluster = cluster();
    let message = stopped(&attacker(&cluster, "", "hint")).await;
    assert!(
        message.contains("it asks for a wait of 18446744073709551615 ms"),
        "{message}"
    );
    let summary = attacker(&cluster, "", "count").once().await.unwrap();
    assert_eq!(
        (summary.documents, summary.left),
        (0, Some((u64::MAX, u64::MAX)))
    );
    let later = attacker(&cluster, "poll", "error").key("path", "later");
    let source = later.source().await.unwrap();
    let mut instance = source.open(0).await.unwrap();
    let failure = instance.poll(0, source.budget).await.unwrap_err();
    let Failure::Transient { retry_after_ms, .. } = failure else {
        panic!("{failure}")
    };
    assert_eq!(retry_after_ms, Some(3_600_000));
}
