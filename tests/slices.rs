//! Several processes read one source into one topic, a slice of the shards each, and their
//! number changes.

use std::collections::BTreeSet;
use std::process::Child;

use elasticsearch_source::mini_elasticsearch::{MiniElasticsearch, Options};
use serde_json::{Value, json};

use crate::reading::{documents, load};
use crate::support::iggy::IggyStandIn;
use crate::support::program::{self, Finished};
use crate::support::sample;
use crate::support::servers::for_each_cluster;
use crate::support::world::World;

/// The variable that a manifest sets for each of them.
const SLICE: &str = "IGGY_CONNECTORS_SOURCE_TEST_CONFIG_SLICE";

/// A cluster with an index of five shards, an Iggy, and one folder with the states of all.
struct Place {
    cluster: MiniElasticsearch,
    iggy: IggyStandIn,
    world: World,
    documents: u64,
}

impl Place {
    async fn new(documents: u64) -> Self {
        let cluster = MiniElasticsearch::start(Options::default()).unwrap();
        sample::create(&cluster, sample::INDEX, 5);
        let iggy = IggyStandIn::start().await;
        let world = World::reading(cluster.url(), "logs*")
            .key("polling_interval", "50ms")
            .raw("batch_size", "50")
            .output(&iggy.toml("timeout = \"300ms\""));
        let mut place = Self {
            cluster,
            iggy,
            world,
            documents: 0,
        };
        place.insert(documents);
        place
    }

    fn insert(&mut self, more: u64) {
        sample::insert(&self.cluster, self.documents..self.documents + more);
        self.cluster.refresh();
        self.documents += more;
    }

    fn keep_states_in(&mut self, state: &str) {
        let world = std::mem::replace(&mut self.world, World::reading("", ""));
        self.world = world.raw("state", state);
    }

    /// A configuration file that has this slice, or none.
    fn config(&self, name: &str, slice: Option<&str>) {
        let toml = self.world.toml();
        let line = slice.map(|slice| format!("slice = \"{slice}\"\n"));
        let toml = toml.replace("url = ", &format!("{}url = ", line.unwrap_or_default()));
        std::fs::write(self.world.folder().join(name), toml).unwrap();
    }

    /// The process of this slice.
    fn start(&self, slice: &str) -> Child {
        self.run(Some(slice), &[])
    }

    fn run(&self, slice: Option<&str>, more: &[&str]) -> Child {
        self.config("plain.toml", None);
        let arguments = [&["run", "plain.toml"], more].concat();
        let mut command = program::command(self.world.folder(), &arguments);
        command.envs(slice.map(|slice| (SLICE, slice)));
        command.spawn().unwrap()
    }

    /// Reads what is there. Returns how many documents that published.
    fn once(&self, slice: Option<&str>) -> u64 {
        let finished = program::finish(self.run(slice, &["--once", "--json"]));
        assert_eq!(finished.code, Some(0), "{slice:?}: {finished:?}");
        let said: Value = serde_json::from_str(&finished.stdout).unwrap();
        said["sources"]["test"]["documents"]
            .as_u64()
            .unwrap_or_else(|| panic!("{said}"))
    }

    fn all_once(&self, of: u32) -> u64 {
        let slices = (0..of).map(|number| format!("{number}/{of}"));
        slices.map(|slice| self.once(Some(&slice))).sum()
    }

    fn state(&self, arguments: &[&str]) -> Finished {
        program::run(self.world.folder(), &[&["state"], arguments].concat())
    }

    /// Another number of slices; none is no slice.
    fn migrate(&self, from: Option<&str>, to: Option<&str>) -> Finished {
        self.config("old.toml", from);
        self.config("new.toml", to);
        self.state(&["migrate", "old.toml", "--to", "new.toml", "--yes"])
    }

    fn migrated(&self, from: Option<&str>, to: Option<&str>) -> String {
        let finished = self.migrate(from, to);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        finished.stdout
    }

    fn states(&self) -> Vec<String> {
        self.config("plain.toml", None);
        let listed = self.state(&["list", "plain.toml", "--json"]);
        let listed: Value = serde_json::from_str(&listed.stdout).unwrap();
        let entries = listed.as_array().unwrap().iter();
        let names = entries.map(|entry| {
            assert_eq!(entry["configured"], true, "{entry}");
            entry["id"].as_str().unwrap().to_owned()
        });
        names.collect()
    }

    fn wait_for_all(&self) {
        program::wait_until("everything is published", || {
            self.iggy.ids("s", "t").len() as u64 >= self.documents
        });
    }

    /// Every document is in the topic, once.
    fn assert_holds_all(&self) {
        let messages = self.iggy.messages("s", "t");
        let documents: BTreeSet<_> = messages
            .iter()
            .map(|message| {
                let headers = message.headers().into_iter();
                let mut ids = headers.filter(|(name, _)| name == "_id" || name == "_index");
                format!("{:?}", (ids.next(), ids.next()))
            })
            .collect();
        let counts = (messages.len() as u64, documents.len() as u64);
        assert_eq!(counts, (self.documents, self.documents));
    }
}

for_each_cluster! {
    async fn the_slices_of_seven_processes_are_disjoint_and_all_there_is(cluster) {
        for pagination in ["timestamp", "scroll"] {
            let mapping = || json!({"properties": {"@timestamp": {"type": "date"}}});
            let wide = cluster.create(&format!("wide-{pagination}"), 5, mapping()).await;
            let narrow = cluster.create(&format!("narrow-{pagination}"), 1, mapping()).await;
            load(cluster, &wide, &documents(0..2_000, 7, 1_000_000)).await;
            let undated = (0..40).map(|n| (format!("undated {n}"), "{}".to_owned()));
            load(cluster, &wide, &undated.collect::<Vec<_>>()).await;
            let worlds: Vec<_> = (0..7).map(|number| {
                World::reading(cluster.url(), &format!("{wide},{narrow}"))
                    .key("slice", &format!("{number}/7"))
                    .key("overlap", "9000d")
                    .key("pagination", pagination)
                    .raw("slices", "2")
                    .raw("batch_size", "100")
            }).collect();
            let (mut there, mut late) = (2_000, 2_000);
            for round in 0..3 {
                let (mut published, mut without_timestamp) = (0, 0);
                for world in &worlds {
                    let summary = world.once().await.unwrap();
                    published += summary.documents;
                    without_timestamp += summary.left.unwrap().1;
                }
                assert_eq!((published, without_timestamp), (late, 40), "{pagination}, round {round}");
                load(cluster, &narrow, &documents(there..there + 300, 7, 1_000_000)).await;
                // Behind what was delivered, and in reach.
                let behind = documents(100..120, 7, 1_000_000).into_iter();
                let behind: Vec<_> = behind.map(|(id, source)| (format!("late {round} {id}"), source)).collect();
                load(cluster, &wide, &behind).await;
                (there, late) = (there + 300, 320);
            }
            let delivered: Vec<_> = worlds.iter().map(|world| world.delivered()).collect();
            let all: BTreeSet<_> = delivered.iter().flatten().map(|message| &message.document).collect();
            let messages = delivered.iter().map(Vec::len).sum::<usize>();
            assert_eq!((messages, all.len()), (2_640, 2_640));
            let empty: Vec<_> = delivered.iter().map(Vec::is_empty).collect();
            assert_eq!(empty, [false, false, false, false, false, true, true], "they have no shards");
            for (number, world) in worlds.iter().enumerate() {
                let state = world.folder().join(format!("states/test.{number}-of-7.json"));
                let state: Value = serde_json::from_slice(&std::fs::read(state).unwrap()).unwrap();
                assert_eq!(state["data"]["reading"]["missed"], 0, "{pagination}");
                assert_eq!(state["metadata"]["slice"], json!(format!("{number}/7")));
            }
        }
    }
}

/// What the others delivered is not late.
#[tokio::test(flavor = "multi_thread")]
async fn a_slice_counts_its_own_documents_by_the_minute() {
    for pagination in ["timestamp", "scroll"] {
        let cluster = MiniElasticsearch::start(Options::default()).unwrap();
        sample::create(&cluster, "logs", 5);
        for (id, source) in documents(0..600, 1, 1_000_000_000) {
            cluster.insert("logs", Some(&id), source).unwrap();
        }
        let mut published = 0;
        for slice in ["0/2", "1/2"] {
            let world = World::reading(cluster.url(), "logs").key("slice", slice);
            let world = world.key("pagination", pagination);
            published += world.published_once().await;
            assert_eq!(world.published_once().await, 0);
            let file = format!("states/test.{}.json", slice.replace('/', "-of-"));
            let state = std::fs::read(world.folder().join(file)).unwrap();
            let state: Value = serde_json::from_slice(&state).unwrap();
            assert_eq!(state["data"]["reading"]["missed"], 0, "{pagination}");
        }
        assert_eq!(published, 600);
    }
}

fn stop(processes: Vec<Child>) {
    processes.iter().for_each(program::terminate);
    for process in processes {
        let finished = program::finish(process);
        assert_eq!(finished.code, Some(0), "{finished:?}");
    }
}

fn assert_refused(finished: &Finished, parts: &[&str]) {
    assert_eq!(finished.code, Some(1), "{finished:?}");
    for part in parts {
        assert!(
            finished.stderr.contains(part),
            "{part:?} is missing: {finished:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn three_processes_deliver_every_document_once_between_them_and_then_two_do() {
    let mut place = Place::new(1_000).await;
    place.keep_states_in("{ storage_type = \"elasticsearch\", lease_time = \"1s\" }");
    let mut processes: Vec<_> = ["0/3", "1/3", "2/3"].map(|slice| place.start(slice)).into();
    place.wait_for_all();
    let mut killed = processes.remove(1);
    killed.kill().unwrap();
    killed.wait().unwrap();
    sample::create(&place.cluster, "logs-2", 4);
    for number in 0..200 {
        let document = format!(r#"{{"@timestamp":{}}}"#, 1_767_225_600_143_u64 + number / 7);
        let id = format!("second {number}");
        place.cluster.insert("logs-2", Some(&id), document).unwrap();
    }
    place.documents += 200;
    processes.push(place.start("1/3"));
    place.wait_for_all();
    stop(processes);
    place.assert_holds_all();
    assert_eq!(place.all_once(3), 0);
    assert_eq!(
        place.states(),
        ["test.0-of-3", "test.1-of-3", "test.2-of-3"]
    );
    place.config("old.toml", Some("1/3"));
    let shown = place.state(&["show", "old.toml"]).stdout;
    assert!(
        shown.contains(", slice 1/3\n") && shown.contains("test.1-of-3"),
        "{shown}"
    );
    let migrate = ["state migrate", "slice = \"0/3\""];
    for slice in [Some("0/2"), Some("3/4"), None] {
        assert_refused(&program::finish(place.run(slice, &["--once"])), &migrate);
    }
    place.assert_holds_all();

    let said = place.migrated(Some("0/3"), Some("0/2"));
    assert!(
        said.contains("test.2-of-3") && said.contains("test.1-of-2"),
        "{said}"
    );
    assert_eq!(place.states(), ["test.0-of-2", "test.1-of-2"]);
    let again = place.migrate(Some("0/3"), Some("0/2"));
    assert_refused(&again, &["has this number of slices already"]);
    let refused = program::finish(place.run(Some("2/3"), &["--once"]));
    assert_refused(&refused, &["in 2 slices", "state migrate"]);
    place.insert(700);
    assert_eq!(place.all_once(2), 700);
    assert_eq!(place.all_once(2), 0);
    place.assert_holds_all();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_changes_wherever_processes_were_killed_and_nothing_is_lost_or_repeated() {
    let mut place = Place::new(3_000).await;
    let numbers = [None, Some(3), Some(2)];
    for pair in numbers.windows(2) {
        let [from, to] = pair else { unreachable!() };
        let slices = match from {
            Some(of) => (0..*of)
                .map(|number| Some(format!("{number}/{of}")))
                .collect(),
            None => vec![None],
        };
        let already = place.iggy.ids("s", "t").len();
        let processes = slices
            .iter()
            .map(|slice: &Option<String>| place.run(slice.as_deref(), &[]));
        let processes: Vec<_> = processes.collect();
        program::wait_until("some is published, and every state is there", || {
            let states = std::fs::read_dir(place.world.folder().join("states"));
            let names = states
                .into_iter()
                .flatten()
                .flatten()
                .map(|entry| entry.file_name());
            let names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
            let own = |slice: &Option<String>| match slice {
                Some(slice) => format!("test.{}.json", slice.replace('/', "-of-")),
                None => "test.json".to_owned(),
            };
            let some =
                place.iggy.ids("s", "t").len() >= (already + 200).min(place.documents as usize);
            some && slices.iter().all(|slice| names.contains(&own(slice)))
        });
        for mut process in processes {
            process.kill().unwrap();
            process.wait().unwrap();
        }
        let [from, to] = [from, to].map(|of| of.map(|of| format!("0/{of}")));
        place.migrated(from.as_deref(), to.as_deref());
        place.insert(500);
    }
    place.all_once(2);
    assert_eq!(place.all_once(2), 0);
    place.assert_holds_all();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_can_not_become_another_number_of_slices_is_refused_and_stays() {
    let place = Place::new(100).await;
    let nothing = place.migrate(None, Some("0/2"));
    assert_refused(&nothing, &["there is no state file", "test.json"]);
    let running = place.start("0/2");
    place.once(Some("1/2"));
    place.wait_for_all();
    let held = place.migrate(Some("0/2"), None);
    assert_refused(
        &held,
        &[
            &format!("process {} on ", running.id()),
            "stop that process",
        ],
    );
    stop(vec![running]);
    place.config("old.toml", Some("0/2"));
    let elsewhere = place.world.toml().replace("/states'", "/elsewhere'");
    std::fs::write(place.world.folder().join("new.toml"), elsewhere).unwrap();
    let moved = place.state(&["migrate", "old.toml", "--to", "new.toml", "--yes"]);
    assert_refused(&moved, &["one after the other", "elsewhere/test.json"]);
    let files = format!(
        "[output]\ntype = \"file\"\npath = '{}'\n",
        place.world.folder().display()
    );
    let (_, source) = place
        .world
        .toml()
        .split_once("[sources.test]")
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .unwrap();
    std::fs::write(
        place.world.folder().join("new.toml"),
        format!("{files}[sources.test]{source}"),
    )
    .unwrap();
    let files = place.state(&["migrate", "old.toml", "--to", "new.toml", "--yes"]);
    assert_refused(&files, &["iggy as the output only"]);
    assert_eq!(place.states(), ["test.0-of-2", "test.1-of-2"]);
    assert_eq!(place.all_once(2), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_states_of_all_slices_move_to_another_place() {
    let mut place = Place::new(300).await;
    assert_eq!(place.all_once(3), 300);
    place.config("old.toml", Some("1/3"));
    let toml = std::fs::read_to_string(place.world.folder().join("old.toml")).unwrap();
    let elsewhere = toml
        .replace("/states'", "/elsewhere'")
        .replace("1/3", "0/3");
    std::fs::write(place.world.folder().join("new.toml"), &elsewhere).unwrap();
    let moved = place.state(&["migrate", "old.toml", "--to", "new.toml", "--yes", "--json"]);
    assert_eq!(moved.code, Some(0), "{moved:?}");
    let said: Value = serde_json::from_str(&moved.stdout).unwrap();
    assert_eq!(said["to"].as_array().map(Vec::len), Some(3), "{said}");
    assert_eq!(place.states(), [""; 0]);
    let folder = place.world.folder().join("elsewhere");
    let state = std::fs::read(folder.join("test.2-of-3.json")).unwrap();
    let state: Value = serde_json::from_slice(&state).unwrap();
    assert_eq!(state["metadata"]["slice"], json!("2/3"));
    place.insert(100);
    let state = format!(
        "{{ storage_config = {{ base_path = '{}' }} }}",
        folder.display()
    );
    place.keep_states_in(&state);
    assert_eq!(place.all_once(3), 100);
    place.assert_holds_all();
}
