//! Signs what the server hands out and takes back: tokens, tickets, handles. A signature is for one purpose, so that a ticket is never a
//! token. What is signed can be read by anybody; when it expires is the payload's business.

use std::{fmt, fs, io, path::Path};

use glaux_engine::{Error, Result};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

use super::secret_file;
use crate::diagnostic::io_error;

/// Bytes of a signature, which stands behind its payload.
pub(crate) const MAC_BYTES: usize = 32;

const KEY_BYTES: usize = 32;

const BLOCK_BYTES: usize = 64;

/// A key, and HMAC-SHA256 with it.
#[derive(Clone)]
pub(crate) struct Signer(Hmac<Sha256>);

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signer(..)")
    }
}

impl Signer {
    /// A key that nobody else has and that ends with the process.
    pub(crate) fn random() -> Self {
        Self::new(&secret_file::random())
    }

    /// The key in the file; the first call makes it. What it signs stays valid across restarts.
    ///
    /// # Errors
    /// As the file system says; `CorruptData` if the file is no key.
    pub(crate) fn load_or_create(path: &Path) -> Result<Self> {
        if let Some(signer) = Self::load(path)? {
            return Ok(signer);
        }
        let key = secret_file::random();
        if secret_file::create(path, &key)? {
            return Ok(Self::new(&key));
        }
        let removed = || Error::conflict(format!("the key \"{}\" was removed while it was created", path.display()));
        Self::load(path)?.ok_or_else(removed)
    }

    fn load(path: &Path) -> Result<Option<Self>> {
        let bytes = match fs::read(path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(io_error("read the key", path, error)),
        };
        let Ok(key) = <[u8; KEY_BYTES]>::try_from(bytes.as_slice()) else {
            let message = format!("the key \"{}\" has {} bytes instead of {KEY_BYTES}", path.display(), bytes.len());
            return Err(
                Error::corrupt(message).with_hint("Remove the file: the server creates a new key, and clients log in again")
            );
        };
        if let Ok(metadata) = fs::metadata(path) {
            secret_file::warn_if_readable_by_others(path, &metadata);
        }
        Ok(Some(Self::new(&key)))
    }

    fn new(key: &[u8; KEY_BYTES]) -> Self {
        // HMAC fills a key that is shorter than a block of its hash with zeros.
        let mut block = [0; BLOCK_BYTES];
        block[..KEY_BYTES].copy_from_slice(key);
        Self(Hmac::new(&block.into()))
    }

    /// The signature of a payload for a purpose.
    pub(crate) fn mac(&self, purpose: &str, payload: &[u8]) -> [u8; MAC_BYTES] {
        self.over(purpose, payload).finalize().into_bytes().into()
    }

    /// The payload with its signature behind it.
    pub(crate) fn sign(&self, purpose: &str, payload: &[u8]) -> Vec<u8> {
        [payload, &self.mac(purpose, payload)].concat()
    }

    /// The payload, if it was signed with this key for this purpose. Takes as long whatever the signature is.
    pub(crate) fn verify<'a>(&self, purpose: &str, signed: &'a [u8]) -> Option<&'a [u8]> {
        let (payload, mac) = signed.split_at_checked(signed.len().checked_sub(MAC_BYTES)?)?;
        self.over(purpose, payload).verify_slice(mac).ok()?;
        Some(payload)
    }

    /// The purpose's length comes first, so that no purpose and payload together read like another two.
    fn over(&self, purpose: &str, payload: &[u8]) -> Hmac<Sha256> {
        let length = (purpose.len() as u64).to_be_bytes();
        self.0.clone().chain_update(length).chain_update(purpose).chain_update(payload)
    }
}

#[cfg(test)]
mod tests {
    use glaux_engine::ErrorKind;

    use super::*;

    #[test]
    fn only_what_was_signed_for_the_purpose_is_valid() {
        let signer = Signer::random();
        let signed = signer.sign("ticket", b"payload");
        assert_eq!(signer.verify("ticket", &signed), Some(b"payload".as_slice()));
        assert_eq!(signer.verify("token", &signed), None);
        assert_eq!(signer.verify("ticketp", &signed[1..]), None);
        assert_eq!(Signer::random().verify("ticket", &signed), None);
        for at in 0..signed.len() {
            let mut forged = signed.clone();
            forged[at] ^= 1;
            assert_eq!(signer.verify("ticket", &forged), None, "byte {at}");
            assert_eq!(signer.verify("ticket", &signed[..at]), None, "{at} bytes");
        }
        assert_eq!(signer.verify("empty", &signer.sign("empty", b"")), Some(b"".as_slice()));
    }

    #[test]
    fn a_key_is_made_once_and_stays() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("data").join("server.key");
        let signers: Vec<_> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| Signer::load_or_create(&path).unwrap())).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        let signed = signers[0].sign("p", b"x");
        assert!(signers.iter().all(|signer| signer.verify("p", &signed).is_some()));
        assert!(Signer::load_or_create(&path).unwrap().verify("p", &signed).is_some());
        assert_eq!(fs::read_dir(path.parent().unwrap()).unwrap().count(), 1, "nothing else is left");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        fs::write(&path, "short").unwrap();
        assert_eq!(Signer::load_or_create(&path).unwrap_err().kind(), ErrorKind::CorruptData);
    }
}
