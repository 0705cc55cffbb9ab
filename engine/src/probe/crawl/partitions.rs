//! Compares the partitions found in folders with those in the catalog. All folders below the table's root are known, so a partition of the
//! catalog that should be there and has no files is gone. Partitions at other locations are not checked.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};
use glaux_catalog::{
    model::{Partition, Table},
    partition::{PartitionIndex, hive_name},
};

use super::keys::Found;

/// What lake and catalog do not agree on.
#[derive(Debug, Default)]
pub(super) struct Repair {
    /// Partitions to add, by name.
    pub lacking: Vec<Partition>,
    /// The names of partitions below the table's root at whose location nothing is.
    pub gone: Vec<String>,
    /// Folders with the values of another one, which has the usual spelling of them or comes first.
    pub same: Vec<String>,
}

/// Compares folders with partitions. A folder is known if a partition has its values, or has it as its location. `holds` tells whether files may lie at a
/// path below the table's root.
pub(super) fn compare(
    found: &[Found],
    holds: &dyn Fn(&str) -> bool,
    table: &Table,
    index: &PartitionIndex,
    now: DateTime<Utc>,
) -> Repair {
    let root = table.root();
    let mut repair = Repair::default();
    let mut by_name: BTreeMap<String, &Found> = BTreeMap::new();
    for folder in found {
        let name = hive_name(&table.partition_keys, &folder.values);
        match by_name.get(&name).copied() {
            Some(known) if folder.path != name || known.path == name => repair.same.push(folder.path.clone()),
            known => {
                repair.same.extend(known.map(|known| known.path.clone()));
                by_name.insert(name, folder);
            }
        }
    }
    let below_root = |row: usize| match index.own_location(row) {
        Some(own) => own.strip_prefix(&root).map(|path| path.trim_end_matches('/').to_owned()),
        None => Some(index.name(row)),
    };
    let held: HashSet<String> = (0..index.len()).filter_map(below_root).collect();
    for (name, folder) in &by_name {
        if index.find(name).is_none() && !held.contains(folder.path.as_str()) {
            let mut partition = Partition::new(folder.values.clone(), now);
            partition.location = (folder.path != *name).then(|| format!("{root}{}/", folder.path));
            repair.lacking.push(partition);
        }
    }
    let paths: HashSet<&str> = found.iter().map(|folder| folder.path.as_str()).collect();
    let is_gone = |row: &usize| below_root(*row).is_some_and(|path| !paths.contains(path.as_str()) && !holds(&path));
    repair.gone = (0..index.len()).filter(is_gone).map(|row| index.name(row)).collect();
    repair
}

#[cfg(test)]
mod tests {
    use glaux_catalog::{
        HiveType, TableName,
        model::{Column, StorageDescriptor},
        partition::PartitionIndexBuilder,
    };

    use super::*;

    fn table() -> Table {
        let storage = StorageDescriptor {
            columns: vec![Column::new("a", HiveType::Int)],
            location: "s3://b/t".to_owned(),
            ..StorageDescriptor::default()
        };
        Table::external(TableName::new("default", "t"), storage, vec![Column::new("k", HiveType::String)], DateTime::UNIX_EPOCH)
    }

    #[test]
    fn folders_and_partitions_are_compared_by_values_and_by_place() {
        let found = |path: &str, value: &str| Found { values: vec![Some(value.to_owned())], path: path.to_owned() };
        let folders =
            [found("K=1", "1"), found("k=1", "1"), found("2", "2"), found("k=3", "3"), found("4", "4"), found("5", "5")];
        let mut builder = PartitionIndexBuilder::new(&table().partition_keys);
        for (name, location) in [
            ("k=3", None),
            ("k=6", None),
            ("k=7", Some("s3://b/t/4/")),
            ("k=8", Some("s3://b/t/8/")),
            ("k=9", Some("s3://x/9/")),
            ("k=alias", Some("s3://b/t/k=3/")),
            ("k=all", Some("s3://b/t/")),
            ("k=part", Some("s3://b/t/k=3/part/")),
        ] {
            builder.push(name, location, None).unwrap();
        }
        let holds = |path: &str| ["", "k=3/part"].contains(&path);
        let repair = compare(&folders, &holds, &table(), &builder.finish().unwrap(), DateTime::UNIX_EPOCH);
        let lacking: Vec<_> =
            repair.lacking.iter().map(|new| (new.values[0].as_deref().unwrap(), new.location.as_deref())).collect();
        assert_eq!(lacking, [("1", None), ("2", Some("s3://b/t/2/")), ("5", Some("s3://b/t/5/"))]);
        assert_eq!(repair.gone, ["k=6", "k=8"]);
        assert_eq!(repair.same, ["K=1"]);
    }
}
