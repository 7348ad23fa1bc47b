//! `[sources.NAME.registry]`: how the registry is reached that a component is in.

use crate::component::{REGISTRY_SCHEME, in_registry};

use super::secret::Secret;
use super::section::Section;
use super::value::{flag, text};

/// Who asks a registry, and how.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Registry {
    /// Name and password; anonymous by default.
    pub user: Option<(String, Secret)>,
    /// Without TLS, which only a registry on this machine should do; no by default.
    pub plain_http: bool,
}

/// For the component of this path.
pub(super) fn read(section: &Section<'_>, path: Option<&str>) -> Registry {
    if section.exists() && path.and_then(in_registry).is_none() {
        section.refuse_table(&format!(
            "is of no use, as \"path\" does not begin with {REGISTRY_SCHEME}: leave one of them out"
        ));
    }
    let username = section.optional("username", text);
    let password = section.optional("password", |node| Secret::from_setting(&text(node)?));
    section.needs_both(["username", "password"]);
    Registry {
        user: username.zip(password),
        plain_http: section.optional("plain_http", flag).unwrap_or_default(),
    }
}
