//! Who calls, in which session, and what the answer's headers tell the client to keep.

use std::{sync::Arc, time::Duration};

use arrow_flight::{HandshakeRequest, HandshakeResponse};
use base64::{Engine as _, prelude::BASE64_STANDARD, prelude::BASE64_URL_SAFE_NO_PAD};
use futures::{StreamExt, stream, stream::BoxStream};
use glaux_engine::{Error, Result};
use http::{HeaderMap, header};
use prost::Message;
use tokio::time::Instant;
use tonic::{Extensions, Request, Response, Status, Streaming, metadata::MetadataMap};
use uuid::Uuid;

use super::{
    session::{ClientSession, Sessions},
    shares::Holder,
    statements::Owner,
    status,
};
use crate::{
    auth::{Authenticator, Identity},
    transport::{Call, ConnectionHandle, Peer},
};

/// The cookie that Flight suggests for sessions.
const COOKIE: &str = "arrow_flight_session_id";

/// What cookies are signed for.
const PURPOSE: &str = "cookie";

/// One call's caller.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) identity: Identity,
    pub(super) client: Arc<ClientSession>,
    /// When the caller stops waiting for the answer.
    pub(super) deadline: Option<Instant>,
    connection: Option<Arc<ConnectionHandle>>,
    /// A token for the client to use from now on.
    token: Option<String>,
    /// A cookie for the client to send back; given to those who came without a session.
    cookie: Option<String>,
}

/// What tells callers apart.
#[derive(Debug)]
pub(super) struct Callers {
    pub(super) authenticator: Arc<Authenticator>,
    pub(super) sessions: Sessions,
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
    /// The caller by its headers and its connection.
    pub(super) async fn identify(&self, headers: &MetadataMap, extensions: &Extensions) -> std::result::Result<Caller, Status> {
        let peer = peer(extensions);
        let caller = self.resume(headers.as_ref(), &peer).await.map_err(|error| status::of(&error))?;
        in_use(extensions, &peer, &caller.identity.user).map_err(|error| status::of(&error))?;
        Ok(caller)
    }

    /// The session that the caller shows, or a new one.
    async fn resume(&self, headers: &HeaderMap, peer: &Peer) -> Result<Caller> {
        let deadline = timeout(headers).and_then(|timeout| Instant::now().checked_add(timeout));
        let identity = self.authenticator.identify(headers, peer).await?;
        if let Some(id) = identity.session.or_else(|| self.cookie(headers, &identity)) {
            let renewed = match identity.session {
                Some(_) => self.authenticator.renew(headers, peer).await,
                None => None,
            };
            let client = match self.sessions.find(id, &identity)? {
                Some(client) => client,
                None => {
                    // The client keeps what it was given, so its session is worth keeping.
                    let client = self.sessions.fresh(id, &identity);
                    self.sessions.keep(&client);
                    client
                }
            };
            let connection = peer.connection.clone();
            return Ok(Caller { identity, client, deadline, connection, token: renewed.map(|login| login.token), cookie: None });
        }
        // Where nobody is asked who they are, a token is but a session; drivers send it back where they drop cookies.
        let login = match self.authenticator.is_open() {
            true => Some(self.authenticator.login(authorization(headers), peer).await?),
            false => None,
        };
        let id = login.as_ref().and_then(|login| login.identity.session).unwrap_or_else(Uuid::now_v7);
        let client = self.sessions.fresh(id, &identity);
        let cookie = Some(self.bake(id, &identity.user));
        let connection = peer.connection.clone();
        Ok(Caller { identity, client, deadline, connection, token: login.map(|login| login.token), cookie })
    }

    /// Begins a session: a token for whoever proves who they are.
    pub(super) async fn handshake(
        &self,
        request: Request<Streaming<HandshakeRequest>>,
    ) -> std::result::Result<Response<BoxStream<'static, std::result::Result<HandshakeResponse, Status>>>, Status> {
        let extensions = request.extensions().clone();
        let peer = peer(&extensions);
        let given = authorization(request.metadata().as_ref()).map(str::to_owned);
        let given = match given {
            Some(given) => Some(given),
            None => in_body(request.into_inner()).await,
        };
        let login = self.authenticator.login(given.as_deref(), &peer).await.map_err(|error| status::of(&error))?;
        in_use(&extensions, &peer, &login.identity.user).map_err(|error| status::of(&error))?;
        let client = self.sessions.fresh(login.identity.session.unwrap_or_else(Uuid::now_v7), &login.identity);
        let answer = HandshakeResponse { protocol_version: 0, payload: login.token.clone().into() };
        let token = Some(login.token);
        let caller =
            Caller { identity: login.identity, client, deadline: None, connection: peer.connection, token, cookie: None };
        Ok(caller.answer(stream::iter([Ok(answer)]).boxed()))
    }

    /// What is kept for the caller is kept for its session, or for its connection if the client keeps no session.
    pub(super) fn owner(&self, caller: &Caller) -> Owner {
        let holder = match (&caller.connection, self.sessions.is_kept(caller.client.id)) {
            (Some(connection), false) => Holder::Connection(connection.id()),
            _ => Holder::Session(caller.client.id),
        };
        Owner { user: caller.identity.user.clone(), holder, connection: caller.connection.clone() }
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

impl Caller {
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

    /// Whether the caller may see and end everybody's queries.
    pub(super) fn is_administrator(&self) -> bool {
        self.identity.administrator
    }

    /// The error of a query that is not there, or not the caller's to see.
    pub(super) fn no_such_query(id: &str) -> Error {
        Error::not_found(format!("query \"{id}\" does not exist")).with_hint("SELECT query_id FROM system.queries lists yours")
    }
}

/// The other side of a call's connection.
pub(crate) fn peer(extensions: &Extensions) -> Peer {
    extensions.get::<Peer>().cloned().unwrap_or_else(|| Peer::plain(([0, 0, 0, 0], 0).into()))
}

/// Counts the call's connection as in use by `user` until the call ends.
///
/// # Errors
/// `LimitExceeded` if the user's calls are on too many connections.
pub(crate) fn in_use(extensions: &Extensions, peer: &Peer, user: &str) -> Result<()> {
    match (extensions.get::<Call>(), &peer.connection) {
        (Some(call), Some(connection)) => call.identified(connection, user),
        _ => Ok(()),
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
