//! The contract for grants: what users and groups may do with the catalog, a database or a table.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::{
    error::Result,
    model::{Grant, GrantObject, Grantee},
};

/// Keeps grants. Those on a table follow it when it is renamed, and go when it is dropped.
#[async_trait]
pub trait Grants: Debug + Send + Sync {
    /// All grants by object: on the catalog, then on databases, then on tables. Those on one object list users before groups.
    async fn grants(&self) -> Result<Vec<Grant>>;

    /// Adds a grant, or replaces the grant of the same grantee on the same object.
    ///
    /// # Errors
    /// `NotFound` for the database or the table; `Invalid` for a grantee without a name.
    async fn set_grant(&self, grant: Grant) -> Result<()>;

    /// Removes the grant of this grantee on this object.
    ///
    /// # Errors
    /// `NotFound` if there is none.
    async fn remove_grant(&self, object: &GrantObject, grantee: &Grantee) -> Result<()>;
}
