//! The configuration blocks of the reference: each loads exactly as printed there.

use super::*;

/// "Elasticsearch Storage" as printed.
const ELASTICSEARCH_STORAGE: &str = r#"state = {
  enabled = true
  storage_type = "elasticsearch"
  storage_config = {
    index = "connector_states"
    url = "http://localhost:9200"
  }
}
"#;

/// "Redis Storage" as printed.
const REDIS_STORAGE: &str = r#"state = {
  enabled = true
  storage_type = "redis"
  storage_config = {
    url = "redis://localhost:6379"
    key_prefix = "connector_states:"
  }
}
"#;

/// "File Storage" as printed.
const FILE_STORAGE: &str = r#"state = {
  enabled = true
  storage_type = "file"
  storage_config = {
    base_path = "./connector_states"
  }
}
"#;

#[test]
fn the_basic_block_of_the_reference_loads_as_printed() {
    let source = source(&format!("{FILE_OUTPUT}{BASIC}"));
    assert!(source.enabled);
    assert_eq!(
        (source.key.as_str(), source.name.as_str()),
        ("elasticsearch", "Elasticsearch source")
    );
    assert_eq!(
        source.path,
        Some(PathBuf::from(
            "target/release/libiggy_connector_elasticsearch_source"
        ))
    );
    assert_eq!(
        (source.access.url.as_str(), source.index.as_str()),
        ("http://localhost:9200/", "logs-*")
    );
    assert_eq!(source.polling_interval, Duration::from_secs(30));
    let [stream] = source.streams.as_slice() else {
        panic!("one stream")
    };
    assert_eq!(
        (stream.stream.as_str(), stream.topic.as_str()),
        ("elasticsearch_stream", "documents")
    );
    assert_eq!(
        (
            stream.schema,
            stream.batch_length,
            stream.linger_time.as_millis()
        ),
        (Schema::Json, 100, 5)
    );
    let expected = json!({"index": "logs-*", "batch_size": 100, "timestamp_field": "@timestamp", "query": {"match_all": {}}});
    assert_eq!(source.guest_config, expected);
}

#[test]
fn the_state_block_of_the_reference_loads_as_printed() {
    let (_header, rest) = STATE.split_once('\n').unwrap();
    let source = source(&format!("{FILE_OUTPUT}{BASIC}{rest}"));
    let expected = Storage::File {
        base_path: "./connector_states".into(),
    };
    assert_eq!(source.state.storage, expected);
    assert_eq!(
        (source.state.enabled, source.state.state_id.as_str()),
        (true, "elasticsearch_logs_connector")
    );
    let tracked = [
        "last_poll_timestamp",
        "last_document_id",
        "total_documents_fetched",
    ];
    let expected = json!({"auto_save_interval": "5m", "tracked_fields": tracked});
    assert_eq!(source.guest_config["state"], expected);
}

#[test]
fn the_state_block_alone_lacks_only_what_its_comment_leaves_out() {
    let messages = messages(parse(&format!("{FILE_OUTPUT}{STATE}")));
    let parts = ["no stream", "\"url\" is missing", "\"index\" is missing"];
    assert_eq!(messages.len(), parts.len(), "{messages:#?}");
    for part in parts {
        assert!(
            messages.iter().any(|message| message.contains(part)),
            "{messages:#?}"
        );
    }
}

#[test]
fn the_file_storage_block_of_the_reference_loads_as_printed() {
    let source = source(&format!("{FILE_OUTPUT}{BASIC}{FILE_STORAGE}"));
    assert_eq!(
        source.state.storage,
        Storage::File {
            base_path: "./connector_states".into()
        }
    );
    assert_eq!(source.state.state_id, "elasticsearch");
    assert_eq!(source.guest_config.get("state"), None);
}

#[test]
fn the_other_storage_blocks_of_the_reference_load_as_printed() {
    let elsewhere = source(&format!("{FILE_OUTPUT}{BASIC}{ELASTICSEARCH_STORAGE}"));
    let Storage::Elasticsearch { access, index, .. } = &elsewhere.state.storage else {
        panic!("{:?}", elsewhere.state.storage);
    };
    assert_eq!(
        (access.url.as_str(), index.as_str()),
        ("http://localhost:9200/", "connector_states")
    );
    let elsewhere = source(&format!("{FILE_OUTPUT}{BASIC}{REDIS_STORAGE}"));
    let Storage::Redis {
        url,
        address,
        key_prefix,
        ..
    } = &elsewhere.state.storage
    else {
        panic!("{:?}", elsewhere.state.storage);
    };
    assert_eq!(
        (url.expose(), address.as_str(), key_prefix.as_str()),
        (
            "redis://localhost:6379",
            "redis://localhost:6379/0",
            "connector_states:"
        )
    );
}
