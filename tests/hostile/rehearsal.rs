//! What a component does while it is only checked.

use elasticsearch_source::assembly::Assembly;
use elasticsearch_source::config::Config;

use super::{attacker, cluster};
use crate::support::world::sandbox;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_a_rehearsal() {
    let cluster = cluster();
    let rows = [
        ("ask", "the cluster is not asked"),
        ("messages", "it panicked"),
        ("save", "saved as"),
        ("loop", "it did not return within 100ms"),
        ("lines", ""),
    ];
    for (attack, words) in rows {
        let world = attacker(&cluster, "open", attack)
            .key("method", "GET")
            .key("path", "/")
            .raw("count", "1000")
            .key("text", if attack == "save" { "{}" } else { "" });
        let config = Config::parse(&world.toml(), "test.toml", std::iter::empty()).unwrap();
        cluster.clear_requests();
        let assembly = Assembly::new(&config, sandbox());
        let rehearsed = assembly.rehearse(&config.sources["test"]).await;
        let message = rehearsed
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default();
        assert!(message.contains(words), "{attack}: {message}");
        assert_eq!(cluster.requests().len(), 0, "{attack}");
        assert_eq!(world.delivered(), [], "{attack}");
        assert!(!world.state_file().exists(), "{attack}");
    }
}
