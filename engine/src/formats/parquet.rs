//! Parquet files.
//!
//! `metadata` reads and keeps footers, page indexes and bloom filters (`kept`: on disk), and `belief` takes out of them what must not be believed.
//! `evolve` makes a file's columns the table's; `shape` is what a file's schema makes of a scan's expressions. `select` decides which row groups are read
//! (`prune`), `open` opens them, `unit` is one row group, `late` says in which order its columns are read, and `decode` reads it. `quote` tells from the same
//! decisions what a scan takes. `summary` answers aggregations from footers, `figures` ANALYZE. `write` makes files.

mod belief;
mod decode;
mod evolve;
mod fault;
mod figures;
mod file;
mod footer;
mod kept;
mod known;
mod late;
mod mask;
mod metadata;
mod open;
mod prune;
mod quote;
mod select;
mod shape;
mod summary;
mod unit;
mod write;

use std::sync::{Arc, OnceLock, atomic::AtomicBool};

use arrow::datatypes::DataType;
use async_trait::async_trait;
use datafusion::common::ScalarValue;
use glaux_catalog::model::{Column, Table};
use parquet::file::metadata::ParquetMetaData;

pub use self::write::ParquetOptions;
use self::{
    evolve::EvolveFactory,
    footer::Known,
    metadata::{MetadataReads, Noted, Reading, TableFiles},
    open::ParquetOpener,
    quote::ParquetQuoter,
    shape::Shape,
};
pub(crate) use self::{
    kept::KeptFooters,
    metadata::{Footers, arrow_schema as file_schema, meaning},
    write::ParquetOutput,
};
use crate::{
    error::Result,
    scan::{
        Analyzed, Asked, Basis, DataFile, Execution, Format, KnownFile, Opener, PlannedFile, QuotedScan, Quoter, ScanIo,
        ScanSpec, Summaries,
    },
};

/// Bytes of a file for one split, where the streams of a plan do not share their work.
const SPLIT_BYTES: u64 = 64 << 20;

/// The Parquet files of one table.
#[derive(Debug)]
pub(super) struct Parquet {
    known: Arc<Known>,
    evolve: EvolveFactory,
}

impl Parquet {
    pub(super) fn new(table: &Table, footers: &Arc<Footers>) -> Self {
        let root: Arc<str> = Arc::from(table.root());
        let files = TableFiles {
            first_read: footers.first_read(&root).map(OnceLock::from).unwrap_or_default(),
            root,
            reading: Reading::of(table),
            learned: AtomicBool::new(false),
        };
        let columns = table.storage.columns.iter().map(|column| (column.name.as_str(), &column.hive_type));
        Self { known: Arc::new(Known { footers: Arc::clone(footers), table: files }), evolve: EvolveFactory::new(columns) }
    }
}

#[async_trait]
impl Format for Parquet {
    fn name(&self) -> &'static str {
        "Parquet"
    }

    fn is_columnar(&self) -> bool {
        true
    }

    fn split_bytes(&self, _: &DataFile, shares: bool) -> Option<u64> {
        (!shares).then_some(SPLIT_BYTES)
    }

    async fn known(&self, file: &DataFile) -> Option<KnownFile> {
        let known = self.known.footers.known(&self.known.table, file).await?;
        Some(KnownFile { rows: known.metadata().file_metadata().num_rows(), columns: Arc::clone(known.columns()) })
    }

    fn begin(self: Arc<Self>, execution: &Arc<Execution>) -> Result<Arc<dyn Opener>> {
        Ok(Arc::new(ParquetOpener::new(execution, &self.known, &self.evolve)))
    }

    fn quoter(self: Arc<Self>, scan: &Arc<QuotedScan>) -> Arc<dyn Quoter> {
        Arc::new(ParquetQuoter::new(scan, &self.known, &self.evolve))
    }

    fn summaries(&self) -> Option<&dyn Summaries> {
        Some(self)
    }
}

#[async_trait]
impl Summaries for Parquet {
    fn has_exact_bounds(&self, data_type: &DataType) -> bool {
        belief::has_exact_bounds(data_type)
    }

    async fn analyze(&self, io: &ScanIo, file: &DataFile, columns: &[Column]) -> Result<Analyzed> {
        let (footer, _) = self.known.footers.open(&self.known.table, file, &MetadataReads::of(io)).await?;
        Ok(figures::of_footer(footer.metadata(), file.meta.size, columns))
    }

    async fn prepare(&self, spec: &ScanSpec, io: &ScanIo) -> Result<()> {
        self.known.learn(spec, io, false).await
    }

    async fn of_file(
        &self,
        spec: &ScanSpec,
        io: &ScanIo,
        file: &Arc<PlannedFile>,
        asked: &[Asked],
        quoted: Option<Basis>,
    ) -> Result<Option<Vec<ScalarValue>>> {
        let metadata = match quoted {
            None => self.known.footer(spec, io, file, false).await?.metadata,
            Some(basis) => {
                let reads = MetadataReads::quoted(io, &Noted::new(basis == Basis::Footers));
                let known = self.known.quoted(&file.file, basis, &reads).await?;
                let Some(known) = known else { return Ok(None) };
                Arc::clone(known.metadata())
            }
        };
        if !metadata.row_groups().iter().all(belief::is_sound) {
            return Ok(None);
        }
        let name = |error| fault::named(error, &file.file);
        let shape = Shape::new(spec, &self.evolve, file, &metadata).map_err(name)?;
        let projection = shape.projection_of(spec, file).map_err(name)?;
        Ok(asked.iter().map(|asked| summary::of_file(spec, &projection, &shape, &metadata, asked)).collect())
    }
}

/// The footer of a file that belongs to no table yet, with names in lower case. The lengths of footers are learned under `root`.
///
/// # Errors
/// `CorruptData` or `Unsupported` (encrypted), naming the file; those of the store.
pub(crate) async fn footer(footers: &Footers, io: &ScanIo, root: &str, file: &DataFile) -> Result<Arc<ParquetMetaData>> {
    let files = TableFiles {
        root: Arc::from(root),
        reading: Reading::default(),
        // The same for every file, whichever of them comes first.
        first_read: OnceLock::new(),
        learned: AtomicBool::new(false),
    };
    let (known, _) = footers.open(&files, file, &MetadataReads::of(io)).await?;
    Ok(Arc::clone(known.metadata()))
}
