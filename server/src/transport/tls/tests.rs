//! Reading and changing certificates, made in the test.

use std::{fs, path::PathBuf};

use glaux_engine::ErrorKind;
use rcgen::{CertificateParams, KeyPair};
use tempfile::TempDir;

use super::*;

struct Files(TempDir);

impl Files {
    fn new() -> Self {
        let files = Self(TempDir::new().unwrap());
        files.pair("a.example");
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, content: &str) {
        // Replaced, as tools that renew certificates do.
        fs::write(self.path("new"), content).unwrap();
        fs::rename(self.path("new"), self.path(name)).unwrap();
    }

    fn pair(&self, name: &str) {
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(vec![name.to_owned()]).unwrap().self_signed(&key).unwrap();
        self.write("cert.pem", &certificate.pem());
        self.write("key.pem", &key.serialize_pem());
    }

    fn options(&self) -> TlsOptions {
        TlsOptions { certificate: Some(self.path("cert.pem")), key: Some(self.path("key.pem")), ..TlsOptions::default() }
    }

    fn open(&self) -> Tls {
        Tls::open_checking(&self.options(), Duration::ZERO).unwrap().unwrap()
    }
}

#[test]
fn files_that_cannot_be_used_are_named_at_the_start() {
    assert!(Tls::open(&TlsOptions::default()).unwrap().is_none());
    let files = Files::new();
    let kind = |options: &TlsOptions, name: &str| {
        let error = Tls::open(options).unwrap_err();
        assert!(error.message().contains(name), "{error}");
        error.kind()
    };
    let absent = TlsOptions { certificate: Some(files.path("absent.pem")), ..files.options() };
    assert_eq!(kind(&absent, "absent.pem"), ErrorKind::NotFound);
    let swapped = TlsOptions { certificate: Some(files.path("key.pem")), ..files.options() };
    assert_eq!(kind(&swapped, "key.pem"), ErrorKind::CorruptData);
    files.write("other.pem", &KeyPair::generate().unwrap().serialize_pem());
    let foreign = TlsOptions { key: Some(files.path("other.pem")), ..files.options() };
    assert_eq!(kind(&foreign, "cert.pem"), ErrorKind::Invalid);
    let authority = TlsOptions { client_ca: Some(files.path("key.pem")), ..files.options() };
    assert_eq!(kind(&authority, "key.pem"), ErrorKind::CorruptData);
}

#[test]
fn a_changed_pair_is_loaded_and_half_a_change_is_not() {
    let files = Files::new();
    let tls = files.open();
    let first = tls.current(Protocols::Grpc);
    assert!(Arc::ptr_eq(&first, &tls.current(Protocols::Grpc)), "nothing changed");

    files.pair("b.example");
    let second = tls.current(Protocols::Grpc);
    assert!(!Arc::ptr_eq(&first, &second));

    files.write("key.pem", &KeyPair::generate().unwrap().serialize_pem());
    assert!(Arc::ptr_eq(&second, &tls.current(Protocols::Grpc)), "the key does not fit the certificate");
    files.write("cert.pem", "junk");
    tls.reload();
    assert!(Arc::ptr_eq(&second, &tls.current(Protocols::Grpc)));
    fs::remove_file(files.path("cert.pem")).unwrap();
    assert!(Arc::ptr_eq(&second, &tls.current(Protocols::Grpc)));

    files.pair("c.example");
    assert!(!Arc::ptr_eq(&second, &tls.current(Protocols::Grpc)));
}
