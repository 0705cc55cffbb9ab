//! A metastore in memory: for tests and for catalogs that need not outlive the process. Nothing is kept on disk.

use std::{
    collections::{BTreeMap, HashMap},
    ops::Bound,
    sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use async_trait::async_trait;
use bytes::Bytes;

use super::{
    Metastore, PartitionChange, PartitionChangeSummary, TableVersion,
    change::{self, PartitionRows},
    rules,
};
use crate::{
    error::{Error, Result},
    ident::{DEFAULT_DATABASE, TableName, fold},
    model::{Access, Attachment, Database, Grant, GrantObject, Grantee, Partition, Table},
    partition::{PartitionIndex, PartitionIndexBuilder, PartitionOwn},
};

/// Databases, tables and partitions in memory.
#[derive(Debug)]
pub struct MemoryMetastore {
    state: RwLock<State>,
}

#[derive(Debug)]
struct State {
    databases: BTreeMap<String, Database>,
    names: BTreeMap<TableName, i64>,
    tables: HashMap<i64, Entry>,
    last_id: i64,
    grants: BTreeMap<(GrantObject, Grantee), Access>,
}

#[derive(Debug)]
struct Entry {
    table: Table,
    partitions: BTreeMap<String, Partition>,
    attachments: BTreeMap<String, Bytes>,
    /// Of the present version, once it was asked for.
    index: Option<Arc<PartitionIndex>>,
}

impl Default for MemoryMetastore {
    fn default() -> Self {
        Self::new()
    }
}

impl MemoryMetastore {
    /// A metastore with the default database and nothing in it.
    #[must_use]
    pub fn new() -> Self {
        let databases = BTreeMap::from([(DEFAULT_DATABASE.to_owned(), rules::default_database())]);
        let state = State { databases, names: BTreeMap::new(), tables: HashMap::new(), last_id: 0, grants: BTreeMap::new() };
        Self { state: RwLock::new(state) }
    }

    // Every change is made whole at its end, so what a panicking thread left behind is sound.
    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn database(&self, name: &str) -> Result<&Database> {
        self.databases.get(name).ok_or_else(|| rules::no_database(name, self.databases.keys().map(String::as_str)))
    }

    /// The tables of a database, by name.
    fn ids_in<'a>(&'a self, database: &'a str) -> impl Iterator<Item = (&'a str, i64)> {
        let first = TableName { database: database.to_owned(), table: String::new() };
        self.names
            .range((Bound::Included(first), Bound::Unbounded))
            .take_while(move |(name, _)| name.database == database)
            .map(|(name, id)| (name.table.as_str(), *id))
    }

    fn id(&self, name: &TableName) -> Result<i64> {
        self.database(&name.database)?;
        let missing = || rules::no_table(&name.database, &name.table, self.ids_in(&name.database).map(|(table, _)| table));
        self.names.get(name).copied().ok_or_else(missing)
    }

    fn check_free(&self, name: &TableName) -> Result<()> {
        self.database(&name.database)?;
        if self.names.contains_key(name) { Err(rules::table_exists(&name.database, &name.table)) } else { Ok(()) }
    }

    fn rename_grants(&mut self, from: &TableName, to: &TableName) {
        let moved = |(object, grantee): (GrantObject, Grantee)| match object {
            GrantObject::Table(name) if name == *from => (GrantObject::Table(to.clone()), grantee),
            other => (other, grantee),
        };
        self.grants = std::mem::take(&mut self.grants).into_iter().map(|(key, access)| (moved(key), access)).collect();
    }

    fn entry(&self, table: &Table) -> Result<&Entry> {
        self.tables.get(&table.id).ok_or_else(|| rules::dropped_meanwhile(table))
    }
}

impl Entry {
    fn build_index(&self) -> Result<PartitionIndex> {
        let mut builder = PartitionIndexBuilder::new(&self.table.partition_keys);
        for (name, partition) in &self.partitions {
            let own = PartitionOwn { columns: partition.columns.clone(), serde: partition.serde.clone() };
            let own = (own != PartitionOwn::default()).then(|| Arc::new(own));
            builder.push(name, partition.location.as_deref(), own)?;
        }
        builder.finish()
    }

    /// Keeps implicit locations where they are when the table's root moves.
    fn pin_locations(&mut self, old_root: &str, new_root: &str) {
        for (name, partition) in &mut self.partitions {
            let location = partition.location.take().unwrap_or_else(|| format!("{old_root}{name}/"));
            partition.location = rules::own_location(new_root, name, Some(&location));
        }
    }
}

impl PartitionRows for BTreeMap<String, Partition> {
    type Error = Error;

    fn get(&mut self, name: &str) -> Result<Option<Partition>> {
        Ok(BTreeMap::get(self, name).cloned())
    }

    fn insert(&mut self, name: &str, partition: Partition) -> Result<bool> {
        if self.contains_key(name) {
            return Ok(false);
        }
        Self::insert(self, name.to_owned(), partition);
        Ok(true)
    }

    fn replace(&mut self, name: &str, partition: Partition) -> Result<bool> {
        let Some(slot) = self.get_mut(name) else { return Ok(false) };
        *slot = partition;
        Ok(true)
    }

    fn remove(&mut self, name: &str) -> Result<bool> {
        Ok(Self::remove(self, name).is_some())
    }
}

fn folded(name: &TableName) -> TableName {
    TableName::new(&name.database, &name.table)
}

#[async_trait]
impl Metastore for MemoryMetastore {
    async fn databases(&self) -> Result<Vec<Database>> {
        Ok(self.read().databases.values().cloned().collect())
    }

    async fn database(&self, name: &str) -> Result<Database> {
        self.read().database(&fold(name)).cloned()
    }

    async fn create_database(&self, database: Database) -> Result<()> {
        let database = rules::checked_database(database)?;
        let mut state = self.write();
        if state.databases.contains_key(&database.name) {
            return Err(rules::database_exists(&database.name));
        }
        state.databases.insert(database.name.clone(), database);
        Ok(())
    }

    async fn replace_database(&self, mut database: Database) -> Result<()> {
        database.name = fold(&database.name);
        let mut state = self.write();
        state.database(&database.name)?;
        state.databases.insert(database.name.clone(), database);
        Ok(())
    }

    async fn drop_database(&self, name: &str, cascade: bool) -> Result<()> {
        let name = fold(name);
        if name == DEFAULT_DATABASE {
            return Err(rules::keep_default_database());
        }
        let mut state = self.write();
        state.database(&name)?;
        let (tables, ids): (Vec<String>, Vec<i64>) = state.ids_in(&name).map(|(table, id)| (table.to_owned(), id)).unzip();
        if !tables.is_empty() && !cascade {
            return Err(rules::database_not_empty(&name, &tables));
        }
        state.names.retain(|table, _| table.database != name);
        for id in ids {
            state.tables.remove(&id);
        }
        state.databases.remove(&name);
        state.grants.retain(|(object, _), _| match object {
            GrantObject::Catalog => true,
            GrantObject::Database(database) => *database != name,
            GrantObject::Table(table) => table.database != name,
        });
        Ok(())
    }

    async fn table_names(&self, database: &str) -> Result<Vec<String>> {
        let database = fold(database);
        let state = self.read();
        state.database(&database)?;
        Ok(state.ids_in(&database).map(|(table, _)| table.to_owned()).collect())
    }

    async fn tables(&self, database: &str) -> Result<Vec<Table>> {
        let database = fold(database);
        let state = self.read();
        state.database(&database)?;
        Ok(state.ids_in(&database).filter_map(|(_, id)| state.tables.get(&id)).map(|entry| entry.table.clone()).collect())
    }

    async fn table(&self, name: &TableName) -> Result<Table> {
        let name = folded(name);
        let state = self.read();
        let id = state.id(&name)?;
        let entry =
            state.tables.get(&id).ok_or_else(|| Error::internal(format!("table \"{name}\" has a name but no definition")))?;
        Ok(entry.table.clone())
    }

    async fn table_by_id(&self, id: i64) -> Result<Table> {
        self.read().tables.get(&id).map(|entry| entry.table.clone()).ok_or_else(|| rules::no_table_with_id(id))
    }

    async fn table_versions(&self) -> Result<Vec<TableVersion>> {
        let state = self.read();
        let versions = state.names.iter().filter_map(|(name, id)| {
            let version = state.tables.get(id)?.table.version;
            Some(TableVersion { name: name.clone(), id: *id, version })
        });
        Ok(versions.collect())
    }

    async fn create_table(&self, table: Table) -> Result<Table> {
        let mut table = rules::checked_table(table)?;
        let mut state = self.write();
        state.check_free(&table.name)?;
        state.last_id += 1;
        table.id = state.last_id;
        table.version = rules::FIRST_VERSION;
        state.names.insert(table.name.clone(), table.id);
        let entry = Entry { table: table.clone(), partitions: BTreeMap::new(), attachments: BTreeMap::new(), index: None };
        state.tables.insert(table.id, entry);
        Ok(table)
    }

    async fn replace_table(&self, table: Table) -> Result<Table> {
        let mut table = rules::checked_table(table)?;
        let mut state = self.write();
        let old = match state.tables.get(&table.id) {
            Some(entry) if entry.table.version == table.version => entry.table.clone(),
            _ => return Err(rules::changed_meanwhile(&table)),
        };
        rules::check_same_keys(&old, &table)?;
        if old.name != table.name {
            state.check_free(&table.name)?;
            state.names.remove(&old.name);
            state.names.insert(table.name.clone(), table.id);
            state.rename_grants(&old.name, &table.name);
        }
        table.version += 1;
        if let Some(entry) = state.tables.get_mut(&table.id) {
            if old.root() != table.root() {
                entry.pin_locations(&old.root(), &table.root());
            }
            entry.table = table.clone();
            entry.index = None;
        }
        Ok(table)
    }

    async fn drop_table(&self, name: &TableName) -> Result<()> {
        let name = folded(name);
        let mut state = self.write();
        let id = state.id(&name)?;
        state.names.remove(&name);
        state.tables.remove(&id);
        state.grants.retain(|(object, _), _| *object != GrantObject::Table(name.clone()));
        Ok(())
    }

    async fn install_table(&self, table: Table, partitions: Vec<Partition>, replace: bool) -> Result<Table> {
        let mut table = rules::checked_table(table)?;
        let mut state = self.write();
        state.database(&table.name.database)?;
        let existing = state.names.get(&table.name).copied();
        match existing.and_then(|id| state.tables.get(&id)) {
            Some(_) if !replace => return Err(rules::table_exists(&table.name.database, &table.name.table)),
            Some(entry) => (table.id, table.version) = (entry.table.id, entry.table.version + 1),
            None => (table.id, table.version) = (state.last_id + 1, rules::FIRST_VERSION),
        }
        let mut rows = BTreeMap::new();
        change::apply(&table, &table, PartitionChange { add: partitions, ..PartitionChange::default() }, &mut rows)?;
        state.last_id = state.last_id.max(table.id);
        state.names.insert(table.name.clone(), table.id);
        let entry = Entry { table: table.clone(), partitions: rows, attachments: BTreeMap::new(), index: None };
        state.tables.insert(table.id, entry);
        Ok(table)
    }

    async fn partition_index(&self, table: &Table) -> Result<Arc<PartitionIndex>> {
        if let Some(index) = &self.read().entry(table)?.index {
            return Ok(Arc::clone(index));
        }
        let mut state = self.write();
        let entry = state.tables.get_mut(&table.id).ok_or_else(|| rules::dropped_meanwhile(table))?;
        let index = match &entry.index {
            Some(index) => Arc::clone(index),
            None => Arc::new(entry.build_index()?),
        };
        entry.index = Some(Arc::clone(&index));
        Ok(index)
    }

    /// Not noted: an index is built from memory.
    async fn changed_partitions(&self, table: &Table, _since: i64) -> Result<Option<Vec<String>>> {
        self.read().entry(table).map(|_| None)
    }

    async fn partitions(&self, table: &Table, values: &[Vec<Option<String>>]) -> Result<Vec<Partition>> {
        let state = self.read();
        let entry = state.entry(table)?;
        let mut found = Vec::with_capacity(values.len());
        for values in values {
            found.extend(entry.partitions.get(&rules::partition_name(&entry.table, values)?).cloned());
        }
        Ok(found)
    }

    async fn change_partitions(&self, table: &Table, change: PartitionChange) -> Result<PartitionChangeSummary> {
        let mut state = self.write();
        let entry = state.tables.get_mut(&table.id).ok_or_else(|| rules::dropped_meanwhile(table))?;
        let mut partitions = entry.partitions.clone();
        let summary = change::apply(&entry.table, table, change, &mut partitions)?;
        if summary != PartitionChangeSummary::default() {
            entry.partitions = partitions;
            entry.table.version += 1;
            entry.index = None;
        }
        Ok(summary)
    }

    async fn attachments(&self, table: &Table, prefix: &str) -> Result<Vec<Attachment>> {
        let state = self.read();
        let named = state.entry(table)?.attachments.range::<str, _>((Bound::Included(prefix), Bound::Unbounded));
        let wanted = named.take_while(|(name, _)| name.starts_with(prefix));
        Ok(wanted.map(|(name, bytes)| Attachment { name: name.clone(), bytes: bytes.clone() }).collect())
    }

    async fn set_attachments(&self, table: &Table, changes: Vec<(String, Option<Bytes>)>) -> Result<()> {
        rules::check_attachments(table, &changes)?;
        let mut state = self.write();
        let entry = state.tables.get_mut(&table.id).ok_or_else(|| rules::dropped_meanwhile(table))?;
        for (name, bytes) in changes {
            match bytes {
                Some(bytes) => entry.attachments.insert(name, bytes),
                None => entry.attachments.remove(&name),
            };
        }
        Ok(())
    }

    async fn grants(&self) -> Result<Vec<Grant>> {
        let grant = |((object, grantee), access): (&(GrantObject, Grantee), &Access)| Grant {
            object: object.clone(),
            grantee: grantee.clone(),
            access: *access,
        };
        Ok(self.read().grants.iter().map(grant).collect())
    }

    async fn set_grant(&self, grant: Grant) -> Result<()> {
        let grant = rules::checked_grant(grant)?;
        let mut state = self.write();
        match &grant.object {
            GrantObject::Catalog => {}
            GrantObject::Database(name) => {
                state.database(name)?;
            }
            GrantObject::Table(name) => {
                state.id(name)?;
            }
        }
        state.grants.insert((grant.object, grant.grantee), grant.access);
        Ok(())
    }

    async fn remove_grant(&self, object: &GrantObject, grantee: &Grantee) -> Result<()> {
        let key = (object.folded(), grantee.clone());
        match self.write().grants.remove(&key) {
            Some(_) => Ok(()),
            None => Err(rules::no_grant(&key.0, grantee)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metastore::conformance;

    #[tokio::test]
    async fn conforms() {
        conformance::run(|| Arc::new(MemoryMetastore::new())).await;
    }
}
