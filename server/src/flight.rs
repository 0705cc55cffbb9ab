//! Arrow Flight SQL: what clients ask for by that protocol, translated for the engine and back. Nothing is planned here.
//!
//! `service` is Flight's service, a method an RPC. `command` decodes what is asked, `caller` finds out who asks and in which session.
//! What GetFlightInfo plans is held by the server's `statements` until DoGet fetches it with a signed `ticket`; `result` and `encode` carry its
//! rows, `stats` and `trailers` its bill. `put`, `actions` and `metadata` are the protocol's other parts, `context` is what all of them share.

mod actions;
mod caller;
mod command;
mod context;
mod decode;
mod encode;
pub(crate) mod metadata;
mod options;
mod put;
mod result;
mod service;
mod session_options;
mod stats;
pub(crate) mod status;
mod ticket;
mod trailers;

pub(crate) use self::{context::Flight, options::FlightOptions, service::Service, trailers::TrailersLayer};
