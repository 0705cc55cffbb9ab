//! The TLS configuration of a listener, read from files and read again when they change. If the new files do not belong together, the old
//! configuration stays in use.

use std::{
    fmt, io,
    path::Path,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use glaux_engine::{Error, Result};
use rustls::{
    RootCertStore, ServerConfig, SupportedProtocolVersion,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem, pem::PemObject},
    server::WebPkiClientVerifier,
    version::{TLS12, TLS13},
};

use super::options::{ClientCertificates, TlsOptions, TlsVersion};
use crate::{diagnostic::io_error, file_stamp::FileStamp};

/// How often the files are looked at, while connections come.
const CHECK_EVERY: Duration = Duration::from_secs(5);

/// What a listener speaks inside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocols {
    /// HTTP/2, and HTTP/1.1 for those who are turned away politely.
    Grpc,
    /// HTTP/1.1 alone.
    Http1,
}

impl Protocols {
    /// The names by which TLS agrees on one, best first.
    fn names(self) -> Vec<Vec<u8>> {
        let names: &[&[u8]] = match self {
            Self::Grpc => &[b"h2", b"http/1.1"],
            Self::Http1 => &[b"http/1.1"],
        };
        names.iter().map(|name| name.to_vec()).collect()
    }
}

/// A TLS configuration that follows its files.
pub(crate) struct Tls {
    options: TlsOptions,
    check_every: Duration,
    state: Mutex<State>,
}

struct State {
    configs: Configs,
    stamp: Stamp,
    checked: Instant,
}

/// The same certificate for each of the [`Protocols`].
struct Configs {
    grpc: Arc<ServerConfig>,
    http1: Arc<ServerConfig>,
}

/// By what changed files are recognised, for each of them.
type Stamp = Vec<Option<FileStamp>>;

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Tls {
    /// Reads the files; `None` if no certificate is configured.
    ///
    /// # Errors
    /// As [`TlsOptions::check`]; `NotFound`, `Denied`, `CorruptData` or `Invalid` for files that cannot be used, naming them.
    pub(crate) fn open(options: &TlsOptions) -> Result<Option<Self>> {
        Self::open_checking(options, CHECK_EVERY)
    }

    fn open_checking(options: &TlsOptions, check_every: Duration) -> Result<Option<Self>> {
        options.check()?;
        let (Some(certificate), Some(key)) = (&options.certificate, &options.key) else { return Ok(None) };
        let stamp = stamp(options);
        let state = State { configs: read(options, certificate, key)?, stamp, checked: Instant::now() };
        Ok(Some(Self { options: options.clone(), check_every, state: Mutex::new(state) }))
    }

    /// What the next connection is to be encrypted with. Looks at the files every few seconds.
    pub(crate) fn current(&self, protocols: Protocols) -> Arc<ServerConfig> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.checked.elapsed() >= self.check_every {
            self.reload_if_changed(&mut state);
        }
        Arc::clone(match protocols {
            Protocols::Grpc => &state.configs.grpc,
            Protocols::Http1 => &state.configs.http1,
        })
    }

    /// Looks at the files now, as for SIGHUP.
    pub(crate) fn reload(&self) {
        self.reload_if_changed(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
    }

    fn reload_if_changed(&self, state: &mut State) {
        state.checked = Instant::now();
        let stamp = stamp(&self.options);
        let (Some(certificate), Some(key)) = (&self.options.certificate, &self.options.key) else { return };
        if stamp == state.stamp {
            return;
        }
        // Noted even if the files do not fit: they are tried, and complained of, once for each change.
        state.stamp = stamp;
        match read(&self.options, certificate, key) {
            Ok(configs) => {
                state.configs = configs;
                tracing::info!(certificate = %certificate.display(), "loaded the changed certificate");
            }
            Err(error) => tracing::error!("the old certificate stays in use, because the changed one cannot be used: {error:?}"),
        }
    }
}

fn stamp(options: &TlsOptions) -> Stamp {
    [&options.certificate, &options.key, &options.client_ca].into_iter().flatten().map(|path| FileStamp::of(path)).collect()
}

fn read(options: &TlsOptions, certificate: &Path, key: &Path) -> Result<Configs> {
    let provider = Arc::new(ring::default_provider());
    let versions: &[&SupportedProtocolVersion] = match options.min_version {
        TlsVersion::V12 => &[&TLS13, &TLS12],
        TlsVersion::V13 => &[&TLS13],
    };
    let unusable = |what: &str, path: &Path, error: rustls::Error| {
        Error::invalid(format!("cannot use the {what} \"{}\"", path.display())).with_source(error)
    };
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(versions)
        .map_err(|error| Error::internal("the cryptography does not support these versions of TLS").with_source(error))?;
    let builder = match &options.client_ca {
        None => builder.with_no_client_auth(),
        Some(path) => {
            let mut roots = RootCertStore::empty();
            for authority in certificates(path)? {
                roots.add(authority).map_err(|error| unusable("authority", path, error))?;
            }
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            let verifier = match options.client_certificates {
                ClientCertificates::Optional => verifier.allow_unauthenticated(),
                ClientCertificates::Required => verifier,
            };
            let verifier = verifier.build().map_err(|error| {
                Error::invalid(format!("cannot verify certificates with \"{}\"", path.display())).with_source(error)
            })?;
            builder.with_client_cert_verifier(verifier)
        }
    };
    let private = PrivateKeyDer::from_pem_file(key).map_err(|error| pem_error("private key", key, error))?;
    let mut config = builder.with_single_cert(certificates(certificate)?, private).map_err(|error| {
        unusable("certificate", certificate, error).with_hint("Check that \"tls.certificate\" and \"tls.key\" belong together")
    })?;
    let mut http1 = config.clone();
    (config.alpn_protocols, http1.alpn_protocols) = (Protocols::Grpc.names(), Protocols::Http1.names());
    Ok(Configs { grpc: Arc::new(config), http1: Arc::new(http1) })
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>> {
    let found: Vec<_> =
        CertificateDer::pem_file_iter(path).and_then(Iterator::collect).map_err(|error| pem_error("certificate", path, error))?;
    if found.is_empty() {
        return Err(pem_error("certificate", path, pem::Error::NoItemsFound));
    }
    Ok(found)
}

fn pem_error(what: &str, path: &Path, error: pem::Error) -> Error {
    match error {
        pem::Error::Io(error) if error.kind() != io::ErrorKind::InvalidData => io_error(&format!("read the {what}"), path, error),
        error => Error::corrupt(format!("the file \"{}\" has no {what} in PEM format", path.display())).with_source(error),
    }
}

#[cfg(test)]
mod tests;
