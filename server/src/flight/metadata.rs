//! The results of Flight SQL's metadata commands: one schema and one batch for each, exactly as the protocol writes them down, because
//! clients compare. How they travel is not known here.

mod keys;
mod names;
mod pattern;
mod sql_info;
mod table_schema;
mod tables;
pub(crate) mod type_name;
mod xdbc_type_info;

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use arrow_flight::sql::{
    Command, CommandGetCatalogs, CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys, CommandGetImportedKeys,
    CommandGetPrimaryKeys, CommandGetSqlInfo, CommandGetTableTypes, CommandGetTables, CommandGetXdbcTypeInfo,
};
use glaux_engine::{Browser, Error, ErrorKind, Result};

pub(crate) use self::sql_info::ServerLimits;
use self::{
    names::TableKind,
    tables::{ListedColumns, ListedTable, TableFilter},
};

/// A command that asks what there is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum MetadataCommand {
    Catalogs(CommandGetCatalogs),
    DbSchemas(CommandGetDbSchemas),
    Tables(CommandGetTables),
    TableTypes(CommandGetTableTypes),
    PrimaryKeys(CommandGetPrimaryKeys),
    ExportedKeys(CommandGetExportedKeys),
    ImportedKeys(CommandGetImportedKeys),
    CrossReference(CommandGetCrossReference),
    XdbcTypeInfo(CommandGetXdbcTypeInfo),
    SqlInfo(CommandGetSqlInfo),
}

impl MetadataCommand {
    /// None for commands of another sort.
    pub(crate) fn from_command(command: Command) -> Option<Self> {
        Some(match command {
            Command::CommandGetCatalogs(command) => Self::Catalogs(command),
            Command::CommandGetDbSchemas(command) => Self::DbSchemas(command),
            Command::CommandGetTables(command) => Self::Tables(command),
            Command::CommandGetTableTypes(command) => Self::TableTypes(command),
            Command::CommandGetPrimaryKeys(command) => Self::PrimaryKeys(command),
            Command::CommandGetExportedKeys(command) => Self::ExportedKeys(command),
            Command::CommandGetImportedKeys(command) => Self::ImportedKeys(command),
            Command::CommandGetCrossReference(command) => Self::CrossReference(command),
            Command::CommandGetXdbcTypeInfo(command) => Self::XdbcTypeInfo(command),
            Command::CommandGetSqlInfo(command) => Self::SqlInfo(command),
            _ => return None,
        })
    }
}

/// The schema of a command's answer. Nothing is read for it.
pub(crate) fn schema(command: &MetadataCommand) -> SchemaRef {
    match command {
        MetadataCommand::Catalogs(_) => names::catalogs_schema(),
        MetadataCommand::DbSchemas(_) => names::db_schemas_schema(),
        MetadataCommand::Tables(command) => tables::schema(command.include_schema),
        MetadataCommand::TableTypes(_) => names::table_types_schema(),
        MetadataCommand::PrimaryKeys(_) => keys::primary_keys_schema(),
        MetadataCommand::ExportedKeys(_) | MetadataCommand::ImportedKeys(_) | MetadataCommand::CrossReference(_) => {
            keys::foreign_keys_schema()
        }
        MetadataCommand::XdbcTypeInfo(_) => xdbc_type_info::schema(),
        MetadataCommand::SqlInfo(_) => sql_info::schema(),
    }
}

/// A command's answer, under its [`schema`]: always one batch, be it empty.
///
/// # Errors
/// Those of the catalog; `LimitExceeded` if the schemas of all tables asked for are more than one batch can hold.
pub(crate) async fn answer(command: &MetadataCommand, browser: &Browser, limits: &ServerLimits) -> Result<RecordBatch> {
    match command {
        MetadataCommand::Catalogs(_) => names::catalogs(),
        MetadataCommand::DbSchemas(command) => names::db_schemas(command, browser.databases().await?),
        MetadataCommand::Tables(command) => tables(command, browser).await,
        MetadataCommand::TableTypes(_) => names::table_types(),
        MetadataCommand::PrimaryKeys(_)
        | MetadataCommand::ExportedKeys(_)
        | MetadataCommand::ImportedKeys(_)
        | MetadataCommand::CrossReference(_) => Ok(RecordBatch::new_empty(schema(command))),
        MetadataCommand::XdbcTypeInfo(command) => xdbc_type_info::batch(command.data_type),
        MetadataCommand::SqlInfo(command) => sql_info::batch(&command.info, limits),
    }
}

/// The tables that are asked for. Schemas of thousands of tables take a while, and so they are built where nothing waits for it.
async fn tables(command: &CommandGetTables, browser: &Browser) -> Result<RecordBatch> {
    let found = find(&TableFilter::new(command), browser).await?;
    if !command.include_schema {
        return tables::rows(found, false);
    }
    let rows = tokio::task::spawn_blocking(move || tables::rows(found, true));
    rows.await.map_err(|error| Error::internal("the schemas of tables were not built to the end").with_source(error))?
}

async fn find(filter: &TableFilter, browser: &Browser) -> Result<Vec<ListedTable>> {
    let mut found = Vec::new();
    for database in browser.databases().await?.into_iter().filter(|name| filter.wants_database(name)) {
        let system = browser.system_tables(&database);
        if system.is_empty() {
            let tables = match browser.tables(&database).await {
                // Dropped or denied in the meantime.
                Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::Denied) => continue,
                tables => tables?,
            };
            for table in tables {
                let kind = if table.is_view() { TableKind::View } else { TableKind::Table };
                if filter.wants_table(&table.name.table, kind) {
                    let (database, name) = (table.name.database.clone(), table.name.table.clone());
                    found.push(ListedTable { database, name, kind, columns: ListedColumns::Defined(Box::new(table)) });
                }
            }
        }
        for (name, schema) in system.into_iter().filter(|(name, _)| filter.wants_table(name, TableKind::System)) {
            let columns = ListedColumns::Arrow(schema);
            found.push(ListedTable { database: database.clone(), name: name.to_owned(), kind: TableKind::System, columns });
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests;
