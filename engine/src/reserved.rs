//! Reserved names: schemas that no database can be named after, the suffix of the table of a table's partitions, and attachments that no
//! statement writes.

/// The schema of the engine's own tables.
pub(crate) const SYSTEM: &str = "system";

/// The standard's schema of what there is.
pub(crate) const INFORMATION_SCHEMA: &str = "information_schema";

/// The schemas whose tables are the engine's own.
pub const SYSTEM_SCHEMAS: [&str; 2] = [INFORMATION_SCHEMA, SYSTEM];

/// What follows a table's name in the name of the table of its partitions, as in Trino.
pub(crate) const PARTITIONS_SUFFIX: &str = "$partitions";

/// How the names of the attachments begin that say which tables are managed: only ingest writes them.
pub(crate) const MANAGED_ATTACHMENTS: &str = "managed/";

/// Whether a schema holds the engine's own tables only, and no database can have its name.
pub(crate) fn is_system_schema(name: &str) -> bool {
    SYSTEM_SCHEMAS.contains(&name)
}
