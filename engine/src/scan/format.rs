//! The seam between a scan and what its files hold: all that the scan asks of a format.

use std::{fmt, sync::Arc};

use arrow::datatypes::DataType;
use async_trait::async_trait;
use datafusion::{common::ScalarValue, physical_expr::PhysicalExpr};
use glaux_catalog::model::Column;

use super::{
    analyzed::Analyzed,
    columns::FileColumns,
    execution::Execution,
    file::DataFile,
    io::ScanIo,
    quoted::{Basis, FileQuote, QuotedScan},
    spec::{PlannedFile, ScanSpec, Split},
    unit::Unit,
};
use crate::error::Result;

/// How the files of one planned scan hold rows.
#[async_trait]
pub(crate) trait Format: fmt::Debug + Send + Sync {
    /// As users know it: `Parquet`.
    fn name(&self) -> &'static str;

    /// Whether files store columns apart, so that only those are read that are wanted.
    fn is_columnar(&self) -> bool {
        false
    }

    /// The bytes of a file that one split reads; `None` if it is read as a whole. Where streams share their work (`shares`), a file need only be divided
    /// if its units are not known once it is open.
    fn split_bytes(&self, file: &DataFile, shares: bool) -> Option<u64>;

    /// What is known of a file without reading it.
    async fn known(&self, _file: &DataFile) -> Option<KnownFile> {
        None
    }

    /// Begins an execution.
    ///
    /// # Errors
    /// `Unsupported` for what the format cannot give.
    fn begin(self: Arc<Self>, execution: &Arc<Execution>) -> Result<Arc<dyn Opener>>;

    /// Tells what the files of a scan take, by the decisions of its executions.
    fn quoter(self: Arc<Self>, scan: &Arc<QuotedScan>) -> Arc<dyn Quoter>;

    /// What files tell apart from their rows; nothing if they have to be read for it.
    fn summaries(&self) -> Option<&dyn Summaries> {
        None
    }
}

/// What is known of a file.
#[derive(Debug, Clone)]
pub(crate) struct KnownFile {
    pub rows: i64,
    pub columns: Arc<FileColumns>,
}

/// Opens the files of one execution.
#[async_trait]
pub(crate) trait Opener: fmt::Debug + Send + Sync {
    /// Learns what helps with all files, before the first is opened.
    ///
    /// # Errors
    /// Those of reading, naming the file.
    async fn prepare(&self) -> Result<()> {
        Ok(())
    }

    /// The bytes that a split holds in memory from when it is opened.
    fn held(&self, _split: &Split) -> u64 {
        0
    }

    /// Opens a split, and says which units of it are to be read, in order. None if it has none that can matter.
    ///
    /// # Errors
    /// Those of reading and decoding, naming the file.
    async fn open(&self, split: &Arc<Split>) -> Result<Vec<Box<dyn Unit>>>;
}

/// Tells what the files of one scan take at most, without reading any of their data.
#[async_trait]
pub(crate) trait Quoter: fmt::Debug + Send + Sync {
    /// Learns what helps with all files, before the first is looked at.
    ///
    /// # Errors
    /// Those of reading, naming the file.
    async fn prepare(&self) -> Result<()> {
        Ok(())
    }

    /// What a file takes, of which these are all splits, in order.
    ///
    /// # Errors
    /// Those of reading and decoding its metadata, naming the file.
    async fn file(&self, splits: &[Arc<Split>]) -> Result<FileQuote>;
}

/// What is asked of all rows.
#[derive(Debug, Clone)]
pub(crate) enum Asked {
    /// How many there are; of a column, how many are not NULL.
    Count(Option<Arc<dyn PhysicalExpr>>),
    Min(Arc<dyn PhysicalExpr>),
    Max(Arc<dyn PhysicalExpr>),
}

/// Formats whose files tell, apart from their rows, how many there are and between which values they lie.
#[async_trait]
pub(crate) trait Summaries: Send + Sync {
    /// Whether least and greatest values of the type may be told exactly.
    fn has_exact_bounds(&self, data_type: &DataType) -> bool;

    /// Learns what helps with all files.
    ///
    /// # Errors
    /// Those of reading, naming the file.
    async fn prepare(&self, spec: &ScanSpec, io: &ScanIo) -> Result<()>;

    /// What a file tells `ANALYZE` of these columns.
    ///
    /// # Errors
    /// Those of reading, naming the file.
    async fn analyze(&self, io: &ScanIo, file: &DataFile, columns: &[Column]) -> Result<Analyzed>;

    /// What one file answers; `None` if it does not tell exactly. Where it is only `quoted`, the file does not count as opened, and may be one that
    /// must not be read for it.
    ///
    /// # Errors
    /// Those of reading and decoding, naming the file.
    async fn of_file(
        &self,
        spec: &ScanSpec,
        io: &ScanIo,
        file: &Arc<PlannedFile>,
        asked: &[Asked],
        quoted: Option<Basis>,
    ) -> Result<Option<Vec<ScalarValue>>>;
}
