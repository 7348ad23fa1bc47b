//! What the component asks for: its list of imports is its list of permissions.

use elasticsearch_source::component::{Component, Content, Origin, Permission};
use elasticsearch_source::mini_elasticsearch::Product;

use crate::support::fixture;
use crate::support::program;
use crate::support::sample;
use crate::support::world::{World, sandbox};

#[test]
fn the_component_imports_its_four_capabilities_and_an_empty_wasi() {
    let sandbox = sandbox();
    let embedded = Content::read(Origin::Embedded).unwrap();
    let component = Component::load(&sandbox, &embedded).unwrap();
    let expected = [
        "iggy:connector/http@0.1.0",
        "iggy:connector/log@0.1.0",
        "iggy:connector/publisher@0.1.0",
        "iggy:connector/state@0.1.0",
        "wasi:cli/environment@0.2.6",
        "wasi:cli/exit@0.2.6",
        "wasi:cli/stderr@0.2.6",
        "wasi:cli/stdin@0.2.6",
        "wasi:cli/stdout@0.2.6",
        "wasi:cli/terminal-input@0.2.6",
        "wasi:cli/terminal-output@0.2.6",
        "wasi:cli/terminal-stderr@0.2.6",
        "wasi:cli/terminal-stdin@0.2.6",
        "wasi:cli/terminal-stdout@0.2.6",
        "wasi:io/error@0.2.6",
        "wasi:io/poll@0.2.6",
        "wasi:io/streams@0.2.6",
    ];
    assert_eq!(component.imports(), expected);
}

/// The error of loading these bytes as a file of this name.
fn refusal(name: &str, bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join(name);
    std::fs::write(&file, bytes).unwrap();
    let content = Content::read(Origin::File(file)).unwrap();
    let loaded = Component::load(&sandbox(), &content);
    format!("{:#}", loaded.err().expect(name))
}

fn embedded() -> Vec<u8> {
    Content::read(Origin::Embedded).unwrap().bytes().to_vec()
}

/// The embedded component, as if it had been built for another version of its world.
fn built_for(version: &str) -> Vec<u8> {
    let (mut bytes, ours) = (embedded(), b"@0.1.0");
    let places: Vec<_> = bytes.windows(ours.len()).enumerate().collect();
    let places = places.into_iter().filter(|(_, window)| *window == ours);
    let places: Vec<_> = places.map(|(at, _)| at).collect();
    for at in places {
        bytes[at..at + ours.len()].copy_from_slice(version.as_bytes());
    }
    bytes
}

#[test]
fn what_is_no_whole_component_is_refused_with_what_it_is() {
    let whole = embedded();
    let mut flipped = whole.clone();
    flipped[8] ^= 0x40;
    let rows = [
        ("text.wasm", b"(component)".to_vec(), "is not WebAssembly"),
        (
            "module.wasm",
            wat::parse_str("(module)").unwrap(),
            "is a core module and no component",
        ),
        (
            "newer.wasm",
            b"\0asm\x0e\0\x01\0".to_vec(),
            "is in a format of WebAssembly that this program does not know",
        ),
        (
            "head.wasm",
            whole[..6].to_vec(),
            "is cut off or damaged at byte",
        ),
        (
            "half.wasm",
            whole[..whole.len() / 2].to_vec(),
            "is cut off or damaged at byte",
        ),
        (
            "nearly.wasm",
            whole[..whole.len() - 1].to_vec(),
            "is cut off or damaged at byte",
        ),
        ("flipped.wasm", flipped, "is cut off or damaged at byte"),
        (
            "invalid.wasm",
            wat::parse_str("(component (core module (func (result i32))))").unwrap(),
            "can not be compiled: it is damaged, or uses what this program does not know",
        ),
    ];
    for (name, bytes, part) in rows {
        let error = refusal(name, &bytes);
        assert!(error.contains(name) && error.contains(part), "{error}");
    }
}

/// What a flipped bit changes may still be a component; that is what `sha256` is for. But
/// looking at it never ends the program.
#[test]
fn no_flipped_bit_ends_the_program() {
    let whole = embedded();
    let headers = (0..256).step_by(31);
    let spread = (1..6).map(|part| whole.len() / 6 * part);
    for at in headers.chain(spread) {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("flipped.wasm");
        let mut bytes = whole.clone();
        bytes[at] ^= 1 << (at % 8);
        std::fs::write(&file, bytes).unwrap();
        let content = Content::read(Origin::File(file)).unwrap();
        drop(Component::load(&sandbox(), &content));
    }
}

#[test]
fn a_component_for_another_version_of_the_world_is_refused_with_both_versions() {
    for version in ["@0.2.0", "@1.1.0", "@0.0.1"] {
        let error = refusal("other.wasm", &built_for(version));
        let built = format!("was built for iggy:connector {}", &version[1..]);
        assert!(error.contains(&built), "{error}");
        assert!(error.contains("this program offers 0.1.0"), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("later.wasm");
    std::fs::write(&file, built_for("@0.1.7")).unwrap();
    let later = Content::read(Origin::File(file)).unwrap();
    let later = Component::load(&sandbox(), &later).unwrap();
    assert_eq!(later.imports()[0], "iggy:connector/http@0.1.7");
}

const SOURCE: &str = r#"(instance $s) (export "iggy:connector/source@0.1.0" (instance $s))"#;

fn importing(imports: &[&str]) -> Vec<u8> {
    let instance = |name: &&str| format!("(import {name:?} (instance))");
    let imports: String = imports.iter().map(instance).collect();
    wat::parse_str(format!("(component {imports} {SOURCE})")).unwrap()
}

#[test]
fn every_import_that_is_not_granted_is_named_with_what_there_is_instead() {
    let rows = [
        (
            "wasi:filesystem/types@0.2.6",
            "files, which are never granted",
        ),
        (
            "wasi:sockets/tcp@0.2.6",
            "the network, which is never granted",
        ),
        (
            "wasi:clocks/wall-clock@0.2.6",
            "the time comes with each call",
        ),
        (
            "wasi:http/outgoing-handler@0.2.6",
            "iggy:connector/http asks the configured cluster",
        ),
        ("wasi:random/random@0.2.6", "a run must be repeatable"),
        ("wasi:io/poll@0.3.0", "only 0.2.0 is there"),
        ("some:other/thing", "nothing that this program has"),
    ];
    let names: Vec<_> = rows.iter().map(|(name, _)| *name).collect();
    let error = refusal("greedy.wasm", &importing(&names));
    assert!(
        error.contains("imports what no component is granted"),
        "{error}"
    );
    for (name, words) in rows {
        assert!(error.contains(&format!("{name} (")), "{name}: {error}");
        assert!(error.contains(words), "{words}: {error}");
    }
    let granted = refusal(
        "modest.wasm",
        &importing(&["wasi:cli/exit@0.2.0", names[0]]),
    );
    assert!(!granted.contains("wasi:cli/exit"), "{granted}");
}

/// The list in words is what is linked: every row of it can be imported.
#[test]
fn what_is_granted_is_linked() {
    let sandbox = sandbox();
    let content = Content::read(Origin::Embedded).unwrap();
    let component = Component::load(&sandbox, &content).unwrap();
    for import in component.imports() {
        let permission = Permission::of(import);
        assert!(matches!(permission, Permission::Granted(_)), "{import}");
        let alone = wasmtime::component::Component::new(sandbox.engine(), importing(&[import]));
        sandbox.linker().instantiate_pre(&alone.unwrap()).unwrap();
    }
    assert_eq!(component.imports().len(), 17);
}

#[test]
fn a_component_without_the_right_exports_is_refused_with_what_it_has() {
    let other = r#"(component (instance $s) (export "wasi:cli/run@0.2.0" (instance $s)))"#;
    let wrong_type = format!(
        r#"(component (import "iggy:connector/log@0.1.0" (instance (export "write" (func)))) {SOURCE})"#
    );
    let rows = [
        (
            "(component)".to_owned(),
            "exports no iggy:connector/source@0.1.0, and nothing else",
        ),
        (other.to_owned(), "only wasi:cli/run@0.2.0: it is no source"),
        (
            format!("(component {SOURCE})"),
            "has other types than the world",
        ),
        (format!("(component {SOURCE})"), "describe"),
        (wrong_type.clone(), "has other types than the world"),
        (wrong_type, "iggy:connector/log@0.1.0"),
    ];
    for (text, part) in rows {
        let error = refusal("odd.wasm", &wat::parse_str(text).unwrap());
        assert!(
            error.contains("odd.wasm") && error.contains(part),
            "{error}"
        );
    }
}

#[test]
fn a_source_runs_the_component_that_is_pinned_and_no_other() {
    let content = Content::read(Origin::Embedded).unwrap();
    let (bytes, digest) = (content.bytes(), content.digest().to_string());
    let other = "0".repeat(64);
    for name in ["mine.wasm", "libiggy_connector_elasticsearch_source"] {
        let pinned = |sha256: &str| {
            let world = World::reading("http://127.0.0.1:9", "logs")
                .source_keys(&format!("path = {name:?}\nsha256 = {sha256:?}"));
            std::fs::write(world.folder().join("mine.wasm"), bytes).unwrap();
            world.config_file();
            program::run(world.folder(), &["check", "test.toml"])
        };
        let checked = pinned(&digest);
        assert_eq!(checked.code, Some(0), "{checked:?}");
        let line = format!("component  {name}, sha256 {digest}");
        assert!(checked.stdout.contains(&line), "{checked:?}");
        let refused = pinned(&other);
        assert_eq!(refused.code, Some(2), "{refused:?}");
        for part in [&digest, &other] {
            assert!(refused.stderr.contains(part), "{refused:?}");
        }
    }
}

#[test]
fn what_is_not_granted_is_not_sent_and_the_error_names_the_grant() {
    let cluster = sample::cluster(Product::Elasticsearch, 10);
    let asked = cluster.requests().len();
    let world = World::reading(cluster.url(), "logs").source_keys("grants.reading = false");
    let config = world.config_file();
    let config = config.to_str().unwrap();
    let run = program::run(world.folder(), &["run", config, "--once"]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert!(
        run.stderr
            .contains("is not granted: if this component may do that, write http = ["),
        "{run:?}"
    );
    assert_eq!(cluster.requests().len(), asked);
    let checked = program::run(world.folder(), &["check", config]);
    assert!(
        checked.stdout.contains("  grants     no requests at all\n"),
        "{checked:?}"
    );
    let added = r#"grants.http = ["GET /_cat/indices?format"]"#;
    let world = World::reading(cluster.url(), "logs").source_keys(added);
    let config = world.config_file();
    let checked = program::run(world.folder(), &["check", config.to_str().unwrap()]);
    let line = "  grants     reading of its index, GET /_cat/indices?format\n";
    assert!(checked.stdout.contains(line), "{checked:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[cfg_attr(
    not(cargo_component),
    ignore = "needs cargo-component, named by CARGO_COMPONENT at build time"
)]
async fn the_component_as_cargo_component_builds_it_reads_the_same() {
    let built = fixture::by_cargo_component();
    assert_ne!(std::fs::read(&built).unwrap(), embedded());
    let cluster = sample::cluster(Product::Elasticsearch, 300);
    let world = World::reading(cluster.url(), sample::INDEX)
        .source_keys(&format!("path = '{}'", built.display()));
    assert_eq!(world.published_once().await, 300);
    world.assert_holds_exactly(sample::ids(0..300));
}
