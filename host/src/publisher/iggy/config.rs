//! How to reach a server.

use std::time::Duration;

/// How to reach a server and what to wait for it. `Debug` shows no secret.
#[derive(Clone)]
pub struct IggyConfig {
    /// Host and port of the TCP endpoint, such as `127.0.0.1:8090`.
    pub address: String,
    /// Who signs in, unless there is a token.
    pub username: String,
    /// Any characters; 3 to 100 bytes.
    pub password: String,
    /// A personal access token, instead of username and password.
    pub token: Option<String>,
    /// Encrypts the connection and checks the server's certificate.
    pub tls: Option<TlsConfig>,
    /// How long one request, or connecting and signing in, may take.
    pub timeout: Duration,
    /// After this time no request of a dropped connection takes effect any more.
    pub publish_quiet: Duration,
    /// The largest request that the server takes, in bytes: its `max_message_size`.
    pub max_message_size: usize,
}

/// How to check the server's certificate.
#[derive(Debug, Clone, Default)]
pub struct TlsConfig {
    /// A PEM file with the roots to trust, instead of the public ones.
    pub ca_file: Option<String>,
    /// The name in the certificate, where it is not the host of the address.
    pub domain: Option<String>,
}

impl std::fmt::Debug for IggyConfig {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("IggyConfig")
            .field("address", &self.address)
            .field("username", &self.username)
            .field("token", &self.token.as_ref().map(|_| "redacted"))
            .field("tls", &self.tls)
            .field("timeout", &self.timeout)
            .field("publish_quiet", &self.publish_quiet)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_secret_is_in_the_debug_output() {
        let config = IggyConfig {
            address: "127.0.0.1:8090".into(),
            username: "iggy".into(),
            password: "hunter2".into(),
            token: Some("hunter3".into()),
            tls: Some(TlsConfig::default()),
            timeout: Duration::from_secs(5),
            publish_quiet: Duration::from_secs(5),
            max_message_size: 64 << 20,
        };
        let debug = format!("{config:?}");
        assert!(
            debug.contains("127.0.0.1:8090") && !debug.contains("hunter"),
            "{debug}"
        );
    }
}
