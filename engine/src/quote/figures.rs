//! A quote as figures, by the names that the statistics of queries have.

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::reason::{Reason, WideColumn};
use crate::{
    accounting::{Bill, TableUsage, Usage, UsageDetail},
    scan::Basis,
};

/// What a query takes at most: over the files that were listed for it, whatever they hold. Requests are counted as if nothing were cached; repeated
/// ones are not in it.
#[derive(Debug, Clone)]
pub struct Quote {
    pub basis: Basis,
    /// Whether there is an upper bound: not of a query that reads a table with every step of a recursion. Figures are then those of one step.
    pub is_bounded: bool,
    /// Whether the query scans exactly that much: nothing that is found while it runs spares it any data.
    pub is_exact: bool,
    /// The figures in all, by store and by table.
    pub usage: UsageDetail,
    pub bill: Bill,
    /// The tariff of the bill: `name@version`.
    pub tariff: String,
    /// In the order of their names.
    pub tables: Vec<TableQuote>,
    /// Why the bill is not less; tables have reasons of their own.
    pub reasons: Vec<Reason>,
}

/// What all scans of a table take at most.
#[derive(Debug, Clone)]
pub struct TableQuote {
    pub usage: TableUsage,
    /// The format of its files; absent where none is read.
    pub format: Option<&'static str>,
    pub is_bounded: bool,
    pub is_exact: bool,
    /// How often the query scans it.
    pub scans: u64,
    /// Files of which nothing but their size is known.
    pub guessed_files: u64,
    pub columns: ColumnsRead,
    pub reasons: Vec<Reason>,
}

/// The columns of files that are read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct ColumnsRead {
    pub read: u64,
    pub total: u64,
    /// Those with the most bytes, where columns are stored apart.
    pub widest: Vec<WideColumn>,
}

impl Quote {
    /// Of a statement that scans nothing.
    pub(crate) fn nothing(basis: Basis, tariff: String) -> Self {
        Self {
            basis,
            is_bounded: true,
            is_exact: true,
            usage: UsageDetail::default(),
            bill: Bill::default(),
            tariff,
            tables: Vec::new(),
            reasons: Vec::new(),
        }
    }

    /// Bytes of table data that the query scans at most, if there is a bound.
    #[must_use]
    pub fn data_scanned_bytes(&self) -> Option<u64> {
        self.is_bounded.then_some(self.usage.total.data_scanned_bytes)
    }
}

impl Serialize for Quote {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Usage { data_scanned_bytes, metadata_bytes, fetched_bytes, requests, partitions, files, row_groups, .. } =
            self.usage.total;
        let bounded = |figure: u64| self.is_bounded.then_some(figure);
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("basis", &self.basis)?;
        map.serialize_entry("bounded", &self.is_bounded)?;
        map.serialize_entry("exact", &self.is_exact)?;
        map.serialize_entry("data_scanned_bytes", &bounded(data_scanned_bytes))?;
        map.serialize_entry("metadata_bytes", &metadata_bytes)?;
        map.serialize_entry("fetched_bytes", &bounded(fetched_bytes))?;
        map.serialize_entry("billed_bytes", &bounded(self.bill.billed_bytes))?;
        map.serialize_entry("cost_usd", &self.is_bounded.then(|| self.bill.cost_usd()))?;
        map.serialize_entry("cost", &self.is_bounded.then_some(self.bill))?;
        map.serialize_entry("tariff", &self.tariff)?;
        map.serialize_entry("requests", &self.is_bounded.then_some(requests))?;
        map.serialize_entry("partitions", &partitions)?;
        map.serialize_entry("files", &files)?;
        map.serialize_entry("row_groups", &row_groups)?;
        map.serialize_entry("tables", &self.tables)?;
        map.serialize_entry("why_not_less", &told(&self.reasons))?;
        map.end()
    }
}

impl Serialize for TableQuote {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let TableUsage { table, data_scanned_bytes, metadata_bytes, partitions, files, row_groups, .. } = &self.usage;
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("table", &table.to_string())?;
        map.serialize_entry("format", &self.format)?;
        map.serialize_entry("bounded", &self.is_bounded)?;
        map.serialize_entry("exact", &self.is_exact)?;
        map.serialize_entry("scans", &self.scans)?;
        map.serialize_entry("data_scanned_bytes", &self.is_bounded.then_some(data_scanned_bytes))?;
        map.serialize_entry("metadata_bytes", metadata_bytes)?;
        map.serialize_entry("partitions", partitions)?;
        map.serialize_entry("files", files)?;
        map.serialize_entry("guessed_files", &self.guessed_files)?;
        map.serialize_entry("row_groups", row_groups)?;
        map.serialize_entry("columns", &self.columns)?;
        map.serialize_entry("why_not_less", &told(&self.reasons))?;
        map.end()
    }
}

/// A reason with its words.
#[derive(Serialize)]
struct Told<'a> {
    #[serde(flatten)]
    reason: &'a Reason,
    message: String,
}

fn told(reasons: &[Reason]) -> Vec<Told<'_>> {
    reasons.iter().map(|reason| Told { reason, message: reason.to_string() }).collect()
}
