//! The section `[auth]`: how callers prove who they are, and by whose word. Checked here as far as that needs no file and no network.

use std::path::{Path, PathBuf};

use glaux_engine::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::span::Span;

/// The file of users in the data directory, if no other is named.
const USERS_FILE: &str = "users.toml";

/// The section `[auth]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct AuthOptions {
    /// One proof of identity or a list of them; `none` turns authentication off.
    pub(crate) identity: OneOrMany<Proof>,
    /// The file of users; `users.toml` in the data directory if it is not set.
    pub(crate) users_file: Option<PathBuf>,
    /// How long a token of the server's is valid after it was issued or renewed.
    pub(crate) token_lifetime: Span,
    /// Which name of a client certificate is the user's.
    pub(crate) certificate_name: CertificateName,
    pub(crate) oidc: OidcOptions,
}

/// What proves who somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Proof {
    /// Authentication is off; everybody may do everything.
    None,
    /// A password that the file of users knows.
    Users,
    /// A JWT of the issuer in `[auth.oidc]`.
    Oidc,
    /// A client certificate that `tls.client_ca` signed.
    Mtls,
}

/// A name in a certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CertificateName {
    /// The subject's common name.
    #[default]
    Cn,
    /// The first alternative name that is an e-mail address.
    Email,
    /// The first alternative name of the DNS.
    Dns,
    /// The first alternative name that is a URI, as SPIFFE uses it.
    Uri,
}

/// The section `[auth.oidc]`: tokens that somebody else issues.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OidcOptions {
    /// What `iss` must be; keys are found at its discovery document unless `jwks` says where they are.
    pub(crate) issuer: Option<String>,
    /// A URL of a JWKS, or a file of one, or a file of a PEM public key or certificate.
    pub(crate) jwks: Option<String>,
    /// What `aud` must be or contain; one of these.
    pub(crate) audience: OneOrMany<String>,
    /// The claim that names the user; `preferred_username`, then `email`, then `sub` if it is not set.
    pub(crate) user_claim: Option<String>,
    /// The claim that lists groups, or lists them between spaces; dots reach into objects.
    pub(crate) groups_claim: String,
    /// The groups whose members are administrators.
    pub(crate) admin_groups: Vec<String>,
    /// The claim that binds the user to a workgroup.
    pub(crate) workgroup_claim: Option<String>,
    /// How far clocks may be apart.
    pub(crate) leeway: Span,
}

/// A value, or several of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum OneOrMany<T> {
    One(T),
    Many(Vec<T>),
}

impl<T> OneOrMany<T> {
    pub(crate) fn as_slice(&self) -> &[T] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

impl Default for AuthOptions {
    fn default() -> Self {
        Self {
            identity: OneOrMany::One(Proof::None),
            users_file: None,
            token_lifetime: Span::hours(24),
            certificate_name: CertificateName::default(),
            oidc: OidcOptions::default(),
        }
    }
}

impl Default for OidcOptions {
    fn default() -> Self {
        Self {
            issuer: None,
            jwks: None,
            audience: OneOrMany::Many(Vec::new()),
            user_claim: None,
            groups_claim: "groups".to_owned(),
            admin_groups: Vec::new(),
            workgroup_claim: None,
            leeway: Span::seconds(60),
        }
    }
}

impl AuthOptions {
    /// Whether callers of this proof are let in.
    pub(crate) fn accepts(&self, proof: Proof) -> bool {
        self.identity.as_slice().contains(&proof)
    }

    /// Whether authentication is off.
    pub(crate) fn is_open(&self) -> bool {
        self.accepts(Proof::None)
    }

    /// Where the users are.
    pub(crate) fn users_path(&self, data_dir: &Path) -> PathBuf {
        self.users_file.clone().unwrap_or_else(|| data_dir.join(USERS_FILE))
    }

    /// Refuses what cannot be meant.
    ///
    /// # Errors
    /// `Invalid`, naming the key.
    pub(crate) fn check(&self) -> Result<()> {
        let proofs = self.identity.as_slice();
        if proofs.is_empty() {
            return Err(Error::invalid("\"auth.identity\" is an empty list").with_hint("Write \"none\" to turn it off"));
        }
        if self.is_open() && proofs.len() > 1 {
            return Err(Error::invalid("\"auth.identity\" lists \"none\" together with others").with_hint("Leave \"none\" out"));
        }
        if self.token_lifetime.0.as_secs() == 0 {
            return Err(Error::invalid("\"auth.token_lifetime\" is less than a second").with_hint("Write it as 15m or 24h"));
        }
        if self.accepts(Proof::Oidc) {
            let missing = |key: &str| Error::invalid(format!("auth.identity \"oidc\" needs \"auth.oidc.{key}\""));
            if self.oidc.issuer.as_deref().is_none_or(str::is_empty) {
                return Err(missing("issuer").with_hint("Write what the tokens' claim \"iss\" says"));
            }
            let audience = self.oidc.audience.as_slice();
            if audience.is_empty() || audience.iter().any(String::is_empty) {
                return Err(missing("audience").with_hint("Write what the tokens' claim \"aud\" says, such as the client's id"));
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(text: &str) -> AuthOptions {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn proofs_are_one_or_several() {
        assert!(AuthOptions::default().is_open() && AuthOptions::default().check().is_ok());
        assert!(options("identity = \"users\"").accepts(Proof::Users));
        let both = options("identity = [\"users\", \"mtls\"]");
        assert!(both.accepts(Proof::Mtls) && !both.is_open() && both.check().is_ok());
        assert!(toml::from_str::<AuthOptions>("identity = \"magic\"").is_err());
        assert!(toml::from_str::<AuthOptions>("[oidc]\nissue = \"x\"").is_err());
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        for (text, key) in [
            ("identity = []", "identity"),
            ("identity = [\"none\", \"users\"]", "none"),
            ("token_lifetime = \"0s\"", "token_lifetime"),
            ("identity = \"oidc\"", "issuer"),
            ("identity = \"oidc\"\n[oidc]\nissuer = \"https://i\"", "audience"),
            ("identity = \"oidc\"\n[oidc]\nissuer = \"https://i\"\naudience = \"\"", "audience"),
        ] {
            assert!(options(text).check().unwrap_err().message().contains(key), "{text}");
        }
    }
}
