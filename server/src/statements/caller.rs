//! Who calls, in which session, and what that caller owns.

use std::sync::Arc;

use super::{
    session::ClientSession,
    shares::{Holder, Owner},
};
use crate::{auth::Identity, transport::ConnectionHandle};

/// One call's caller.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) identity: Identity,
    /// Their session, which may be for this call alone.
    pub(crate) client: Arc<ClientSession>,
    /// The connection of the call, if connections are counted.
    pub(crate) connection: Option<Arc<ConnectionHandle>>,
}

impl Caller {
    /// What is kept for the caller is kept for their session, or for their connection if their client keeps no session.
    pub(super) fn owner(&self, keeps_session: bool) -> Owner {
        let holder = match (&self.connection, keeps_session) {
            (Some(connection), false) => Holder::Connection(connection.id()),
            _ => Holder::Session(self.client.id),
        };
        Owner { user: self.identity.user.clone(), holder, connection: self.connection.clone() }
    }
}
