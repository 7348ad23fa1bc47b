//! How a Redis keeps what it is given: asked once, when it is opened.

use anyhow::anyhow;
use redis::cmd;

use super::connection::Connection;
use crate::state_store::StoreError;

/// Refuses a server that may evict a state, and warns of one that forgets it in a crash. What
/// the user may not ask stays unknown, and is said.
pub(super) async fn check(connection: &Connection) -> Result<(), StoreError> {
    let address = connection.address();
    let place = format!("redis at {address}");
    let mut ping = cmd("PING");
    ping.arg("elasticsearch-source");
    connection.query::<String>(&ping, &place).await?;
    match connection.query::<String>(&cmd("INFO"), &place).await {
        Ok(info) => judge(address, &info),
        Err(StoreError::Invalid(cause)) => {
            tracing::info!(
                cause = format!("{cause:#}"),
                "whether redis evicts keys is unknown; see that its maxmemory-policy is noeviction"
            );
            Ok(())
        }
        Err(error) => Err(error),
    }
}

/// Policies that begin with `volatile` spare keys that never expire, and states never do.
fn judge(address: &str, info: &str) -> Result<(), StoreError> {
    let policy = field(info, "maxmemory_policy").unwrap_or_default();
    if policy.starts_with("allkeys") {
        return Err(StoreError::Invalid(anyhow!(
            "redis at {address} evicts keys when its memory is full (maxmemory-policy {policy}), and without its state a source delivers everything again: set maxmemory-policy noeviction"
        )));
    }
    if field(info, "aof_enabled") == Some("0") {
        tracing::warn!(
            address,
            "redis has appendonly off: a state that it forgets in a crash is read and delivered again"
        );
    }
    Ok(())
}

fn field<'a>(info: &'a str, name: &str) -> Option<&'a str> {
    let mut lines = info.lines();
    lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':').map(str::trim))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_may_evict_a_state_is_refused() {
        for (policy, accepted) in [
            ("noeviction", true),
            ("volatile-lru", true),
            ("volatile-ttl", true),
            ("allkeys-lru", false),
            ("allkeys-random", false),
        ] {
            let info = format!("# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:{policy}\r\n");
            let judged = judge("redis://h:1/0", &info);
            assert_eq!(judged.is_ok(), accepted, "{policy}");
            if let Err(error) = judged {
                let error = error.to_string();
                assert!(
                    error.contains(policy) && error.contains("noeviction"),
                    "{error}"
                );
            }
        }
        assert!(judge("redis://h:1/0", "").is_ok());
    }
}
