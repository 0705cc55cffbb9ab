//! Compares the directories that were found with the catalog's partitions. It changes neither.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};

use super::{Found, Ignored, walk::IgnoredReason};
use crate::{
    model::{Partition, Table},
    partition::{PartitionIndex, hive_name},
};

/// What storage and catalog do not agree on.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Repair {
    /// Partitions to add, by Hive name.
    pub missing_in_metastore: Vec<Partition>,
    /// The Hive names of partitions whose usual directory was not found. Those with an own location are never among them: a walk below
    /// the table's root does not tell whether theirs exist.
    pub missing_from_storage: Vec<String>,
    /// Directories left out because another has the same values: one partition has one directory.
    pub ignored: Vec<Ignored>,
}

/// Compares all that a walk found below the table's root with the index of its partitions.
///
/// A directory is known if a partition has its values, or has it as location (after a rename), as in Hive. One whose spelling differs from
/// the usual name of its values is added with its own location. `created_at` is given to what is to be added.
#[must_use]
pub fn diff(found: &[Found], table: &Table, index: &PartitionIndex, created_at: DateTime<Utc>) -> Repair {
    let root = table.root();
    let mut repair = Repair::default();
    // Of directories with the same values, the one with the usual spelling, or else the first by path.
    let mut by_name: HashMap<String, &Found> = HashMap::with_capacity(found.len());
    for directory in found {
        let name = hive_name(&table.partition_keys, &directory.values);
        let rank = |candidate: &Found| (candidate.path != name, candidate.path.clone());
        let loser = match by_name.get(&name).copied() {
            Some(other) if rank(other) <= rank(directory) => Some(directory),
            other => {
                by_name.insert(name, directory);
                other
            }
        };
        repair.ignored.extend(loser.map(|loser| Ignored { path: loser.path.clone(), reason: IgnoredReason::SameValues }));
    }
    let own_locations: HashSet<&str> =
        (0..index.len()).filter_map(|row| index.own_location(row)).map(|location| location.trim_end_matches('/')).collect();
    for (name, directory) in &by_name {
        let location = format!("{root}{}", directory.path);
        if index.find(name).is_some() || own_locations.contains(location.as_str()) {
            continue;
        }
        let mut partition = Partition::new(directory.values.clone(), created_at);
        partition.location = (directory.path != *name).then(|| format!("{location}/"));
        repair.missing_in_metastore.push(partition);
    }
    repair.missing_in_metastore.sort_by_cached_key(|partition| hive_name(&table.partition_keys, &partition.values));
    // A partition without an own location lies in the directory spelt as its name, and in no other with its values.
    let paths: HashSet<&str> = found.iter().map(|directory| directory.path.as_str()).collect();
    let missing = |row: &usize| index.own_location(*row).is_none() && !paths.contains(index.name(*row));
    repair.missing_from_storage = (0..index.len()).filter(missing).map(|row| index.name(row).to_owned()).collect();
    repair.ignored.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    repair
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        hive_type::HiveType,
        ident::TableName,
        model::{Column, Properties, SerDe, StorageDescriptor, TableType},
        partition::PartitionIndexBuilder,
    };

    fn table() -> Table {
        Table {
            name: TableName::new("default", "t"),
            id: 1,
            version: 1,
            table_type: TableType::ExternalTable,
            storage: StorageDescriptor {
                columns: vec![Column::new("a", HiveType::Int)],
                location: "s3://b/t".to_owned(),
                input_format: String::new(),
                output_format: String::new(),
                serde: SerDe::default(),
                bucket_columns: Vec::new(),
                bucket_count: None,
            },
            partition_keys: vec![Column::new("k", HiveType::String)],
            comment: None,
            properties: Properties::new(),
            view_text: None,
            view_database: None,
            created_at: DateTime::UNIX_EPOCH,
            updated_at: DateTime::UNIX_EPOCH,
        }
    }

    fn index(partitions: &[(&str, Option<&str>)]) -> PartitionIndex {
        let mut builder = PartitionIndexBuilder::new(&table().partition_keys);
        for (name, location) in partitions {
            builder.push(name, *location, None).unwrap();
        }
        builder.finish().unwrap()
    }

    fn found(path: &str, value: &str) -> Found {
        Found { values: vec![(value != "NULL").then(|| value.to_owned())], path: path.to_owned() }
    }

    fn run(directories: &[Found], partitions: &[(&str, Option<&str>)]) -> Repair {
        diff(directories, &table(), &index(partitions), DateTime::UNIX_EPOCH)
    }

    fn added(repair: &Repair) -> Vec<(Option<&str>, Option<&str>)> {
        repair
            .missing_in_metastore
            .iter()
            .map(|partition| (partition.values[0].as_deref(), partition.location.as_deref()))
            .collect()
    }

    #[test]
    fn adds_what_is_new_and_names_what_is_gone() {
        let directories =
            [found("k=2", "2"), found("k=01", "01"), found("k=__HIVE_DEFAULT_PARTITION__", "NULL"), found("k=3", "3")];
        let repair = run(&directories, &[("k=1", None), ("k=3", None)]);
        assert_eq!(added(&repair), [(Some("01"), None), (Some("2"), None), (None, None)]);
        assert_eq!(repair.missing_from_storage, ["k=1"]);
        assert!(repair.ignored.is_empty());
    }

    #[test]
    fn an_unusual_spelling_gets_its_own_location() {
        let repair = run(&[found("k=12:30", "12:30"), found("k=%41", "A")], &[]);
        assert_eq!(added(&repair), [(Some("12:30"), Some("s3://b/t/k=12:30/")), (Some("A"), Some("s3://b/t/k=%41/"))]);
        let repair = run(&[found("k=12:30", "12:30"), found("k=12%3A30", "12:30")], &[]);
        assert_eq!(added(&repair), [(Some("12:30"), None)]);
        assert_eq!(repair.ignored, [Ignored { path: "k=12:30".to_owned(), reason: IgnoredReason::SameValues }]);
        let repair = run(&[found("k=%3a", ":"), found("k=:", ":")], &[]);
        assert_eq!(added(&repair), [(Some(":"), Some("s3://b/t/k=%3a/"))]);
        assert_eq!(repair.ignored.len(), 1);
    }

    #[test]
    fn own_locations_are_not_judged() {
        let partitions = [("k=1", Some("s3://elsewhere/1/")), ("k=new", Some("s3://b/t/k=old/"))];
        let repair = run(&[found("k=old", "old"), found("k=1", "1")], &partitions);
        assert_eq!(repair, Repair::default(), "the renamed partition's directory is known by its location");
    }

    #[test]
    fn another_spelling_does_not_stand_for_the_usual_directory() {
        let repair = run(&[found("k=12:30", "12:30")], &[("k=12%3A30", None)]);
        assert!(repair.missing_in_metastore.is_empty());
        assert_eq!(repair.missing_from_storage, ["k=12%3A30"]);
    }
}
