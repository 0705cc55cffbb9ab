//! Arrow Flight SQL: what clients ask for by that protocol, translated for the engine and back. Nothing is planned here.

pub(crate) mod metadata;
