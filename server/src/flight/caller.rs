//! The caller of one call and their session, and what the headers of the answer give the client to keep.

use std::{sync::Arc, time::Duration};

use arrow_flight::{HandshakeRequest, HandshakeResponse};
use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use futures::{StreamExt, stream, stream::BoxStream};
use glaux_engine::{Result, Session};
use http::{HeaderMap, header};
use prost::Message;
use tokio::time::Instant;
use tonic::{Extensions, Request, Response, Status, Streaming, metadata::MetadataMap};
use uuid::Uuid;

use crate::{
    auth::{Authenticator, Identity, Sender},
    statements::{Caller, Statements},
};

/// The cookie that Flight suggests for sessions.
const COOKIE: &str = "arrow_flight_session_id";

/// The header in which a client says what it is; who says nothing is what its library calls itself.
const APPLICATION: &str = "x-glaux-application";

/// What cookies are signed for.
const PURPOSE: &str = "cookie";

/// One call: its caller, and how it is answered.
#[derive(Debug)]
pub(super) struct FlightCall {
    pub(super) caller: Caller,
    /// When the caller stops waiting for the answer.
    pub(super) deadline: Option<Instant>,
    /// A token for the client to use from now on.
    token: Option<String>,
    /// A cookie for the client to send back; given to those who came without a session.
    cookie: Option<String>,
}

/// Identifies callers.
#[derive(Debug)]
pub(super) struct Callers {
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) statements: Arc<Statements>,
}

/// Name and password in the body of a handshake, as old clients send them.
#[derive(Clone, PartialEq, Message)]
struct BasicAuth {
    #[prost(string, tag = "2")]
    username: String,
    #[prost(string, tag = "3")]
    password: String,
}

impl Callers {
    /// The caller by its headers and its connection, in the session that it shows, or in a new one.
    pub(super) async fn identify(&self, headers: &MetadataMap, extensions: &Extensions) -> Result<FlightCall> {
        let headers: &HeaderMap = headers.as_ref();
        let sender = Sender::of(extensions);
        let deadline = timeout(headers).and_then(|timeout| Instant::now().checked_add(timeout));
        let identity = self.authenticator.caller(headers, &sender).await?;
        if let Some(id) = identity.session.or_else(|| self.cookie(headers, &identity)) {
            let renewed = match identity.session {
                Some(_) => self.authenticator.renew(headers, &sender.peer).await,
                None => None,
            };
            let client = self.statements.resume_session(id, &identity)?;
            name_application(&client.session, headers);
            let caller = Caller { identity, client, connection: sender.peer.connection };
            return Ok(FlightCall { caller, deadline, token: renewed.map(|login| login.token), cookie: None });
        }
        // Without authentication a token is but a session; drivers send it back where they drop cookies.
        let login = match self.authenticator.is_open() {
            true => Some(self.authenticator.begin_session(authorization(headers), &sender).await?),
            false => None,
        };
        let id = login.as_ref().and_then(|login| login.identity.session).unwrap_or_else(Uuid::now_v7);
        let client = self.statements.new_session(id, &identity);
        name_application(&client.session, headers);
        let cookie = Some(self.bake(id, &identity.user));
        let caller = Caller { identity, client, connection: sender.peer.connection };
        Ok(FlightCall { caller, deadline, token: login.map(|login| login.token), cookie })
    }

    /// Begins a session: a token for whoever proves who they are.
    pub(super) async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> Result<Response<BoxStream<'static, std::result::Result<HandshakeResponse, Status>>>> {
        let sender = Sender::of(request.extensions());
        let given = authorization(request.metadata().as_ref()).map(str::to_owned);
        let given = match given {
            Some(given) => Some(given),
            None => in_body(request.into_inner()).await,
        };
        let login = self.authenticator.begin_session(given.as_deref(), &sender).await?;
        let client = self.statements.new_session(login.identity.session.unwrap_or_else(Uuid::now_v7), &login.identity);
        let answer = HandshakeResponse { protocol_version: 0, payload: login.token.clone().into() };
        let caller = Caller { identity: login.identity, client, connection: sender.peer.connection };
        let call = FlightCall { caller, deadline: None, token: Some(login.token), cookie: None };
        Ok(call.answer(stream::iter([Ok(answer)]).boxed()))
    }

    fn bake(&self, id: Uuid, user: &str) -> String {
        let signed = self.authenticator.signer().sign(PURPOSE, &[id.as_bytes(), user.as_bytes()].concat());
        format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict", BASE64_URL_SAFE_NO_PAD.encode(signed))
    }

    /// The session of the caller's cookie, if it is one of ours and the caller's own.
    fn cookie(&self, headers: &HeaderMap, identity: &Identity) -> Option<Uuid> {
        let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let values = cookies.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        values.filter(|(name, _)| *name == COOKIE).find_map(|(_, value)| {
            let signed = BASE64_URL_SAFE_NO_PAD.decode(value.trim_matches('"')).ok()?;
            let (id, user) = self.authenticator.signer().verify(PURPOSE, &signed)?.split_first_chunk::<16>()?;
            (user == identity.user.as_bytes()).then(|| Uuid::from_bytes(*id))
        })
    }
}

/// The program that calls, for the history, unless the session knows it already.
fn name_application(session: &Session, headers: &HeaderMap) {
    let said = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).filter(|text| !text.trim().is_empty());
    if let Some(application) = said(APPLICATION).or_else(|| said(header::USER_AGENT.as_str())) {
        session.set_default_application(application);
    }
}

/// The first header of that name: a client whose token was renewed may send the old one behind the new one.
fn authorization(headers: &HeaderMap) -> Option<&str> {
    headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok())
}

/// Name and password of a handshake's first message, as a header would hold them.
async fn in_body(mut messages: Streaming<HandshakeRequest>) -> Option<String> {
    let first = messages.message().await.ok().flatten()?;
    let auth = BasicAuth::decode(first.payload).ok().filter(|auth| !auth.username.is_empty())?;
    Some(format!("Basic {}", BASE64_STANDARD.encode(format!("{}:{}", auth.username, auth.password))))
}

impl FlightCall {
    /// The answer with the headers that let the client find its session again.
    pub(super) fn answer<T>(&self, message: T) -> Response<T> {
        let mut response = Response::new(message);
        let headers = response.metadata_mut();
        if let Some(token) = self.token.as_ref().and_then(|token| format!("Bearer {token}").parse().ok()) {
            headers.insert(header::AUTHORIZATION.as_str(), token);
        }
        if let Some(cookie) = self.cookie.as_ref().and_then(|cookie| cookie.parse().ok()) {
            headers.insert(header::SET_COOKIE.as_str(), cookie);
        }
        response
    }

    /// Whether the call came without a session.
    pub(super) fn is_new(&self) -> bool {
        self.cookie.is_some()
    }
}

/// How long the client waits: at most eight digits and a unit, by gRPC's protocol.
fn timeout(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let number: u64 = digits.parse().ok().filter(|_| digits.len() <= 8)?;
    Some(match unit {
        "H" => Duration::from_secs(number * 3600),
        "M" => Duration::from_secs(number * 60),
        "S" => Duration::from_secs(number),
        "m" => Duration::from_millis(number),
        "u" => Duration::from_micros(number),
        "n" => Duration::from_nanos(number),
        _ => return None,
    })
}
