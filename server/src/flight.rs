//! Arrow Flight SQL: what clients ask for by that protocol, translated for the engine and back. Nothing is planned here.
//!
//! `service` is Flight's service, a method an RPC. `command` decodes what is asked, `caller` finds out who asks and in which `session`.
//! `statements` holds what GetFlightInfo planned until DoGet fetches it with a signed `ticket`; `feed`, `result` and `encode` carry its rows;
//! `stats` and `trailers` its bill. `shares` bounds what is kept for clients. `prepared`, `put`, `actions` and `metadata` are the protocol's other parts.

mod actions;
mod caller;
mod command;
mod decode;
mod encode;
mod feed;
pub(crate) mod metadata;
mod options;
mod prepared;
mod put;
mod result;
mod service;
mod session;
mod session_options;
mod shares;
mod statements;
mod stats;
pub(crate) mod status;
mod ticket;
mod trailers;

pub(crate) use self::{
    caller::{in_use, peer},
    options::FlightOptions,
    service::{Flight, Service},
    trailers::TrailersLayer,
};
