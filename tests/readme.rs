//! The README: what it prints loads, and every command in it runs.

use elasticsearch_source::config::Config;
use elasticsearch_source::mini_elasticsearch::{Credentials, MiniElasticsearch, Options, Product};
use serde_json::json;

use crate::support::authority::{Authority, TlsFront};
use crate::support::iggy::IggyStandIn;
use crate::support::program;
use crate::support::sample;

const README: &str = include_str!("../README.md");
const CI: &str = include_str!("../.ci/run");
const LIBRARY: &str = include_str!("../host/src/lib.rs");

/// The contents of the code blocks of this language.
fn blocks(language: &str) -> Vec<&'static str> {
    let start = format!("```{language}\n");
    let blocks = README.split(start.as_str()).skip(1);
    blocks
        .map(|rest| rest.split("```").next().unwrap())
        .collect()
}

fn commands() -> Vec<&'static str> {
    blocks("sh").into_iter().flat_map(str::lines).collect()
}

#[test]
fn every_configuration_in_the_readme_loads() {
    let [quick, files, full, by_id, _access, elsewhere] = blocks("toml")[..] else {
        panic!("other blocks than this test knows")
    };
    let (_, source) = quick.split_once("\n\n").unwrap();
    let (streams, _) = source.split_once("[sources.elasticsearch.config]").unwrap();
    for text in [
        quick.to_owned(),
        format!("{quick}\n{elsewhere}"),
        format!("{files}\n{source}"),
        format!("{files}\n{full}"),
        format!("{files}\n{streams}{by_id}"),
    ] {
        let config =
            Config::parse(&text, "README.md", []).unwrap_or_else(|error| panic!("{error}: {text}"));
        assert_eq!(config.sources.len(), 1);
    }
}

/// As Kubernetes expands a variable that is defined before.
#[test]
fn every_pod_of_the_manifest_has_a_slice_of_its_own() {
    let [manifest] = blocks("yaml")[..] else {
        panic!("other blocks than this test knows")
    };
    let after = |start: &str| {
        manifest
            .split(start)
            .nth(1)
            .unwrap()
            .lines()
            .next()
            .unwrap()
    };
    let replicas: u32 = after("replicas: ").parse().unwrap();
    let index = after("- name: POD_");
    let (before, variable) = manifest.split_once("- name: IGGY_").unwrap();
    assert!(before.contains("- name: POD_INDEX") && index == "INDEX");
    let (name, value) = variable.split_once("value: \"").unwrap();
    let name = format!("IGGY_{}", name.lines().next().unwrap());
    let value = value.split('"').next().unwrap();
    let slices = (0..replicas).map(|index| {
        let value = value.replace("$(POD_INDEX)", &index.to_string());
        let config = Config::parse(blocks("toml")[0], "README.md", [(name.clone(), value)]);
        let source = config.unwrap().sources.remove("elasticsearch").unwrap();
        (source.slice.to_string(), source.state.state_id)
    });
    let state = |index| format!("elasticsearch.{index}-of-{replicas}");
    let expected = (0..replicas).map(|index| (format!("{index}/{replicas}"), state(index)));
    assert_eq!(slices.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_access_of_the_readme_reads_a_cluster_behind_tls() {
    let cluster = sample::cluster(Product::Elasticsearch, 0);
    sample::create(&cluster, "logs-1", 1);
    let document = r#"{"@timestamp":"2026-01-01T00:00:00Z"}"#;
    cluster.insert("logs-1", Some("a"), document).unwrap();
    cluster.admit(Some(Credentials::api_key("aWQ6a2V5")));
    let authority = Authority::new("ours");
    let front = TlsFront::to(cluster.url(), authority.acceptor("localhost")).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::copy(authority.file(), folder.path().join("ca.pem")).unwrap();
    std::fs::write(folder.path().join("api_key"), "id:key\n").unwrap();
    let [quick, files, _full, _by_id, access, _elsewhere] = blocks("toml")[..] else {
        panic!("other blocks than this test knows")
    };
    let (_, source) = quick.split_once("\n\n").unwrap();
    let (streams, _config) = source.split_once("[sources.elasticsearch.config]").unwrap();
    let config = format!("{files}\n{streams}{access}")
        .replace("https://es-1:9200", "https://127.0.0.1:9")
        .replace("https://es-2:9200", &front.url("localhost"));
    std::fs::write(folder.path().join("c.toml"), config).unwrap();
    tokio::task::spawn_blocking(move || {
        let finished = program::run(folder.path(), &["run", "c.toml", "--once"]);
        assert_eq!(finished.code, Some(0), "{finished:?}");
        let published = "elasticsearch: 1 documents published";
        assert!(finished.stderr.contains(published), "{finished:?}");
    })
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn every_command_of_the_program_in_the_readme_runs() {
    let cluster = MiniElasticsearch::start(Options::default()).unwrap();
    cluster
        .create_index(
            "logs-1",
            1,
            &json!({"properties": {"@timestamp": {"type": "date"}}}),
        )
        .unwrap();
    cluster
        .insert(
            "logs-1",
            Some("a"),
            r#"{"@timestamp":"2026-01-01T00:00:00Z"}"#,
        )
        .unwrap();
    let server = IggyStandIn::start().await;
    let folder = tempfile::tempdir().unwrap();
    let config = blocks("toml")[0]
        .replace("http://localhost:9200", cluster.url())
        .replace("127.0.0.1:8090", server.address());
    let elsewhere = format!("{config}\n{}", blocks("toml")[5]);
    std::fs::write(folder.path().join("connector.toml"), config).unwrap();
    std::fs::write(folder.path().join("elsewhere.toml"), elsewhere).unwrap();
    let commands: Vec<_> = commands()
        .into_iter()
        .filter_map(|line| line.strip_prefix("cargo run -- "))
        .collect();
    assert_eq!(commands.len(), 15, "{commands:?}");
    tokio::task::spawn_blocking(move || {
        for command in commands {
            let (command, file) = command.split_once(" > ").unwrap_or((command, "printed"));
            let arguments: Vec<_> = command.split(' ').collect();
            let child = program::command(folder.path(), &arguments).spawn().unwrap();
            if command == "run connector.toml" {
                std::thread::sleep(std::time::Duration::from_secs(2));
                program::terminate(&child);
            }
            let finished = program::finish(child);
            assert_eq!(finished.code, Some(0), "{command}: {finished:?}");
            std::fs::write(folder.path().join(file), finished.stdout).unwrap();
        }
    })
    .await
    .unwrap();
    assert_eq!(
        server.messages("elasticsearch_stream", "documents").len(),
        1
    );
}

/// The one in the library's documentation is compiled and run, with setup that is not shown.
#[test]
fn the_rust_example_is_the_one_of_the_library() {
    let documentation = LIBRARY.lines().map_while(|line| line.strip_prefix("//!"));
    let mut shown = String::new();
    for line in documentation.map(|line| line.strip_prefix(' ').unwrap_or(line)) {
        if !line.starts_with("# ") {
            shown.extend([line, "\n"]);
        }
    }
    let example = shown.split("```\n").nth(1).unwrap();
    assert_eq!(blocks("rust"), [example]);
}

#[test]
fn every_other_command_of_the_readme_is_run_by_ci() {
    let others = commands()
        .into_iter()
        .filter(|line| !line.starts_with("cargo run -- "));
    let ci = CI.replace(" --locked", "");
    for command in others {
        assert!(
            ci.contains(command),
            "{command:?} is in the README and not in .ci/run"
        );
    }
}

/// Every promise of the table is held by tests that are there under their names.
#[test]
fn every_test_that_the_readme_names_exists() {
    let mut rows = table("| what users report |");
    assert_eq!(rows.len(), 15);
    let limits = table("| limit | default | what happens |");
    assert_eq!(limits.len(), 30);
    rows.extend(limits);
    let mut sources = String::new();
    for folder in ["../tests", "../guest/src", "../host/src"] {
        let manifest = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
        add_sources(&manifest.join(folder), &mut sources);
    }
    for row in rows {
        let held_by = row.trim_end_matches(" |").rsplit(" | ").next().unwrap();
        let tests: Vec<_> = held_by.split('`').skip(1).step_by(2).collect();
        assert!(!tests.is_empty(), "{row}");
        for test in tests {
            assert!(sources.contains(&format!("fn {test}(")), "{test}");
        }
    }
}

/// The rows of the table that begins so.
fn table(head: &str) -> Vec<&'static str> {
    let (_, table) = README.split_once(head).unwrap();
    let rows = table.lines().skip(2);
    rows.take_while(|line| line.starts_with('|')).collect()
}

fn add_sources(folder: &std::path::Path, sources: &mut String) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add_sources(&path, sources);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            sources.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
}
