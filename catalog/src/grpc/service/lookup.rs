//! Looks up the tables that requests refer to, by their ids: the name in a request grants no access.

use glaux_proto::catalog::v1 as proto;

use crate::{
    error::{ErrorKind, Result},
    grpc::message::definition::present,
    ident::TableName,
    metastore::{Definitions, dropped},
    model::Table,
};

/// The current version of a table that the caller has read before.
///
/// # Errors
/// `NotFound` if it was dropped in the meantime, or the caller may not see it.
pub(super) async fn current(definitions: &dyn Definitions, reference: &proto::TableRef) -> Result<Table> {
    definitions.table_by_id(reference.id).await.map_err(|error| match error.kind() {
        ErrorKind::NotFound => dropped(&TableName::new(&reference.database, &reference.name)),
        _ => error,
    })
}

/// The same, with the version and the location that the caller knows.
///
/// # Errors
/// As [`current`].
pub(super) async fn as_known(definitions: &dyn Definitions, reference: Option<proto::TableRef>) -> Result<Table> {
    let reference = present(reference, "table")?;
    let mut table = current(definitions, &reference).await?;
    table.version = reference.version;
    table.storage.location = reference.location;
    Ok(table)
}
