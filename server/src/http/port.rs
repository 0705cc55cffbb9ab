//! The HTTP port: connections, on a runtime of its own, so that probes and metrics answer while queries keep every other thread busy. HTTP/1.1
//! only. A client that sends half a request, or does not read its answer, is closed; nothing here waits for a body.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::{Request, State},
    middleware::map_request_with_state,
};
use futures::StreamExt;
use glaux_engine::{Error, ErrorKind, Result};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
    service::TowerToHyperService,
};
use tokio::runtime::Runtime;

use crate::transport::{Call, Connection, Incoming, Limits, Listener, Peer, Protocols, Tls};

/// How long a connection lives; a client that goes on connects again.
const MAX_AGE: Duration = Duration::from_secs(300);

/// How long an answer may take to be read when the connection's time is over.
const LAST_ANSWER: Duration = Duration::from_secs(10);

/// Bytes of the head of a request.
const MAX_HEAD: usize = 64 << 10;

/// What the port takes on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PortLimits {
    pub(crate) max_connections: usize,
    /// How long a client may take to send the head of a request, the first or the next.
    pub(crate) head_timeout: Duration,
}

/// The port, from when it is bound until this is dropped.
pub(crate) struct Port {
    /// Taken when this is dropped.
    runtime: Option<Runtime>,
    listener: Option<Listener>,
    address: SocketAddr,
    head_timeout: Duration,
}

impl std::fmt::Debug for Port {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Port").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Port {
    /// Binds the address. Nothing is accepted yet.
    ///
    /// # Errors
    /// As [`Listener::bind`]; `LimitExceeded` if there are no threads to be had.
    pub(crate) async fn bind(address: SocketAddr, tls: Option<Arc<Tls>>, limits: PortLimits) -> Result<Self> {
        let no_threads = |error| Error::new(ErrorKind::LimitExceeded, "cannot start threads for HTTP").with_source(error);
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .max_blocking_threads(2)
            .thread_name("glaux-http")
            .enable_all()
            .build()
            .map_err(no_threads)?;
        let handle = runtime.handle().clone();
        // From now on it ends without waiting, wherever this is dropped.
        let mut port = Self { runtime: Some(runtime), listener: None, address, head_timeout: limits.head_timeout };
        let connections = Limits {
            max_connections: limits.max_connections,
            // Whoever asks here is a stranger, and gives way to the next.
            max_connections_per_address: limits.max_connections,
            handshake_timeout: limits.head_timeout,
            ..Limits::default()
        };
        let bound = handle.spawn(Listener::bind(address, tls, Protocols::Http1, connections)).await;
        let listener = bound.map_err(|error| Error::internal("the HTTP port was not bound").with_source(error))??;
        port.address = listener.local_addr();
        port.listener = Some(listener);
        Ok(port)
    }

    /// The address with the port that was taken.
    pub(crate) const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Answers from now on.
    pub(crate) fn serve(&mut self, router: Router) {
        if let (Some(runtime), Some(listener)) = (&self.runtime, self.listener.take()) {
            let head_timeout = self.head_timeout;
            runtime.spawn(async move { accept(listener.incoming(), router, head_timeout).await });
        }
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn accept(mut incoming: Incoming, router: Router, head_timeout: Duration) {
    let mut builder = Builder::new(TokioExecutor::new()).http1_only();
    builder.http1().timer(TokioTimer::new()).header_read_timeout(head_timeout).max_buf_size(MAX_HEAD);
    while let Some(connection) = incoming.next().await {
        // Those that could not be accepted are counted by the listener.
        if let Ok(connection) = connection {
            tokio::spawn(serve_connection(connection, router.clone(), builder.clone()));
        }
    }
}

/// Notes in a request where it comes from, for `auth` to read.
async fn from_peer(State(peer): State<Peer>, mut request: Request) -> Request {
    request.extensions_mut().insert(peer);
    request.extensions_mut().insert(Call::default());
    request
}

async fn serve_connection(connection: Connection, router: Router, builder: Builder<TokioExecutor>) {
    let router = router.layer(map_request_with_state(connection.peer().clone(), from_peer));
    let serving = builder.serve_connection(TokioIo::new(connection), TowerToHyperService::new(router));
    tokio::pin!(serving);
    // Errors are the client's: it has gone, or did not send what it should.
    tokio::select! {
        ended = serving.as_mut() => return drop(ended),
        () = tokio::time::sleep(MAX_AGE) => serving.as_mut().graceful_shutdown(),
    }
    drop(tokio::time::timeout(LAST_ANSWER, serving).await);
}

#[cfg(test)]
mod tests {
    use std::{
        io::{Read, Write},
        net::TcpStream,
        sync::mpsc,
    };

    use axum::{
        http::{Extensions, HeaderMap, StatusCode},
        routing::get,
    };
    use base64::{Engine as _, prelude::BASE64_STANDARD};
    use glaux_engine::clock::system_clock;

    use super::*;
    use crate::{
        auth::{
            Authenticator, Sender, is_unauthenticated, passwords,
            users::{self, User},
        },
        http::router,
        telemetry::Metrics,
    };

    fn ask(address: SocketAddr, path: &str) -> String {
        ask_with(address, path, "")
    }

    /// With more lines in the head of the request.
    fn ask_with(address: SocketAddr, path: &str, lines: &str) -> String {
        let mut connection = TcpStream::connect(address).unwrap();
        write!(connection, "GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{lines}\r\n").unwrap();
        let mut answer = String::new();
        connection.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn it_answers_while_all_threads_of_the_runtime_that_made_it_are_busy() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let limits = PortLimits { max_connections: 8, head_timeout: Duration::from_secs(10) };
        let metrics = Metrics::with_recorder().unwrap().0;
        let mut port = runtime.block_on(Port::bind("127.0.0.1:0".parse().unwrap(), None, limits)).unwrap();
        port.serve(router(metrics, || Ok(())));
        let ((busy, is_busy), mut ends) = (mpsc::channel(), Vec::new());
        for _ in 0..2 {
            let (end, until_end) = mpsc::channel::<()>();
            let busy = busy.clone();
            runtime.spawn(async move {
                busy.send(()).unwrap();
                // Blocks the thread, as a plan does that takes for ever.
                until_end.recv().unwrap_err();
            });
            is_busy.recv().unwrap();
            ends.push(end);
        }
        for path in ["/healthz", "/readyz", "/metrics"] {
            assert!(ask(port.local_addr(), path).starts_with("HTTP/1.1 200"), "{path}");
        }
        drop(ends);
        drop(port);
    }

    #[test]
    fn who_calls_is_asked_as_for_flight() {
        let folder = tempfile::TempDir::new().unwrap();
        users::edit(&folder.path().join("users.toml"), |users| {
            let password = Some(passwords::hash("right one").unwrap());
            Ok(users.insert("ada".to_owned(), User { password, ..User::default() }))
        })
        .unwrap();
        let options = toml::from_str("identity = \"users\"").unwrap();
        let authenticator = Arc::new(Authenticator::new(options, folder.path(), system_clock()).unwrap());
        let who = get(move |headers: HeaderMap, extensions: Extensions| {
            let authenticator = Arc::clone(&authenticator);
            async move {
                let sender = Sender::of(&extensions);
                match authenticator.caller(&headers, &sender).await {
                    Ok(identity) => {
                        let call = extensions.get::<Call>().and_then(Call::user).map(|user| user.to_string());
                        assert_eq!(call.as_deref(), Some("ada"), "the connection is in use");
                        (StatusCode::OK, format!("{} at {}", identity.user, sender.peer.address.ip()))
                    }
                    Err(error) => (StatusCode::UNAUTHORIZED, format!("{} {error}", is_unauthenticated(&error))),
                }
            }
        });
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let limits = PortLimits { max_connections: 8, head_timeout: Duration::from_secs(10) };
        let mut port = runtime.block_on(Port::bind("127.0.0.1:0".parse().unwrap(), None, limits)).unwrap();
        port.serve(Router::new().route("/who", who));
        let authorization = |password: &str| {
            let encoded = BASE64_STANDARD.encode(format!("ada:{password}"));
            format!("Authorization: Basic {encoded}\r\n")
        };
        let known = ask_with(port.local_addr(), "/who", &authorization("right one"));
        assert!(known.starts_with("HTTP/1.1 200") && known.ends_with("ada at 127.0.0.1"), "{known}");
        for lines in ["", &authorization("wrong one")] {
            let refused = ask_with(port.local_addr(), "/who", lines);
            assert!(refused.starts_with("HTTP/1.1 401") && refused.contains("true "), "{refused}");
        }
    }
}
