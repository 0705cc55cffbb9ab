//! Who may do what with databases, tables and views: the one place that decides, for every front end.
//!
//! Administrators may do everything. For others the most specific object with a grant for them decides: the table, then its database, then
//! the catalog; on one object a user's own grant before those of their groups; of several groups' grants `none` wins, and else the
//! highest. Where nothing is granted, the engine's default holds. Who has no access to a name gets the same answer whether it exists or not.
//!
//! [`Caller::guard`] puts a metastore in front of the catalog that shows and changes only what the caller may; whatever a query or a statement
//! looks up, it looks up there. [`Caller::check`] refuses a statement before it begins, `reach` a location. Which queries a user sees
//! and kills is decided by [`queries_of`], in which workgroup they run by [`workgroup_of`]; `in_use` keeps workgroups from being dropped. Who the
//! caller is has been established before.

mod caller;
mod guarded;
mod in_use;
mod locations;
mod reach;
mod rights;
#[cfg(test)]
mod tests;
mod views;
mod workgroup;

pub use self::in_use::WorkgroupAssignments;
pub(crate) use self::{
    caller::{Caller, queries_of},
    guarded::Guarded,
    in_use::WorkgroupsInUse,
    locations::LocationPolicy,
    views::denied as view_denied,
    workgroup::{KnownWorkgroups, workgroup_of},
};
