//! The contract for workgroups: the limits that queries share.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::{error::Result, model::Workgroup};

/// Keeps workgroups. The primary one always exists: without settings until it is changed.
#[async_trait]
pub trait Workgroups: Debug + Send + Sync {
    /// All workgroups, by name.
    async fn workgroups(&self) -> Result<Vec<Workgroup>>;

    /// # Errors
    /// `NotFound`.
    async fn workgroup(&self, name: &str) -> Result<Workgroup>;

    /// Creates or replaces a workgroup.
    ///
    /// # Errors
    /// `Invalid` for a name or a setting that is not allowed. `AlreadyExists` for one that is to be created; `NotFound`, or `Conflict` if it is not what
    /// the caller has seen, for one that is to be replaced.
    async fn put_workgroup(&self, workgroup: Workgroup, mode: PutWorkgroup<'_>) -> Result<()>;

    /// # Errors
    /// `NotFound`; `Invalid` for the primary workgroup.
    async fn remove_workgroup(&self, name: &str) -> Result<()>;
}

/// What a workgroup that is put takes the place of.
#[derive(Debug, Clone, Copy)]
pub enum PutWorkgroup<'a> {
    /// Of nothing.
    Create,
    /// Of the one of its name, as the caller has seen it.
    Replace(&'a Workgroup),
}
