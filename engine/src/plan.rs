//! From a query's syntax tree to DataFusion's plans: `state` sets DataFusion up, `resolve` finds the tables and views that a query names in the
//! metastore, `types` has the types of times, `rules` gives expressions their meaning in Trino, `using` plans joins with USING,
//! `filters`, `keys` and `conditions` have conditions evaluated in their order, `limits` bounds the size of plans, `memory` what a query holds when it runs.
//! Planning changes nothing.

mod conditions;
mod cooperate;
mod filters;
mod interruptible;
mod keys;
mod limits;
mod memory;
mod names;
mod operators;
mod recursion;
mod resolve;
mod rules;
mod state;
mod types;
mod using;
mod wide;
mod wildcards;

pub(crate) use cooperate::cooperative;
pub(crate) use interruptible::Stop;
pub(crate) use memory::QueryMemory;
pub(crate) use recursion::bounded;
pub(crate) use resolve::PlanContext;
pub(crate) use state::base_state;
