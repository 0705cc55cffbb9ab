//! A listener and clients on loopback: silent ones, too many, with TLS and without, and what is known of them.

use std::path::Path;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName},
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::*;
use crate::transport::{
    Call,
    options::{ClientCertificates, TlsOptions},
};

struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    folder: TempDir,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join("ca.pem"), issuer.pem()).unwrap();
        Self { issuer, folder }
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn signed(&self, common_name: &str) -> (rcgen::Certificate, KeyPair) {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, common_name);
        (params.signed_by(&key, &self.issuer).unwrap(), key)
    }

    fn tls(&self, client_certificates: Option<ClientCertificates>) -> Option<Arc<Tls>> {
        let (certificate, key) = self.signed("server");
        std::fs::write(self.path("cert.pem"), certificate.pem()).unwrap();
        std::fs::write(self.path("key.pem"), key.serialize_pem()).unwrap();
        let options = TlsOptions {
            certificate: Some(self.path("cert.pem")),
            key: Some(self.path("key.pem")),
            client_ca: client_certificates.map(|_| self.path("ca.pem")),
            client_certificates: client_certificates.unwrap_or_default(),
            ..TlsOptions::default()
        };
        Tls::open(&options).unwrap().map(Arc::new)
    }

    /// Connects; `user` is the name in the client's certificate, signed by `signer`.
    async fn connect(&self, address: SocketAddr, shown: Option<(&Self, &str)>) -> io::Result<TlsStream<TcpStream>> {
        let mut roots = RootCertStore::empty();
        roots.add(self.issuer.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots);
        let mut config = match shown {
            None => config.with_no_client_auth(),
            Some((signer, user)) => {
                let (certificate, key) = signer.signed(user);
                let chain: Vec<CertificateDer<'static>> = vec![certificate.der().clone()];
                let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
                config.with_client_auth_cert(chain, key).unwrap()
            }
        };
        config.alpn_protocols = vec![b"h2".to_vec()];
        let socket = TcpStream::connect(address).await?;
        let mut stream = TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), socket).await?;
        stream.write_all(b"hello").await?;
        stream.flush().await?;
        Ok(stream)
    }
}

async fn listen(tls: Option<Arc<Tls>>, limits: Limits) -> (Incoming, SocketAddr, Arc<Counts>) {
    let listener = Listener::bind("127.0.0.1:0".parse().unwrap(), tls, Protocols::Grpc, limits).await.unwrap();
    let (address, counts) = (listener.local_addr(), listener.counts());
    (listener.incoming(), address, counts)
}

async fn read_five(connection: &mut Connection) -> Vec<u8> {
    let mut bytes = vec![0; 5];
    connection.read_exact(&mut bytes).await.unwrap();
    bytes
}

/// Reads until the other side closes, or breaks off.
async fn ended(socket: &mut TcpStream) -> bool {
    matches!(socket.read(&mut [0]).await, Ok(0) | Err(_))
}

#[tokio::test]
async fn plain_connections_come_through_past_silent_ones() {
    let (mut incoming, address, _) = listen(None, Limits::default()).await;
    let silent: Vec<_> = futures::future::join_all((0..20).map(|_| TcpStream::connect(address))).await;
    assert!(silent.iter().all(Result::is_ok));
    let mut client = TcpStream::connect(address).await.unwrap();
    client.write_all(b"hello").await.unwrap();
    let mut connection = incoming.next().await.unwrap().unwrap();
    assert_eq!(connection.peer(), &Peer::plain(client.local_addr().unwrap()));
    assert_eq!(read_five(&mut connection).await, b"hello");
    connection.write_all(b"x").await.unwrap();
    assert_eq!(client.read_u8().await.unwrap(), b'x');
    drop(incoming);
    assert!(TcpStream::connect(address).await.is_err(), "the port is closed");
}

#[tokio::test]
async fn connections_beyond_the_limit_are_closed_and_counted_and_places_come_back() {
    let limits = Limits { max_connections: 2, ..Limits::default() };
    let (mut incoming, address, counts) = listen(None, limits).await;
    let mut kept = Vec::new();
    for _ in 0..2 {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"hello").await.unwrap();
        let connection = incoming.next().await.unwrap().unwrap();
        kept.push((client, in_use(&connection, "ada"), connection));
    }
    let mut third = TcpStream::connect(address).await.unwrap();
    assert!(ended(&mut third).await);
    assert_eq!((counts.accepted(), counts.refused()), (2, 1));
    kept.pop();
    let mut fourth = TcpStream::connect(address).await.unwrap();
    fourth.write_all(b"hello").await.unwrap();
    assert_eq!(read_five(&mut incoming.next().await.unwrap().unwrap()).await, b"hello");
}

/// A call that runs on the connection.
fn in_use(connection: &Connection, user: &str) -> Call {
    let call = Call::default();
    call.identified(connection.peer().connection.as_ref().unwrap(), user).unwrap();
    call
}

#[tokio::test]
async fn idle_connections_give_way_the_longest_idle_first() {
    let limits = Limits { max_connections: 3, ..Limits::default() };
    let (mut incoming, address, counts) = listen(None, limits).await;
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"hello").await.unwrap();
        open.push((client, incoming.next().await.unwrap().unwrap()));
    }
    let _call = in_use(&open[0].1, "ada");
    let mut fourth = TcpStream::connect(address).await.unwrap();
    fourth.write_all(b"hello").await.unwrap();
    assert_eq!(read_five(&mut incoming.next().await.unwrap().unwrap()).await, b"hello");
    for (number, displaced) in [(0, false), (1, true), (2, false)] {
        let (_, connection) = &mut open[number];
        let written = connection.write_all(b"x").await;
        assert_eq!(written.err().map(|error| error.kind()), displaced.then_some(io::ErrorKind::ConnectionAborted), "{number}");
        assert!(connection.peer().connection.as_ref().unwrap().is_open(), "until it is dropped");
    }
    let (mut client, connection) = open.remove(1);
    let handle = Arc::clone(connection.peer().connection.as_ref().unwrap());
    drop(connection);
    assert!(ended(&mut client).await && !handle.is_open());
    assert_eq!((counts.accepted(), counts.refused()), (4, 0));
}

#[tokio::test]
async fn half_a_hello_keeps_nobody_out() {
    let authority = Authority::new();
    let limits = Limits { max_connections: 8, ..Limits::default() };
    let (mut incoming, address, counts) = listen(authority.tls(None), limits).await;
    // A record of 512 bytes is begun.
    let half = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3];
    let mut flood = Vec::new();
    for _ in 0..40 {
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(&half).await.unwrap();
        flood.push(client);
    }
    for _ in 0..3 {
        let _client = authority.connect(address, None).await.unwrap();
        assert_eq!(read_five(&mut incoming.next().await.unwrap().unwrap()).await, b"hello");
    }
    assert!(ended(&mut flood[0]).await);
    assert_eq!((counts.accepted(), counts.refused()), (3, 0));
}

#[tokio::test]
async fn tls_connections_come_through_past_silence_and_garbage() {
    let authority = Authority::new();
    let (mut incoming, address, counts) = listen(authority.tls(None), Limits::default()).await;
    let _silent = TcpStream::connect(address).await.unwrap();
    let mut garbage = TcpStream::connect(address).await.unwrap();
    garbage.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
    while !ended(&mut garbage).await {}
    let client = authority.connect(address, None).await.unwrap();
    assert_eq!(client.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let mut connection = incoming.next().await.unwrap().unwrap();
    assert!(connection.peer().certificate.is_none());
    assert_eq!(read_five(&mut connection).await, b"hello");
    assert_eq!((counts.accepted(), counts.failed()), (1, 1));
}

#[tokio::test]
async fn who_does_not_begin_in_time_is_closed() {
    let authority = Authority::new();
    for tls in [None, authority.tls(None)] {
        let limits = Limits { handshake_timeout: Duration::from_millis(1), ..Limits::default() };
        let (_incoming, address, counts) = listen(tls, limits).await;
        let mut silent = TcpStream::connect(address).await.unwrap();
        assert!(ended(&mut silent).await);
        assert_eq!(counts.failed(), 1);
    }
}

#[tokio::test]
async fn client_certificates_are_asked_for_checked_and_read() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    for (mode, bare) in [(ClientCertificates::Required, false), (ClientCertificates::Optional, true)] {
        let (mut incoming, address, counts) = listen(authority.tls(Some(mode)), Limits::default()).await;
        let _client = authority.connect(address, Some((&authority, "ada"))).await.unwrap();
        let connection = incoming.next().await.unwrap().unwrap();
        let names = connection.peer().certificate.clone().unwrap();
        assert_eq!(names.common_name.as_deref(), Some("ada"));

        // With TLS 1.3 the client learns of the refusal when it reads.
        if let Ok(mut client) = authority.connect(address, Some((&stranger, "ada"))).await {
            assert!(client.read_u8().await.is_err());
        }
        let client = authority.connect(address, None).await;
        if bare {
            assert!(incoming.next().await.unwrap().unwrap().peer().certificate.is_none());
        } else if let Ok(mut client) = client {
            assert!(client.read_u8().await.is_err());
        }
        assert_eq!(counts.accepted(), if bare { 2 } else { 1 }, "{mode:?}");
    }
}

#[tokio::test]
async fn an_address_in_use_says_so() {
    let (_incoming, address, _) = listen(None, Limits::default()).await;
    let error = Listener::bind(address, None, Protocols::Grpc, Limits::default()).await.unwrap_err();
    assert!(error.message().contains(&address.to_string()) && error.hint().unwrap().contains("port"), "{error:?}");
    assert!(!Path::new(&address.to_string()).exists());
}

#[tokio::test]
async fn tonic_takes_the_connections() {
    let (incoming, address, _) = listen(None, Limits::default()).await;
    let (reporter, service) = tonic_health::server::health_reporter();
    reporter.set_service_status("x", tonic_health::ServingStatus::Serving).await;
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let server = tonic::transport::Server::builder().add_service(service).serve_with_incoming_shutdown(incoming, async {
        let _ = stopped.await;
    });
    let server = tokio::spawn(server);
    let channel = tonic::transport::Channel::from_shared(format!("http://{address}")).unwrap().connect().await.unwrap();
    let mut client = tonic_health::pb::health_client::HealthClient::new(channel);
    let request = tonic_health::pb::HealthCheckRequest { service: "x".to_owned() };
    assert_eq!(client.check(request).await.unwrap().into_inner().status, 1);
    drop(client);
    stop.send(()).unwrap();
    server.await.unwrap().unwrap();
}
