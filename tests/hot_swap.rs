//! Another version of the component takes over while its source runs: nothing is lost or
//! repeated, and whatever is wrong with it, the one before goes on.

mod outage;
mod program;
mod watching;

use std::sync::Arc;
use std::time::{Duration, Instant};

use elasticsearch_source::assembly::Assembly;
use elasticsearch_source::component::{Component, Content, Digest, Origin};
use elasticsearch_source::config::Config;
use elasticsearch_source::hot_swap::{Candidate, Exchange, Version};
use elasticsearch_source::instance::Failure;
use elasticsearch_source::mini_elasticsearch::{Effect, Fault, MiniElasticsearch, Product};
use elasticsearch_source::runner::{self, Summary, Until};
use elasticsearch_source::status::{Exchanges, Outcome};
use serde_json::json;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::support::iggy::IggyStandIn;
use crate::support::rebuilt::{FORMAT, REASON, Rebuilt, Wrong};
use crate::support::sample::{self, INDEX};
use crate::support::world::{World, sandbox};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// Reads quickly what may still be written.
fn world(cluster: &MiniElasticsearch) -> World {
    world_polling(cluster, "5ms")
}

fn world_polling(cluster: &MiniElasticsearch, interval: &str) -> World {
    World::reading(cluster.url(), INDEX)
        .key("polling_interval", interval)
        .raw("batch_size", "50")
        .limits("poll_pages = 3")
}

fn digest(version: Rebuilt) -> Digest {
    Digest::of(&version.bytes())
}

/// A running source.
struct Run {
    config: Config,
    assembly: Assembly,
    exchange: Arc<Exchange>,
    exchanges: watch::Receiver<Exchanges>,
    stop: watch::Sender<bool>,
    ended: JoinHandle<Result<Summary, (Failure, Summary)>>,
}

impl Run {
    async fn start(world: &World) -> Self {
        let config = Config::parse(&world.toml(), "test.toml", std::iter::empty()).unwrap();
        let assembly = Assembly::new(&config, sandbox());
        let source = assembly.source(&config.sources["test"]).await.unwrap();
        let exchange = Arc::clone(&source.exchange);
        let (stop, stopped) = watch::channel(false);
        let ended = tokio::spawn(async move {
            runner::run(&source, Until::Stopped, stopped, &mut |_| {}).await
        });
        Self {
            config,
            assembly,
            exchanges: exchange.watch(),
            exchange,
            stop,
            ended,
        }
    }

    async fn wait_for(&mut self, is: impl Fn(&Exchanges) -> bool) -> Exchanges {
        let seen = self.exchanges.wait_for(|exchanges| is(exchanges));
        let seen = tokio::time::timeout(PATIENCE, seen).await;
        seen.expect("waited in vain").unwrap().clone()
    }

    async fn is_kept(&mut self) {
        self.wait_for(|exchanges| exchanges.last == Some(Outcome::Kept))
            .await;
    }

    async fn is_on_probation(&mut self) {
        self.wait_for(|exchanges| exchanges.last == Some(Outcome::OnProbation))
            .await;
    }

    async fn prepare(&self, version: Rebuilt) -> anyhow::Result<Candidate> {
        let source = &self.config.sources["test"];
        self.assembly.prepare(source, content(version)).await
    }

    async fn offer(&self, version: Rebuilt) {
        self.exchange.offer(self.prepare(version).await.unwrap());
    }

    async fn stop(self) -> Summary {
        self.stop.send(true).unwrap();
        self.ended.await.unwrap().unwrap()
    }
}

fn content(version: Rebuilt) -> Content {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rebuilt.wasm");
    std::fs::write(&file, version.bytes()).unwrap();
    Content::read(Origin::File(file)).unwrap()
}

/// Writes documents until it is told to stop; returns how many there are then.
fn keep_writing(
    cluster: Arc<MiniElasticsearch>,
    from: u64,
) -> (watch::Sender<bool>, JoinHandle<u64>) {
    let (stop, stopped) = watch::channel(false);
    let written = tokio::task::spawn_blocking(move || {
        let mut next = from;
        // Whoever could stop it is gone where a test has failed.
        while stopped.has_changed().is_ok() && !*stopped.borrow() {
            sample::insert(&cluster, next..next + 4);
            next += 4;
            std::thread::sleep(Duration::from_millis(40));
        }
        next
    });
    (stop, written)
}

/// Counts the lines, as looking into them takes long.
fn lines(world: &World) -> u64 {
    let file = world.folder().join("output/s/t.ndjson");
    let lines = std::fs::read(file).unwrap_or_default();
    lines.iter().filter(|byte| **byte == b'\n').count() as u64
}

/// As long as it goes on.
async fn until_delivered(world: &World, documents: u64) {
    let (mut moved, mut delivered) = (Instant::now(), 0);
    while delivered < documents {
        let now = lines(world);
        if now > delivered {
            (moved, delivered) = (Instant::now(), now);
        }
        assert!(moved.elapsed() < PATIENCE, "{delivered} of {documents}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_exchanges_under_load_lose_and_repeat_nothing() {
    const EXCHANGES: u64 = 1_000;
    // The first of these follows a version that has passed its probation, the others one on it.
    const TOGETHER: u64 = 3;
    // More than is read meanwhile, in pages that are smaller than what is to be read.
    const DOCUMENTS: u64 = 14_000;
    let cluster = sample::cluster(Product::Elasticsearch, DOCUMENTS);
    let world = world(&cluster)
        .raw("batch_size", "2")
        .limits("poll_pages = 1");
    let mut run = Run::start(&world).await;
    // So many that none comes back on the probation of another one.
    let candidates = [1, 2, 3, 4].map(|number| run_candidate(&run, number));
    let candidates = futures::future::join_all(candidates).await;
    let mut pauses = [Vec::new(), Vec::new()];
    for (count, candidate) in (1..=EXCHANGES).zip(candidates.iter().cycle()) {
        run.exchange.offer(candidate.clone());
        let now = run.wait_for(|exchanges| exchanges.count == count).await;
        assert_eq!(now.running.as_ref(), Some(&candidate.version));
        let follows_a_kept_one = count % TOGETHER == 1;
        pauses[usize::from(follows_a_kept_one)].push(now.last_pause.unwrap());
        if count % TOGETHER == 0 {
            run.is_kept().await;
        }
    }
    let read = lines(&world);
    assert!(read < DOCUMENTS, "there was nothing left to read");
    until_delivered(&world, DOCUMENTS).await;
    let summary = run.stop().await;
    world.assert_holds_exactly(sample::ids(0..DOCUMENTS));
    assert_eq!((summary.documents, summary.already_there), (DOCUMENTS, 0));
    assert_eq!(world.state()["data"]["total_documents_fetched"], DOCUMENTS);
    let [of_others, of_kept_ones] = pauses.map(|mut pauses| {
        pauses.sort();
        let (middle, longest) = (pauses[pauses.len() / 2], pauses[pauses.len() - 1]);
        format!("median {middle:?}, longest {longest:?}")
    });
    println!(
        "{EXCHANGES} exchanges over {read} documents: {of_kept_ones}; on probation: {of_others}"
    );
}

/// The former version's publishes are on the wire when it closes, and its lease stays.
#[tokio::test(flavor = "multi_thread")]
async fn exchanges_lose_and_repeat_nothing_in_iggy_with_a_state_that_is_leased() {
    const EXCHANGES: u64 = 30;
    let cluster = Arc::new(sample::cluster(Product::Elasticsearch, 1_000));
    let server = IggyStandIn::start().await;
    let world = world(&cluster)
        .output(&server.toml("timeout = \"500ms\""))
        .raw(
            "state",
            r#"{ storage_type = "elasticsearch", lease_time = "1s" }"#,
        );
    let mut run = Run::start(&world).await;
    let candidates = [1, 2].map(|number| run_candidate(&run, number));
    let candidates = futures::future::join_all(candidates).await;
    let (stop, written) = keep_writing(Arc::clone(&cluster), 1_000);
    for (count, candidate) in (1..=EXCHANGES).zip(candidates.iter().cycle()) {
        run.exchange.offer(candidate.clone());
        run.wait_for(|exchanges| exchanges.count == count).await;
        run.is_kept().await;
    }
    stop.send(true).unwrap();
    let documents = written.await.unwrap();
    until_received(&server, documents).await;
    let summary = run.stop().await;
    assert_eq!((summary.documents, summary.already_there), (documents, 0));
    assert_received_once(&server, documents);
}

async fn until_received(server: &IggyStandIn, documents: u64) {
    let started = Instant::now();
    while (server.ids("s", "t").len() as u64) < documents {
        assert!(started.elapsed() < PATIENCE, "not all is delivered");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

fn assert_received_once(server: &IggyStandIn, documents: u64) {
    let mut ids = server.ids("s", "t");
    assert_eq!(ids.len() as u64, documents);
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len() as u64, documents, "no message is there twice");
}

async fn run_candidate(run: &Run, number: u8) -> Candidate {
    let candidate = run.prepare(Rebuilt::numbered(number)).await.unwrap();
    assert_eq!(candidate.version.number, format!("0.1.{number}"));
    candidate
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_fails_on_probation_is_taken_back_and_nothing_is_lost_or_repeated() {
    let rows = [
        (
            Rebuilt::numbered(1).failing_in_poll(3, Wrong::Trap),
            "it panicked",
        ),
        (
            Rebuilt::numbered(2).failing_in_poll(1, Wrong::Permanent),
            REASON,
        ),
        (
            Rebuilt::numbered(3)
                .writing(FORMAT + 1)
                .failing_in_poll(3, Wrong::Trap),
            "it panicked",
        ),
        (
            Rebuilt::numbered(4)
                .writing(FORMAT + 1)
                .failing_in_poll(4, Wrong::Permanent),
            REASON,
        ),
        (
            Rebuilt::numbered(5)
                .saving_nonsense()
                .failing_in_poll(4, Wrong::Trap),
            "it panicked",
        ),
    ];
    for (version, reason) in rows {
        let cluster = Arc::new(sample::cluster(Product::Elasticsearch, 2_000));
        let world = world(&cluster);
        let mut run = Run::start(&world).await;
        let (stop, written) = keep_writing(Arc::clone(&cluster), 2_000);
        until_delivered(&world, 500).await;
        run.offer(version).await;
        let back =
            |exchanges: &Exchanges| matches!(exchanges.last, Some(Outcome::TakenBack { .. }));
        let now = run.wait_for(back).await;
        let Some(Outcome::TakenBack {
            version: failed,
            reason: why,
        }) = &now.last
        else {
            unreachable!()
        };
        assert_eq!(failed.sha256, digest(version), "{version:?}");
        assert!(why.contains(reason), "{version:?}: {why}");
        assert_eq!(now.running.unwrap().number, "0.1.0", "{version:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
        stop.send(true).unwrap();
        let documents = written.await.unwrap();
        until_delivered(&world, documents).await;
        run.stop().await;
        world.assert_holds_exactly(sample::ids(0..documents));
        assert_eq!(world.state()["version"], FORMAT, "{version:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_with_a_newer_format_is_kept_after_its_probation_and_an_older_one_refused_then() {
    let cluster = Arc::new(sample::cluster(Product::Elasticsearch, 5_000));
    let world = world(&cluster);
    let mut run = Run::start(&world).await;
    until_delivered(&world, 500).await;
    let newer = Rebuilt::numbered(1).writing(FORMAT + 1);
    let older = run.prepare(Rebuilt::numbered(2)).await.unwrap();
    run.offer(newer).await;
    run.is_kept().await;
    run.exchange.offer(older.clone());
    let refused = |exchanges: &Exchanges| matches!(exchanges.last, Some(Outcome::Refused { .. }));
    let now = run.wait_for(refused).await;
    let Some(Outcome::Refused { sha256, reason }) = now.last else {
        unreachable!()
    };
    assert_eq!(sha256, Some(older.version.sha256));
    assert!(reason.contains("the state has version 4"), "{reason}");
    assert_eq!((now.count, now.running.unwrap().sha256), (1, digest(newer)));
    let error = run.prepare(Rebuilt::numbered(2)).await.err().unwrap();
    let error = format!("{error:#}");
    assert!(error.contains("reads up to 3"), "{error}");
    until_delivered(&world, 5_000).await;
    run.stop().await;
    world.assert_holds_exactly(sample::ids(0..5_000));
    assert_eq!(world.state()["version"], FORMAT + 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_on_probation_when_the_source_was_stopped_is_discarded_and_nothing_repeats() {
    for version in [
        Rebuilt::numbered(1).writing(FORMAT + 1),
        Rebuilt::numbered(2).saving_nonsense(),
    ] {
        let cluster = slow_cluster(300);
        let world = world(&cluster);
        let mut run = Run::start(&world).await;
        until_delivered(&world, 300).await;
        let candidate = run.prepare(version).await.unwrap();
        sample::insert(&cluster, 300..3_000);
        run.exchange.offer(candidate);
        run.is_on_probation().await;
        until_delivered(&world, lines(&world) + 100).await;
        run.stop().await;
        assert_is_of_a_run(&world);
        cluster.clear_faults();
        world.once().await.unwrap();
        world.assert_holds_exactly(sample::ids(0..3_000));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_comes_before_any_has_opened_is_kept_at_once() {
    let cluster = slow_cluster(300);
    let world = world(&cluster);
    let file = world.folder().join("before.wasm");
    let before = Rebuilt::numbered(1).failing_to_open(Wrong::Transient);
    std::fs::write(&file, before.bytes()).unwrap();
    let world = world.source_keys(&format!("path = '{}'", file.display()));
    let mut run = Run::start(&world).await;
    let version = Rebuilt::numbered(2);
    run.offer(version).await;
    let now = run.wait_for(|exchanges| exchanges.count == 1).await;
    assert_eq!(now.last, Some(Outcome::Kept));
    until_delivered(&world, 50).await;
    // As when it is killed.
    run.ended.abort();
    assert!(run.ended.await.unwrap_err().is_cancelled());
    cluster.clear_faults();
    std::fs::write(&file, version.bytes()).unwrap();
    world.once().await.unwrap();
    world.assert_holds_exactly(sample::ids(0..300));
}

/// Whatever the ones in between saved, nobody goes on from it.
#[tokio::test(flavor = "multi_thread")]
async fn versions_that_follow_each_other_on_probation_go_on_from_the_state_before_them_all() {
    let cluster = Arc::new(slow_cluster(200));
    let world = world(&cluster);
    let mut run = Run::start(&world).await;
    let versions = [
        Rebuilt::numbered(1).writing(FORMAT + 1),
        Rebuilt::numbered(2).saving_nonsense(),
        Rebuilt::numbered(3),
    ];
    let prepared = versions.map(|version| run.prepare(version));
    let candidates = futures::future::join_all(prepared).await;
    until_delivered(&world, 200).await;
    sample::insert(&cluster, 200..3_000);
    for (count, candidate) in (1..).zip(candidates.iter().cycle().take(9)) {
        let candidate = candidate.as_ref().unwrap();
        run.exchange.offer(candidate.clone());
        let now = run.wait_for(|exchanges| exchanges.count == count).await;
        assert_eq!(now.running.as_ref(), Some(&candidate.version));
        assert_eq!(world.state()["version"], FORMAT);
    }
    cluster.clear_faults();
    run.is_kept().await;
    until_delivered(&world, 3_000).await;
    run.stop().await;
    world.assert_holds_exactly(sample::ids(0..3_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_is_put_back_goes_on_from_its_own_state() {
    let before = Rebuilt::numbered(1);
    for version in [
        Rebuilt::numbered(2).saving_nonsense(),
        Rebuilt::numbered(3).writing(FORMAT + 1),
    ] {
        let cluster = slow_cluster(200);
        let world = world(&cluster);
        let file = world.folder().join("before.wasm");
        std::fs::write(&file, before.bytes()).unwrap();
        let world = world.source_keys(&format!("path = '{}'", file.display()));
        let mut run = Run::start(&world).await;
        let candidate = run.prepare(version).await.unwrap();
        let before_again = run.prepare(before).await.unwrap();
        until_delivered(&world, 200).await;
        sample::insert(&cluster, 200..1_000);
        run.exchange.offer(candidate);
        run.is_on_probation().await;
        run.exchange.offer(before_again);
        let now = run
            .wait_for(|exchanges| exchanges.last == Some(Outcome::PutBack))
            .await;
        assert_eq!(now.running.unwrap().sha256, digest(before));
        cluster.clear_faults();
        until_delivered(&world, 1_000).await;
        assert_eq!(run.exchanges.borrow().count, 1, "it is trusted at once");
        run.stop().await;
        world.assert_holds_exactly(sample::ids(0..1_000));
        assert_eq!(world.state()["version"], FORMAT);
    }
}

/// What is stored is what the version before saved while it ran.
fn assert_is_of_a_run(world: &World) {
    let state = world.state();
    let said = (&state["version"], &state["data"]["settled"]);
    assert_eq!(said, (&json!(FORMAT), &json!(false)));
}

/// Whose polls take long enough to be met.
fn slow_cluster(documents: u64) -> MiniElasticsearch {
    let cluster = sample::cluster(Product::Elasticsearch, documents);
    let slow = Effect::Delay(Duration::from_millis(40));
    cluster.inject(Fault::new(slow).path("_search").times(1_000_000));
    cluster
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_killed_while_a_version_is_on_probation_repeats_nothing() {
    for format in [FORMAT, FORMAT + 1] {
        let version = Rebuilt::numbered(1).writing(format);
        let cluster = slow_cluster(300);
        let world = world(&cluster);
        let mut run = Run::start(&world).await;
        until_delivered(&world, 300).await;
        let candidate = run.prepare(version).await.unwrap();
        sample::insert(&cluster, 300..4_000);
        run.exchange.offer(candidate);
        run.is_on_probation().await;
        until_delivered(&world, lines(&world) + 300).await;
        let last = run.exchanges.borrow().last.clone();
        assert_eq!(last, Some(Outcome::OnProbation));
        run.ended.abort();
        assert!(run.ended.await.unwrap_err().is_cancelled());
        assert_is_of_a_run(&world);
        cluster.clear_faults();
        let file = world.folder().join("rebuilt.wasm");
        std::fs::write(&file, version.bytes()).unwrap();
        let world = world.source_keys(&format!("path = '{}'", file.display()));
        world.once().await.unwrap();
        world.assert_holds_exactly(sample::ids(0..4_000));
        assert_eq!(world.state()["version"], format);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_does_not_open_leaves_the_one_before_where_it_was() {
    let cluster = Arc::new(sample::cluster(Product::Elasticsearch, 2_000));
    let world = world(&cluster);
    let mut run = Run::start(&world).await;
    until_delivered(&world, 200).await;
    let rows = [
        (
            Rebuilt::numbered(1).failing_to_open(Wrong::Permanent),
            FORMAT,
            REASON,
        ),
        (
            Rebuilt::numbered(2).failing_to_open(Wrong::Trap),
            FORMAT + 1,
            "it panicked",
        ),
        (
            Rebuilt::numbered(3).failing_to_open(Wrong::Transient),
            FORMAT,
            REASON,
        ),
    ];
    for (version, format, reason) in rows {
        let error = run.prepare(version).await.err().unwrap();
        assert!(format!("{error:#}").contains(reason), "{error:#}");
        // The rehearsal went well all the same.
        let version = version.writing(format);
        let component = Component::load(&sandbox(), &content(version)).unwrap();
        let (sha256, number) = (component.digest(), "0.1.9".to_owned());
        run.exchange.offer(Candidate {
            component,
            version: Version { number, sha256 },
            state_format: format,
        });
        let refused = |exchanges: &Exchanges| matches!(&exchanges.last, Some(Outcome::Refused { sha256: refused, .. }) if *refused == Some(sha256));
        let now = run.wait_for(refused).await;
        let Some(Outcome::Refused { reason: why, .. }) = now.last else {
            unreachable!()
        };
        assert!(why.contains(reason), "{why}");
        assert_eq!(
            (now.count, now.running.unwrap().number),
            (0, "0.1.0".to_owned())
        );
    }
    until_delivered(&world, 2_000).await;
    sample::insert(&cluster, 2_000..2_500);
    until_delivered(&world, 2_500).await;
    run.stop().await;
    world.assert_holds_exactly(sample::ids(0..2_500));
    let (state, delivered) = (world.state(), 2_500);
    assert_eq!(state["version"], FORMAT);
    assert_eq!(state["data"]["total_documents_fetched"], delivered);
    assert_eq!(state["data"]["settled"], true);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_closes_before_the_next_one_opens() {
    let cluster = sample::cluster(Product::Elasticsearch, 5_000);
    let world = world(&cluster);
    let place = world.folder().join("states").display().to_string();
    let seldom =
        format!("{{ auto_save_interval = \"1h\", storage_config = {{ base_path = '{place}' }} }}");
    let world = world.raw("state", &seldom);
    let mut run = Run::start(&world).await;
    until_delivered(&world, 300).await;
    run.offer(Rebuilt::numbered(1)).await;
    run.wait_for(|exchanges| exchanges.count == 1).await;
    until_delivered(&world, 5_000).await;
    let summary = run.stop().await;
    // What the first one published was saved by its end.
    assert_eq!((summary.documents, summary.already_there), (5_000, 0));
    assert_eq!(cluster.open_pits(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_version_that_does_not_close_is_exchanged_all_the_same() {
    let rows = [
        (Wrong::Trap, FORMAT),
        (Wrong::Permanent, FORMAT),
        (Wrong::Transient, FORMAT),
        (Wrong::Trap, FORMAT + 1),
        (Wrong::Permanent, FORMAT + 1),
    ];
    for (wrong, format) in rows {
        let cluster = Arc::new(sample::cluster(Product::Elasticsearch, 1_000));
        let world = world(&cluster);
        let file = world.folder().join("before.wasm");
        let before = Rebuilt::numbered(1).failing_to_close(wrong);
        std::fs::write(&file, before.bytes()).unwrap();
        let world = world.source_keys(&format!("path = '{}'", file.display()));
        let mut run = Run::start(&world).await;
        let (stop, written) = keep_writing(Arc::clone(&cluster), 1_000);
        until_delivered(&world, 300).await;
        run.offer(Rebuilt::numbered(2).writing(format)).await;
        let now = run.wait_for(|exchanges| exchanges.count == 1).await;
        assert_eq!(now.running.unwrap().number, "0.1.2", "{wrong:?}");
        stop.send(true).unwrap();
        let documents = written.await.unwrap();
        until_delivered(&world, documents).await;
        run.is_kept().await;
        run.stop().await;
        world.assert_holds_exactly(sample::ids(0..documents));
        assert_eq!(world.state()["version"], format, "{wrong:?}");
    }
}
