//! A metastore in memory, for tests and for catalogs that need not outlive the process. Nothing is written to disk.

mod attachments;
mod definitions;
mod grants;
mod state;
mod workgroups;

pub use state::MemoryMetastore;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::metastore::conformance;

    #[tokio::test]
    async fn conforms() {
        conformance::run(|| Arc::new(MemoryMetastore::new())).await;
    }
}
