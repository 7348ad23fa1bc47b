//! The configuration as users write it: the blocks of the reference as printed, every
//! mistake with its place and remedy, environment variables, and no secrets anywhere.

mod access;
mod environment;
mod mistakes;
mod reference;
mod storage;

use std::path::PathBuf;
use std::time::Duration;

use elasticsearch_source::component::Digest;
use elasticsearch_source::config::{
    Access, Config, ConfigErrors, Credentials, Delivery, Durability, Limits, LogFormat, LogLevel,
    Login, Metadata, Output, Partitioning, Position, Schema, Source, Storage,
};
use serde_json::json;
use tempfile::NamedTempFile;

/// "Basic Configuration" as printed.
const BASIC: &str = r#"[sources.elasticsearch]
enabled = true
name = "Elasticsearch source"
path = "target/release/libiggy_connector_elasticsearch_source"

[[sources.elasticsearch.streams]]
stream = "elasticsearch_stream"
topic = "documents"
schema = "json"
batch_length = 100
linger_time = "5ms"

[sources.elasticsearch.config]
url = "http://localhost:9200"
index = "logs-*"
polling_interval = "30s"
batch_size = 100
timestamp_field = "@timestamp"
query = {
  "match_all": {}
}
"#;

/// "State Management Configuration" as printed: a part of the table that BASIC ends with.
const STATE: &str = r#"[sources.elasticsearch.config]
# ... basic config ...
state = {
  enabled = true
  storage_type = "file"  # "file", "elasticsearch", "redis"
  storage_config = {
    base_path = "./connector_states"  # for file storage
    # index = "connector_states"      # for elasticsearch storage
    # url = "redis://localhost:6379"  # for redis storage
  }
  state_id = "elasticsearch_logs_connector"
  auto_save_interval = "5m"
  tracked_fields = [
    "last_poll_timestamp",
    "last_document_id", 
    "total_documents_fetched"
  ]
}
"#;

/// What BASIC needs around it to run without an Iggy server.
const FILE_OUTPUT: &str = "[output]\ntype = \"file\"\npath = \"out\"\n";

/// A small whole configuration: its lines 1 to 10, so that what is added begins at 11.
const SMALL: &str = r#"[output]
type = "file"
path = "out"
[[sources.a.streams]]
stream = "s"
topic = "t"
[sources.a]
[sources.a.config]
url = "http://localhost:9200"
index = "i"
"#;

/// A PEM file with a certificate.
fn authority() -> NamedTempFile {
    let certified = rcgen::generate_simple_self_signed(["authority".to_owned()]).unwrap();
    let file = NamedTempFile::new().unwrap();
    std::fs::write(file.path(), certified.cert.pem()).unwrap();
    file
}

fn in_text(file: &NamedTempFile) -> String {
    file.path().display().to_string()
}

fn parse(text: &str) -> Result<Config, ConfigErrors> {
    Config::parse(text, "c.toml", [])
}

fn parse_with(text: &str, variables: &[(&str, &str)]) -> Result<Config, ConfigErrors> {
    let variables = variables
        .iter()
        .map(|(name, value)| (format!("IGGY_CONNECTORS_{name}"), (*value).to_owned()));
    Config::parse(text, "c.toml", variables)
}

/// The only source of a configuration that is right.
fn source(text: &str) -> Source {
    let config = parse(text).unwrap_or_else(|e| panic!("{e}\nin {text}"));
    config.sources.into_values().next().unwrap()
}

/// User and password, where they are what lets this program in.
fn user(access: &Access) -> Option<(&str, &str)> {
    match &access.credentials {
        Some(Credentials::Basic { username, password }) => Some((username, password.expose())),
        _ => None,
    }
}

fn messages(result: Result<Config, ConfigErrors>) -> Vec<String> {
    let errors = result.expect_err("a mistake");
    errors.errors().iter().map(ToString::to_string).collect()
}

/// Rows of a text, and the beginning and a part of its only mistake.
fn check_mistakes(rows: &[(&str, &str, &str)]) {
    for (text, place, part) in rows {
        let messages = messages(parse(text));
        let [message] = messages.as_slice() else {
            panic!("one mistake expected in {text}\n{messages:#?}");
        };
        assert!(
            message.starts_with(&format!("c.toml:{place}: ")),
            "{message}\nin {text}"
        );
        assert!(message.contains(part), "{message}\nin {text}");
        assert!(
            !message.ends_with('.') && !message.contains("hunter2"),
            "{message}"
        );
    }
}

#[test]
fn what_is_not_written_has_its_documented_default() {
    let config = parse(SMALL).unwrap();
    assert_eq!(
        (config.http.enabled, config.http.address.as_str()),
        (false, "127.0.0.1:8081")
    );
    assert_eq!(
        (config.logging.format, config.logging.level),
        (LogFormat::Text, LogLevel::Info)
    );
    assert_eq!(
        (
            config.cache.enabled,
            config.cache.path,
            config.cache.max_size
        ),
        (true, None, 256 << 20)
    );
    let source = &config.sources["a"];
    assert!(
        source.enabled
            && source.state.enabled
            && source.path.is_none()
            && source.access.credentials.is_none()
    );
    assert_eq!(
        (source.name.as_str(), source.delivery),
        ("a", Delivery::ExactlyOnce)
    );
    assert_eq!(
        (source.polling_interval.as_secs(), source.timeout.as_secs()),
        (30, 30)
    );
    assert_eq!(source.max_response_bytes, 64 * 1024 * 1024);
    assert_eq!(source.dead_letter, None);
    assert!(source.sha256.is_none() && source.grants.reading && source.grants.http.is_empty());
    assert_eq!(
        (source.streams[0].batch_length, source.streams[0].schema),
        (1_000, Schema::Json)
    );
    assert_eq!(
        source.state.storage,
        Storage::File {
            base_path: "./connector_states".into()
        }
    );
    let limits = source.limits;
    assert_eq!((limits.memory, limits.poll_pages), (256 * 1024 * 1024, 64));
    assert_eq!(
        (limits.poll_time.as_secs(), limits.guest_time.as_secs()),
        (1, 10)
    );
    assert_eq!(limits.call_time.as_secs(), 3_600);
    let counts = (limits.table_elements, limits.handles, limits.requests);
    assert_eq!(counts, (100_000, 256, 32));
    let sizes = (limits.call_bytes, limits.held_bytes);
    assert_eq!(sizes, (128 << 20, 512 << 20));
    assert_eq!((limits.messages, limits.log_lines), (262_144, 100));
    assert_eq!(source.guest_config, json!({"index": "i"}));
}

#[test]
fn the_host_may_hold_the_pages_that_are_under_way() {
    let held = |keys: &str| {
        let text = format!("{SMALL}{keys}");
        parse(&text).unwrap().sources["a"].limits.held_bytes
    };
    let rows = [
        ("slices = 4", 512 << 20),
        ("slices = 16", 2 << 30),
        ("slices = 16\nmax_response_bytes = \"16MiB\"", 512 << 20),
        ("max_response_bytes = \"1GiB\"", 2 << 30),
    ];
    for (keys, bytes) in rows {
        assert_eq!(held(keys), bytes, "{keys}");
    }
}

#[test]
fn every_key_of_the_host_is_read() {
    let authority = authority();
    let text = r#"
        [iggy]
        address = "iggy:8090"
        username = "u"
        password = "p"
        timeout = "5s"
        publish_quiet = "0s"
        max_message_size = "1MiB"
        tls = { enabled = true, ca_file = "ca.pem", domain = "d" }
        [cache]
        enabled = false
        path = "c"
        max_size = "1GiB"
        [http]
        address = "[::1]:0"
        api_key = "k"
        [logging]
        format = "json"
        level = "debug"
        [output]
        type = "stdout"
        [sources.a]
        enabled = false
        delivery = "at_least_once"
        streams = [
            { stream = "s", topic = "t", schema = "raw" },
            { stream = "s", topic = "u", schema = "text", batch_length = 100_000, linger_time = "0s" },
        ]
        dead_letter = { stream = "s", topic = "refused" }
        sha256 = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        grants = { reading = false, http = ["GET /_cat/indices?format"] }
        [sources.a.limits]
        memory = "1GiB"
        poll_pages = 1
        poll_time = "5s"
        guest_time = "1m"
        call_time = "2m"
        table_elements = 2_000
        call_bytes = "2MiB"
        handles = 20
        requests = 2
        held_bytes = "65MiB"
        messages = 2_001
        log_lines = 3
        [sources.a.config]
        url = "https://es.example:9243/prefix"
        index = "i"
        username = "elastic"
        password = "secret"
        polling_interval = "1h"
        timeout = "5m"
        max_response_bytes = 33554432
        state = { enabled = false, state_id = "x" }
    "#;
    let config = parse(&text.replace("ca.pem", &in_text(&authority))).unwrap();
    let iggy = config.iggy.unwrap();
    assert!(
        matches!(&iggy.login, Login::User { username, password } if username == "u" && password.expose() == "p")
    );
    assert_eq!(
        (
            iggy.address.as_str(),
            iggy.timeout.as_secs(),
            iggy.publish_quiet.as_secs(),
            iggy.max_message_size
        ),
        ("iggy:8090", 5, 0, 1 << 20)
    );
    assert_eq!(
        (iggy.tls.enabled, iggy.tls.domain.as_deref()),
        (true, Some("d"))
    );
    assert_eq!(iggy.tls.ca_file, Some(authority.path().into()));
    assert_eq!(
        (config.http.enabled, config.http.address.as_str()),
        (true, "[::1]:0")
    );
    assert_eq!(
        (config.logging.format, config.logging.level),
        (LogFormat::Json, LogLevel::Debug)
    );
    let cache = config.cache;
    assert_eq!(
        (cache.enabled, cache.path, cache.max_size),
        (false, Some("c".into()), 1 << 30)
    );
    assert_eq!(config.output, Output::Stdout);
    let source = &config.sources["a"];
    assert_eq!(
        (source.enabled, source.delivery, source.streams.len()),
        (false, Delivery::AtLeastOnce, 2)
    );
    assert_eq!(
        (source.streams[1].schema, source.streams[1].batch_length),
        (Schema::Text, 100_000)
    );
    assert_eq!(source.sha256, Some(Digest::of(b"")));
    assert_eq!(
        (source.grants.reading, source.grants.http[0].to_string()),
        (false, "GET /_cat/indices?format".to_owned())
    );
    assert_eq!(
        (source.access.url.path(), source.access.url.port()),
        ("/prefix", Some(9243))
    );
    assert_eq!(user(&source.access), Some(("elastic", "secret")));
    let limits = Limits {
        memory: 1 << 30,
        poll_pages: 1,
        poll_time: Duration::from_secs(5),
        guest_time: Duration::from_secs(60),
        call_time: Duration::from_secs(120),
        table_elements: 2_000,
        call_bytes: 2 << 20,
        handles: 20,
        requests: 2,
        held_bytes: 65 << 20,
        messages: 2_001,
        log_lines: 3,
    };
    assert_eq!(source.limits, limits);
    assert_eq!(
        (
            source.polling_interval.as_secs(),
            source.timeout.as_secs(),
            source.max_response_bytes
        ),
        (3_600, 300, 32 << 20)
    );
    assert_eq!(
        (source.state.enabled, source.state.state_id.as_str()),
        (false, "x")
    );
}

#[test]
fn streams_have_their_partitions_and_metadata() {
    let text = r#"
        [iggy]
        token = "t"
        [sources.a]
        streams = [
            { stream = "s", topic = "plain" },
            { stream = "s", topic = "one", partitioning = "balanced", partitions = 1_000 },
            { stream = "s", topic = "two", partitioning = { partition_id = 3 }, metadata = "none" },
            { stream = "s", topic = "three", partitioning = { key = "user.id" }, metadata = "envelope", durability = "replicated" },
        ]
        [sources.a.config]
        url = "http://localhost:9200"
        index = "i"
    "#;
    let streams = source(text).streams.into_iter();
    let read = streams.map(|s| (s.partitioning, s.partitions, s.metadata, s.durability));
    let (balanced, persisted) = (Partitioning::Balanced, Durability::Persisted);
    let expected = [
        (balanced.clone(), 1, Metadata::Headers, persisted),
        (balanced, 1_000, Metadata::Headers, persisted),
        (Partitioning::PartitionId(3), 1, Metadata::None, persisted),
        (
            Partitioning::Key("user.id".to_owned()),
            1,
            Metadata::Envelope,
            Durability::Replicated,
        ),
    ];
    assert_eq!(read.collect::<Vec<_>>(), expected);
}

#[test]
fn keys_of_the_component_reach_it_as_they_are() {
    let added = r#"
query = {"bool": {"filter": [{"range": {"@t": {"gte": 1.5e3}}}, {"term": {"a\/b": "\ud83d\ude00"}}], "x": -1, "y": true}}
sort = [{"a": "asc"}, "_doc"]
big = 18446744073709551615
since = 2024-01-15T10:30:00Z
nested.key = "v"
state = { auto_save_interval = "5m", enabled = true }
"#;
    let expected = json!({
        "index": "i",
        "query": {"bool": {"filter": [{"range": {"@t": {"gte": 1500.0}}}, {"term": {"a/b": "😀"}}], "x": -1, "y": true}},
        "sort": [{"a": "asc"}, "_doc"],
        "big": u64::MAX,
        "since": "2024-01-15T10:30:00Z",
        "nested": {"key": "v"},
        "state": {"auto_save_interval": "5m"},
    });
    assert_eq!(source(&format!("{SMALL}{added}")).guest_config, expected);
}

#[test]
fn a_key_of_the_component_can_be_located() {
    let source = source(&format!(
        "{SMALL}query = {{\n  \"a\": [{{\"b\": 1}}]\n}}\n  state = {{ saev = 1\n  other = 2 }}\nurll = 1\nstart = \"\"\n"
    ));
    let at = |line, column| Some(Position { line, column });
    let rows = [
        ("index", at(10, 1)),
        ("query", at(11, 1)),
        ("query.a", at(12, 3)),
        ("query.a.0.b", at(12, 10)),
        ("state.saev", at(14, 13)),
        ("state.other", at(15, 3)),
        ("absent", None),
    ];
    for (key, expected) in rows {
        assert_eq!(source.locate(key), expected, "{key}");
    }
    let (unknown, wrong) = ("is not a known key; known are a", "must be a date");
    let rows = [
        (
            "query.a.0.c",
            unknown,
            "c.toml:12:9: query.a.0.c: is not a known key; known are a",
        ),
        ("absent", wrong, "c.toml:8:12: absent: must be a date"),
        (
            "urll",
            unknown,
            "c.toml:16:1: urll: is not a known key; known are a; did you mean \"url\"?",
        ),
        ("urll", wrong, "c.toml:16:1: urll: must be a date"),
        ("start", wrong, "c.toml:17:1: start: must be a date"),
    ];
    for (key, message, expected) in rows {
        assert_eq!(source.refuse(key, message).to_string(), expected);
    }
}

#[test]
fn nothing_shows_a_secret() {
    let text = format!(
        "{SMALL}username = \"elastic\"\npassword = \"hunter2\"\n[iggy]\ntoken = \"hunter2\"\n[http]\napi_key = \"hunter2\""
    );
    let config = parse(&text).unwrap();
    assert!(format!("{config:?}").contains("***"));
    assert!(!format!("{config:#?}{:?}", config.summary()).contains("hunter2"));
}

#[test]
fn the_summary_says_what_would_run() {
    let (_, state) = STATE.split_once('\n').unwrap();
    let dead_letter = "[sources.elasticsearch.dead_letter]\nstream = \"s\"\ntopic = \"refused\"\n";
    let summary = parse(&format!("{FILE_OUTPUT}{BASIC}{state}{dead_letter}"))
        .unwrap()
        .summary()
        .join("\n");
    let expected = "\
source elasticsearch: Elasticsearch source
  component  target/release/libiggy_connector_elasticsearch_source
  grants     reading of its index
  reads      http://localhost:9200/, index logs-*
  interval   30s, request timeout 30s, responses up to 64MiB
  output     files below out, exactly_once
  stream     elasticsearch_stream, topic documents, json, batches of 100, linger 5ms, metadata headers, partitioned balanced
  refused    s, topic refused
  state      ./connector_states/elasticsearch_logs_connector.json, id elasticsearch_logs_connector
  limits     memory 256MiB, 64 pages or 1s a poll, 10s of computing and 1h in all a call
             32 requests, 262144 messages and 512MiB held at once, 128MiB a call, 100 lines a second, 256 handles, 100000 table elements";
    assert_eq!(summary, expected);
}

#[test]
fn a_file_is_loaded_or_the_error_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("connector.toml");
    std::fs::write(&path, SMALL).unwrap();
    assert_eq!(Config::load(&path, []).unwrap().sources.len(), 1);
    let large = folder.path().join("large.toml");
    std::fs::write(&large, "#".repeat(1024 * 1024 + 1)).unwrap();
    let binary = folder.path().join("binary.toml");
    std::fs::write(&binary, [0xff, 0xfe]).unwrap();
    let absent = folder.path().join("absent.toml");
    for (path, part) in [
        (absent, "check the path"),
        (large, "larger than"),
        (binary, "UTF-8"),
    ] {
        let error = Config::load(&path, []).unwrap_err().to_string();
        assert!(error.starts_with(&path.display().to_string()), "{error}");
        assert!(error.contains(part), "{error}");
    }
}
