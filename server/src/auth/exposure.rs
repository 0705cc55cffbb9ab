//! Whether the server may listen on an address with the configured authentication and encryption.

use std::net::SocketAddr;

use glaux_engine::{Error, Result};

use super::{AuthOptions, Proof};
use crate::transport::{ClientCertificates, TlsOptions};

/// Refuses to let anybody on the network do everything, unless that is allowed explicitly (`allowed`:
/// `[server] allow_anonymous_network = true` or `--allow-anonymous-network`). Warns of passwords that cross the network in the clear.
///
/// # Errors
/// `Invalid`, for such a listener, and for client certificates as identity that nobody is asked for.
pub(crate) fn refuse_open_listener(address: SocketAddr, auth: &AuthOptions, tls: &TlsOptions, allowed: bool) -> Result<()> {
    let loopback = address.ip().to_canonical().is_loopback();
    if auth.accepts(Proof::Mtls) && tls.client_ca.is_none() {
        return Err(Error::invalid("auth.identity \"mtls\" needs \"tls.client_ca\"")
            .with_hint("Name the PEM file of the authority that signs the clients' certificates"));
    }
    // A certificate that every client has to show keeps strangers out, even if it does not say who somebody is.
    let strangers = tls.client_ca.is_none() || tls.client_certificates == ClientCertificates::Optional;
    if auth.is_open() && strangers && !loopback {
        if !allowed {
            let message = format!("listening on \"{address}\" would let anybody on the network read and change everything");
            return Err(Error::invalid(message).with_hint(
                "Set auth.identity (\"users\", \"oidc\" or \"mtls\"), listen on 127.0.0.1, or pass --allow-anonymous-network",
            ));
        }
        tracing::warn!(%address, "anybody on the network may read and change everything: authentication is off");
    }
    if !auth.is_open() && !tls.is_on() && !loopback {
        tracing::warn!(%address, "passwords and tokens cross the network unencrypted; set tls.certificate and tls.key");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use glaux_engine::ErrorKind;

    use super::*;

    fn check(address: &str, auth: &str, tls: &str, allowed: bool) -> Result<()> {
        let (auth, tls) = (toml::from_str(auth).unwrap(), toml::from_str(tls).unwrap());
        refuse_open_listener(address.parse().unwrap(), &auth, &tls, allowed)
    }

    #[test]
    fn only_loopback_is_open_unless_it_is_meant() {
        for loopback in ["127.0.0.1:0", "127.3.2.1:80", "[::1]:0", "[::ffff:127.0.0.1]:0"] {
            check(loopback, "", "", false).unwrap();
        }
        for network in ["0.0.0.0:0", "[::]:0", "10.0.0.1:80"] {
            let error = check(network, "", "", false).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.hint().unwrap().contains("--allow-anonymous-network"));
            check(network, "", "", true).unwrap();
            check(network, "identity = \"users\"", "", false).unwrap();
        }
    }

    #[test]
    fn a_certificate_of_every_client_keeps_strangers_out() {
        let tls = "certificate = \"c\"\nkey = \"k\"\nclient_ca = \"a\"\n";
        check("0.0.0.0:0", "", tls, false).unwrap();
        check("0.0.0.0:0", "", &format!("{tls}client_certificates = \"optional\""), false).unwrap_err();
        check("127.0.0.1:0", "identity = \"mtls\"", "", false).unwrap_err();
        check("0.0.0.0:0", "identity = \"mtls\"", tls, false).unwrap();
    }
}
