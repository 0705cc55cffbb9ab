//! Sums up what the scans of a query take, and prices it.

use std::{collections::BTreeMap, sync::Arc};

use datafusion::physical_plan::ExecutionPlan;
use glaux_catalog::TableName;

use super::{
    figures::{ColumnsRead, Quote, TableQuote},
    reason::{self, Reason},
    walk::{self, Found},
};
use crate::{
    accounting::{Scanned, StoreUsage, TableUsage, Tariff, Usage, UsageDetail},
    error::Result,
    scan::{Basis, FetchBound, ScanQuote},
};

/// What plans take at most that run one after another, after what planning them counted: `planning` lists the files, and so does the query.
///
/// # Errors
/// Those of reading and decoding the metadata of files, naming the file.
pub(crate) async fn of(plans: &[Arc<dyn ExecutionPlan>], planning: UsageDetail, tariff: &Tariff, basis: Basis) -> Result<Quote> {
    let mut sum = Sum::after(planning);
    for found in plans.iter().flat_map(walk::scans) {
        let quote = match found.answer {
            Some(answer) => answer.quote(basis).await?,
            None => None,
        };
        let quote = match quote {
            Some(answered) => answered,
            None => found.scan.quote(basis, found.answer.is_some()).await?,
        };
        sum.add(&found, &quote);
    }
    Ok(sum.priced(tariff, basis))
}

/// The figures so far.
#[derive(Debug)]
struct Sum {
    /// What planning counted, but for what it read.
    planning: UsageDetail,
    stores: BTreeMap<String, StoreUsage>,
    tables: BTreeMap<String, OfTable>,
}

/// Those of a table.
#[derive(Debug)]
struct OfTable {
    quote: TableQuote,
    column_bytes: BTreeMap<String, u64>,
}

impl Sum {
    fn after(planning: UsageDetail) -> Self {
        // What was read already is what an earlier quote of the plan has read.
        let store = |mut store: StoreUsage| {
            (store.requests.get, store.fetched_bytes) = (0, 0);
            (store.store.clone(), store)
        };
        let table = |usage: &TableUsage| {
            let files = Scanned { scanned: 0, ..usage.files };
            let planned = TableUsage { data_scanned_bytes: 0, metadata_bytes: 0, files, row_groups: no_files(), ..usage.clone() };
            (planned.table.to_string(), OfTable::new(planned))
        };
        Self {
            stores: planning.stores.iter().cloned().map(store).collect(),
            tables: planning.tables.iter().map(table).collect(),
            planning,
        }
    }

    fn add(&mut self, found: &Found<'_>, scan: &ScanQuote) {
        for (store, FetchBound { requests, bytes }) in &scan.stores {
            let of_store = self.stores.entry(store.clone()).or_default();
            of_store.store.clone_from(store);
            of_store.requests.get += requests;
            of_store.fetched_bytes += bytes;
        }
        let of_table = self.tables.entry(scan.table.to_string()).or_insert_with(|| OfTable::new(unplanned(&scan.table)));
        let is_bounded = !found.repeats || scan.data_bytes == 0;
        let quote = &mut of_table.quote;
        let usage = &mut quote.usage;
        usage.data_scanned_bytes += scan.data_bytes;
        usage.metadata_bytes += scan.metadata_bytes;
        usage.files.scanned += scan.files.scanned;
        usage.row_groups = usage.row_groups + scan.row_groups;
        quote.format = Some(scan.format);
        quote.is_bounded &= is_bounded;
        quote.is_exact &= scan.is_exact && is_bounded && (found.is_drained || scan.data_bytes == 0);
        quote.scans += 1;
        quote.guessed_files += scan.guesses;
        // Two scans may read different columns; what is told is the more of them.
        let (read, total) = (scan.read.len() as u64, scan.columns as u64);
        quote.columns.read = if scan.data_bytes > 0 { quote.columns.read.max(read) } else { quote.columns.read };
        quote.columns.total = quote.columns.total.max(total);
        for reason in reason::of_scan(scan, found.repeats) {
            if !quote.reasons.contains(&reason) {
                quote.reasons.push(reason);
            }
        }
        for (column, bytes) in &scan.column_bytes {
            *of_table.column_bytes.entry(column.clone()).or_default() += bytes;
        }
    }

    fn priced(self, tariff: &Tariff, basis: Basis) -> Quote {
        let is_used = |store: &StoreUsage| store.requests.total() > 0 || store.fetched_bytes > 0;
        let stores: Vec<StoreUsage> = self.stores.into_values().filter(is_used).collect();
        let tables: Vec<TableQuote> = self.tables.into_values().map(OfTable::told).collect();
        let partitions = self.planning.total.partitions;
        let mut total = Usage { partitions, files: no_files(), row_groups: no_files(), ..Usage::default() };
        for store in &stores {
            total.requests = total.requests + store.requests;
            total.fetched_bytes += store.fetched_bytes;
        }
        for TableQuote { usage, .. } in &tables {
            total.data_scanned_bytes += usage.data_scanned_bytes;
            total.metadata_bytes += usage.metadata_bytes;
            total.files = total.files + usage.files;
            total.row_groups = total.row_groups + usage.row_groups;
        }
        let usage = UsageDetail { total, stores, tables: tables.iter().map(|table| table.usage.clone()).collect() };
        let bill = tariff.bill(&usage);
        let least = tariff.billed_bytes(1);
        let is_least = total.data_scanned_bytes > 0 && total.data_scanned_bytes < least && bill.billed_bytes == least;
        let reasons = if is_least { vec![Reason::Minimum { billed_bytes: least }] } else { Vec::new() };
        Quote {
            basis,
            is_bounded: tables.iter().all(|table| table.is_bounded),
            is_exact: tables.iter().all(|table| table.is_exact),
            usage,
            bill,
            tariff: tariff.id(),
            tables,
            reasons,
        }
    }
}

impl OfTable {
    fn new(usage: TableUsage) -> Self {
        let quote = TableQuote {
            usage,
            format: None,
            is_bounded: true,
            is_exact: true,
            scans: 0,
            guessed_files: 0,
            columns: ColumnsRead::default(),
            reasons: Vec::new(),
        };
        Self { quote, column_bytes: BTreeMap::new() }
    }

    fn told(self) -> TableQuote {
        let Self { mut quote, column_bytes } = self;
        quote.columns.widest = reason::widest(&column_bytes);
        quote
    }
}

const fn no_files() -> Scanned {
    Scanned { scanned: 0, total: Some(0) }
}

/// Of a table that planning has not counted.
fn unplanned(name: &str) -> TableUsage {
    let (database, table) = name.split_once('.').unwrap_or(("", name));
    TableUsage {
        table: TableName::new(database, table),
        data_scanned_bytes: 0,
        metadata_bytes: 0,
        partitions: no_files(),
        files: no_files(),
        row_groups: no_files(),
        has_partition_keys: false,
        is_partition_filtered: false,
    }
}
