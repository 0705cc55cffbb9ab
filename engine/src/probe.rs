//! What lies in a lake, and what a catalog holds, found out and carried over: definitions in and out (`exchange`).
//!
//! Nothing here plans or runs a query.

pub mod exchange;
