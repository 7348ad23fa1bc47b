//! Where states are kept and how they are held, as users write it.

use elasticsearch_source::config::OnConflict;

use super::*;

fn with_state(state: &str) -> String {
    format!("{SMALL}state = {state}\n")
}

fn cluster_of(source: &Source) -> (String, Option<String>) {
    match &source.state.storage {
        Storage::Elasticsearch { access, .. } => (
            access.url.to_string(),
            user(access).map(|(name, _)| name.to_owned()),
        ),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_state_in_elasticsearch_is_in_the_sources_own_cluster_unless_it_says_otherwise() {
    let own = "username = \"reader\"\npassword = \"hunter2\"\n";
    let other = "url = \"https://states:9200\"";
    let user = "username = \"keeper\", password = \"hunter2\"";
    for (config, expected) in [
        ("".to_owned(), ("http://localhost:9200/", Some("reader"))),
        (user.to_owned(), ("http://localhost:9200/", Some("keeper"))),
        (other.to_owned(), ("https://states:9200/", None)),
        (
            format!("{other}, {user}"),
            ("https://states:9200/", Some("keeper")),
        ),
    ] {
        let storage = format!("storage_type = \"elasticsearch\", storage_config = {{ {config} }}");
        let text = format!("{SMALL}{own}state = {{ {storage} }}\n");
        let (url, user) = cluster_of(&source(&text));
        assert_eq!((url.as_str(), user.as_deref()), expected, "{text}");
    }
}

#[test]
fn the_lease_has_documented_defaults_and_can_be_set() {
    let state = source(SMALL).state;
    assert_eq!(
        (state.lease_time.as_secs(), state.on_conflict),
        (30, OnConflict::Stop)
    );
    let set = "{ storage_type = \"elasticsearch\", lease_time = \"1m\", on_conflict = \"wait\" }";
    let state = source(&with_state(set)).state;
    assert_eq!(
        (state.lease_time.as_secs(), state.on_conflict),
        (60, OnConflict::Wait)
    );
}

#[test]
fn the_environment_names_a_redis_and_nothing_shows_its_password() {
    let set = with_state("{ storage_type = \"redis\" }");
    let url = "rediss://user:hunter2@Redis.example:7000/3";
    let name = "SOURCE_A_CONFIG_STATE_STORAGE_CONFIG_URL";
    let config = parse_with(&set, &[(name, url)]).unwrap();
    let state = &config.sources["a"].state;
    let Storage::Redis {
        url: secret,
        address,
        ..
    } = &state.storage
    else {
        panic!("{state:?}");
    };
    assert_eq!(secret.expose(), url);
    assert_eq!(address, "rediss://redis.example:7000/3");
    let shown = format!("{config:?} {}", config.summary().join("\n"));
    assert!(shown.contains("rediss://redis.example:7000/3 connector_states:a"));
    assert!(!shown.contains("hunter2"), "{shown}");
}

#[test]
fn a_wrong_place_is_refused_with_what_to_write() {
    let rows = [
        (
            "{ storage_type = \"redis\" }",
            "\"url\" is missing: write url = \"redis://localhost:6379\"",
        ),
        (
            "{ storage_type = \"redis\", storage_config = { url = \"http://hunter2@h\" } }",
            "begins with redis:// or rediss://",
        ),
        (
            "{ storage_type = \"redis\", storage_config = { url = \"redis://:hunter2@h:x\" } }",
            "is no url",
        ),
        (
            "{ storage_type = \"redis\", storage_config = { url = \"redis://h/hunter2\" } }",
            "number of a database",
        ),
        (
            "{ storage_type = \"redis\", storage_config = { url = \"redis://h/#insecure\" } }",
            "leave out what begins with ? or #",
        ),
        (
            "{ storage_type = \"redis\", storage_config = { url = \"redis://h\", index = \"i\" } }",
            "does not belong to storage_type = \"redis\", which knows url, key_prefix, timeout",
        ),
        (
            "{ storage_type = \"elasticsearch\", storage_config = { key_prefix = \"i\" } }",
            "does not belong to storage_type = \"elasticsearch\"",
        ),
        (
            "{ storage_type = \"elasticsearch\", storage_config = { index = \"logs-*\" } }",
            "the name of one index",
        ),
        (
            "{ storage_type = \"elasticsearch\", storage_config = { username = \"u\" } }",
            "needs password beside it",
        ),
        (
            "{ storage_type = \"elasticsearch\", storage_config = { timeout = \"1ms\" } }",
            "from 10ms to 10m",
        ),
        (
            "{ storage_type = \"elasticsearch\", lease_time = \"10ms\" }",
            "from 1s to 1h",
        ),
        ("{ lease_time = \"10s\" }", "files are locked"),
        ("{ on_conflict = \"steal\" }", "\"stop\", \"wait\""),
    ];
    for (state, part) in rows {
        let messages = messages(parse(&with_state(state)));
        let [message] = messages.as_slice() else {
            panic!("one mistake expected in {state}\n{messages:#?}");
        };
        assert!(message.starts_with("c.toml:11:"), "{message}");
        assert!(
            message.contains(part) && !message.contains("hunter2"),
            "{message}"
        );
    }
}

#[test]
fn a_source_does_not_read_the_index_of_its_own_state() {
    let named = "c.toml:10:9: sources.a.config.index: names connector_states, the index of its own state (\"index\" in state.storage_config), and would read every save for ever: take it out, as in \"*,-connector_states\", or keep the state in another index";
    let elasticsearch =
        |config: &str| format!("storage_type = \"elasticsearch\", storage_config = {{ {config} }}");
    let several = "url = [\"http://states:9200\", \"http://localhost:9200/\"]";
    let rows = [
        ("*", elasticsearch(""), Some(named)),
        ("logs,connector_*", elasticsearch(""), Some(named)),
        ("connector_states", elasticsearch(""), Some(named)),
        ("_all", elasticsearch(several), Some(named)),
        ("*,-connector_states", elasticsearch(""), None),
        ("logs-*", elasticsearch(""), None),
        ("con*", elasticsearch("index = \"kept\""), None),
        ("*", elasticsearch("url = \"http://states:9200\""), None),
        ("*", format!("{}, enabled = false", elasticsearch("")), None),
        ("*", "storage_type = \"file\"".to_owned(), None),
    ];
    for (index, state, expected) in rows {
        let text = with_state(&format!("{{ {state} }}"));
        let text = text.replace("index = \"i\"", &format!("index = \"{index}\""));
        let found = parse(&text).err().map(|errors| errors.to_string());
        assert_eq!(found.as_deref(), expected, "{text}");
    }
}

#[test]
fn a_lease_outlives_a_publish_to_iggy() {
    let iggy = "[iggy]\nusername = \"u\"\npassword = \"hunter2\"\ntimeout = \"20s\"\n";
    let config = |state: &str| {
        let file = "[output]\ntype = \"file\"\npath = \"out\"\n";
        with_state(state).replace(file, iggy)
    };
    parse(&config(
        "{ storage_type = \"elasticsearch\", lease_time = \"40s\" }",
    ))
    .unwrap();
    parse(&config("{ enabled = true }")).unwrap();
    for state in [
        "{ storage_type = \"elasticsearch\", lease_time = \"39s\" }",
        "{ storage_type = \"elasticsearch\" }",
    ] {
        let messages = messages(parse(&config(state)));
        assert!(
            messages.len() == 1 && messages[0].contains("at least 40s, twice the timeout"),
            "{messages:#?}"
        );
    }
}

#[test]
fn two_sources_do_not_share_a_place_in_a_store() {
    let redis =
        |url: &str| format!("storage_type = \"redis\", storage_config = {{ url = \"{url}\" }}");
    let elasticsearch =
        |config: &str| format!("storage_type = \"elasticsearch\", storage_config = {{ {config} }}");
    let rows = [
        (
            redis("redis://h"),
            redis("redis://:hunter2@H:6379/0"),
            false,
        ),
        (redis("redis://h/0"), redis("redis://h/1"), true),
        (
            elasticsearch(""),
            elasticsearch("url = \"http://localhost:9200/\""),
            false,
        ),
        (elasticsearch(""), elasticsearch("index = \"other\""), true),
    ];
    for (one, other, apart) in rows {
        let file = "[output]\ntype = \"file\"\npath = \"out\"\n";
        let second = SMALL
            .replace(file, "")
            .replace("sources.a", "sources.b")
            .replace("\"t\"", "\"u\"");
        let text = format!(
            "{SMALL}state = {{ {one}, state_id = \"x\" }}\n{second}state = {{ {other}, state_id = \"x\" }}\n"
        );
        assert_eq!(parse(&text).is_ok(), apart, "{text}");
    }
}
