//! `MSCK REPAIR TABLE`: reports what a repair found and did, in Hive's words.
//!
//! As in Athena it adds partitions, and reports those whose directories are gone without dropping them; `DROP PARTITIONS` and `SYNC PARTITIONS` drop
//! them, as in Hive. Where there are many, the first are named and all are counted.

use glaux_catalog::discovery::{RepairMode, RepairOptions, Repaired, repair as repair_partitions};

use super::{
    context::StatementContext,
    lookup::find_table,
    refresh::after_repair,
    rows::{Row, row},
};
use crate::{
    error::{Result, printable},
    sql::TableRef,
};

/// Directories that are named one by one.
const NAMED_DIRECTORIES: usize = 10;

pub(super) async fn repair(name: &TableRef, mode: RepairMode, tail: bool, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    let table = find_table(name, "MSCK REPAIR TABLE", context).await?;
    if !table.is_partitioned() {
        return Ok(vec![row([&format!("Table {} is not partitioned: there is nothing to repair", table.name)])]);
    }
    let scan = &context.plan.scan;
    let options = RepairOptions { mode, tail, concurrency: scan.listing.concurrency, ..RepairOptions::default() };
    let (metastore, progress) = (context.metastore().as_ref(), scan.meter.repair());
    let repaired = repair_partitions(metastore, context.stores, &table, &options, progress, context.now()).await?;
    after_repair(name, tail, context).await?;
    Ok(report(&table.name.table, mode, &repaired).iter().map(|line| row([line])).collect())
}

/// What a repair found and did, line by line.
fn report(table: &str, mode: RepairMode, repaired: &Repaired) -> Vec<String> {
    let Repaired { missing_in_metastore: new, missing_from_storage: gone, ignored, .. } = repaired;
    let of_table = |name: &String| format!("{table}:{name}");
    let all = |names: &[String], count: usize| {
        let mut all: Vec<String> = names.iter().map(of_table).collect();
        all.extend((count > names.len()).then(|| format!("and {} more", count - names.len())));
        all.join("\t")
    };
    let mut lines = Vec::new();
    if new.count > 0 {
        lines.push(format!("Partitions not in metastore:\t{}", all(&new.names, new.count)));
    }
    if gone.count > 0 {
        lines.push(format!("Partitions missing from filesystem:\t{}", all(&gone.names, gone.count)));
    }
    let mut done = |what: &str, names: &[String], count: usize| {
        lines.extend(names.iter().map(|name| format!("Repair: {what} metastore {}", of_table(name))));
        if count > names.len() {
            lines.push(format!("Repair: {what} metastore {table}: {} more", count - names.len()));
        }
    };
    if mode != RepairMode::Drop {
        done("Added partition to", &new.names, new.count);
    }
    if mode != RepairMode::Add {
        done("Dropped partition from", &gone.names, gone.count);
    }
    let named = ignored.iter().take(NAMED_DIRECTORIES);
    lines.extend(named.map(|ignored| format!("Ignored: {}: {}", printable(&of_table(&ignored.path)), ignored.reason)));
    if ignored.len() > NAMED_DIRECTORIES {
        let more = ignored.len() - NAMED_DIRECTORIES;
        lines.push(format!("Ignored: {more} more directories; system.repair_findings has all of them"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use glaux_catalog::discovery::{Ignored, IgnoredReason, Named};

    use super::*;

    #[test]
    fn many_are_counted_and_some_named() {
        let names = |prefix: &str| vec![format!("{prefix}=1"), format!("{prefix}=2")];
        let ignored = (0..12).map(|n| Ignored { path: format!("x{n}"), reason: IgnoredReason::NotKeyValue });
        let repaired = Repaired {
            missing_in_metastore: Named { names: names("new"), count: 5 },
            missing_from_storage: Named { names: names("gone"), count: 2 },
            ignored: ignored.collect(),
            pages: 1,
        };
        let lines = report("t", RepairMode::Sync, &repaired);
        assert_eq!(lines[0], "Partitions not in metastore:\tt:new=1\tt:new=2\tand 3 more");
        assert_eq!(lines[1], "Partitions missing from filesystem:\tt:gone=1\tt:gone=2");
        assert_eq!(lines[4], "Repair: Added partition to metastore t: 3 more");
        assert_eq!(lines[6], "Repair: Dropped partition from metastore t:gone=2");
        assert_eq!(lines.len(), 7 + 10 + 1);
        assert!(lines[17].starts_with("Ignored: 2 more directories; "), "{}", lines[17]);
        assert!(!report("t", RepairMode::Add, &repaired).iter().any(|line| line.contains("Dropped")));
    }
}
