//! Who asks a cluster: a user, an API key, a token, or an AWS identity.

use crate::config::secret::Secret;
use crate::config::section::Section;
use crate::config::tree::Node;
use crate::config::value::{choice, text};

/// The keys that say who asks.
pub(in crate::config) const KEYS: [&str; 5] = ["username", "password", "api_key", "token", "aws"];

/// Who asks a cluster. Secrets that were read from files are read again when the cluster
/// refuses them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Credentials {
    /// Basic authentication.
    Basic {
        /// The user's name, without a colon.
        username: String,
        /// The user's password.
        password: Secret,
    },
    /// An API key: `ID:KEY`, or both in base64 as the cluster showed it once.
    ApiKey(Secret),
    /// A bearer token, of a service account or an identity provider.
    Token(Secret),
    /// An AWS identity, which signs every request.
    Aws(Aws),
}

/// An AWS identity and what it signs for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Aws {
    /// The region of the cluster, as `eu-central-1`.
    pub region: String,
    /// The service that runs the cluster.
    pub service: AwsService,
    /// The key's public half.
    pub access_key_id: Secret,
    /// The key's private half.
    pub secret_access_key: Secret,
    /// What keys that were lent for a time come with.
    pub session_token: Option<Secret>,
}

/// A service of AWS that runs clusters.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum AwsService {
    /// Amazon OpenSearch Service, with OpenSearch or Elasticsearch.
    #[default]
    Es,
    /// Amazon OpenSearch Serverless.
    Aoss,
}

impl AwsService {
    /// The service as signatures and the configuration have it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Es => "es",
            Self::Aoss => "aoss",
        }
    }
}

impl Credentials {
    /// Who asks, in words that show no secret.
    pub fn summary(&self) -> String {
        match self {
            Self::Basic { username, .. } => format!("as {username}"),
            Self::ApiKey(_) => "with an api key".to_owned(),
            Self::Token(_) => "with a token".to_owned(),
            Self::Aws(aws) => format!("signed for aws {} in {}", aws.service.as_str(), aws.region),
        }
    }

    /// The same with what the files of secrets hold by now.
    ///
    /// # Errors
    /// Names the file that can not be read, or holds no secret any more.
    pub(crate) fn read_again(&self) -> Result<Self, String> {
        Ok(match self {
            Self::Basic { username, password } => Self::Basic {
                username: username.clone(),
                password: password.read_again()?,
            },
            Self::ApiKey(key) => Self::ApiKey(key.read_again()?),
            Self::Token(token) => Self::Token(token.read_again()?),
            Self::Aws(aws) => Self::Aws(Aws {
                region: aws.region.clone(),
                service: aws.service,
                access_key_id: aws.access_key_id.read_again()?,
                secret_access_key: aws.secret_access_key.read_again()?,
                session_token: aws
                    .session_token
                    .as_ref()
                    .map(Secret::read_again)
                    .transpose()?,
            }),
        })
    }
}

/// `None` also where nobody in particular asks.
pub(in crate::config) fn read(config: &Section<'_>) -> Option<Credentials> {
    let has = |key: &str| config.section(key).exists();
    let user = has("username") || has("password");
    let ways = [
        (user, "username"),
        (has("api_key"), "api_key"),
        (has("token"), "token"),
        (has("aws"), "aws"),
    ];
    let mut written = ways.into_iter().filter_map(|(is, key)| is.then_some(key));
    let first = written.next()?;
    if let Some(second) = written.next() {
        let message = format!("stands beside {first}: keep one of the two ways to be let in");
        config.refuse(second, &message);
        return None;
    }
    match first {
        "api_key" => config.optional("api_key", header).map(Credentials::ApiKey),
        "token" => config.optional("token", header).map(Credentials::Token),
        "aws" => read_aws(&config.section("aws")).map(Credentials::Aws),
        _ => read_basic(config),
    }
}

fn read_basic(config: &Section<'_>) -> Option<Credentials> {
    let username = config.optional("username", |node| {
        let name = text(node)?;
        match name.contains(':') {
            true => Err("has a colon, which no user's name can have here".to_owned()),
            false => Ok(name),
        }
    });
    let password = config.optional("password", secret);
    config.needs_both(["username", "password"]);
    Some(Credentials::Basic {
        username: username?,
        password: password?,
    })
}

fn read_aws(aws: &Section<'_>) -> Option<Aws> {
    let services = [AwsService::Es, AwsService::Aoss].map(|service| (service.as_str(), service));
    let region = aws.required("region", "region = \"eu-central-1\"", text);
    let service = aws.optional("service", choice(&services));
    let has = |key: &str| aws.section(key).exists();
    if !has("access_key_id") || !has("secret_access_key") {
        aws.refuse_table(
            "has no key to sign with: write access_key_id and secret_access_key, or start the program with AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in its environment",
        );
    }
    let access_key_id = aws.optional("access_key_id", header);
    let secret_access_key = aws.optional("secret_access_key", secret);
    let session_token = aws.optional("session_token", header);
    Some(Aws {
        region: region?,
        service: service.unwrap_or_default(),
        access_key_id: access_key_id?,
        secret_access_key: secret_access_key?,
        session_token,
    })
}

fn secret(node: &Node) -> Result<Secret, String> {
    Secret::from_setting(&text(node)?)
}

/// A secret that stands in a header as it is.
fn header(node: &Node) -> Result<Secret, String> {
    let secret = secret(node)?;
    match secret.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(secret),
        false => {
            Err("has a space, a line break or a letter beyond ascii: copy it again".to_owned())
        }
    }
}
