//! The formats of files: each implements [`crate::scan::Format`] in a folder of its own. [`glaux_catalog::format`] is the one table of the
//! classes, endings and first bytes that mean a format; one that is added there does not compile until [`of`] says what reads it.

pub(crate) mod parquet;
mod text;

use std::sync::Arc;

use glaux_catalog::{format::FileFormat, model::Table};

pub(crate) use self::parquet::{Footers, KeptFooters};
use self::{parquet::Parquet, text::Text};
use crate::{
    error::{Error, Result},
    scan::Format,
};

/// What reads the files of a table.
///
/// # Errors
/// `Unsupported` for a format that is not read yet, naming it.
pub(crate) fn of(table: &Table, footers: &Arc<Footers>) -> Result<Arc<dyn Format>> {
    match FileFormat::of(&table.storage) {
        Some(FileFormat::Parquet) => Ok(Arc::new(Parquet::new(table, footers))),
        Some(FileFormat::Text | FileFormat::Csv) => Ok(Arc::new(Text::new(table)?)),
        Some(
            FileFormat::Json
            | FileFormat::OpenXJson
            | FileFormat::Orc
            | FileFormat::Avro
            | FileFormat::SequenceFile
            | FileFormat::RcFile
            | FileFormat::Ion,
        )
        | None => Err(not_read(table)),
    }
}

fn not_read(table: &Table) -> Error {
    let serde = &table.storage.serde.library;
    Error::unsupported(format!("table \"{}\" has an unsupported format: {serde}", table.name))
        .with_hint("Parquet and delimited text can be queried; the definition is kept")
}
