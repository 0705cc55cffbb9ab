//! The formats of files, each in a folder of its own: what reads it implements [`crate::scan::Format`], and what writes it [`OutputFormat`].
//! [`glaux_catalog::format`] is the one table of the classes, endings and first bytes that mean a format; one that is added there does not compile until
//! [`of`] says what reads it, and [`output_of`] what writes it.

mod output;
pub(crate) mod parquet;
mod text;

use std::sync::Arc;

use glaux_catalog::{
    format::FileFormat,
    model::{SerDe, Table},
    partition::PartitionOwn,
};

pub(crate) use self::{
    output::{FileWriter, OutputFormat},
    parquet::{Footers, KeptFooters},
};
use self::{
    parquet::{Parquet, ParquetOptions, ParquetOutput},
    text::{Text, TextOutput},
};
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

/// What writes the files of a table, or of a partition that has a SerDe or columns of its own.
///
/// # Errors
/// `Unsupported` for a format that is not written yet, and for a column or a property with which it is not, naming it; `Invalid` for a property that
/// makes no sense.
pub(crate) fn output_of(table: &Table, own: Option<&PartitionOwn>) -> Result<Arc<dyn OutputFormat>> {
    match FileFormat::of(&table.storage) {
        Some(FileFormat::Parquet) => {
            let is_other = |serde: &&SerDe| !serde.library.to_ascii_lowercase().contains("parquet");
            match own.and_then(|own| own.serde.as_ref()).filter(is_other) {
                Some(other) => Err(not_written(table, other)),
                None => parquet_output(),
            }
        }
        Some(FileFormat::Text | FileFormat::Csv) => {
            let output = TextOutput::new(&table.storage, &table.properties, own);
            Ok(Arc::new(output.map_err(|error| error.with_context("table", table.name.to_string()))?))
        }
        Some(
            FileFormat::Json
            | FileFormat::OpenXJson
            | FileFormat::Orc
            | FileFormat::Avro
            | FileFormat::SequenceFile
            | FileFormat::RcFile
            | FileFormat::Ion,
        )
        | None => Err(not_written(table, &table.storage.serde)),
    }
}

/// What writes the files of a table that is stored as Parquet, as new ones are.
///
/// # Errors
/// `Internal`.
pub(crate) fn parquet_output() -> Result<Arc<dyn OutputFormat>> {
    Ok(Arc::new(ParquetOutput::new(&ParquetOptions::of_table())?))
}

fn not_read(table: &Table) -> Error {
    let serde = &table.storage.serde.library;
    Error::unsupported(format!("table \"{}\" has an unsupported format: {serde}", table.name))
        .with_hint("Parquet and delimited text can be queried; the definition is kept")
}

fn not_written(table: &Table, serde: &SerDe) -> Error {
    Error::unsupported(format!("table \"{}\" has a format that cannot be written: {}", table.name, serde.library))
        .with_hint("Rows can be added to tables of Parquet and of delimited text")
}
