//! How connections come in: TCP or TLS, with limits, and with what is known of the other side. What they say is each protocol's business.

#![cfg_attr(not(test), expect(dead_code, unused_imports, reason = "the server command that uses it is being built"))]

mod connection;
mod exposure;
mod listener;
mod options;
mod peer;
mod tls;

pub(crate) use self::{
    connection::Connection,
    exposure::refuse_open_listener,
    listener::{Counts, Incoming, Limits, Listener},
    options::{ClientCertificates, TlsOptions},
    peer::{CertificateNames, Peer},
    tls::Tls,
};
