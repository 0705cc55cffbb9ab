//! The contract for workgroups.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::{error::Result, model::Workgroup};

/// Keeps workgroups.
#[async_trait]
pub trait Workgroups: Debug + Send + Sync {
    /// All workgroups, by name.
    async fn workgroups(&self) -> Result<Vec<Workgroup>>;

    /// # Errors
    /// `NotFound`.
    async fn workgroup(&self, name: &str) -> Result<Workgroup>;
}
