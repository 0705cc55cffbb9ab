//! A connection that was accepted, encrypted or not, as both hyper and tonic take it. It counts against the limits until it is dropped, or breaks
//! off when another one takes its place. It closes in order: a socket that is closed with words of its peer unread is reset, and what the peer
//! had yet to read is lost.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::Sleep,
};
use tokio_rustls::server::TlsStream;
use tonic::transport::server::Connected;

use super::{connections::Place, peer::Peer};

/// The gauge of connections that are open, on all ports.
const OPEN: &str = "glaux_connections_open";

/// How long a peer may take to read what was written before the end, and to close its side.
const LINGER: Duration = Duration::from_secs(5);

/// Bytes to and from a peer.
#[derive(Debug)]
pub(crate) struct Connection {
    stream: Stream,
    peer: Peer,
    /// Runs once everything is written and said to be the end.
    lingering: Option<Pin<Box<Sleep>>>,
    place: Place,
}

#[derive(Debug)]
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Connection {
    pub(super) fn new(stream: Stream, peer: Peer, place: Place) -> Self {
        metrics::gauge!(OPEN).increment(1.0);
        let peer = Peer { connection: Some(Arc::clone(place.connection())), ..peer };
        Self { stream, peer, lingering: None, place }
    }

    /// An error once another connection has taken this one's place.
    fn check_place(&mut self, context: &mut Context<'_>) -> io::Result<()> {
        match self.place.poll_displaced(context) {
            Poll::Pending => Ok(()),
            Poll::Ready(()) => Err(io::Error::new(io::ErrorKind::ConnectionAborted, "another connection took its place")),
        }
    }

    /// The other side.
    pub(crate) fn peer(&self) -> &Peer {
        &self.peer
    }

    /// The socket itself: what comes after the end is of no interest, encrypted or not.
    fn socket(&mut self) -> &mut TcpStream {
        match &mut self.stream {
            Stream::Plain(stream) => stream,
            Stream::Tls(stream) => stream.get_mut().0,
        }
    }

    /// Reads and forgets, until the peer has closed its side or has had its time.
    fn poll_linger(&mut self, context: &mut Context<'_>) -> Poll<()> {
        // The time first, so that a peer that never falls silent has its end as well.
        let lingering = self.lingering.get_or_insert_with(|| Box::pin(tokio::time::sleep(LINGER)));
        if lingering.as_mut().poll(context).is_ready() {
            return Poll::Ready(());
        }
        let mut forgotten = [0; 4096];
        loop {
            let mut buffer = ReadBuf::new(&mut forgotten);
            match ready!(Pin::new(self.socket()).poll_read(context, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        metrics::gauge!(OPEN).decrement(1.0);
    }
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl AsyncRead for Connection {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.check_place(context)?;
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        self.check_place(context)?;
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write(context, buffer),
            Stream::Tls(stream) => Pin::new(stream).poll_write(context, buffer),
        }
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_place(context)?;
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_flush(context),
            Stream::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.check_place(context)?;
        if self.lingering.is_none() {
            ready!(match &mut self.stream {
                Stream::Plain(stream) => Pin::new(stream).poll_shutdown(context),
                Stream::Tls(stream) => Pin::new(stream).poll_shutdown(context),
            })?;
        }
        self.poll_linger(context).map(Ok)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check_place(context)?;
        match &mut self.stream {
            Stream::Plain(stream) => Pin::new(stream).poll_write_vectored(context, buffers),
            Stream::Tls(stream) => Pin::new(stream).poll_write_vectored(context, buffers),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match &self.stream {
            Stream::Plain(stream) => stream.is_write_vectored(),
            Stream::Tls(stream) => stream.is_write_vectored(),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;
    use crate::transport::{Limits, connections::Connections};

    #[tokio::test]
    async fn what_was_written_before_the_end_reaches_a_peer_whose_words_were_not_read() {
        const ANSWER: usize = 100_000;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (socket, address) = listener.accept().await.unwrap();
        let place = Connections::new(Limits::default()).admit(address.ip()).unwrap();
        let mut connection = Connection::new(Stream::Plain(socket), Peer::plain(address), place);
        client.write_all(b"never read").await.unwrap();
        let closing = tokio::spawn(async move {
            connection.write_all(&[7; ANSWER]).await.unwrap();
            connection.shutdown().await.unwrap();
        });
        let mut first = [0; 1];
        client.read_exact(&mut first).await.unwrap();
        // Words that arrive after the end are no reason to reset the connection either.
        client.write_all(b"nor this").await.unwrap();
        let mut rest = Vec::new();
        client.read_to_end(&mut rest).await.unwrap();
        assert_eq!(rest.len() + 1, ANSWER);
        assert!(!closing.is_finished());
        drop(client);
        closing.await.unwrap();
    }
}
