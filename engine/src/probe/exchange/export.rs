//! Exports a catalog as Glue's responses: GetDatabases, then GetTables and GetPartitions for each database, one document a line.

use std::io::Write;

use glaux_catalog::{Metastore, glue};
use serde_json::{Value, json};

use super::{Selection, partition_pages};
use crate::error::{Error, ErrorKind, Result};

/// Tables of one line.
const TABLES: usize = 100;

/// Writes what is meant of a catalog as Glue's JSON. `import_glue` takes it, and so do tools that take what `aws glue` prints.
///
/// # Errors
/// Those of the catalog; `Unavailable` if it cannot be written.
pub async fn export_glue(metastore: &dyn Metastore, selection: &Selection, out: &mut (dyn Write + Send)) -> Result<()> {
    let chosen = selection.of(metastore).await?;
    let databases = chosen.iter().map(|(database, _)| glue::write_database(database)).collect::<Result<Vec<_>>>()?;
    line(out, &json!({ "DatabaseList": databases }))?;
    for (_, tables) in &chosen {
        for tables in tables.chunks(TABLES) {
            let written = tables.iter().map(glue::write_table).collect::<Result<Vec<_>>>()?;
            line(out, &json!({ "TableList": written }))?;
        }
        for table in tables.iter().filter(|table| !table.is_view()) {
            partition_pages(metastore, table, |partitions| {
                let written = partitions.iter().map(|partition| glue::write_partition(table, partition));
                line(out, &json!({ "Partitions": written.collect::<Result<Vec<_>>>()? }))
            })
            .await?;
        }
    }
    out.flush().map_err(cannot_write)
}

fn line(out: &mut (dyn Write + Send), document: &Value) -> Result<()> {
    writeln!(out, "{document}").map_err(cannot_write)
}

pub(super) fn cannot_write(error: std::io::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "what is exported cannot be written").with_source(error)
}
