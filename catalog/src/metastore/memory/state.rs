//! What a metastore in memory holds, behind one lock.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use bytes::Bytes;

use crate::{
    error::Result,
    ident::{DEFAULT_DATABASE, TableName},
    metastore::rules,
    model::{Access, Database, GrantObject, Grantee, Partition, Table, Workgroup},
    partition::{PartitionIndex, PartitionIndexBuilder, PartitionOwn},
};

/// Databases, tables, partitions, grants, attachments and workgroups in memory.
#[derive(Debug)]
pub struct MemoryMetastore {
    state: RwLock<State>,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) databases: BTreeMap<String, Database>,
    pub(super) names: BTreeMap<TableName, i64>,
    pub(super) tables: HashMap<i64, Entry>,
    pub(super) last_id: i64,
    pub(super) grants: BTreeMap<(GrantObject, Grantee), Access>,
    pub(super) workgroups: BTreeMap<String, Workgroup>,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) table: Table,
    pub(super) partitions: BTreeMap<String, Partition>,
    pub(super) attachments: BTreeMap<String, Bytes>,
    /// Of the current version; built at the first request for it.
    pub(super) index: Option<Arc<PartitionIndex>>,
}

impl Default for MemoryMetastore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryMetastore {
    /// A metastore with an empty default database.
    #[must_use]
    pub fn new() -> Self {
        let databases = BTreeMap::from([(DEFAULT_DATABASE.to_owned(), rules::default_database())]);
        let workgroups = BTreeMap::from([(Workgroup::PRIMARY.to_owned(), rules::primary_workgroup())]);
        let (names, tables, grants) = (BTreeMap::new(), HashMap::new(), BTreeMap::new());
        let state = State { databases, names, tables, last_id: 0, grants, workgroups };
        Self { state: RwLock::new(state) }
    }

    // Every change is made as a whole at its end, so a thread that panicked left a consistent state behind.
    pub(super) fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    pub(super) fn database(&self, name: &str) -> Result<&Database> {
        self.databases.get(name).ok_or_else(|| rules::no_database(name, self.databases.keys().map(String::as_str)))
    }

    /// The tables of a database, by name.
    pub(super) fn ids_in<'a>(&'a self, database: &'a str) -> impl Iterator<Item = (&'a str, i64)> {
        let first = TableName { database: database.to_owned(), table: String::new() };
        self.names
            .range((Bound::Included(first), Bound::Unbounded))
            .take_while(move |(name, _)| name.database == database)
            .map(|(name, id)| (name.table.as_str(), *id))
    }

    pub(super) fn id(&self, name: &TableName) -> Result<i64> {
        self.database(&name.database)?;
        let missing = || rules::no_table(&name.database, &name.table, self.ids_in(&name.database).map(|(table, _)| table));
        self.names.get(name).copied().ok_or_else(missing)
    }

    pub(super) fn check_free(&self, name: &TableName) -> Result<()> {
        self.database(&name.database)?;
        if self.names.contains_key(name) { Err(rules::table_exists(&name.database, &name.table)) } else { Ok(()) }
    }

    pub(super) fn rename_grants(&mut self, from: &TableName, to: &TableName) {
        let moved = |(object, grantee): (GrantObject, Grantee)| match object {
            GrantObject::Table(name) if name == *from => (GrantObject::Table(to.clone()), grantee),
            other => (other, grantee),
        };
        self.grants = std::mem::take(&mut self.grants).into_iter().map(|(key, access)| (moved(key), access)).collect();
    }

    pub(super) fn entry(&self, table: &Table) -> Result<&Entry> {
        self.tables.get(&table.id).ok_or_else(|| rules::table_dropped(table))
    }
}

impl Entry {
    pub(super) fn build_index(&self) -> Result<PartitionIndex> {
        let mut builder = PartitionIndexBuilder::new(&self.table.partition_keys);
        for (name, partition) in &self.partitions {
            let own = PartitionOwn { columns: partition.columns.clone(), serde: partition.serde.clone() };
            let own = (own != PartitionOwn::default()).then(|| Arc::new(own));
            builder.push(name, partition.location.as_deref(), own)?;
        }
        builder.finish()
    }

    /// Keeps partitions at their default location where they are when the table's root moves.
    pub(super) fn pin_locations(&mut self, old_root: &str, new_root: &str) {
        for (name, partition) in &mut self.partitions {
            let location = partition.location.take().unwrap_or_else(|| format!("{old_root}{name}/"));
            partition.location = rules::own_location(new_root, name, Some(&location));
        }
    }
}
