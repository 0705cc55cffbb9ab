//! The section `[catalog]`: the catalog service that is used in place of the data directory's own catalog. Checked and opened
//! here; what it holds is the catalog's business.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use glaux_catalog::grpc::{Credentials, RemoteMetastore, RemoteOptions};
use glaux_engine::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::{diagnostic::io_error, span::Span};

/// The section `[catalog]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct CatalogOptions {
    /// `grpc://host:port`, or `grpcs://host:port` for TLS; the catalog in the data directory if it is not set.
    pub(crate) url: Option<String>,
    /// What proves who calls, where the service asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) token: Option<String>,
    /// A user of the service's, in place of a token.
    pub(crate) user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) password: Option<String>,
    /// PEM file of the authorities that sign the service's certificate; the system's if it is not set.
    pub(crate) ca_certificate: Option<PathBuf>,
    /// PEM file of the certificate that is shown to the service.
    pub(crate) client_certificate: Option<PathBuf>,
    /// PEM file of its private key.
    pub(crate) client_key: Option<PathBuf>,
    /// How long the service may take to answer.
    pub(crate) timeout: Span,
}

impl Default for CatalogOptions {
    fn default() -> Self {
        Self {
            url: None,
            token: None,
            user: None,
            password: None,
            ca_certificate: None,
            client_certificate: None,
            client_key: None,
            timeout: Span(RemoteOptions::TIMEOUT),
        }
    }
}

impl CatalogOptions {
    /// Connects to the service; `None` if none is named.
    ///
    /// # Errors
    /// `Invalid` for what cannot be meant; as reading the files and [`RemoteMetastore::connect`] say.
    pub(crate) async fn connect(&self) -> Result<Option<Arc<RemoteMetastore>>> {
        let Some(options) = self.remote()? else { return Ok(None) };
        Ok(Some(Arc::new(RemoteMetastore::connect(&options).await?)))
    }

    fn remote(&self) -> Result<Option<RemoteOptions>> {
        let Some(url) = self.url.as_ref().filter(|url| !url.is_empty()) else { return Ok(None) };
        let given = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        let credentials = match (given(&self.token), given(&self.user), given(&self.password)) {
            (None, None, None) => Credentials::None,
            (Some(token), None, None) => Credentials::Token(token),
            (None, Some(user), Some(password)) => Credentials::Password { user, password },
            _ => {
                return Err(Error::invalid(
                    "\"catalog.token\", \"catalog.user\" and \"catalog.password\" cannot be combined like this",
                )
                .with_hint("Give a token, or a user with a password"));
            }
        };
        let identity = match (&self.client_certificate, &self.client_key) {
            (None, None) => None,
            (Some(certificate), Some(key)) => Some((read("certificate", certificate)?, read("private key", key)?)),
            _ => {
                return Err(Error::invalid("\"catalog.client_certificate\" and \"catalog.client_key\" must be set together")
                    .with_hint("Name both PEM files, or neither"));
            }
        };
        let authorities = self.ca_certificate.as_deref().map(|path| read("authorities", path)).transpose()?;
        Ok(Some(RemoteOptions { url: url.clone(), credentials, authorities, identity, timeout: self.timeout.0 }))
    }
}

fn read(what: &str, path: &Path) -> Result<Vec<u8>> {
    fs::read(path).map_err(|error| io_error(&format!("read the {what}"), path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn remote(text: &str) -> Result<Option<RemoteOptions>> {
        toml::from_str::<CatalogOptions>(text).unwrap().remote()
    }

    #[test]
    fn what_is_shown_to_the_service_is_one_thing() {
        assert!(remote("").unwrap().is_none() && remote("url = \"\"\ntoken = \"t\"").unwrap().is_none());
        let url = "url = \"grpc://h:1\"\n";
        assert_eq!(remote(url).unwrap().unwrap().credentials, Credentials::None);
        let token = remote(&format!("{url}token = \"t\"\ntimeout = \"5s\"")).unwrap().unwrap();
        assert_eq!((token.credentials, token.timeout.as_secs()), (Credentials::Token("t".to_owned()), 5));
        let user = remote(&format!("{url}user = \"ada\"\npassword = \"p\"")).unwrap().unwrap();
        assert_eq!(user.credentials, Credentials::Password { user: "ada".to_owned(), password: "p".to_owned() });
        for wrong in ["user = \"ada\"", "password = \"p\"", "token = \"t\"\nuser = \"a\"\npassword = \"p\"", "client_key = \"k\""]
        {
            assert!(remote(&format!("{url}{wrong}")).is_err(), "{wrong}");
        }
        assert!(remote(&format!("{url}ca_certificate = \"/nowhere/ca.pem\"")).unwrap_err().message().contains("/nowhere/ca.pem"));
    }
}
