//! The section `[tls]`: which certificate the server shows and which ones it asks for.

use std::path::PathBuf;

use glaux_engine::{Error, Result};
use serde::{Deserialize, Serialize};

/// The section `[tls]`; without a certificate, connections are not encrypted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct TlsOptions {
    /// PEM file of the server's certificate and what leads to its authority.
    pub(crate) certificate: Option<PathBuf>,
    /// PEM file of its private key.
    pub(crate) key: Option<PathBuf>,
    /// PEM file of the authorities that sign clients' certificates; asks clients for one.
    pub(crate) client_ca: Option<PathBuf>,
    /// Whether a client without a certificate is turned away at once.
    pub(crate) client_certificates: ClientCertificates,
    /// The oldest version of TLS that is spoken.
    pub(crate) min_version: TlsVersion,
}

/// What a client must show, if `client_ca` is set.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ClientCertificates {
    /// A certificate or nothing; a bad one is refused.
    Optional,
    /// A certificate.
    #[default]
    Required,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum TlsVersion {
    #[default]
    #[serde(rename = "1.2")]
    V12,
    #[serde(rename = "1.3")]
    V13,
}

impl TlsOptions {
    /// Whether connections are encrypted.
    pub(crate) fn is_on(&self) -> bool {
        self.certificate.is_some()
    }

    /// Refuses halves.
    ///
    /// # Errors
    /// `Invalid`, naming the key that is missing.
    pub(crate) fn check(&self) -> Result<()> {
        let needs = |key: &str, other: &str| Err(Error::invalid(format!("\"tls.{key}\" is set without \"tls.{other}\"")));
        match (&self.certificate, &self.key, &self.client_ca) {
            (Some(_), None, _) => needs("certificate", "key"),
            (None, Some(_), _) => needs("key", "certificate"),
            (None, None, Some(_)) => needs("client_ca", "certificate"),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_refused() {
        let options = |text: &str| toml::from_str::<TlsOptions>(text).unwrap();
        assert!(options("").check().is_ok() && !options("").is_on());
        assert!(options("certificate = \"c\"\nkey = \"k\"\nclient_ca = \"a\"\nmin_version = \"1.3\"").check().is_ok());
        for half in ["certificate = \"c\"", "key = \"k\"", "client_ca = \"a\""] {
            assert!(options(half).check().is_err(), "{half}");
        }
        assert!(toml::from_str::<TlsOptions>("min_version = \"1.1\"").is_err());
    }
}
