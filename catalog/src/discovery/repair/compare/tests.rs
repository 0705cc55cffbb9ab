//! Directories against partitions: new, known, missing and duplicate ones.

use super::*;
use crate::{
    discovery::OpenLocation,
    error::{Error, Result},
    hive_type::HiveType,
    ident::TableName,
    model::{Column, StorageDescriptor},
    partition::PartitionIndexBuilder,
};

fn table() -> Table {
    let storage = StorageDescriptor {
        columns: vec![Column::new("a", HiveType::Int)],
        location: "s3://b/t".to_owned(),
        ..StorageDescriptor::default()
    };
    Table::external(TableName::new("default", "t"), storage, vec![Column::new("k", HiveType::String)], DateTime::UNIX_EPOCH)
}

/// Stores in which everything named `link` is a link to the directory `k=linked` of the table.
#[derive(Debug)]
struct Links;

impl StoreProvider for Links {
    fn open(&self, location: &str) -> Result<OpenLocation> {
        Err(Error::invalid(location))
    }

    fn real(&self, location: &str) -> String {
        let location = location.trim_end_matches('/');
        if location.ends_with("/link") { "s3://b/t/k=linked".to_owned() } else { location.to_owned() }
    }
}

/// The values and locations of new partitions, the names of missing ones, and the paths of directories with the values of another.
type Outcome = (Vec<(Option<String>, Option<String>)>, Vec<String>, Vec<String>);

fn run(directories: &[(&str, bool)], partitions: &[(&str, Option<&str>)]) -> Outcome {
    let table = table();
    let mut builder = PartitionIndexBuilder::new(&table.partition_keys);
    for (name, location) in partitions {
        builder.push(name, *location, None).unwrap();
    }
    let index = builder.finish().unwrap();
    let mut comparison = Comparison::new(&table, &Links, &index, DateTime::UNIX_EPOCH);
    for (path, usual) in directories {
        let found = vec![Found { path: (*path).to_owned(), usual: *usual }];
        comparison.take(Piece { found, ignored: Vec::new() });
    }
    comparison.settle();
    let added = comparison.next_batch(usize::MAX).into_iter().map(|new| (new.values[0].clone(), new.location)).collect();
    let gone = comparison.gone().into_iter().map(|row| index.name(row)).collect();
    (added, gone, comparison.into_ignored().into_iter().map(|ignored| ignored.path).collect())
}

fn added(new: &[(&str, Option<&str>)]) -> Vec<(Option<String>, Option<String>)> {
    let value = |value: &str| (value != "NULL").then(|| value.to_owned());
    new.iter().map(|(of, location)| (value(of), location.map(str::to_owned))).collect()
}

#[test]
fn adds_what_is_new_and_names_what_is_gone() {
    let directories = [("k=2", true), ("k=01", true), ("k=__HIVE_DEFAULT_PARTITION__", true), ("k=3", true), ("k=2", true)];
    let (new, gone, ignored) = run(&directories, &[("k=1", None), ("k=3", None)]);
    assert_eq!(new, added(&[("2", None), ("01", None), ("NULL", None)]));
    assert_eq!((gone, ignored), (vec!["k=1".to_owned()], Vec::new()));
}

#[test]
fn an_unusual_spelling_gets_its_own_location() {
    let (new, ..) = run(&[("k=12:30", false), ("k=%41", false)], &[]);
    assert_eq!(new, added(&[("A", Some("s3://b/t/k=%41/")), ("12:30", Some("s3://b/t/k=12:30/"))]));
    let (new, _, ignored) = run(&[("k=12:30", false), ("k=12%3A30", true)], &[]);
    assert_eq!((new, ignored), (added(&[("12:30", None)]), vec!["k=12:30".to_owned()]));
    let (new, _, ignored) = run(&[("k=:", false), ("k=%3a", false)], &[]);
    assert_eq!((new, ignored), (added(&[(":", Some("s3://b/t/k=%3a/"))]), vec!["k=:".to_owned()]));
}

#[test]
fn own_locations_are_not_judged() {
    let partitions = [("k=1", Some("s3://elsewhere/1/")), ("k=new", Some("s3://b/t/k=old/"))];
    let (new, gone, ignored) = run(&[("k=old", true), ("k=1", true)], &partitions);
    assert!(new.is_empty() && gone.is_empty() && ignored.is_empty(), "the renamed one is known by its location");
}

#[test]
fn another_spelling_does_not_stand_for_the_usual_directory() {
    let (new, gone, ignored) = run(&[("k=12:30", false)], &[("k=12%3A30", None)]);
    assert!(new.is_empty() && ignored.is_empty());
    assert_eq!(gone, ["k=12%3A30"]);
}

#[test]
fn the_first_by_name_are_named() {
    let table = table();
    let index = PartitionIndexBuilder::new(&table.partition_keys).finish().unwrap();
    let mut comparison = Comparison::new(&table, &Links, &index, DateTime::UNIX_EPOCH);
    let found = ["k=5", "k=1", "k=4", "k=2", "k=3"].map(|path| Found { path: path.to_owned(), usual: true });
    comparison.take(Piece { found: found.to_vec(), ignored: Vec::new() });
    let named = comparison.new_partitions(2);
    assert_eq!((named.names, named.count), (vec!["k=1".to_owned(), "k=2".to_owned()], 5));
    assert_eq!(comparison.new_partitions(0).count, 5);
}

#[test]
fn a_directory_that_a_link_leads_to_is_known() {
    let directories = [("k=linked", true), ("k=new", true)];
    let (new, gone, ignored) = run(&directories, &[("k=alias", Some("s3://elsewhere/link/"))]);
    assert_eq!((new, gone, ignored), (added(&[("new", None)]), Vec::new(), Vec::new()));
}
