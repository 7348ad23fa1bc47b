//! `[iggy]`: the server that documents are published to.

use std::path::PathBuf;
use std::time::Duration;

use super::pem;
use super::secret::Secret;
use super::section::Section;
use super::value::{duration, flag, host_and_port, size, text};

/// The Iggy server.
#[derive(Debug, Clone)]
pub struct Iggy {
    /// `HOST:PORT` of its TCP transport; `127.0.0.1:8090` by default.
    pub address: String,
    /// Who this connector is.
    pub login: Login,
    /// How the connection is encrypted.
    pub tls: Tls,
    /// How long one publish may take, 10 ms to 10 minutes; 10 s by default.
    pub timeout: Duration,
    /// How long after a publish of unknown outcome it can still take effect, up to an
    /// hour; `timeout` by default. 0 only where nothing is promised to be there once.
    pub publish_quiet: Duration,
    /// The largest request that the server takes, in bytes, 64 KiB to 1 GiB; 64 MiB by
    /// default. What is larger is not sent, as the server would only close the connection.
    pub max_message_size: u64,
}

/// Credentials for an Iggy server.
#[derive(Debug, Clone)]
pub enum Login {
    /// A personal access token.
    Token(Secret),
    /// A user and its password.
    User {
        /// The user's name.
        username: String,
        /// The user's password.
        password: Secret,
    },
}

/// `[iggy.tls]`
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// Whether the connection is encrypted; not by default.
    pub enabled: bool,
    /// A PEM file of the authorities to trust instead of the public ones.
    pub ca_file: Option<PathBuf>,
    /// The name that the server's certificate must have; the host by default.
    pub domain: Option<String>,
}

pub(super) fn read(section: &Section<'_>) -> Option<Iggy> {
    let address = section.optional("address", host_and_port);
    let login = read_login(section);
    let tls = read_tls(&section.section("tls"));
    let minute = Duration::from_secs(60);
    let timeout = section.optional("timeout", duration(Duration::from_millis(10)..=minute * 10));
    let timeout = timeout.unwrap_or(Duration::from_secs(10));
    let publish_quiet = section.optional("publish_quiet", duration(Duration::ZERO..=minute * 60));
    let max_message_size = section.optional("max_message_size", size(64 << 10..=1 << 30));
    Some(Iggy {
        address: address.unwrap_or_else(|| "127.0.0.1:8090".to_owned()),
        login: login?,
        tls,
        timeout,
        publish_quiet: publish_quiet.unwrap_or(timeout),
        max_message_size: max_message_size.unwrap_or(64 << 20),
    })
}

fn read_login(section: &Section<'_>) -> Option<Login> {
    let has = |key: &str| section.section(key).exists();
    let secret = |key: &str| section.optional(key, |node| Secret::from_setting(&text(node)?));
    match (has("token"), has("username"), has("password")) {
        (true, false, false) => Some(Login::Token(secret("token")?)),
        (false, true, true) => {
            let (username, password) = (section.optional("username", text), secret("password"));
            Some(Login::User {
                username: username?,
                password: password?,
            })
        }
        (true, _, _) => {
            section.refuse(
                "token",
                "stands beside username or password: keep one of the two ways to log in",
            );
            None
        }
        (false, _, _) => {
            section.refuse_table(
                "no complete login: write token = \"file:PATH\", or username and password",
            );
            None
        }
    }
}

fn read_tls(section: &Section<'_>) -> Tls {
    let tls = Tls {
        enabled: section.optional("enabled", flag).unwrap_or(false),
        ca_file: section.optional("ca_file", pem::certificates),
        domain: section.optional("domain", text),
    };
    if !tls.enabled && (tls.ca_file.is_some() || tls.domain.is_some()) {
        section.refuse_table("ca_file and domain mean nothing while enabled is not true");
    }
    tls
}
