//! Who asks a registry, said in the way that it wants to be told.

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_auth::{ChallengeRef, parse_challenges};
use oci_client::Reference;
use reqwest::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};
use reqwest::{StatusCode, Url};
use serde::Deserialize;

use super::client::{address, refusal, send, small};
use crate::capability::text::shown;
use crate::config::Registry;

/// What helps who is not let in.
pub(super) const WHO: &str =
    "set username and password in [sources.NAME.registry], or check them there";

/// What lets us in, as both names are in use.
#[derive(Deserialize)]
struct Answer {
    token: Option<String>,
    access_token: Option<String>,
}

/// The answer to what a registry asks for: a token of the service that it names, or name and
/// password.
///
/// # Errors
/// If it asks for what there is not, or the token service is not asked or gives none.
pub(super) async fn authorization(
    http: &reqwest::Client,
    reference: &Reference,
    registry: &Registry,
    wanted: &HeaderMap,
) -> anyhow::Result<HeaderValue> {
    let wanted = wanted.get_all(WWW_AUTHENTICATE).iter();
    let wanted: Vec<_> = wanted.filter_map(|wanted| wanted.to_str().ok()).collect();
    let challenges = wanted.iter().flat_map(|wanted| parse_challenges(wanted));
    let challenges: Vec<_> = challenges.flatten().collect();
    let find = |scheme: &str| {
        let mut all = challenges.iter();
        all.find(|challenge| challenge.scheme.eq_ignore_ascii_case(scheme))
    };
    if let Some(bearer) = find("Bearer") {
        let (realm, address) = token_service(bearer, reference, registry)?;
        let token = token(http, registry, realm, &address).await;
        return token
            .with_context(|| format!("the registry's token service {address} lets us not in"));
    }
    find("Basic").context("the registry asks for credentials of a kind that is not known here")?;
    let Some((name, password)) = &registry.user else {
        bail!("the registry lets nobody in whom it does not know: {WHO}")
    };
    let user = STANDARD.encode(format!("{name}:{}", password.expose()));
    secret(&format!("Basic {user}")).context("username and password can not be sent")
}

/// Where tokens for this artifact are given out, as it is asked and as it is shown.
fn token_service(
    challenge: &ChallengeRef<'_>,
    reference: &Reference,
    registry: &Registry,
) -> anyhow::Result<(Url, String)> {
    let find = |name: &str| {
        let mut all = challenge.params.iter();
        let found = all.find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.to_unescaped())
    };
    let realm = find("realm").unwrap_or_default();
    let unknown = || {
        format!(
            "the registry names no token service, but {:?}",
            shown(&realm)
        )
    };
    let mut url = Url::parse(&realm).with_context(unknown)?;
    let shown = address(&url);
    ensure!(
        url.scheme() == "https" || registry.plain_http,
        "the registry's token service {shown} is not asked, and no password sent to it, as it does not speak https: set plain_http = true if that is meant"
    );
    let scope = format!("repository:{}:pull", reference.repository());
    url.query_pairs_mut().append_pair("scope", &scope);
    if let Some(service) = find("service") {
        url.query_pairs_mut().append_pair("service", &service);
    }
    Ok((url, shown))
}

async fn token(
    http: &reqwest::Client,
    registry: &Registry,
    service: Url,
    shown: &str,
) -> anyhow::Result<HeaderValue> {
    let mut request = http.get(service);
    if let Some((name, password)) = &registry.user {
        tracing::info!(
            address = shown,
            "the password goes to the registry's token service"
        );
        request = request.basic_auth(name, Some(password.expose()));
    }
    let response = send(request).await?;
    match response.status() {
        StatusCode::OK => {}
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => {
            return Err(refusal(response).await.context(WHO));
        }
        _ => return Err(refusal(response).await),
    }
    let answer = serde_json::from_slice::<Answer>(&small(response).await?).ok();
    let token = answer.and_then(|answer| answer.token.or(answer.access_token));
    let header = token.and_then(|token| secret(&format!("Bearer {token}")));
    header.context("it answers with no token")
}

/// A header that nothing shows.
fn secret(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Secret;

    #[tokio::test]
    async fn a_password_is_only_sent_in_the_open_where_that_is_meant() {
        let registry = Registry {
            user: Some(("me".to_owned(), Secret::from_setting("secret").unwrap())),
            plain_http: false,
        };
        let reference = super::super::parse("r.example/source:1").unwrap();
        let rows = [
            (
                "Bearer realm=\"http://r.example/token\"",
                "http://r.example/token is not asked, and no password sent",
            ),
            ("Bearer realm=\"x y\"", "names no token service"),
            ("Bearer service=\"x\"", "names no token service"),
            ("Negotiate", "of a kind that is not known here"),
        ];
        for (challenge, words) in rows {
            let mut wanted = HeaderMap::new();
            wanted.insert(
                WWW_AUTHENTICATE,
                HeaderValue::from_bytes(challenge.as_bytes()).unwrap(),
            );
            let http = reqwest::Client::new();
            let told = authorization(&http, &reference, &registry, &wanted).await;
            let error = told.unwrap_err().to_string();
            assert!(error.contains(words), "{challenge}: {error}");
        }
    }
}
