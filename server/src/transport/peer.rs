//! The peer of a connection: its address, and the names in its certificate if it presented an accepted one.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr, SocketAddr},
    sync::Arc,
};

use rustls::pki_types::CertificateDer;
use x509_parser::{extensions::GeneralName, prelude::FromDer};

use super::connections::ConnectionHandle;

/// Who is at the other end.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    /// The names in its certificate, which an authority of `tls.client_ca` signed.
    pub(crate) certificate: Option<Arc<CertificateNames>>,
    /// By which connection; `None` if nobody counts them.
    pub(crate) connection: Option<Arc<ConnectionHandle>>,
}

impl Peer {
    /// The other side of a connection that is not encrypted.
    pub(crate) const fn plain(address: SocketAddr) -> Self {
        Self { address, certificate: None, connection: None }
    }
}

/// The same other side, whichever the connection.
#[cfg(test)]
impl PartialEq for Peer {
    fn eq(&self, other: &Self) -> bool {
        (self.address, &self.certificate) == (other.address, &other.certificate)
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.address.fmt(f)
    }
}

/// An address as those are counted by who are not known: of IPv6, what one network is given, since it has more addresses than anybody can count.
pub(crate) fn network(from: IpAddr) -> IpAddr {
    match from.to_canonical() {
        IpAddr::V4(address) => IpAddr::V4(address),
        IpAddr::V6(address) => IpAddr::V6(Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX))),
    }
}

/// The names in a certificate, in their order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct CertificateNames {
    /// The subject's common name.
    pub(crate) common_name: Option<String>,
    pub(crate) emails: Vec<String>,
    pub(crate) dns_names: Vec<String>,
    pub(crate) uris: Vec<String>,
}

impl CertificateNames {
    /// Reads the names; whether the certificate is any good is checked elsewhere. `None` if it does not parse.
    pub(crate) fn read(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (_, parsed) = x509_parser::certificate::X509Certificate::from_der(certificate).ok()?;
        let common_name = parsed.subject().iter_common_name().next().and_then(|name| name.as_str().ok()).map(str::to_owned);
        let mut names = Self { common_name, ..Self::default() };
        if let Ok(Some(alternatives)) = parsed.subject_alternative_name() {
            for name in &alternatives.value.general_names {
                match name {
                    GeneralName::RFC822Name(email) => names.emails.push((*email).to_owned()),
                    GeneralName::DNSName(dns) => names.dns_names.push((*dns).to_owned()),
                    GeneralName::URI(uri) => names.uris.push((*uri).to_owned()),
                    _ => {}
                }
            }
        }
        Some(names)
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, DnType, KeyPair, SanType};

    use super::*;

    #[test]
    fn names_are_read_from_a_certificate() {
        let mut params = CertificateParams::new(vec!["db.example".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "ada");
        params.subject_alt_names.push(SanType::Rfc822Name("ada@example.org".try_into().unwrap()));
        params.subject_alt_names.push(SanType::URI("spiffe://example/ada".try_into().unwrap()));
        let certificate = params.self_signed(&KeyPair::generate().unwrap()).unwrap();
        let names = CertificateNames::read(certificate.der()).unwrap();
        assert_eq!(names.common_name.as_deref(), Some("ada"));
        assert_eq!((names.emails[0].as_str(), names.dns_names[0].as_str()), ("ada@example.org", "db.example"));
        assert_eq!(names.uris, ["spiffe://example/ada"]);
        assert_eq!(CertificateNames::read(&CertificateDer::from(b"junk".to_vec())), None);
    }
}
