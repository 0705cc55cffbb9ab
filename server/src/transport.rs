//! How connections come in: TCP or TLS, with limits, and with what is known of the other side. What they say is each protocol's business.

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
