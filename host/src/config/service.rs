//! `[http]` and `[logging]`: how the connector shows what it does.

use super::secret::Secret;
use super::section::Section;
use super::value::{choice, flag, host_and_port, text};

/// `[http]`: the connector's own server for health and metrics.
#[derive(Debug, Clone)]
pub struct Http {
    /// Whether it runs; by default where there is an `[http]`.
    pub enabled: bool,
    /// `HOST:PORT` to listen on, `127.0.0.1:8081` by default; port 0 takes a free one.
    pub address: String,
    /// What a request must bring as `api-key`; absent, every request is answered.
    pub api_key: Option<Secret>,
}

/// `[logging]`
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Logging {
    /// Text by default.
    pub format: LogFormat,
    /// `info` by default.
    pub level: LogLevel,
}

/// How a log line is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// The least important log lines that are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum LogLevel {
    /// What needs somebody to act.
    Error,
    /// What may soon need somebody to act.
    Warn,
    /// What the connector does.
    #[default]
    Info,
    /// How it does it.
    Debug,
    /// Every step.
    Trace,
}

impl LogLevel {
    /// The level as filters of log lines write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

pub(super) fn read_http(section: &Section<'_>) -> Http {
    let address = section.optional("address", host_and_port);
    Http {
        enabled: section
            .optional("enabled", flag)
            .unwrap_or(section.exists()),
        address: address.unwrap_or_else(|| "127.0.0.1:8081".to_owned()),
        api_key: section.optional("api_key", |node| Secret::from_setting(&text(node)?)),
    }
}

pub(super) fn read_logging(section: &Section<'_>) -> Logging {
    let formats = [("text", LogFormat::Text), ("json", LogFormat::Json)];
    let levels = [
        LogLevel::Error,
        LogLevel::Warn,
        LogLevel::Info,
        LogLevel::Debug,
        LogLevel::Trace,
    ];
    let levels = levels.map(|level| (level.as_str(), level));
    Logging {
        format: section
            .optional("format", choice(&formats))
            .unwrap_or_default(),
        level: section
            .optional("level", choice(&levels))
            .unwrap_or_default(),
    }
}
