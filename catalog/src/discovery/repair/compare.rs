//! Compares the directories that a walk finds, page by page, with the index of the table's partitions. It changes neither.
//!
//! A directory is known if it has the values of a partition, or is the location of one or several (after a rename, or as an alias), as in Hive. A
//! directory whose name is not the Hive name of its values is added with its own location, if no other directory has these values.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use chrono::{DateTime, Utc};

use super::outcome::Named;
use crate::{
    discovery::{
        directory::{Found, Ignored, IgnoredReason},
        store::StoreProvider,
        walk::Piece,
    },
    model::{Partition, Table},
    partition::{PartitionIndex, hive_name},
};

#[derive(Debug)]
pub(super) struct Comparison<'a> {
    table: &'a Table,
    stores: &'a dyn StoreProvider,
    index: &'a PartitionIndex,
    now: DateTime<Utc>,
    root: String,
    /// Whether the directory of a row was found.
    seen: Vec<bool>,
    /// Rows by the canonical form of their own locations.
    own: HashMap<String, Vec<usize>>,
    /// Rows with another directory that has their values: they have their own location, or their directory was not found.
    others: HashMap<usize, Found>,
    /// The Hive names of new partitions.
    new: HashSet<Box<str>>,
    pending: VecDeque<Partition>,
    /// Directories that are not named by the Hive name of their values. They wait until all others are known.
    unusual: Vec<Found>,
    ignored: BTreeMap<String, IgnoredReason>,
}

impl<'a> Comparison<'a> {
    pub(super) fn new(table: &'a Table, stores: &'a dyn StoreProvider, index: &'a PartitionIndex, now: DateTime<Utc>) -> Self {
        let mut own: HashMap<String, Vec<usize>> = HashMap::new();
        for row in index.located().iter().map(|row| *row as usize) {
            if let Some(location) = index.own_location(row) {
                own.entry(stores.real(location)).or_default().push(row);
            }
        }
        Self {
            table,
            stores,
            index,
            now,
            root: table.root(),
            seen: vec![false; index.len()],
            own,
            others: HashMap::new(),
            new: HashSet::new(),
            pending: VecDeque::new(),
            unusual: Vec::new(),
            ignored: BTreeMap::new(),
        }
    }

    pub(super) fn take(&mut self, piece: Piece) {
        for ignored in piece.ignored {
            self.ignored.insert(ignored.path, ignored.reason);
        }
        for found in piece.found {
            let real = || self.stores.real(&format!("{}{}/", self.root, found.path));
            let owners = if self.own.is_empty() { None } else { self.own.get(&real()) };
            for row in owners.into_iter().flatten() {
                self.seen[*row] = true;
            }
            match found.usual.then(|| self.index.find(&found.path)) {
                Some(Some(row)) if self.index.own_location(row).is_none() => self.seen[row] = true,
                // A directory at the default location does not show that the partition's own location exists.
                Some(Some(row)) => _ = self.others.insert(row, found),
                _ if owners.is_some() => {}
                Some(None) => self.add(&found, None),
                None => self.unusual.push(found),
            }
        }
    }

    fn add(&mut self, found: &Found, location: Option<String>) {
        let values = found.values();
        let name = if found.usual { found.path.clone() } else { hive_name(&self.table.partition_keys, &values) };
        if self.new.insert(name.into_boxed_str()) {
            self.pending.push_back(Partition { location, ..Partition::new(values, self.now) });
        }
    }

    /// At the end of the walk: of directories with the same values, the partition is the one that has the Hive name, or else the first by path.
    pub(super) fn settle(&mut self) {
        let mut unusual = std::mem::take(&mut self.unusual);
        unusual.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        let mut taken: HashSet<String> = HashSet::new();
        for found in unusual {
            let name = hive_name(&self.table.partition_keys, &found.values());
            let row = self.index.find(&name);
            let usual_is_there = row.is_some_and(|row| self.seen[row]) || row.is_none() && self.new.contains(name.as_str());
            if usual_is_there || !taken.insert(name) {
                self.ignored.insert(found.path, IgnoredReason::SameValues);
            } else if let Some(row) = row {
                self.others.entry(row).or_insert(found);
            } else {
                let location = self.location(&found);
                self.add(&found, location);
            }
        }
    }

    /// The location of a directory, if it is not the default location of its values.
    fn location(&self, found: &Found) -> Option<String> {
        (!found.usual).then(|| format!("{}{}/", self.root, found.path))
    }

    /// Of missing rows, those whose values another directory has: these partitions exist and count as new.
    pub(super) fn moved(&mut self, gone: &[usize]) -> HashMap<usize, Partition> {
        let mut moved = HashMap::new();
        for row in gone {
            if let Some(found) = self.others.get(row) {
                let partition = Partition { location: self.location(found), ..Partition::new(found.values(), self.now) };
                moved.insert(*row, partition);
                self.new.insert(self.index.name(*row).into_boxed_str());
            }
        }
        moved
    }

    /// New partitions that are not added yet.
    pub(super) fn pending(&self) -> usize {
        self.pending.len()
    }

    pub(super) fn next_batch(&mut self, most: usize) -> Vec<Partition> {
        self.pending.drain(..self.pending.len().min(most)).collect()
    }

    /// All new partitions, whether they were added or not.
    pub(super) fn new_partitions(&self, named: usize) -> Named {
        let mut names: Vec<&str> = self.new.iter().map(AsRef::as_ref).collect();
        if names.len() > named && named > 0 {
            names.select_nth_unstable(named - 1);
        }
        names.truncate(named);
        names.sort_unstable();
        Named { names: names.into_iter().map(str::to_owned).collect(), count: self.new.len() }
    }

    /// The rows at their default location whose directories were not found, ascending.
    pub(super) fn gone(&self) -> Vec<usize> {
        (0..self.index.len()).filter(|row| !self.seen[*row] && self.index.own_location(*row).is_none()).collect()
    }

    /// The rows with their own locations that the walk has not seen.
    pub(super) fn unseen_elsewhere(&self) -> Vec<(usize, String)> {
        let location = |row: usize| Some((row, self.index.own_location(row)?.to_owned()));
        let located = self.index.located().iter().map(|row| *row as usize);
        located.filter(|row| !self.seen[*row]).filter_map(location).collect()
    }

    /// By path.
    pub(super) fn into_ignored(self) -> Vec<Ignored> {
        self.ignored.into_iter().map(|(path, reason)| Ignored { path, reason }).collect()
    }
}

#[cfg(test)]
mod tests;
