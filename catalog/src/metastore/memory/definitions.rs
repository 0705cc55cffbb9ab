//! Databases, tables and partitions in memory.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;

use super::state::{Entry, MemoryMetastore};
use crate::{
    error::{Error, Result},
    ident::{DEFAULT_DATABASE, TableName, fold},
    metastore::{
        Definitions, PartitionChange, PartitionChangeSummary, TableVersion,
        change::{self, PartitionRows},
        rules,
    },
    model::{Database, GrantObject, Partition, PartitionValues, Table},
    partition::PartitionIndex,
};

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
impl Definitions for MemoryMetastore {
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
            _ => return Err(rules::table_changed(&table)),
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
        let entry = state.tables.get_mut(&table.id).ok_or_else(|| rules::table_dropped(table))?;
        let index = match &entry.index {
            Some(index) => Arc::clone(index),
            None => Arc::new(entry.build_index()?),
        };
        entry.index = Some(Arc::clone(&index));
        Ok(index)
    }

    /// Never known: changes are not recorded, as an index is quickly built from memory.
    async fn changed_partitions(&self, table: &Table, _since: i64) -> Result<Option<Vec<String>>> {
        self.read().entry(table).map(|_| None)
    }

    async fn partitions(&self, table: &Table, values: &[PartitionValues]) -> Result<Vec<Partition>> {
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
        let entry = state.tables.get_mut(&table.id).ok_or_else(|| rules::table_dropped(table))?;
        let mut partitions = entry.partitions.clone();
        let summary = change::apply(&entry.table, table, change, &mut partitions)?;
        if summary != PartitionChangeSummary::default() {
            entry.partitions = partitions;
            entry.table.version += 1;
            entry.index = None;
        }
        Ok(summary)
    }
}
