//! What the SDK's errors mean here: can the request have taken effect, what ends the
//! reason, and what is there to do.
//!
//! **Invariant:** only an error that is known to come before any effect says that nothing
//! is in. Every other one, and every new one, counts as unknown, which costs a quiet time
//! and a reading, and is never wrong.

use std::time::Duration;

use ::iggy::prelude::IggyError;
use anyhow::anyhow;

use super::IggyConfig;
use super::experience::Refusal;
use crate::publisher::destination::{AppendError, Committed, Unfit};

/// What was tried.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Action {
    Connect,
    Look,
    CreateStream,
    CreateTopic,
    Poll,
    Send,
}

impl Action {
    fn text(self) -> &'static str {
        match self {
            Self::Connect => "connect to",
            Self::Look => "look at the topic in",
            Self::CreateStream => "create the stream in",
            Self::CreateTopic => "create the topic in",
            Self::Poll => "read messages from",
            Self::Send => "send messages to",
        }
    }

    fn permission(self) -> &'static str {
        match self {
            Self::Connect => "sign in",
            Self::Look => "read_topics",
            Self::CreateStream => "manage_streams",
            Self::CreateTopic => "manage_topics",
            Self::Poll => "poll_messages",
            Self::Send => "send_messages",
        }
    }
}

/// Why a request has no result.
#[derive(Debug)]
pub(super) enum Failure {
    /// The SDK gave an error, of the server's or its own.
    Answered(IggyError),
    /// No answer within this time.
    TimedOut(Duration),
}

impl Failure {
    /// Whether the two sides may disagree about TLS, which the SDK does not tell.
    pub(super) fn may_be_about_tls(&self) -> bool {
        use IggyError::{CannotEstablishConnection, Disconnected};
        matches!(
            self,
            Self::TimedOut(_) | Self::Answered(CannotEstablishConnection | Disconnected)
        )
    }
}

/// What ends the reason for a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ends {
    /// Time.
    ByItself,
    /// Somebody at the server, who may do so while the source runs.
    AtTheServer,
    /// Nothing, while the source runs.
    Never,
}

/// A row of the table.
struct Meaning {
    /// Certainly before any effect.
    refused: bool,
    ends: Ends,
    unfit: Unfit,
    remedy: String,
}

fn refused(ends: Ends, remedy: impl Into<String>) -> Meaning {
    Meaning {
        refused: true,
        ends,
        unfit: Unfit::None,
        remedy: remedy.into(),
    }
}

fn unfit(remedy: impl Into<String>) -> Meaning {
    Meaning {
        unfit: Unfit::Unnamed,
        ..refused(Ends::Never, remedy)
    }
}

/// The error for the caller. Only a send can have put messages into the topic.
pub(super) fn refuse(config: &IggyConfig, action: Action, failure: Failure) -> Refusal {
    let (meaning, cause) = match failure {
        Failure::TimedOut(after) => (no_answer(action), anyhow!("no answer within {after:?}")),
        Failure::Answered(error) => (meaning(config, action, &error), anyhow!(text(&error))),
    };
    let nothing = meaning.refused || action != Action::Send;
    let (doing, address) = (action.text(), &config.address);
    let error = AppendError {
        committed: if nothing {
            Committed::Nothing
        } else {
            Committed::Unknown
        },
        transient: meaning.ends == Ends::ByItself,
        unfit: meaning.unfit,
        cause: cause.context(format!(
            "cannot {doing} iggy at {address}, {}",
            meaning.remedy
        )),
    };
    let revoked = (meaning.ends == Ends::AtTheServer).then_some(action);
    Refusal { error, revoked }
}

fn no_answer(action: Action) -> Meaning {
    let remedy = match action {
        Action::Connect => "is the server running and reachable? see [iggy] address",
        // A server closes the connection on a request that is larger than it takes.
        Action::Send => {
            "the connection is dropped; if this repeats, is max_message_size in [iggy] that of \
             the server?"
        }
        _ => "the connection is dropped",
    };
    Meaning {
        refused: false,
        ends: Ends::ByItself,
        unfit: Unfit::None,
        remedy: remedy.to_owned(),
    }
}

/// The table. The server's errors come without their details, so that the remedy says
/// what it can from here.
fn meaning(config: &IggyConfig, action: Action, error: &IggyError) -> Meaning {
    use Ends::{AtTheServer, ByItself, Never};
    use IggyError as E;
    match error {
        E::InvalidCredentials
        | E::InvalidUsername
        | E::InvalidPassword
        | E::InvalidPersonalAccessToken
        | E::PersonalAccessTokenExpired(..)
        | E::UserInactive => refused(AtTheServer, sign_in_remedy(config)),
        E::Unauthorized => refused(AtTheServer, permission_remedy(config, action)),
        E::IncompatibleProtocolVersion(..) => refused(Never, OTHER_PROTOCOL),
        E::InvalidFormat | E::InvalidCommand if action == Action::Connect => {
            refused(Never, OTHER_PROTOCOL)
        }
        E::CannotEstablishConnection => {
            refused(ByItself, "is the server running? see [iggy] address")
        }
        E::Disconnected if action == Action::Connect => refused(
            ByItself,
            "the connection was closed while signing in: does [iggy] address name the TCP port \
             of an iggy server?",
        ),
        E::InvalidTlsDomain => refused(Never, "domain in [iggy.tls] can not be a server's name"),
        E::InvalidTlsCertificatePath | E::InvalidTlsCertificate => {
            refused(AtTheServer, unreadable_authorities_remedy(config))
        }
        E::UnsupportedOptionKey(_) | E::InvalidOptionValue(_) | E::FeatureUnavailable => refused(
            Never,
            "this server does not know an option that new topics need (message_expiry, \
             max_topic_size, durability): create stream and topic by hand",
        ),
        E::StreamIdNotFound(_)
        | E::StreamNameNotFound(_)
        | E::TopicIdNotFound(..)
        | E::TopicNameNotFound(..)
        | E::PartitionNotFound(..)
        | E::NoPartitions(..)
        | E::ResourceNotFound(_) => refused(
            AtTheServer,
            "stream, topic or partition was deleted meanwhile: restore it",
        ),
        E::TooBigMessagePayload
        | E::TooBigUserHeaders
        | E::InvalidMessagePayloadLength
        | E::EmptyMessagePayload
        | E::InvalidHeaderKey
        | E::InvalidHeaderValue => unfit("the server does not take such a message"),
        E::TooManyMessages | E::InvalidMessagesCount => refused(
            Never,
            "the server does not take so many messages at once: see batch_length",
        ),
        E::InvalidStreamName | E::InvalidTopicName | E::InvalidIdentifier => refused(
            Never,
            "the server does not take this name: choose another one",
        ),
        E::TooManyStreams | E::TooManyTopics | E::TooManyPartitions => {
            refused(Never, "the server has no room for another one")
        }
        E::TopicFull(..) => refused(ByItself, "the topic is full: see its maximum size"),
        E::TransientNotAccepted => refused(ByItself, "the server is not ready yet"),
        _ => no_answer(action),
    }
}

const OTHER_PROTOCOL: &str =
    "the server speaks another protocol version: use a server of protocol 0.11";

/// Errors from the wire have a code only, and made-up names and numbers in their text.
fn text(error: &IggyError) -> String {
    match error {
        IggyError::IncompatibleProtocolVersion(..) => error.to_string().to_lowercase(),
        other => other.as_string().replace('_', " "),
    }
}

fn sign_in_remedy(config: &IggyConfig) -> String {
    match &config.token {
        Some(_) => "the server does not accept the token: see [iggy] token".to_owned(),
        None => format!(
            "the server does not accept the password of {:?}: see [iggy] username and password",
            config.username
        ),
    }
}

fn permission_remedy(config: &IggyConfig, action: Action) -> String {
    let who = match &config.token {
        Some(_) => "the token's user".to_owned(),
        None => format!("the user {:?}", config.username),
    };
    let permission = action.permission();
    let or_else = match action {
        Action::CreateStream | Action::CreateTopic => ", or create stream and topic by hand",
        Action::Poll => {
            ", or set delivery = \"at_least_once\", where a message may be repeated after a failure"
        }
        _ => "",
    };
    format!("{who} lacks the permission {permission}: grant it{or_else}")
}

fn unreadable_authorities_remedy(config: &IggyConfig) -> String {
    let tls = config.tls.as_ref();
    let file = tls.and_then(|tls| tls.ca_file.as_deref()).unwrap_or("");
    format!("ca_file {file:?} in [iggy.tls] is no readable PEM file of certificates")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(action: Action, error: IggyError) -> AppendError {
        let config = IggyConfig {
            address: "127.0.0.1:8090".into(),
            username: "joe".into(),
            password: "hunter2".into(),
            token: None,
            tls: None,
            timeout: Duration::from_secs(5),
            publish_quiet: Duration::from_secs(5),
            max_message_size: 64 << 20,
        };
        refuse(&config, action, Failure::Answered(error)).error
    }

    #[test]
    fn only_errors_before_any_effect_say_that_nothing_was_sent() {
        use IggyError as E;
        let rows = [
            (E::Unauthorized, Committed::Nothing, false),
            (
                E::TopicIdNotFound(Default::default(), Default::default()),
                Committed::Nothing,
                false,
            ),
            (E::TooBigMessagePayload, Committed::Nothing, false),
            (E::TransientNotAccepted, Committed::Nothing, true),
            (E::TransientNotCommitted, Committed::Unknown, true),
            (E::Disconnected, Committed::Unknown, true),
            (E::StaleClient, Committed::Unknown, true),
            (E::CannotSyncFile, Committed::Unknown, true),
            (E::Error, Committed::Unknown, true),
        ];
        for (error, committed, transient) in rows {
            let text = format!("{error:?}");
            let judged = judged(Action::Send, error);
            assert_eq!(
                (judged.committed, judged.transient),
                (committed, transient),
                "{text}"
            );
        }
    }

    #[test]
    fn messages_name_the_thing_and_the_remedy() {
        use IggyError as E;
        let rows = [
            (
                Action::Send,
                E::Unauthorized,
                "\"joe\" lacks the permission send_messages",
            ),
            (
                Action::CreateTopic,
                E::Unauthorized,
                "create stream and topic by hand",
            ),
            (
                Action::Connect,
                E::InvalidCredentials,
                "see [iggy] username and password",
            ),
            (
                Action::Connect,
                E::InvalidFormat,
                "server speaks another protocol version",
            ),
            (
                Action::Connect,
                E::CannotEstablishConnection,
                "is the server running? see [iggy]",
            ),
            (
                Action::CreateTopic,
                E::UnsupportedOptionKey(String::new()),
                "by hand",
            ),
        ];
        for (action, error, expected) in rows {
            let text = judged(action, error).to_string();
            assert!(
                text.contains(expected) && text.contains("127.0.0.1:8090"),
                "{text}"
            );
            assert!(!text.contains("hunter2"), "{text}");
        }
    }
}
