//! Who sends a request: every door asks here. gRPC and HTTP pass a request's headers and extensions, to which `transport` has added the peer of
//! the connection. Each door decides how an error looks on the wire.

use glaux_engine::Result;
use http::{Extensions, HeaderMap};

use super::{
    Identity,
    authenticator::{Authenticator, Login},
};
use crate::transport::{Call, Peer};

/// Where a request comes from, as far as that is known before its sender proves who they are.
#[derive(Debug, Clone)]
pub(crate) struct Sender {
    /// The other side of its connection.
    pub(crate) peer: Peer,
    call: Option<Call>,
}

impl Sender {
    /// By the extensions of the request.
    pub(crate) fn of(extensions: &Extensions) -> Self {
        let peer = extensions.get::<Peer>().cloned().unwrap_or_else(|| Peer::plain(([0, 0, 0, 0], 0).into()));
        Self { peer, call: extensions.get::<Call>().cloned() }
    }

    /// Counts the connection as in use by `user` until the call ends.
    ///
    /// # Errors
    /// `LimitExceeded` if the user's calls are on too many connections.
    fn identified(&self, user: &str) -> Result<()> {
        match (&self.call, &self.peer.connection) {
            (Some(call), Some(connection)) => call.identified(connection, user),
            _ => Ok(()),
        }
    }
}

impl Authenticator {
    /// Who sent a request: by its header `authorization`, or by the certificate of its connection. The connection is in use by them until
    /// the call ends.
    ///
    /// # Errors
    /// Unauthenticated (see `refusal`) if they do not prove it; `Throttled` if too many try at once or have failed too often; `Unavailable`
    /// if an issuer's keys cannot be fetched; `LimitExceeded` if the user's calls are on too many connections.
    pub(crate) async fn caller(&self, headers: &HeaderMap, sender: &Sender) -> Result<Identity> {
        let identity = self.identify(headers, &sender.peer).await?;
        sender.identified(&identity.user)?;
        Ok(identity)
    }

    /// Begins a session: a token for whoever proves who they are by the text of a header `authorization`, or by their certificate.
    ///
    /// # Errors
    /// As [`Authenticator::caller`].
    pub(crate) async fn begin_session(&self, authorization: Option<&str>, sender: &Sender) -> Result<Login> {
        let login = self.login(authorization, &sender.peer).await?;
        sender.identified(&login.identity.user)?;
        Ok(login)
    }
}
