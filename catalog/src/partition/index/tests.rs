//! Tests of indexes, whether built or updated, against the partitions that they were built from.

use std::collections::BTreeMap;

use arrow::{array::AsArray, datatypes::Int32Type};
use proptest::prelude::*;

use super::{update::PartitionEntry, *};
use crate::{error::ErrorKind, hive_type::HiveType, partition::parse_name};

fn keys() -> Vec<Column> {
    vec![Column::new("year", HiveType::Int), Column::new("region", HiveType::String)]
}

#[test]
fn holds_partitions_as_a_tree() {
    let own = PartitionOwn { columns: Some(vec![Column::new("a", HiveType::Int)]), serde: None };
    let mut builder = PartitionIndexBuilder::new(&keys());
    builder.push("year=01/region=a%2Fb", None, None).unwrap();
    builder.push("year=1/region=__HIVE_DEFAULT_PARTITION__", Some("s3://other/place"), Some(Arc::new(own))).unwrap();
    let index = builder.finish().unwrap();
    assert_eq!(index.len(), 2);
    let values = index.values().unwrap();
    let years = values.column(0).as_primitive::<Int32Type>();
    assert_eq!((years.value(0), years.value(1)), (1, 1));
    assert!(values.column(1).is_null(1));
    assert_eq!(index.raw_values(0), [Some("01".to_owned()), Some("a/b".to_owned())]);
    assert_eq!(index.location(0, "s3://b/t/"), "s3://b/t/year=01/region=a%2Fb/");
    assert_eq!(index.location(1, "s3://b/t/"), "s3://other/place/");
    assert_eq!(index.columns(0), None);
    assert_eq!(index.columns(1).unwrap()[0].name, "a");
    assert_eq!(index.find("year=1/region=__HIVE_DEFAULT_PARTITION__"), Some(1));
    assert_eq!(index.find("year=2/region=x"), None);
    assert_eq!(index.find("year=01"), None);
    assert_eq!(index.find("year=01/region=a%2Fb/more=1"), None);
    assert_eq!(index.name(7), "");
}

#[test]
fn refuses_disorder_and_foreign_values() {
    let mut builder = PartitionIndexBuilder::new(&keys());
    builder.push("year=2/region=a", None, None).unwrap();
    assert_eq!(builder.push("year=1/region=a", None, None).unwrap_err().kind(), ErrorKind::Internal);
    assert_eq!(builder.push("month=3/region=a", None, None).unwrap_err().kind(), ErrorKind::Internal);
    assert_eq!(builder.push("year=3", None, None).unwrap_err().kind(), ErrorKind::CorruptData);
    let mut builder = PartitionIndexBuilder::new(&keys());
    builder.push("year=x/region=a", None, None).unwrap();
    let error = builder.finish().unwrap_err();
    assert_eq!(error.to_string(), "partition value \"x\" is not of type \"int\", key \"year\"");
}

#[test]
fn without_keys_it_is_empty() {
    let index = PartitionIndex::empty(&[]).unwrap();
    assert!(index.is_empty());
    assert_eq!(index.values().unwrap().num_columns(), 0);
    assert_eq!((index.select(&[]), index.find(""), index.first_after("a")), (Vec::new(), None, 0));
}

#[test]
fn a_hundred_thousand_partitions_stay_small() {
    let own = Arc::new(PartitionOwn { columns: Some(vec![Column::new("a", HiveType::Int)]), serde: None });
    let mut builder = PartitionIndexBuilder::new(&keys());
    for n in 0..100_000 {
        let name = format!("year={}/region=eu-{:02}", 10_000 + n / 20, n % 20);
        builder.push(&name, None, Some(Arc::clone(&own))).unwrap();
    }
    let index = builder.finish().unwrap();
    assert_eq!(index.find("year=12500/region=eu-10"), Some(50_010));
    assert!(index.memory_size() < 100_000 * 10, "{} bytes", index.memory_size());
}

/// The name of a partition with few possible values, so that they collide: dashes and dots come before `/` in names.
fn name() -> impl Strategy<Value = String> {
    let region = prop::sample::select(vec!["a", "a-b", "a.", "b", "", "x=y/z", "é", "ab"]);
    (0..6i32, prop::bool::ANY, region).prop_map(|(year, is_padded, region)| {
        let year = if is_padded { format!("{year:02}") } else { year.to_string() };
        crate::partition::hive_name(&keys(), &[Some(year), Some(region.to_owned())])
    })
}

fn entry() -> impl Strategy<Value = PartitionEntry> {
    (0..4u8, 0..3u8).prop_map(|(location, own)| PartitionEntry {
        location: (location == 0).then(|| "s3://else/where/".to_owned()),
        own: (own > 0)
            .then(|| Arc::new(PartitionOwn { columns: Some(vec![Column::new(format!("c{own}"), HiveType::Int)]), serde: None })),
    })
}

fn built(partitions: &BTreeMap<String, PartitionEntry>) -> PartitionIndex {
    let mut builder = PartitionIndexBuilder::new(&keys());
    for (name, entry) in partitions {
        builder.push(name, entry.location.as_deref(), entry.own.clone()).unwrap();
    }
    builder.finish().unwrap()
}

/// Checks that an index holds the partitions that it was built from.
fn holds(index: &PartitionIndex, partitions: &BTreeMap<String, PartitionEntry>) {
    assert_eq!(index.len(), partitions.len());
    let values = index.values().unwrap();
    let names: Vec<String> = index.names().collect();
    for (row, (name, entry)) in partitions.iter().enumerate() {
        assert_eq!((&index.name(row), &names[row], index.find(name)), (name, name, Some(row)));
        assert_eq!((index.own_location(row), index.own(row)), (entry.location.as_deref(), entry.own.as_ref()));
        let raw = parse_name(&keys(), name).unwrap();
        assert_eq!(index.raw_values(row), raw);
        let year = raw[0].as_ref().and_then(|year| year.parse().ok());
        assert_eq!(Some(values.column(0).as_primitive::<Int32Type>().value(row)), year);
        let region = values.column(1).as_string::<i32>();
        assert_eq!(region.is_valid(row).then(|| region.value(row)), raw[1].as_deref());
    }
}

proptest! {
    #[test]
    fn an_updated_index_is_the_one_built_anew(
        begins in prop::collection::btree_map(name(), entry(), 0..40),
        steps in prop::collection::vec(prop::collection::btree_map(name(), prop::option::of(entry()), 0..8), 1..4),
    ) {
        let mut partitions = begins;
        let mut index = built(&partitions);
        holds(&index, &partitions);
        for changes in steps {
            index = index.updated(&changes).unwrap();
            for (name, now) in changes {
                match now {
                    Some(entry) => _ = partitions.insert(name, entry),
                    None => _ = partitions.remove(&name),
                }
            }
            holds(&index, &partitions);
        }
    }

    #[test]
    fn selecting_is_filtering(
        partitions in prop::collection::btree_map(name(), entry(), 0..40),
        keeps in prop::collection::vec(prop::bool::ANY, 64),
        masked in prop::collection::vec(prop::bool::ANY, 4),
    ) {
        let index = built(&partitions);
        let masks: Vec<LevelMask> = index.levels().iter().enumerate().map(|(at, level)| LevelMask {
            values: masked[at].then(|| (0..level.values().len()).map(|code| keeps[code % 64]).collect()),
            nodes: masked[2 + at].then(|| (0..level.len()).map(|node| keeps[(node + 7) % 64]).collect()),
        }).collect();
        let rows: Vec<u32> = (0..number(index.len())).collect();
        let years = index.levels()[0].parents(&rows);
        let expected: Vec<u32> = rows.iter().copied().filter(|row| {
            masks[0].keeps(&index.levels()[0], years[*row as usize]) && masks[1].keeps(&index.levels()[1], *row)
        }).collect();
        prop_assert_eq!(index.select(&masks), expected);
    }
}

#[test]
fn parents_are_found_in_leaps() {
    let mut builder = PartitionIndexBuilder::new(&keys());
    for n in 0..5000 {
        builder.push(&format!("year={}/region={:04}", 1000 + n / 7, n), None, None).unwrap();
    }
    let index = builder.finish().unwrap();
    for step in [1, 3, 7, 50, 999, 4999] {
        let rows: Vec<u32> = (0..5000).step_by(step).collect();
        let expected: Vec<u32> = rows.iter().map(|row| row / 7).collect();
        assert_eq!(index.levels()[0].parents(&rows), expected, "every {step}th");
    }
}

#[test]
fn values_that_are_gone_do_not_stay() {
    let mut index = PartitionIndex::empty(&keys()).unwrap();
    for round in 0..20 {
        let added = (0..1000).map(|n| (format!("year={}/region={round}-{n:03}", 1000 + round), Some(PartitionEntry::default())));
        let gone: Vec<String> = index.names().collect();
        let changes = gone.into_iter().map(|name| (name, None)).chain(added).collect();
        index = index.updated(&changes).unwrap();
        assert_eq!(index.len(), 1000);
    }
    assert!(index.levels()[1].texts().len() <= 8000, "{}", index.levels()[1].texts().len());
}
