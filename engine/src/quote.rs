//! What a query takes before it runs: the figures of its bill, as an upper bound over the files that it would read, and why they are not less.
//!
//! `walk` finds the scans in a physical plan, whose own decisions (`scan`'s `quote`) are asked what each of them takes; `sum` makes a [`Quote`] of that
//! (`figures`), with its reasons (`reason`), which `text` writes for people. `estimate` is what the sizes of files alone tell, without looking at any.
//! `io` is Trino's document of the same plan. Nothing here reads table data or plans anything.

mod estimate;
mod figures;
mod io;
mod reason;
mod sum;
mod text;
mod walk;

pub use self::{
    estimate::Estimate,
    figures::{ColumnsRead, Quote, TableQuote},
    reason::{Reason, WideColumn},
};
pub(crate) use self::{io::document, sum::of};
