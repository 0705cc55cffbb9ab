//! The behaviour of a metastore, as tests that every implementation passes. They panic at the first difference.

mod attachments;
mod databases;
mod fixtures;
mod grants;
mod install;
mod partitions;
mod tables;
mod workgroups;

use std::sync::Arc;

use super::{Definitions, Metastore};

/// Runs all tests, each on a metastore of its own.
pub(crate) async fn run(fresh: impl Fn() -> Arc<dyn Metastore>) {
    definitions(|| -> Arc<dyn Definitions> { fresh() }).await;
    grants::run(&fresh).await;
    attachments::run(&fresh).await;
    workgroups::run(&fresh).await;
}

/// The tests of definitions alone, which a metastore without the other concerns passes too.
async fn definitions(fresh: impl Fn() -> Arc<dyn Definitions>) {
    databases::run(&fresh).await;
    tables::run(&fresh).await;
    partitions::run(&fresh).await;
    install::run(&fresh).await;
}
