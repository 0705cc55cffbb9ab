//! Accepts connections: limited in number, each in a task of its own until it has sent its first bytes and, with TLS, finished the handshake, so
//! that silent clients do not delay others.

use std::{
    future::poll_fn,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
    time::Duration,
};

use futures::{Stream, StreamExt};
use glaux_engine::Result;
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
    task::JoinSet,
};
use tokio_rustls::TlsAcceptor;
use tonic::transport::server::TcpIncoming;

use super::{
    connection::{Connection, Stream as Bytes},
    connections::{Connections, Place},
    limits::Limits,
    peer::{CertificateNames, Peer},
    tls::{Protocols, Tls},
};
use crate::diagnostic::io_error;

/// Connections that are ready and not yet taken by the protocol.
const READY: usize = 64;

/// How long to wait before the next try after the system had no more sockets to give.
const BACK_OFF: Duration = Duration::from_millis(50);

/// What a listener has counted since it began.
#[derive(Debug, Default)]
struct Counts {
    /// Connections that were handed to the protocol.
    accepted: AtomicU64,
    /// Connections closed at once because there were too many, all in use.
    refused: AtomicU64,
    /// Connections closed because they did not begin in time, or did not agree on keys.
    failed: AtomicU64,
}

#[cfg(test)]
impl Counts {
    fn accepted(&self) -> u64 {
        self.accepted.load(Ordering::Relaxed)
    }

    fn refused(&self) -> u64 {
        self.refused.load(Ordering::Relaxed)
    }

    fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }
}

/// A bound address.
#[derive(Debug)]
pub(crate) struct Listener {
    socket: TcpListener,
    address: SocketAddr,
    limits: Limits,
    tls: Option<(Arc<Tls>, Protocols)>,
    counts: Arc<Counts>,
}

impl Listener {
    /// Binds an address; `tls` may be shared by several listeners, whatever they speak.
    ///
    /// # Errors
    /// `Denied` or `Unavailable`, naming the address.
    pub(crate) async fn bind(address: SocketAddr, tls: Option<Arc<Tls>>, protocols: Protocols, limits: Limits) -> Result<Self> {
        let failed = |error: io::Error| {
            let hint = match error.kind() {
                io::ErrorKind::AddrInUse => "Another program listens there; choose another port, or 0 for any that is free",
                _ => "Choose an address of this machine and a port that this user may listen on",
            };
            io_error("listen on", std::path::Path::new(&address.to_string()), error).with_hint(hint)
        };
        let socket = TcpListener::bind(address).await.map_err(failed)?;
        let address = socket.local_addr().map_err(failed)?;
        let tls = tls.map(|tls| (tls, protocols));
        Ok(Self { socket, address, limits, tls, counts: Arc::default() })
    }

    /// The address with the port that was taken.
    pub(crate) const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// The counters, which go on counting.
    #[cfg(test)]
    fn counts(&self) -> Arc<Counts> {
        Arc::clone(&self.counts)
    }

    /// Begins to accept. Dropping the stream closes the port, and connections that are not ready yet.
    pub(crate) fn incoming(self) -> Incoming {
        let (sender, ready) = mpsc::channel(READY);
        let (address, counts) = (self.address, Arc::clone(&self.counts));
        let gate = Gate {
            connections: Connections::new(self.limits),
            limits: self.limits,
            tls: self.tls,
            counts: self.counts,
            ready: sender,
        };
        let sockets = TcpIncoming::from(self.socket).with_nodelay(Some(true)).with_keepalive(Some(self.limits.keep_alive));
        let mut task = JoinSet::new();
        task.spawn(accept(sockets, Arc::new(gate)));
        Incoming { ready, address, counts, _task: task }
    }
}

/// The connections that are ready, as tonic and hyper take them. Never ends by itself.
#[derive(Debug)]
pub(crate) struct Incoming {
    ready: mpsc::Receiver<Connection>,
    address: SocketAddr,
    counts: Arc<Counts>,
    /// Ends, with all the connections that are not ready, when this is dropped.
    _task: JoinSet<()>,
}

impl Drop for Incoming {
    fn drop(&mut self) {
        let Counts { accepted, refused, failed } = self.counts.as_ref();
        let [accepted, refused, failed] = [accepted, refused, failed].map(|count| count.load(Ordering::Relaxed));
        tracing::info!(address = %self.address, accepted, refused, failed, "stopped listening");
    }
}

impl Stream for Incoming {
    type Item = io::Result<Connection>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.ready.poll_recv(context).map(|connection| connection.map(Ok))
    }
}

/// What every connection passes on its way in.
struct Gate {
    connections: Arc<Connections>,
    limits: Limits,
    tls: Option<(Arc<Tls>, Protocols)>,
    counts: Arc<Counts>,
    ready: mpsc::Sender<Connection>,
}

async fn accept(mut sockets: TcpIncoming, gate: Arc<Gate>) {
    let mut beginning = JoinSet::new();
    while let Some(socket) = sockets.next().await {
        while beginning.try_join_next().is_some() {}
        let socket = match socket {
            Ok(socket) => socket,
            Err(error) => {
                tracing::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(BACK_OFF).await;
                continue;
            }
        };
        // Those who connected and left again are no news.
        let Ok(address) = socket.peer_addr() else { continue };
        let Some(place) = gate.connections.admit(address.ip()) else {
            gate.counts.refused.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("glaux_connections_refused_total").increment(1);
            tracing::debug!(peer = %address, "closed a connection: there are too many, and all of them are in use");
            continue;
        };
        beginning.spawn(Arc::clone(&gate).begin(socket, address, place));
    }
}

impl Gate {
    /// Waits for the connection's beginning, and hands it on.
    async fn begin(self: Arc<Self>, socket: TcpStream, address: SocketAddr, mut place: Place) {
        let fail = |what: &str| {
            self.counts.failed.fetch_add(1, Ordering::Relaxed);
            metrics::counter!("glaux_connections_failed_total").increment(1);
            tracing::debug!(peer = %address, "closed a connection: {what}");
        };
        let begun = tokio::select! {
            begun = tokio::time::timeout(self.limits.handshake_timeout, self.open(socket, address)) => begun,
            () = poll_fn(|context| place.poll_displaced(context)) => return fail("another one took its place"),
        };
        let begun = match begun {
            Ok(Ok(begun)) => begun,
            Ok(Err(error)) if error.kind() == io::ErrorKind::UnexpectedEof => return,
            Ok(Err(error)) => return fail(&error.to_string()),
            Err(_) => return fail("the handshake took too long"),
        };
        self.counts.accepted.fetch_add(1, Ordering::Relaxed);
        metrics::counter!("glaux_connections_total").increment(1);
        let (stream, peer) = begun;
        // Fails only when nobody listens any more.
        let _ = self.ready.send(Connection::new(stream, peer, place)).await;
    }

    async fn open(&self, socket: TcpStream, address: SocketAddr) -> io::Result<(Bytes, Peer)> {
        // Silent clients wait here, before they take the place of others.
        if socket.peek(&mut [0]).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let Some((tls, protocols)) = &self.tls else { return Ok((Bytes::Plain(socket), Peer::plain(address))) };
        let stream = TlsAcceptor::from(tls.current(*protocols)).accept(socket).await?;
        let shown = stream.get_ref().1.peer_certificates().and_then(<[_]>::first);
        let certificate = shown.and_then(CertificateNames::read).map(Arc::new);
        Ok((Bytes::Tls(Box::new(stream)), Peer { address, certificate, connection: None }))
    }
}

#[cfg(test)]
mod tests;
