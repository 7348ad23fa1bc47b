//! Environment variables that set keys.

use super::*;

#[test]
fn environment_variables_override_the_file() {
    let authority = authority();
    let with_iggy = format!(
        "{SMALL}polling_interval = \"1s\"\nquery = {{\"match_all\": {{}}}}\nbatch_size = 5\n"
    );
    let config = parse_with(
        &with_iggy.replace("sources.a", "sources.my-logs"),
        &[
            ("IGGY_ADDRESS", "other:1"),
            ("IGGY_USERNAME", "u"),
            ("IGGY_PASSWORD", "12345"),
            ("IGGY_TLS_ENABLED", "true"),
            ("IGGY_TLS_CA_FILE", &in_text(&authority)),
            ("HTTP_API_KEY", "k"),
            ("LOGGING_FORMAT", "json"),
            ("OUTPUT_PATH", "elsewhere"),
            ("SOURCE_MY_LOGS_ENABLED", "false"),
            ("SOURCE_MY_LOGS_STREAMS_0_BATCH_LENGTH", "7"),
            ("SOURCE_MY_LOGS_CONFIG_URL", "http://127.0.0.1:1"),
            ("SOURCE_MY_LOGS_CONFIG_POLLING_INTERVAL", "2s"),
            ("SOURCE_MY_LOGS_CONFIG_MAX_RESPONSE_BYTES", "33554432"),
            (
                "SOURCE_MY_LOGS_CONFIG_STATE_STORAGE_CONFIG_BASE_PATH",
                "/states",
            ),
            ("SOURCE_MY_LOGS_CONFIG_STATE_AUTO_SAVE_INTERVAL", "5m"),
            ("SOURCE_MY_LOGS_CONFIG_BATCH_SIZE", "50"),
            ("SOURCE_MY_LOGS_CONFIG_QUERY", "{\"term\": {\"a\": null}}"),
            ("SOURCE_MY_LOGS_LIMITS_POLL_PAGES", "3"),
        ],
    )
    .unwrap();
    let iggy = config.iggy.unwrap();
    assert_eq!((iggy.address.as_str(), iggy.tls.enabled), ("other:1", true));
    assert!(matches!(iggy.login, Login::User { password, .. } if password.expose() == "12345"));
    assert!(config.http.enabled && config.http.api_key.is_some());
    assert_eq!(config.logging.format, LogFormat::Json);
    assert_eq!(
        config.output,
        Output::File {
            path: "elsewhere".into()
        }
    );
    let source = &config.sources["my-logs"];
    assert_eq!(
        (
            source.enabled,
            source.streams[0].batch_length,
            source.limits.poll_pages
        ),
        (false, 7, 3)
    );
    assert_eq!(
        (
            source.access.url.as_str(),
            source.polling_interval.as_secs()
        ),
        ("http://127.0.0.1:1/", 2)
    );
    assert_eq!(source.max_response_bytes, 32 << 20);
    assert_eq!(
        source.state.storage,
        Storage::File {
            base_path: "/states".into()
        }
    );
    let expected = json!({"index": "i", "batch_size": 50, "query": {"term": {"a": null}}, "state": {"auto_save_interval": "5m"}});
    assert_eq!(source.guest_config, expected);
    assert_eq!(source.locate("batch_size"), None);
    let refusal = source.refuse("batch_size", "is wrong").to_string();
    assert_eq!(
        refusal,
        "IGGY_CONNECTORS_SOURCE_MY_LOGS_CONFIG_BATCH_SIZE: batch_size: is wrong"
    );
}

#[test]
fn the_longest_source_name_that_fits_a_variable_is_meant() {
    let two = format!(
        "{SMALL}state = {{ state_id = \"x\" }}\n{}",
        SMALL
            .replace("[output]\ntype = \"file\"\npath = \"out\"\n", "")
            .replace("sources.a", "sources.a_b")
            .replace("\"t\"", "\"u\"")
    );
    let config = parse_with(
        &two,
        &[("SOURCE_A_B_NAME", "long"), ("SOURCE_A_NAME", "short")],
    )
    .unwrap();
    assert_eq!(
        (
            config.sources["a"].name.as_str(),
            config.sources["a_b"].name.as_str()
        ),
        ("short", "long")
    );
    let twins = two
        .replace("sources.a]", "sources.a-b]")
        .replace("sources.a.", "sources.a-b.");
    let messages = messages(parse_with(&twins, &[("SOURCE_A_B_NAME", "x")]));
    assert!(
        messages[0].contains("\"a-b\" and source \"a_b\""),
        "{messages:?}"
    );
}

#[test]
fn a_wrong_variable_is_an_error_that_names_it() {
    let rows = [
        ("IGGY_ADRESS", "x", "no known key"),
        ("CONFIG_PATH", "x", "no known key"),
        ("SOURCE_B_NAME", "x", "the sources are: a"),
        ("SOURCE_A_NAMES", "x", "ENABLED, NAME, PATH"),
        ("SOURCE_A_CONFIG_", "x", "no known key"),
        ("SOURCE_A_STREAMS_1_TOPIC", "x", "the file has 1"),
        (
            "SOURCE_A_CONFIG_URL",
            "http://u:hunter2@x",
            "username and password",
        ),
        ("SOURCE_A_CONFIG_TIMEOUT", "5", "like \"30s\""),
        ("SOURCE_A_ENABLED", "yes", "true or false"),
        ("SOURCE_A_CONFIG_STATE", "{}", "is a table"),
    ];
    for (name, value, part) in rows {
        let messages = messages(parse_with(SMALL, &[(name, value)]));
        assert_eq!(messages.len(), 1, "{messages:?}");
        assert!(
            messages[0].starts_with(&format!("IGGY_CONNECTORS_{name}: ")),
            "{messages:?}"
        );
        assert!(
            messages[0].contains(part) && !messages[0].contains("hunter2"),
            "{messages:?}"
        );
    }
    let unrelated = [
        ("PATH".to_owned(), "x".to_owned()),
        ("IGGY_OTHER".to_owned(), "x".to_owned()),
    ];
    Config::parse(SMALL, "c.toml", unrelated).unwrap();
}
