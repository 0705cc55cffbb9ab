//! `glaux serve`: puts engine, identity, listeners and services together, prints where it listens, and shuts down cleanly.

use std::{
    io::{self, Write},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use arrow_flight::flight_service_server::FlightServiceServer;
use futures::{StreamExt, stream};
use glaux_catalog::{Metastore, grpc::RemoteMetastore};
use glaux_engine::{Engine, Error, ErrorKind, Parts, Result};
use tonic::{service::Routes, transport::Server};

use crate::{
    auth::{Assigned, Authenticator, refuse_open_listener},
    config::Loaded,
    data_dir::NewCatalog,
    flight::{self, Flight},
    grpc, http,
    shutdown::{Drain, Shutdown},
    statements::Statements,
    telemetry::{Calls, Metrics, QueryFigures, RpcMetricsLayer, Telemetry},
    transport::{Limits, Listener, Protocols, Tls},
};

/// How often what is idle is looked for.
const SWEEP: Duration = Duration::from_secs(1);

/// How long a client may take to answer whether it still lives.
const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long the ends of queries that are ended with the server may take to reach their clients.
const FAREWELL: Duration = Duration::from_secs(1);

/// Windows for what clients send: ingest over a distance wants more than HTTP/2's default.
const STREAM_WINDOW: u32 = 4 << 20;
const CONNECTION_WINDOW: u32 = 16 << 20;

/// Calls that a client may have reset before they were looked at, and calls that were reset for a client's errors, until its connection is
/// closed: who does so goes on.
const MAX_RESETS: usize = 20;
const MAX_ERRORS: usize = 256;

/// Serves until a signal ends it. A signal that comes before it has started ends it at once.
///
/// # Errors
/// `Invalid` for a configuration that does not fit or would be open to the network; what opening files and addresses meets.
pub(crate) async fn run(loaded: Loaded, shutdown: &Shutdown) -> Result<()> {
    let telemetry = Telemetry::begin(&loaded.log, &loaded.telemetry)?;
    let metrics = Metrics::install()?;
    let served = tokio::select! {
        biased;
        () = shutdown.stopped_while_starting() => Ok(()),
        served = Box::pin(serve(loaded, &metrics, &telemetry, shutdown)) => served,
    };
    shutdown.served();
    telemetry.end().await;
    served
}

async fn serve(loaded: Loaded, metrics: &Arc<Metrics>, telemetry: &Telemetry, shutdown: &Shutdown) -> Result<()> {
    let Loaded { mut engine, session, auth, tls, server, flight: options, catalog, .. } = loaded;
    // Who reaches a server is not who holds its machine, even where all callers are administrators.
    engine.locations.file.get_or_insert(false);
    engine.locations.http.get_or_insert(false);
    // The HTTP port answers nothing that needs a caller.
    refuse_open_listener(server.flight_addr, &auth, &tls, server.allow_anonymous_network)?;
    let data_dir = engine.data_dir.clone();
    let observer = QueryFigures::new(metrics, telemetry.tracer());
    let remote = catalog.connect().await?;
    if let Some(remote) = remote.as_deref().filter(|_| !auth.is_open()) {
        refuse_partial_grants(remote).await?;
    }
    let created = if remote.is_none() { NewCatalog::expected(&data_dir) } else { None };
    let assigned = Assigned { users: auth.users_path(&data_dir), of_sessions: Some(session.workgroup.clone()) };
    let parts = Parts {
        metastore: remote.map(|remote| remote as Arc<dyn Metastore>),
        workgroup_assignments: Some(Arc::new(assigned)),
        ..Parts::default()
    };
    let engine = Engine::open_with(engine, parts).await?;
    if let Some(created) = created {
        created.announce();
    }
    engine.queries().observe(observer)?;
    let authenticator = Arc::new(Authenticator::new(auth, &data_dir, Arc::clone(engine.clock()))?);
    let tls = Tls::open(&tls)?.map(Arc::new);

    let limits = Limits {
        max_connections: options.max_connections,
        max_connections_per_address: options.max_connections_per_address,
        max_connections_per_user: options.max_connections_per_user,
        handshake_timeout: options.handshake_timeout.0,
        keep_alive: options.keep_alive.0,
    };
    let flight_port = Listener::bind(server.flight_addr, tls.clone(), Protocols::Grpc, limits).await?;
    let http_limits =
        http::PortLimits { max_connections: server.http_max_connections, head_timeout: server.http_header_timeout.0 };
    let mut http_port = http::Port::bind(server.http_addr, tls.clone(), http_limits).await?;
    shutdown.started();
    announce(flight_port.local_addr(), http_port.local_addr(), tls.is_some());

    let drain = shutdown.drain();
    let catalog = grpc::catalog_service(
        engine.clone(),
        Arc::clone(&authenticator),
        session.clone(),
        drain.clone(),
        options.max_message_bytes,
    );
    let statements = Arc::new(Statements::new(engine.clone(), session, &options.kept(), drain.clone()));
    let flight = Arc::new(Flight::new(Arc::clone(&statements), authenticator, &options));
    let counted = Arc::clone(&statements);
    metrics.ask(move || counted.counts());
    metrics.ask_engine(engine.clone());
    let sweeper = tokio::spawn(sweep(statements));
    if let Some(tls) = tls {
        shutdown.on_hangup(move || tls.reload());
    }
    fail_writes_beyond_the_limit();

    http_port.serve(http::router(Arc::clone(metrics), {
        let (drain, engine) = (drain.clone(), engine.clone());
        move || readiness(&drain, &engine)
    }));
    let service = FlightServiceServer::new(flight::Service(flight))
        .max_decoding_message_size(options.max_message_bytes)
        .max_encoding_message_size(usize::MAX);
    let calls = Calls::new();
    let router = Server::builder()
        .layer(RpcMetricsLayer::new(calls.clone()))
        .layer(grpc::IntakeLayer::new(options.max_message_bytes, options.request_timeout.0))
        .layer(flight::TrailersLayer)
        .http2_keepalive_interval(Some(options.keep_alive.0))
        .http2_keepalive_timeout(Some(KEEP_ALIVE_TIMEOUT))
        .http2_max_header_list_size(options.max_header_bytes)
        .max_concurrent_streams(options.max_streams)
        .http2_max_pending_accept_reset_streams(Some(MAX_RESETS))
        .http2_max_local_error_reset_streams(Some(MAX_ERRORS))
        .initial_stream_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .add_routes(grpc::add_services(Routes::new(service).add_service(catalog), drain.clone().draining()).await?);
    // At once no connection is taken any more, and no call (the services see to that). Those that there are get HTTP/2's GOAWAY only when the last
    // call has ended: h2 ends a connection, with all that runs on it, when the first frames of a call cross a GOAWAY on their way.
    let incoming = flight_port.incoming().take_until(drain.clone().draining()).chain(stream::pending());
    let idle = {
        let (drain, calls) = (drain.clone(), calls.clone());
        async move {
            drain.draining().await;
            calls.ended().await;
        }
    };
    let farewell = {
        let drain = drain.clone();
        async move {
            drain.over().await;
            engine.queries().abort_all();
            // Clients that read get an error, and their connections end by themselves; others find theirs closed.
            tokio::time::sleep(FAREWELL).await;
        }
    };
    let serving = router.serve_with_incoming_shutdown(incoming, idle);
    let served = tokio::select! {
        served = Box::pin(serving) => served,
        // What still runs is dropped with its connections.
        () = farewell => Ok(()),
    };
    sweeper.abort();
    drop(http_port);
    served.map_err(|error| Error::new(ErrorKind::Unavailable, "the server stopped").with_source(error))
}

/// Whether new work is taken and remembered as it should be.
fn readiness(drain: &Drain, engine: &Engine) -> http::Readiness {
    if drain.is_draining() {
        return Err("shutting down: no new work is accepted".to_owned());
    }
    engine.history().check_file().map_err(|error| error.to_string())?;
    match engine.history().waiting() {
        Some(waiting) => Err(format!("{} queries wait to be written to the history: {}", waiting.queries, waiting.reason)),
        None => Ok(()),
    }
}

/// A server with authentication needs all grants, and a catalog service shows users only their own.
async fn refuse_partial_grants(catalog: &RemoteMetastore) -> Result<()> {
    let known = catalog.hello().await?;
    if known.administrator {
        return Ok(());
    }
    let message = format!("\"{}\" is not an administrator of catalog service \"{}\"", known.user, catalog.address());
    Err(Error::new(ErrorKind::Denied, message)
        .with_hint("A server with authentication must see all grants: give it the credentials of an administrator"))
}

/// Says where to connect, a line a listener, on standard error.
fn announce(flight: SocketAddr, http: SocketAddr, encrypted: bool) {
    let (grpc, web) = if encrypted { ("grpc+tls", "https") } else { ("grpc", "http") };
    let mut out = io::stderr().lock();
    // Nobody to tell is no reason not to serve.
    let _ = writeln!(out, "glaux: Flight SQL on {grpc}://{flight}");
    let _ = writeln!(out, "glaux: HTTP on {web}://{http}");
}

async fn sweep(statements: Arc<Statements>) {
    let mut ticks = tokio::time::interval(SWEEP);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        statements.sweep();
    }
}

/// A file that reaches the limit of the process (`ulimit -f`) fails the write, as a full disk does, and does not end the server.
fn fail_writes_beyond_the_limit() {
    #[cfg(target_os = "linux")]
    {
        const SIGXFSZ: i32 = 25;
        let limited = tokio::signal::unix::SignalKind::from_raw(SIGXFSZ);
        // What is listened to does not end the process. It is listened to for as long as the process lives.
        if let Ok(mut signals) = tokio::signal::unix::signal(limited) {
            tokio::spawn(async move { while signals.recv().await.is_some() {} });
        }
    }
}
