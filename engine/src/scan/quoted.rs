//! What reading a scan's files takes at most, known before any of their data is read: figures, as formats tell them for each file, and their sums.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use serde::Serialize;

use super::{
    fetch::FetchBound,
    file::DataFile,
    io::ScanIo,
    spec::{Pruning, ScanSpec},
};
use crate::accounting::Scanned;

/// What a quote is made from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize)]
pub enum Basis {
    /// The metadata of all files: what is not known of it is read. No table data is.
    #[default]
    #[serde(rename = "footers")]
    Footers,
    /// The metadata that is known. Files of which nothing is known count with their whole size. Nothing is read.
    #[serde(rename = "estimate")]
    Known,
}

/// What a scan's files are read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reads {
    /// Their rows.
    Rows,
    /// Their rows, after their metadata did not answer instead.
    MetadataThenRows,
    /// What their metadata tell.
    Metadata,
}

/// A scan whose files are quoted.
#[derive(Debug)]
pub(crate) struct QuotedScan {
    pub spec: Arc<ScanSpec>,
    pub io: ScanIo,
    pub basis: Basis,
    pub reads: Reads,
    /// Whether it finds the best rows by a bound of its own.
    pub has_top: bool,
}

impl QuotedScan {
    /// Whether something that is found while the query runs may spare it data: rows that are enough, or are none of the best, or that a join does
    /// not want.
    pub(crate) fn may_stop(&self) -> bool {
        self.has_top || self.spec.limit.is_some() || self.spec.is_limited || self.spec.has_moving()
    }
}

/// What reading one file takes at most.
#[derive(Debug, Clone, Default)]
pub(crate) struct FileQuote {
    /// Bytes of table data that decoders get.
    pub data_bytes: u64,
    /// The stored bytes of the columns that are read, where columns are stored apart.
    pub columns: BTreeMap<String, u64>,
    /// Row groups of which data is read, and all that it has; `None` if that is not known, or the format has none.
    pub row_groups: Option<(u64, u64)>,
    /// Bytes of it that are metadata.
    pub metadata_bytes: u64,
    /// The requests for all of it, where nothing of it is cached.
    pub fetch: FetchBound,
    /// Whether all of `data_bytes` are read whatever they hold.
    pub is_exact: bool,
    /// Whether nothing but its size is known.
    pub is_guess: bool,
    /// Columns with a filter that leaves out none of its row groups, and whether the file has statistics of them.
    pub unpruned: BTreeMap<String, bool>,
}

impl FileQuote {
    /// Of a file of which nothing is read.
    pub(crate) fn nothing() -> Self {
        Self { is_exact: true, ..Self::default() }
    }
}

/// What a scan takes at most.
#[derive(Debug, Default)]
pub(crate) struct ScanQuote {
    /// The table's full name.
    pub table: Arc<str>,
    /// The format as users know it, and whether it stores columns apart.
    pub format: &'static str,
    pub is_columnar: bool,
    pub pruning: Arc<Pruning>,
    pub data_bytes: u64,
    pub metadata_bytes: u64,
    /// The sizes of all files.
    pub file_bytes: u64,
    pub files: Scanned,
    pub row_groups: Scanned,
    /// The data columns that are read, and how many there are.
    pub read: BTreeSet<String>,
    pub columns: usize,
    /// The stored bytes of the former, where columns are stored apart.
    pub column_bytes: BTreeMap<String, u64>,
    /// Requests, and the bytes that they bring, by the URL of the store.
    pub stores: BTreeMap<String, FetchBound>,
    /// Whether all of `data_bytes` are read whatever they hold, if the scan runs to its end.
    pub is_exact: bool,
    /// Files of which nothing but their size is known.
    pub guesses: u64,
    /// The columns of filters that left out no row group of some file, each with how many of these files have no statistics of it.
    pub unpruned: BTreeMap<String, u64>,
    /// Files of which at least one row group was left out.
    pub pruned_files: u64,
}

impl ScanQuote {
    /// Of a scan without files.
    pub(super) fn new(spec: &ScanSpec, format: &'static str, is_columnar: bool) -> Self {
        Self {
            table: Arc::clone(&spec.table),
            format,
            is_columnar,
            pruning: Arc::clone(&spec.pruning),
            files: Scanned { scanned: 0, total: Some(0) },
            row_groups: Scanned { scanned: 0, total: Some(0) },
            read: spec.data_columns(),
            columns: spec.schema.file_schema().fields().len(),
            is_exact: true,
            ..Self::default()
        }
    }

    /// Adds what a file takes.
    pub(super) fn add(&mut self, file: &DataFile, quote: FileQuote) {
        let FileQuote { data_bytes, columns, row_groups, metadata_bytes, fetch, is_exact, is_guess, unpruned } = quote;
        self.data_bytes += data_bytes;
        self.metadata_bytes += metadata_bytes;
        self.file_bytes += file.meta.size;
        self.files.scanned += u64::from(data_bytes > 0);
        self.files.total = self.files.total.map(|total| total + 1);
        match row_groups {
            Some((read, all)) => {
                self.row_groups.scanned += read;
                self.row_groups.total = self.row_groups.total.map(|total| total + all);
                self.pruned_files += u64::from(read < all);
            }
            None if is_guess => self.row_groups.total = None,
            None => {}
        }
        for (column, bytes) in columns {
            *self.column_bytes.entry(column).or_default() += bytes;
        }
        *self.stores.entry(store_of(file)).or_default() += fetch;
        self.is_exact &= is_exact;
        self.guesses += u64::from(is_guess);
        for (column, has_statistics) in unpruned {
            *self.unpruned.entry(column).or_default() += u64::from(!has_statistics);
        }
    }
}

/// The URL of a file's bucket or root, as the meter names stores: `s3://bucket`, `file://`.
fn store_of(file: &DataFile) -> String {
    let url = &*file.store_url;
    url.strip_suffix('/').unwrap_or(url).to_owned()
}
