//! The client of the catalog service, a metastore like any other.
//!
//! Definitions are requested whenever they are needed, so that a statement sees what others changed before it; partition indexes are cached by table
//! version. A lost connection is replaced at the next call. Calls that only read are retried; a call that changes something is sent once, and if
//! the connection is lost before the answer, the error says that the outcome is unknown.

mod attachments;
mod connection;
mod definitions;
mod grants;
mod options;
mod partitions;
mod repair;
#[cfg(test)]
mod tests;
mod watch;
mod workgroups;

use std::{fmt, sync::Arc};

use glaux_proto::catalog::v1 as proto;
pub use options::{Credentials, RemoteOptions};
pub use watch::{CatalogChange, ChangeKind};

use self::connection::{Connection, read};
use super::protocol::{OLDEST_PROTOCOL, PROTOCOL};
use crate::{
    error::{Error, ErrorKind, Result},
    metastore::index_cache::IndexCache,
};

/// The client of a catalog service.
pub struct RemoteMetastore {
    connection: Arc<Connection>,
    indexes: IndexCache,
}

/// What a service answers about itself and its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceAnswer {
    /// The service's release.
    pub version: String,
    /// The user that it identified the caller as.
    pub user: String,
    /// Whether the caller sees everything and may do everything.
    pub administrator: bool,
}

impl RemoteMetastore {
    /// A client that connects at its first call. Must be called within a Tokio runtime.
    ///
    /// # Errors
    /// `Invalid` for an address, certificates or credentials that are not valid.
    pub fn new(options: &RemoteOptions) -> Result<Self> {
        Ok(Self { connection: Arc::new(Connection::new(options)?), indexes: IndexCache::new() })
    }

    /// A client of a service that was reached and speaks a protocol that this client understands.
    ///
    /// # Errors
    /// As [`RemoteMetastore::new`] and [`RemoteMetastore::hello`].
    pub async fn connect(options: &RemoteOptions) -> Result<Self> {
        let client = Self::new(options)?;
        client.hello().await?;
        Ok(client)
    }

    /// The service's address, as given in the options.
    #[must_use]
    pub fn address(&self) -> &str {
        self.connection.address()
    }

    /// Asks the service for its release, and for the user that it identifies the caller as.
    ///
    /// # Errors
    /// `Unavailable` if it does not answer, `Denied` if it rejects the caller's credentials, `Unsupported` if its release is too new or too old.
    pub async fn hello(&self) -> Result<ServiceAnswer> {
        let asked = proto::HelloRequest { protocol: PROTOCOL, version: env!("CARGO_PKG_VERSION").to_owned() };
        let answer = read!(self.connection.hello(asked))?;
        if answer.oldest_protocol > PROTOCOL || answer.protocol < OLDEST_PROTOCOL {
            let proto::HelloResponse { version, protocol, oldest_protocol, .. } = answer;
            let message = format!(
                "catalog service \"{}\" of release {version} speaks protocols {oldest_protocol} to {protocol}, this client {PROTOCOL}",
                self.address()
            );
            return Err(Error::new(ErrorKind::Unsupported, message).with_hint("Use the same release of glaux on both sides"));
        }
        Ok(ServiceAnswer { version: answer.version, user: answer.user, administrator: answer.administrator })
    }
}

impl fmt::Debug for RemoteMetastore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteMetastore").field("address", &self.address()).finish_non_exhaustive()
    }
}
