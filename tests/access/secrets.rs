//! No credential is ever shown: the program says all that it can, and provoked errors, too.

use std::path::Path;

use elasticsearch_source::mini_elasticsearch::{Credentials, Effect, Fault, MiniElasticsearch};

use super::cluster;
use crate::support::program;
use crate::support::world::World;

/// The secret, and what it becomes on its way: in base64 alone, behind `reader:`, `id:` and
/// `user:`.
const FORMS: [&str; 5] = [
    "hunter2",
    "aHVudGVyM",
    "cmVhZGVyOmh1bnRlcjI",
    "aWQ6aHVudGVyM",
    "dXNlcjpodW50ZXIy",
];

/// The keys of every kind of credentials, the secret written or in a file.
fn kinds(secret: &str) -> Vec<String> {
    vec![
        format!("username = 'reader'\npassword = {secret}"),
        format!("api_key = {secret}"),
        "api_key = 'id:hunter2'".to_owned(),
        "api_key = 'aWQ6aHVudGVyMg=='".to_owned(),
        format!("token = {secret}"),
        format!("headers = {{ X-Key = {secret} }}"),
        format!(
            "aws = {{ region = 'r', access_key_id = {secret}, secret_access_key = {secret}, session_token = {secret} }}"
        ),
    ]
}

/// Clusters that answer in the ways that make a program talk.
fn clusters() -> Vec<(&'static str, MiniElasticsearch)> {
    let (open, closed, moved, busy) = (cluster(), cluster(), cluster(), cluster());
    closed.admit(Some(Credentials::token("another")));
    let redirect = Effect::Respond {
        status: 302,
        headers: vec![("location".to_owned(), "http://127.0.0.1:9/".to_owned())],
        body: String::new(),
    };
    moved.inject(Fault::new(redirect).times(1_000));
    busy.inject(Fault::new(Effect::LoseAnswer).times(2));
    vec![
        ("open", open),
        ("closed", closed),
        ("moved", moved),
        ("busy", busy),
    ]
}

fn assert_hidden(what: &str, text: &str) {
    for form in FORMS {
        assert!(!text.contains(form), "{what} shows {form}: {text}");
    }
}

/// What the program leaves beside its configuration and the secret's file.
fn assert_hidden_in_files(what: &str, folder: &Path) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            assert_hidden_in_files(what, &path);
        } else if !path.ends_with("test.toml") && !path.ends_with("secret") {
            let content = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
            assert_hidden(&format!("{what}, {}", path.display()), &content);
        }
    }
}

/// Runs these commands, and looks through everything that comes out.
fn assert_tells_nothing(what: &str, url: &str, keys: &str, commands: &[&str]) {
    let world = World::reading(url, "logs").lines(keys);
    let world = world.logging("format = 'json'\nlevel = 'trace'");
    std::fs::write(world.folder().join("secret"), "hunter2\n").unwrap();
    let config = world.config_file();
    for command in commands {
        let arguments = command.replace("CONFIG", config.to_str().unwrap());
        let arguments: Vec<_> = arguments.split(' ').collect();
        let what = format!("{what}: {command} with {keys}");
        let finished = program::run(world.folder(), &arguments);
        assert_hidden(&what, &format!("{finished:?}"));
        let logged = finished.stderr.contains("\"level\":");
        assert_eq!(logged, command.starts_with("run"), "{what}: {finished:?}");
    }
    assert_hidden_in_files(what, world.folder());
}

#[test]
fn nothing_that_the_program_says_or_writes_shows_a_credential() {
    let run = "run CONFIG --once --json";
    let all = [
        run,
        "check CONFIG",
        "state show CONFIG",
        "state export CONFIG",
    ];
    let tell = |keys: String| {
        for (what, cluster) in clusters() {
            let commands = if what == "open" { &all[..] } else { &all[..1] };
            assert_tells_nothing(what, cluster.url(), &keys, commands);
            assert!(!cluster.requests().is_empty(), "{what}");
        }
        assert_tells_nothing("nobody", "http://127.0.0.1:9", &keys, &all[..1]);
    };
    std::thread::scope(|scope| {
        for keys in kinds("'hunter2'") {
            scope.spawn(|| tell(keys));
        }
    });
}

#[test]
fn nothing_shows_a_credential_that_was_read_from_a_file() {
    let closed = cluster();
    closed.admit(Some(Credentials::token("another")));
    for keys in kinds("'file:secret'") {
        assert_tells_nothing("closed", closed.url(), &keys, &["run CONFIG --once"]);
    }
}

#[test]
fn nothing_shows_a_credential_that_stands_where_it_should_not() {
    let proxy = cluster();
    let through = |url: &str| format!("proxy = '{url}'");
    let rows = [
        (
            "in the url",
            "http://reader:hunter2@127.0.0.1:9",
            String::new(),
        ),
        (
            "in a url that is none",
            "http://reader:hunter2@127.0.0.1:port",
            String::new(),
        ),
        (
            "in two places",
            "http://127.0.0.1:9",
            "token = 'hunter2'\napi_key = 'hunter2'".to_owned(),
        ),
        (
            "in a line",
            "http://127.0.0.1:9",
            "token = 'hunter2 '".to_owned(),
        ),
        (
            "of a proxy",
            "http://cluster.invalid",
            through(&proxy.url().replace("//", "//user:hunter2@")),
        ),
        (
            "of a proxy for TLS",
            "https://cluster.invalid",
            through(&proxy.url().replace("//", "//user:hunter2@")),
        ),
        (
            "of a proxy that is not there",
            "https://cluster.invalid",
            through("http://user:hunter2@127.0.0.1:9"),
        ),
    ];
    let tell = |what: &str, url: &str, keys: &str| {
        let world = World::reading(url, "logs").lines(keys);
        let config = world.config_file();
        let config = config.to_str().unwrap();
        for arguments in [vec!["check", config], vec!["run", config, "--once"]] {
            let finished = format!("{:?}", program::run(world.folder(), &arguments));
            assert_hidden(what, &finished);
            assert!(!finished.contains("panicked"), "{what}: {finished}");
        }
        assert_hidden_in_files(what, world.folder());
    };
    std::thread::scope(|scope| {
        for (what, url, keys) in &rows {
            scope.spawn(|| tell(what, url, keys));
        }
    });
}
