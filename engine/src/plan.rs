//! From a query's syntax tree to DataFusion's plans: `state` sets DataFusion up for one query, `resolve` finds the tables and views it
//! names in the metastore. Planning changes nothing.

mod resolve;
mod state;

pub use resolve::{Catalogs, PlanContext};
pub use state::base_state;
