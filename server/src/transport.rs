//! How connections are accepted: TCP or TLS, with limits, and with what is known of the peer. The protocols above read them.

mod connection;
mod connections;
mod limits;
mod listener;
mod options;
mod peer;
mod tls;

pub(crate) use self::{
    connection::Connection,
    connections::{Call, ConnectionHandle},
    limits::Limits,
    listener::{Incoming, Listener},
    options::{ClientCertificates, TlsOptions},
    peer::{CertificateNames, Peer, network},
    tls::{Protocols, Tls},
};
