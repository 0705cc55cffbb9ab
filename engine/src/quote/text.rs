//! A quote as lines for people.

use std::fmt;

use super::figures::{ColumnsRead, Quote, TableQuote};
use crate::{
    accounting::{Requests, Scanned, TableUsage},
    scan::Basis,
};

impl fmt::Display for Quote {
    /// A line a figure: first of each table, then in all.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for table in &self.tables {
            write!(f, "{table}")?;
        }
        let usage = &self.usage.total;
        writeln!(f, "data scanned: {}", amount(usage.data_scanned_bytes, self.is_bounded, self.is_exact))?;
        let requests = requests(&usage.requests, self.is_bounded);
        writeln!(f, "metadata: at most {} bytes; requests: {requests}", usage.metadata_bytes)?;
        let guessed: u64 = self.tables.iter().map(|table| table.guessed_files).sum();
        if self.basis == Basis::Known {
            writeln!(f, "estimated: nothing was read, and {guessed} files whose metadata are not known count with their size")?;
        }
        if self.is_bounded {
            let (most, bill) = (if self.is_exact { "" } else { "at most " }, self.bill);
            writeln!(f, "billed: {most}{} bytes = {bill}", bill.billed_bytes)?;
        } else {
            writeln!(f, "billed: unbounded")?;
        }
        for reason in &self.reasons {
            writeln!(f, "  why not less: {reason}")?;
        }
        Ok(())
    }
}

impl fmt::Display for TableQuote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let TableUsage { table, data_scanned_bytes, partitions, files, row_groups, has_partition_keys, .. } = &self.usage;
        write!(f, "table {table}: {}", amount(*data_scanned_bytes, self.is_bounded, self.is_exact))?;
        if *has_partition_keys {
            write!(f, "; partitions: {}", part(*partitions))?;
        }
        write!(f, "; files: {}", part(*files))?;
        if row_groups.total != Some(0) {
            write!(f, "; row groups: {}", part(*row_groups))?;
        }
        let ColumnsRead { read, total, .. } = &self.columns;
        if *total > 0 {
            write!(f, "; columns: {read} of {total}")?;
        }
        writeln!(f)?;
        for reason in &self.reasons {
            writeln!(f, "  why not less: {reason}")?;
        }
        Ok(())
    }
}

fn amount(bytes: u64, is_bounded: bool, is_exact: bool) -> String {
    match (is_bounded, is_exact) {
        (false, _) => "unbounded".to_owned(),
        (true, true) => format!("{bytes} bytes"),
        (true, false) => format!("at most {bytes} bytes"),
    }
}

fn requests(requests: &Requests, is_bounded: bool) -> String {
    if !is_bounded {
        return "unbounded".to_owned();
    }
    let Requests { get, head, list, .. } = requests;
    match head {
        0 => format!("at most {get} get, {list} list"),
        _ => format!("at most {get} get, {head} head, {list} list"),
    }
}

fn part(of: Scanned) -> String {
    match of.total {
        Some(total) => format!("{} of {total}", of.scanned),
        None => of.scanned.to_string(),
    }
}
