//! An issuer's public keys: read from a file, or fetched from a URL and fetched again when they grow old or a token names one that is not known.
//! A fetch that fails leaves the keys that there are.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use chrono::{DateTime, TimeDelta, Utc};
use glaux_engine::{Error, ErrorKind, Result, clock::Clock};
use jsonwebtoken::{
    Algorithm, DecodingKey,
    jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse},
};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer, pem::PemObject};
use serde::{Deserialize, de::DeserializeOwned};
use tokio::sync::Mutex;
use url::Url;
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo, X509Certificate};

use super::refusal::unauthenticated;
use crate::diagnostic::io_error;

/// The signatures that are accepted. Those with a shared secret are not: who can check them can make them.
pub(super) const PUBLIC_KEY_ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

/// How long keys are used before they are fetched again.
const FRESH: TimeDelta = TimeDelta::hours(1);

/// How long to wait after one fetch before the next.
const BETWEEN: TimeDelta = TimeDelta::minutes(1);

/// How long a fetch may take.
const TIMEOUT: Duration = Duration::from_secs(10);

/// Bytes of the largest answer that is read.
const MAX_ANSWER: usize = 1 << 20;

/// A key and what it is for.
struct PublicKey {
    name: Option<String>,
    algorithms: Vec<Algorithm>,
    key: DecodingKey,
}

/// Where keys come from.
#[derive(Debug)]
enum Place {
    File(PathBuf),
    Url(Url),
    /// An issuer whose discovery document says where they are.
    Issuer(Url),
}

/// The keys of an issuer.
pub(super) struct Keys {
    place: Place,
    issuer: String,
    client: reqwest::Client,
    clock: Arc<dyn Clock>,
    known: RwLock<Arc<Known>>,
    /// The last fetch; held while one is under way.
    last: Mutex<Option<Fetch>>,
}

#[derive(Default)]
struct Known {
    keys: Vec<PublicKey>,
    since: Option<DateTime<Utc>>,
}

struct Fetch {
    at: DateTime<Utc>,
    failure: Option<Error>,
}

impl std::fmt::Debug for Keys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys").field("place", &self.place).finish_non_exhaustive()
    }
}

impl Keys {
    /// Keys of a file are read at once, those of a URL when the first is needed. Without a place, the issuer is asked for it.
    ///
    /// # Errors
    /// `Invalid` for a place that cannot be used, `CorruptData` for a file without keys; what the file system says.
    pub(super) fn open(issuer: &str, place: Option<&str>, clock: Arc<dyn Clock>) -> Result<Self> {
        let place = match place {
            Some(place) => key_url(place)?.map_or_else(|| Place::File(PathBuf::from(place)), Place::Url),
            None => Place::Issuer(key_url(issuer)?.ok_or_else(|| {
                Error::invalid(format!("the issuer \"{issuer}\" is not a URL")).with_hint("Name its keys in auth.oidc.jwks")
            })?),
        };
        let client = reqwest::Client::builder()
            .timeout(TIMEOUT)
            // A redirect could lead to where nothing is protected.
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Error::new(ErrorKind::Invalid, "cannot set up HTTPS for the issuer's keys").with_source(error))?;
        let keys = Self { known: RwLock::default(), last: Mutex::new(None), issuer: issuer.to_owned(), place, client, clock };
        if let Place::File(path) = &keys.place {
            keys.learn(read_file(path)?);
        }
        Ok(keys)
    }

    /// The keys that may have signed a token: those of its key's name, or without a name, that fit its algorithm.
    ///
    /// # Errors
    /// Unauthenticated if there is none; `Unavailable` if that is because keys could not be fetched.
    pub(super) async fn find(self: &Arc<Self>, name: Option<&str>, algorithm: Algorithm) -> Result<Vec<DecodingKey>> {
        let found = self.known(name, algorithm);
        if !found.is_empty() {
            if self.is_stale() {
                // Whoever has a key that is known does not wait for those that may have come since.
                let keys = Arc::clone(self);
                tokio::spawn(async move { keys.refresh().await.map_err(|error| tracing::warn!("kept old keys: {error:?}")) });
            }
            return Ok(found);
        }
        let refreshed = self.refresh().await;
        let found = self.known(name, algorithm);
        if found.is_empty() {
            refreshed?;
            return Err(unauthenticated("the token is signed by a key that its issuer does not publish"));
        }
        Ok(found)
    }

    fn known(&self, name: Option<&str>, algorithm: Algorithm) -> Vec<DecodingKey> {
        let known = Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner));
        let fits = |key: &&PublicKey| {
            let named = key.name.as_deref().zip(name).is_none_or(|(has, wanted)| has == wanted);
            named && key.algorithms.contains(&algorithm)
        };
        known.keys.iter().filter(fits).map(|key| key.key.clone()).collect()
    }

    fn learn(&self, keys: Vec<PublicKey>) {
        let known = Known { keys, since: Some(self.clock.now()) };
        *self.known.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(known);
    }

    fn is_stale(&self) -> bool {
        let since = self.known.read().unwrap_or_else(PoisonError::into_inner).since;
        since.is_none_or(|since| self.clock.now() - since >= FRESH)
            && self.last.try_lock().is_ok_and(|last| self.may_fetch(last.as_ref()))
    }

    fn may_fetch(&self, last: Option<&Fetch>) -> bool {
        last.is_none_or(|last| self.clock.now() - last.at >= BETWEEN)
    }

    /// Fetches the keys, unless that was done less than a minute ago: then it ends as it ended then.
    async fn refresh(&self) -> Result<()> {
        let mut last = self.last.lock().await;
        if !self.may_fetch(last.as_ref()) {
            return last.as_ref().and_then(|last| last.failure.clone()).map_or(Ok(()), Err);
        }
        let at = self.clock.now();
        let failure = self.fetch().await.map(|keys| self.learn(keys)).err();
        *last = Some(Fetch { at, failure: failure.clone() });
        failure.map_or(Ok(()), Err)
    }

    async fn fetch(&self) -> Result<Vec<PublicKey>> {
        let url = match &self.place {
            Place::File(path) => return read_file(path),
            Place::Url(url) => url.clone(),
            Place::Issuer(issuer) => self.discover(issuer).await?,
        };
        let keys = jwks(self.get(&url).await?);
        if keys.is_empty() {
            return Err(unavailable(&url, "it has no key that tokens can be checked with"));
        }
        Ok(keys)
    }

    async fn discover(&self, issuer: &Url) -> Result<Url> {
        #[derive(Deserialize)]
        struct Discovery {
            issuer: String,
            jwks_uri: String,
        }
        let mut url = issuer.clone();
        url.set_path(&format!("{}/.well-known/openid-configuration", issuer.path().trim_end_matches('/')));
        let found: Discovery = self.get(&url).await?;
        if found.issuer != self.issuer {
            return Err(unavailable(&url, &format!("it belongs to the issuer \"{}\"", found.issuer)));
        }
        key_url(&found.jwks_uri)?.ok_or_else(|| unavailable(&url, "its \"jwks_uri\" is not a URL"))
    }

    async fn get<T: DeserializeOwned>(&self, url: &Url) -> Result<T> {
        let failed = |error: reqwest::Error| unavailable(url, "the request failed").with_source(error.without_url());
        let mut answer = self.client.get(url.clone()).send().await.map_err(failed)?;
        if !answer.status().is_success() {
            return Err(unavailable(url, &format!("it answered {}", answer.status())));
        }
        let mut body = Vec::new();
        while let Some(chunk) = answer.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > MAX_ANSWER {
                return Err(unavailable(url, "the answer is too long"));
            }
        }
        serde_json::from_slice(&body).map_err(|error| unavailable(url, "the answer could not be read").with_source(error))
    }
}

/// Whether a name is a URL rather than a file; plain HTTP only within the machine.
///
/// # Errors
/// `Invalid` for keys that would cross a network unprotected.
fn key_url(place: &str) -> Result<Option<Url>> {
    let url = match Url::parse(place) {
        Ok(url) if matches!(url.scheme(), "http" | "https") => url,
        _ if Path::new(place).components().next().is_some() => return Ok(None),
        _ => return Err(Error::invalid(format!("\"{place}\" is neither a URL nor a file"))),
    };
    let loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    if url.scheme() == "http" && !loopback {
        return Err(Error::invalid(format!("the issuer's keys cannot be fetched without TLS: \"{url}\"")).with_hint("Use https"));
    }
    Ok(Some(url))
}

fn unavailable(url: &Url, why: &str) -> Error {
    Error::new(ErrorKind::Unavailable, format!("cannot get the issuer's keys from \"{url}\": {why}"))
        .with_hint("Check auth.oidc.issuer and auth.oidc.jwks, and try again in a minute")
}

/// A list of keys, each read by itself, so that one of an unknown kind costs no other.
#[derive(Deserialize)]
struct Jwks {
    keys: Vec<serde_json::Value>,
}

fn jwks(set: Jwks) -> Vec<PublicKey> {
    set.keys.into_iter().filter_map(|key| public_key(&serde_json::from_value(key).ok()?)).collect()
}

fn public_key(jwk: &Jwk) -> Option<PublicKey> {
    if matches!(jwk.common.public_key_use, Some(PublicKeyUse::Encryption)) {
        return None;
    }
    let mut algorithms = match &jwk.algorithm {
        AlgorithmParameters::RSA(_) => rsa(),
        AlgorithmParameters::EllipticCurve(key) => match key.curve {
            EllipticCurve::P256 => vec![Algorithm::ES256],
            EllipticCurve::P384 => vec![Algorithm::ES384],
            _ => return None,
        },
        AlgorithmParameters::OctetKeyPair(_) => vec![Algorithm::EdDSA],
        AlgorithmParameters::OctetKey(_) => return None,
    };
    if let Some(only) = &jwk.common.key_algorithm {
        let only = only.to_string().parse::<Algorithm>().ok()?;
        algorithms.retain(|algorithm| *algorithm == only);
    }
    let key = DecodingKey::from_jwk(jwk).ok()?;
    (!algorithms.is_empty()).then(|| PublicKey { name: jwk.common.key_id.clone(), algorithms, key })
}

fn rsa() -> Vec<Algorithm> {
    let is_rsa = |algorithm: &Algorithm| !matches!(algorithm, Algorithm::ES256 | Algorithm::ES384 | Algorithm::EdDSA);
    PUBLIC_KEY_ALGORITHMS.into_iter().filter(is_rsa).collect()
}

/// A file of a JWKS, or of public keys or certificates in PEM.
fn read_file(path: &Path) -> Result<Vec<PublicKey>> {
    let bytes = fs::read(path).map_err(|error| io_error("read the issuer's keys", path, error))?;
    let keys = match serde_json::from_slice::<Jwks>(&bytes) {
        Ok(set) => jwks(set),
        Err(_) => pem(&bytes),
    };
    if keys.is_empty() {
        let message = format!("the file \"{}\" has no public key that tokens can be checked with", path.display());
        return Err(Error::corrupt(message).with_hint("It should be a JWKS, or a public key (RSA, P-256, P-384, Ed25519) in PEM"));
    }
    Ok(keys)
}

fn pem(bytes: &[u8]) -> Vec<PublicKey> {
    let keys = SubjectPublicKeyInfoDer::pem_slice_iter(bytes).flatten().map(|key| key.to_vec());
    let certificates = CertificateDer::pem_slice_iter(bytes).flatten().filter_map(|certificate| {
        let (_, certificate) = X509Certificate::from_der(&certificate).ok()?;
        Some(certificate.public_key().raw.to_vec())
    });
    keys.chain(certificates).filter_map(|der| der_key(&der)).collect()
}

fn der_key(der: &[u8]) -> Option<PublicKey> {
    let (_, info) = SubjectPublicKeyInfo::from_der(der).ok()?;
    let bits: &[u8] = &info.subject_public_key.data;
    let curve = || info.algorithm.parameters.as_ref()?.as_oid().ok().map(|oid| oid.to_id_string());
    let (algorithms, key) = match info.algorithm.algorithm.to_id_string().as_str() {
        "1.2.840.113549.1.1.1" | "1.2.840.113549.1.1.10" => (rsa(), DecodingKey::from_rsa_der(bits)),
        "1.2.840.10045.2.1" => match curve()?.as_str() {
            "1.2.840.10045.3.1.7" => (vec![Algorithm::ES256], DecodingKey::from_ec_der(bits)),
            "1.3.132.0.34" => (vec![Algorithm::ES384], DecodingKey::from_ec_der(bits)),
            _ => return None,
        },
        "1.3.101.112" => (vec![Algorithm::EdDSA], DecodingKey::from_ed_der(bits)),
        _ => return None,
    };
    Some(PublicKey { name: None, algorithms, key })
}
