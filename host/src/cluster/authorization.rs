//! Who asks: what a request shows of it, and secrets that are replaced while it runs.

use std::sync::{Mutex, PoisonError};

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::Request;
use reqwest::header::{AUTHORIZATION, HeaderValue};

use super::sigv4;
use crate::config::Credentials;

/// The credentials, as their files held them last.
pub(super) struct Authorization(Mutex<Option<Credentials>>);

impl Authorization {
    pub(super) fn new(credentials: Option<Credentials>) -> Self {
        Self(Mutex::new(credentials))
    }

    pub(super) fn current(&self) -> Option<Credentials> {
        let current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }

    /// What to ask with instead of what was refused; none where the files hold nothing new.
    pub(super) async fn renewed(&self, refused: Credentials) -> Option<Credentials> {
        let old = refused.clone();
        let read = tokio::task::spawn_blocking(move || refused.read_again());
        let renewed = match read.await.ok()? {
            Ok(renewed) => renewed,
            Err(error) => {
                tracing::warn!(
                    error,
                    "the cluster refuses a secret that can not be read again"
                );
                return None;
            }
        };
        if renewed == old {
            return None;
        }
        tracing::info!(
            "the cluster refuses a secret whose file holds another one by now, which is taken"
        );
        let mut current = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *current = Some(renewed.clone());
        Some(renewed)
    }
}

/// Whether this answer may mean that these credentials are old: AWS says of those that are
/// over what it says of those that do not suffice.
pub(super) fn refuses(status: u16, credentials: &Credentials) -> bool {
    match credentials {
        Credentials::Aws(_) => matches!(status, 401 | 403),
        Credentials::Basic { .. } | Credentials::ApiKey(_) | Credentials::Token(_) => status == 401,
    }
}

/// Puts who asks into a request that is otherwise complete.
///
/// # Errors
/// What can not be sent, without showing it.
pub(super) fn authorize(request: &mut Request, credentials: &Credentials) -> anyhow::Result<()> {
    let text = match credentials {
        Credentials::Aws(aws) => return sigv4::sign(request, aws, std::time::SystemTime::now()),
        Credentials::Basic { username, password } => {
            let user = format!("{username}:{}", password.expose());
            format!("Basic {}", STANDARD.encode(user))
        }
        Credentials::ApiKey(key) => match key.expose() {
            // Base64 has no colon.
            pair if pair.contains(':') => format!("ApiKey {}", STANDARD.encode(pair)),
            encoded => format!("ApiKey {encoded}"),
        },
        Credentials::Token(token) => format!("Bearer {}", token.expose()),
    };
    request.headers_mut().insert(AUTHORIZATION, secret(&text)?);
    Ok(())
}

/// A header that nothing shows.
pub(super) fn secret(text: &str) -> anyhow::Result<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok().context(
        "the secret for the cluster has a line break or a letter that no header can hold: write it again",
    )?;
    value.set_sensitive(true);
    Ok(value)
}
