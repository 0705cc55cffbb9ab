//! How connections come in: TCP or TLS, with limits, and with what is known of the other side. What they say is each protocol's business.

mod connection;
mod connections;
mod exposure;
mod listener;
mod options;
mod peer;
mod tls;

pub(crate) use self::{
    connection::Connection,
    connections::{Call, ConnectionHandle},
    exposure::refuse_open_listener,
    listener::{Incoming, Limits, Listener},
    options::TlsOptions,
    peer::{CertificateNames, Peer, network},
    tls::{Protocols, Tls},
};
