//! `proxy`: what stands between this program and a cluster.

use reqwest::Url;

use crate::config::secret::Secret;
use crate::config::tree::Node;
use crate::config::value::text;

const EXAMPLE: &str = "write one like \"http://user:password@localhost:3128\", or \"file:PATH\"";

/// An HTTP proxy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proxy {
    /// `http` or `https`, with user and password where it wants them.
    pub url: Secret,
    /// The same without user and password.
    pub address: String,
}

/// The text is not repeated in messages, as it may hold a password.
pub(super) fn proxy(node: &Node) -> Result<Proxy, String> {
    let secret = Secret::from_setting(&text(node)?)?;
    let mut url =
        Url::parse(secret.expose()).map_err(|cause| format!("is no url ({cause}): {EXAMPLE}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("begins with http:// or https://: {EXAMPLE}"));
    }
    if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
        return Err(format!("has something behind its host and port: {EXAMPLE}"));
    }
    let no_host = |()| format!("has no host: {EXAMPLE}");
    url.set_username("").map_err(no_host)?;
    url.set_password(None).map_err(no_host)?;
    Ok(Proxy {
        url: secret,
        address: url.as_str().trim_end_matches('/').to_owned(),
    })
}
