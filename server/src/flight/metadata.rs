//! The results of Flight SQL's metadata commands: one schema and one batch for each, exactly as the protocol writes them down.

#![cfg_attr(not(test), expect(dead_code, reason = "the Flight SQL service is the one that asks"))]

pub(crate) mod type_name;
