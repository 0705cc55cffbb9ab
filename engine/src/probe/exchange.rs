//! Import and export of definitions: Glue's JSON both ways (`import`, `export`), and a script of DDL (`script`).

mod export;
mod import;
mod script;

pub use export::export_glue;
pub use import::{IfExists, Imported, Outcome, import_glue};
pub use script::export_ddl;

use glaux_catalog::{Metastore, model::Database, model::Table};

use crate::error::{Error, Result};

/// What of a catalog is meant: all of it, or databases (`db`) and tables (`db.table`).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection(Vec<(String, Option<String>)>);

impl Selection {
    /// # Errors
    /// `Invalid` for a name of more than two parts.
    pub fn parse(names: &[String]) -> Result<Self> {
        let name = |name: &String| match name.split('.').collect::<Vec<_>>().as_slice() {
            [database] => Ok((database.to_lowercase(), None)),
            [database, table] => Ok((database.to_lowercase(), Some(table.to_lowercase()))),
            _ => Err(Error::invalid(format!("\"{name}\" is neither a database nor a table"))
                .with_hint("Write a database, or database.table")),
        };
        names.iter().map(name).collect::<Result<_>>().map(Self)
    }

    /// The databases, each with those of its tables and views that are meant, by name.
    ///
    /// # Errors
    /// `NotFound` for what does not exist; those of the catalog.
    async fn of(&self, metastore: &dyn Metastore) -> Result<Vec<(Database, Vec<Table>)>> {
        let mut found = Vec::new();
        for database in metastore.databases().await? {
            let named: Vec<_> = self.0.iter().filter(|(name, _)| *name == database.name).collect();
            if named.is_empty() && !self.0.is_empty() {
                continue;
            }
            let mut tables = metastore.tables(&database.name).await?;
            if !named.is_empty() && named.iter().all(|(_, table)| table.is_some()) {
                tables.retain(|table| named.iter().any(|(_, name)| name.as_deref() == Some(table.name.table.as_str())));
            }
            found.push((database, tables));
        }
        for (database, table) in &self.0 {
            let tables = found.iter().find(|(found, _)| found.name == *database).map(|(_, tables)| tables);
            match (tables, table) {
                (None, _) => _ = metastore.database(database).await?,
                (Some(tables), Some(table)) if !tables.iter().any(|found| found.name.table == *table) => {
                    metastore.table(&glaux_catalog::TableName::new(database, table)).await?;
                }
                _ => {}
            }
        }
        Ok(found)
    }
}

/// Partitions that are asked of a catalog at once.
const PAGE: usize = 1000;

/// The partitions of a table, whole, a page at a time.
async fn partition_pages(
    metastore: &dyn Metastore,
    table: &Table,
    mut page: impl FnMut(Vec<glaux_catalog::model::Partition>) -> Result<()>,
) -> Result<()> {
    if !table.is_partitioned() {
        return Ok(());
    }
    let index = metastore.partition_index(table).await?;
    let mut next = 0;
    while next < index.len() {
        let end = (next + PAGE).min(index.len());
        let values: Vec<_> = (next..end).map(|row| index.raw_values(row)).collect();
        page(metastore.partitions(table, &values).await?)?;
        next = end;
    }
    Ok(())
}
