//! The changes to a query of the Trino half between its text and the planner: to its tokens before parsing (`tokens`, `types`), and to its tree after
//! parsing (`forms`, `exists`, `numbers`, `calls`, `timestamps`, `like`, `hidden`, `joins`, `casts`, `labels`, `duplicates`). Each pass is small, and
//! leaves alone what it does not know.

mod calls;
mod casts;
mod duplicates;
mod exists;
mod forms;
mod hidden;
mod joins;
mod labels;
mod like;
mod numbers;
mod timestamps;
pub(super) mod tokens;
mod types;
mod words;

pub(crate) use duplicates::{label, mark_duplicates};
pub(crate) use hidden::{HIDDEN_COLUMNS, HIDDEN_SUFFIX};
pub(crate) use joins::USING;
use sqlparser::ast::Query;

use self::tokens::Originals;
use crate::error::Result;

/// Rewrites a parsed query whose names are folded already.
///
/// # Errors
/// `Unsupported` or `Invalid`, for what the passes understand and cannot express.
pub(super) fn apply(query: &mut Query, originals: &Originals) -> Result<()> {
    forms::apply(query)?;
    exists::apply(query)?;
    numbers::apply(query)?;
    calls::apply(query)?;
    timestamps::apply(query);
    like::apply(query)?;
    types::check(query)?;
    hidden::apply(query)?;
    joins::apply(query)?;
    casts::apply(query);
    labels::apply(query, originals);
    mark_duplicates(query)
}
