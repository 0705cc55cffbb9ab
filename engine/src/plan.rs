//! From a query's syntax tree to DataFusion's plans: `state` sets DataFusion up for one query, `resolve` finds the tables and views it
//! names in the metastore, `types` knows the types of times, `rules` makes expressions mean what they mean in Trino, `limits` bounds what there is to
//! plan. Planning changes nothing.

mod cooperate;
mod interruptible;
mod limits;
mod names;
mod operators;
mod recursion;
mod resolve;
mod rules;
mod state;
mod types;

pub(crate) use cooperate::cooperative;
pub(crate) use interruptible::Stop;
pub(crate) use recursion::bounded;
pub use resolve::{Catalogs, PlanContext};
pub use state::base_state;
