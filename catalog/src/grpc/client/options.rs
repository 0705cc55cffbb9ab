//! How to reach a catalog service: its address, the caller's credentials, TLS and timeouts. Nothing is opened here.

use std::{fmt, time::Duration};

use base64::{Engine, prelude::BASE64_STANDARD};
use tonic::{
    metadata::{Ascii, MetadataValue},
    transport::{Certificate, ClientTlsConfig, Endpoint, Identity},
};

use crate::error::{Error, Result};

/// How long connecting may take.
const CONNECT: Duration = Duration::from_secs(10);

/// The interval of keep-alive pings on a connection in use, and the time for an answer.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(10);

/// Flow-control windows: a million partitions are tens of megabytes.
const STREAM_WINDOW: u32 = 8 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// Bytes of headers that are accepted.
const MAX_HEADERS: u32 = 64 << 10;

/// The caller's credentials.
#[derive(Clone, PartialEq, Eq)]
pub enum Credentials {
    /// None, or the client certificate of TLS.
    None,
    /// A token from the service, or from an issuer that it trusts.
    Token(String),
    Password {
        user: String,
        password: String,
    },
}

/// How to reach a catalog service.
#[derive(Clone)]
pub struct RemoteOptions {
    /// `grpc://host:port`, or `grpcs://host:port` for TLS.
    pub url: String,
    pub credentials: Credentials,
    /// The certificate authorities of the service's certificate, in PEM, instead of the system's.
    pub authorities: Option<Vec<u8>>,
    /// The client's certificate and private key, in PEM.
    pub identity: Option<(Vec<u8>, Vec<u8>)>,
    /// How long the service may take to answer, and between the messages of an answer.
    pub timeout: Duration,
}

impl RemoteOptions {
    /// The default timeout.
    pub const TIMEOUT: Duration = Duration::from_secs(30);

    /// A service at this address, without credentials.
    pub fn new(url: impl Into<String>) -> Self {
        Self { url: url.into(), credentials: Credentials::None, authorities: None, identity: None, timeout: Self::TIMEOUT }
    }

    /// # Errors
    /// `Invalid` for an address or certificates that are not valid.
    pub(super) fn endpoint(&self) -> Result<Endpoint> {
        let (scheme, rest) = self.url.split_once("://").ok_or_else(|| self.invalid_address())?;
        let encrypted = match scheme {
            "grpc" => false,
            "grpcs" | "grpc+tls" => true,
            _ => return Err(self.invalid_address()),
        };
        let place = rest.trim_end_matches('/');
        if place.is_empty() || place.contains(['/', '@', '?', '#']) || !has_port(place) {
            return Err(self.invalid_address());
        }
        if !encrypted && (self.authorities.is_some() || self.identity.is_some()) {
            return Err(Error::invalid(format!("certificates are configured for \"{}\", which is not encrypted", self.url))
                .with_hint("Use grpcs://, or remove the certificates"));
        }
        let uri = format!("{}://{place}", if encrypted { "https" } else { "http" });
        let endpoint = Endpoint::from_shared(uri).map_err(|error| self.invalid_address().with_source(error))?;
        let endpoint = endpoint
            .user_agent(concat!("glaux/", env!("CARGO_PKG_VERSION")))
            .map_err(|error| Error::internal("the user agent is not a valid header").with_source(error))?
            .connect_timeout(CONNECT.min(self.timeout))
            .tcp_nodelay(true)
            .http2_keep_alive_interval(KEEP_ALIVE)
            .keep_alive_timeout(KEEP_ALIVE_TIMEOUT)
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(CONNECTION_WINDOW)
            .http2_max_header_list_size(MAX_HEADERS);
        if !encrypted {
            return Ok(endpoint);
        }
        let tls = match &self.authorities {
            Some(pem) => ClientTlsConfig::new().ca_certificate(Certificate::from_pem(pem)),
            None => ClientTlsConfig::new().with_native_roots(),
        };
        let tls = match &self.identity {
            Some((certificate, key)) => tls.identity(Identity::from_pem(certificate, key)),
            None => tls,
        };
        endpoint.tls_config(tls).map_err(|error| {
            Error::invalid(format!("the certificates for \"{}\" are not valid", self.url))
                .with_hint("Use PEM files: of authorities, or of a certificate and its private key")
                .with_source(error)
        })
    }

    fn invalid_address(&self) -> Error {
        Error::invalid(format!("\"{}\" is not the address of a catalog service", self.url))
            .with_hint("Write grpc://host:port, or grpcs://host:port for TLS")
    }

    /// The header with the credentials.
    ///
    /// # Errors
    /// `Invalid` for credentials that are not valid in a header.
    pub(super) fn authorization(&self) -> Result<Option<MetadataValue<Ascii>>> {
        let text = match &self.credentials {
            Credentials::None => return Ok(None),
            Credentials::Token(token) => format!("Bearer {}", token.trim()),
            Credentials::Password { user, password } => format!("Basic {}", BASE64_STANDARD.encode(format!("{user}:{password}"))),
        };
        let mut value: MetadataValue<Ascii> = text
            .parse()
            .map_err(|_| Error::invalid("the token for the catalog service has characters that are not allowed in a token"))?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
}

/// Whether `host:port`, with the host in brackets if it is an IPv6 address.
fn has_port(place: &str) -> bool {
    place.rsplit_once(':').is_some_and(|(host, port)| {
        !host.is_empty() && (!host.contains(':') || host.starts_with('[') && host.ends_with(']')) && port.parse::<u16>().is_ok()
    })
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("None"),
            Self::Token(_) => f.write_str("Token"),
            Self::Password { user, .. } => f.debug_struct("Password").field("user", user).finish_non_exhaustive(),
        }
    }
}

impl fmt::Debug for RemoteOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("RemoteOptions");
        shown
            .field("url", &self.url)
            .field("credentials", &self.credentials)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_grpc_with_a_port() {
        for url in ["grpc://127.0.0.1:32010", "grpc://localhost:1/", "grpcs://[::1]:443", "grpcs://catalog.example:32010"] {
            RemoteOptions::new(url).endpoint().unwrap();
        }
        for url in [
            "",
            "catalog.sqlite",
            "http://h:1",
            "grpc://h",
            "grpc://:1",
            "grpc://h:1/x",
            "grpc://u@h:1",
            "grpc://::1:5",
            "grpc://h:x",
        ] {
            let error = RemoteOptions::new(url).endpoint().unwrap_err();
            assert!(error.hint().unwrap().contains("grpc://host:port"), "{url}");
        }
        let plain = RemoteOptions { authorities: Some(Vec::new()), ..RemoteOptions::new("grpc://h:1") };
        assert!(plain.endpoint().unwrap_err().message().contains("not encrypted"));
    }

    #[test]
    fn secrets_are_not_shown() {
        for credentials in [
            Credentials::Token("s3cret".to_owned()),
            Credentials::Password { user: "ada".to_owned(), password: "s3cret".to_owned() },
        ] {
            let options = RemoteOptions { credentials, ..RemoteOptions::new("grpc://h:1") };
            assert!(!format!("{options:?} {:?}", options.authorization()).contains("s3cret"));
        }
    }
}
