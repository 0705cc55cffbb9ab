//! Why a query does not take less, as far as its plan and the metadata of its files tell.

use std::fmt;

use serde::Serialize;

use crate::scan::ScanQuote;

/// Why a query does not take less.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum Reason {
    /// No filter says which values of the table's partition keys are wanted.
    NoPartitionFilter { keys: Vec<String> },
    /// A filter speaks of partition keys, but does not say by itself which of their values are wanted.
    FilterCannotPrune { filter: String },
    /// All columns of the table are read, as by `SELECT *`.
    AllColumns { columns: u64, widest: Vec<WideColumn> },
    /// Files have no least and greatest values of a column with a filter.
    NoStatistics { column: String, files: u64, of: u64 },
    /// Files have them, but values are spread over all row groups.
    UnsortedColumn { column: String },
    /// Many files hold little each.
    SmallFiles { files: u64, average_bytes: u64 },
    /// Files of delimited text are read whole.
    TextFormat,
    /// A recursion reads the table with every step.
    Recursion,
    /// A query that scans less costs the same.
    Minimum { billed_bytes: u64 },
}

/// A column, and the bytes that are stored of it in what is read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WideColumn {
    pub column: String,
    pub bytes: u64,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPartitionFilter { keys } => write!(f, "no filter on a partition key ({})", keys.join(", ")),
            Self::FilterCannotPrune { filter } => {
                write!(f, "the filter \"{filter}\" does not say by itself which partitions are wanted")
            }
            Self::AllColumns { columns, widest } => {
                let widest = widest.iter().map(|WideColumn { column, bytes }| format!("{column} with {bytes} bytes"));
                write!(f, "all {columns} columns are read; the widest: {}", widest.collect::<Vec<_>>().join(", "))
            }
            Self::NoStatistics { column, files, of } => {
                write!(f, "{files} of {of} files have no statistics of the filter's column \"{column}\"")
            }
            Self::UnsortedColumn { column } => {
                write!(f, "the filter's column \"{column}\" is not sorted: statistics of it leave out nothing")
            }
            Self::SmallFiles { files, average_bytes } => {
                write!(f, "{files} small files, of {average_bytes} bytes on average, each of which takes requests of its own")
            }
            Self::TextFormat => f.write_str("text is read whole, whichever columns and rows are wanted"),
            Self::Recursion => f.write_str("it is read again with every step of a recursion"),
            Self::Minimum { billed_bytes } => {
                write!(f, "a query that scans anything is billed for at least {billed_bytes} bytes")
            }
        }
    }
}

/// Columns that are named where several are wide.
const WIDEST: usize = 3;

/// So many files are many, if they have so few bytes on average.
const MANY_FILES: u64 = 10;
const SMALL_BYTES: u64 = 8_000_000;

/// The columns of a scan with the most bytes, the widest first.
pub(super) fn widest<'a>(columns: impl IntoIterator<Item = (&'a String, &'a u64)>) -> Vec<WideColumn> {
    let mut columns: Vec<WideColumn> =
        columns.into_iter().map(|(column, bytes)| WideColumn { column: column.clone(), bytes: *bytes }).collect();
    columns.sort_by(|one, other| other.bytes.cmp(&one.bytes).then_with(|| one.column.cmp(&other.column)));
    columns.truncate(WIDEST);
    columns
}

/// Why one scan does not take less.
pub(super) fn of_scan(scan: &ScanQuote, repeats: bool) -> Vec<Reason> {
    let mut reasons = Vec::new();
    if repeats && scan.data_bytes > 0 {
        reasons.push(Reason::Recursion);
    }
    if scan.data_bytes == 0 {
        return reasons;
    }
    let pruning = &scan.pruning;
    reasons.extend(pruning.unusable.iter().map(|filter| Reason::FilterCannotPrune { filter: filter.clone() }));
    if !pruning.keys.is_empty() && !pruning.is_filtered && pruning.unusable.is_empty() {
        reasons.push(Reason::NoPartitionFilter { keys: pruning.keys.clone() });
    }
    if !scan.is_columnar {
        reasons.push(Reason::TextFormat);
    } else if scan.columns > 1 && scan.read.len() == scan.columns {
        reasons.push(Reason::AllColumns { columns: scan.columns as u64, widest: widest(&scan.column_bytes) });
    }
    let files = scan.files.total.unwrap_or_default();
    for (column, without_statistics) in &scan.unpruned {
        if *without_statistics > 0 {
            reasons.push(Reason::NoStatistics { column: column.clone(), files: *without_statistics, of: files });
        } else if scan.pruned_files == 0 && scan.row_groups.total.is_some_and(|total| total > 1) {
            reasons.push(Reason::UnsortedColumn { column: column.clone() });
        }
    }
    let average_bytes = scan.file_bytes / files.max(1);
    if files >= MANY_FILES && average_bytes < SMALL_BYTES {
        reasons.push(Reason::SmallFiles { files, average_bytes });
    }
    reasons
}
