//! What is saved, and what a new instance goes on from.

use super::{attacker, cluster, remedy, stopped, told};

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_too_large_or_no_json_is_not_saved() {
    let cluster = cluster();
    let world = |bytes: &str, text: &str, limits: &str| {
        let limits = format!("memory = \"1GiB\"\nguest_time = \"10s\"\n{limits}");
        attacker(&cluster, "poll", "save")
            .raw("bytes", bytes)
            .key("text", text)
            .limits(&limits)
    };
    let rows = [
        (
            world("0", "no json", ""),
            "can not be saved: this is a defect of the component",
        ),
        (
            world("0", "[1]", ""),
            "can not be saved: this is a defect of the component",
        ),
        (world("70000000", "", ""), "takes 1 to 67108864 bytes"),
    ];
    for (world, words) in rows {
        let message = told(&world).await;
        assert!(
            message.contains(words) && message.len() < 5_000,
            "{message}"
        );
        assert!(!world.state_file().exists());
    }
    let large = world("200000000", "", "");
    let message = stopped(&large).await;
    assert!(message.contains(&remedy("call_bytes")), "{message}");
    let huge = attacker(&cluster, "poll", "save").raw("bytes", "1000000000");
    assert!(stopped(&huge).await.contains(&remedy("memory")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_saved_on_top_of_what_was_loaded_or_saved_last() {
    let cluster = cluster();
    for attack in ["unloaded", "overtake"] {
        let message = stopped(&attacker(&cluster, "poll", attack)).await;
        let words = "saves its state on top of another one than it loaded or saved last";
        assert!(message.contains(words), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_is_loaded_some_times_and_no_more() {
    let cluster = cluster();
    let world = |count: &str| attacker(&cluster, "poll", "loads").raw("count", count);
    assert!(told(&world("16")).await.contains("loaded"));
    let message = stopped(&world("17")).await;
    assert!(
        message.contains("its state more than 16 times"),
        "{message}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_that_the_store_did_not_tell_of_is_a_defect_of_the_component() {
    let cluster = cluster();
    for export in ["open", "poll"] {
        let message = told(&attacker(&cluster, export, "conflict")).await;
        assert!(message.contains("a defect of the component"), "{message}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_instance_goes_on_from_the_state_that_was_saved() {
    let cluster = cluster();
    let world = attacker(&cluster, "poll", "once");
    let summary = world.once().await.unwrap();
    assert_eq!((summary.retries, summary.polls), (1, 2));
    assert_eq!(world.state()["data"]["step"], 1);
}
