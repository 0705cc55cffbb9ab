//! The server itself: accepts connections, writes requests down, applies the script, answers.

use std::{
    io,
    sync::{Arc, atomic::Ordering::SeqCst},
};

use http::{
    Request as HttpRequest, Response,
    header::{CONTENT_LENGTH, IF_MATCH, IF_NONE_MATCH},
};
use http_body_util::BodyExt;
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use tokio::{net::TcpListener, task::JoinSet};

use super::{
    State,
    body::CountedBody,
    fault::{self, Action},
    lock,
    log::Request,
    object,
    operation::Operation,
};

/// Serves until it is aborted, which ends its connections too.
pub(super) async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else { return };
        _ = stream.set_nodelay(true);
        let state = Arc::clone(&state);
        connections.spawn(async move {
            let service = service_fn(move |request| handle(Arc::clone(&state), request));
            // How a connection ends is the client's business, or the script's.
            _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

/// Answers one request; an error ends the connection.
async fn handle(state: Arc<State>, request: HttpRequest<Incoming>) -> io::Result<Response<CountedBody>> {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let mut operation = Operation::new(parts, body);
    let kind = operation.kind();
    let underway = state.depth.enter();
    let entry = state.log.arrived(Request {
        kind,
        method: operation.method.to_string(),
        bucket: operation.bucket.clone(),
        key: operation.key.clone(),
        range: operation.header("range").map(str::to_owned),
        prefix: operation.parameter("prefix").map(str::to_owned),
        status: 0,
        bytes_sent: 0,
    });
    let subject = if operation.key.is_empty() { operation.parameter("prefix").unwrap_or_default() } else { &operation.key };
    let action = fault::next(&mut lock(&state.faults), kind, subject);
    let latency = lock(&state.latency).get(&kind).copied();
    if let Some(latency) = latency {
        tokio::time::sleep(latency).await;
    }
    if state.ignores_conditions.load(SeqCst) {
        operation.headers.remove(IF_MATCH);
        operation.headers.remove(IF_NONE_MATCH);
    }
    if let Some(action) = &action {
        fault::misread(action, &mut operation.headers);
    }
    let mut answer = match &action {
        Some(Action::Disconnect) => return Err(io::Error::from(io::ErrorKind::ConnectionReset)),
        Some(Action::Status(status, code)) => object::error(&operation, *status, code),
        Some(Action::Document(text)) => object::document(200, text.clone()),
        Some(Action::Redirect(to)) => object::redirect(to),
        Some(Action::Hang(gate)) => {
            gate.pass().await;
            permitted(&state, &operation)
        }
        _ => permitted(&state, &operation),
    };
    match action {
        Some(Action::Truncate(bytes)) => answer.body_mut().break_after(bytes),
        Some(Action::Stall(bytes)) => answer.body_mut().stall_after(bytes),
        Some(Action::SlowBody { piece, pause }) => answer.body_mut().slow(piece, pause),
        Some(Action::Shorten(bytes)) => {
            let length = answer.body_mut().shorten(bytes);
            answer.headers_mut().insert(CONTENT_LENGTH, length.into());
        }
        _ => {}
    }
    answer.body_mut().count_in(&entry.bytes_sent);
    answer.body_mut().until_sent(underway);
    entry.answered(answer.status().as_u16());
    Ok(answer)
}

fn permitted(state: &State, operation: &Operation) -> Response<CountedBody> {
    let required = lock(&state.access_key).clone();
    match (required, operation.access_key()) {
        (Some(_), None) => object::error(operation, 403, "AccessDenied"),
        (Some(required), Some(given)) if required != given => object::error(operation, 403, "InvalidAccessKeyId"),
        _ => object::answer(&mut lock(&state.space), operation),
    }
}
