//! Limits on the work that one statement can cause. Parsing and planning can take twice as long with each level of nesting, so there are limits on
//! how deep a statement nests and how long its chains are (`tokens`, before parsing), and on how much planning it takes (`work`, after parsing).
//!
//! A statement within the limits is planned in seconds at most.

mod tokens;
mod work;

use sqlparser::tokenizer::TokenWithSpan;

pub(super) use self::{tokens::check as check_tokens, work::check as check_work};
use crate::error::{Error, ErrorKind};

/// How deep parentheses, `CASE` and subqueries may nest. The parser's stack grows as needed, that of the code after it does not.
pub(super) const MAX_DEPTH: usize = 150;

/// Expressions that the parser may begin for a statement of so many tokens. Each is begun once, but for what it tries again as something
/// else when its first reading fails.
pub(super) fn parser_work(tokens: &[TokenWithSpan]) -> usize {
    100_000 + 2 * tokens.len()
}

/// The statement nests too deep to be planned.
pub(super) fn too_deep() -> Error {
    limit(format!("the query nests deeper than {MAX_DEPTH} levels"))
        .with_hint("Use IN for long lists of OR, and WITH for nested subqueries")
}

/// Reading or planning the statement would take too long.
pub(super) fn too_complex() -> Error {
    limit("the query is too complex: its parts are nested too deeply")
        .with_hint("Nest fewer subqueries, common table expressions and calls, or split the query into several steps")
}

fn limit(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::LimitExceeded, message)
}
