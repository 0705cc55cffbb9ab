//! What parses, to what, and what is refused with which words.

mod hive;
mod probe;
mod queries;
mod workgroup;

use super::{Statement, parse};

fn ok(text: &str) -> Statement {
    parse(text).unwrap_or_else(|error| panic!("{text}\n{error:?}"))
}
