//! How connections come in: TCP or TLS, with limits, and with what is known of the other side. What they say is each protocol's business.

mod connection;
mod exposure;
mod listener;
mod options;
mod peer;
mod tls;

pub(crate) use self::{
    exposure::refuse_open_listener,
    listener::{Limits, Listener},
    options::TlsOptions,
    peer::{CertificateNames, Peer},
    tls::Tls,
};
