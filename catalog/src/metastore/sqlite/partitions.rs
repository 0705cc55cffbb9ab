//! Partitions as rows, keyed by table and Hive name. Indexes are built from them in one pass.

use std::{
    cmp::Ordering,
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::{
    changes,
    fault::Fault,
    tables::{self, decode, encode},
};
use crate::{
    error::{Error, ErrorKind},
    metastore::{
        PartitionChange, PartitionChangeSummary,
        change::{self, PartitionRows},
        index_cache::Indexed,
        rules,
    },
    model::{Partition, PartitionValues, Properties, Table},
    partition::{PartitionEntry, PartitionIndex, PartitionIndexBuilder, PartitionOwn, check_value, parse_name},
};

/// The partitions of one table within a transaction.
struct Rows<'a> {
    connection: &'a Connection,
    table: &'a Table,
    /// The names of those that have changed; `None` if they are too many to be recorded.
    changed: Option<Vec<String>>,
}

impl<'a> Rows<'a> {
    fn new(connection: &'a Connection, table: &'a Table) -> Self {
        Self { connection, table, changed: Some(Vec::new()) }
    }

    /// Records the name of a partition, if it has changed.
    fn record(&mut self, name: &str, has_changed: bool) -> bool {
        if has_changed && let Some(changed) = &mut self.changed {
            changed.push(name.to_owned());
            self.changed.take_if(|changed| changed.len() > changes::MOST_OF_ONE);
        }
        has_changed
    }
}

/// The columns of a row besides its key.
struct Stored {
    location: Option<String>,
    own: Option<String>,
    properties: Option<String>,
    created_at: i64,
}

impl Stored {
    fn encode(partition: Partition) -> Result<Self, Fault> {
        let Partition { values: _, location, columns, serde, properties, created_at } = partition;
        let own = PartitionOwn { columns, serde };
        let own = if own == PartitionOwn::default() { None } else { Some(encode(&own)?) };
        let properties = if properties.is_empty() { None } else { Some(encode(&properties)?) };
        let created_at = created_at.timestamp_nanos_opt().ok_or_else(|| {
            Error::invalid(format!("a partition cannot be created at \"{created_at}\""))
                .with_hint("Use a time in the years 1678 to 2261")
        })?;
        Ok(Self { location, own, properties, created_at })
    }

    fn decode(self, table: &Table, name: &str) -> Result<Partition, Fault> {
        let values = parse_name(&table.partition_keys, name)?;
        let own: PartitionOwn = self.own.map_or_else(|| Ok(PartitionOwn::default()), |own| decode("partition", name, &own))?;
        let properties: Properties =
            self.properties.map_or_else(|| Ok(Properties::new()), |properties| decode("partition", name, &properties))?;
        let created_at: DateTime<Utc> = DateTime::from_timestamp_nanos(self.created_at);
        Ok(Partition { values, location: self.location, columns: own.columns, serde: own.serde, properties, created_at })
    }
}

impl PartitionRows for Rows<'_> {
    type Error = Fault;

    fn get(&mut self, name: &str) -> Result<Option<Partition>, Fault> {
        let sql = "SELECT location, own, properties, created_at FROM partitions WHERE table_id = ?1 AND name = ?2";
        let mut statement = self.connection.prepare_cached(sql)?;
        let stored = statement
            .query_row(params![self.table.id, name], |row| {
                Ok(Stored { location: row.get(0)?, own: row.get(1)?, properties: row.get(2)?, created_at: row.get(3)? })
            })
            .optional()?;
        stored.map(|stored| stored.decode(self.table, name)).transpose()
    }

    fn insert(&mut self, name: &str, partition: Partition) -> Result<bool, Fault> {
        let stored = Stored::encode(partition)?;
        let mut statement = self.connection.prepare_cached(
            "INSERT INTO partitions (table_id, name, location, own, properties, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT DO NOTHING",
        )?;
        let stored = params![self.table.id, name, stored.location, stored.own, stored.properties, stored.created_at];
        let is_there = statement.execute(stored)? == 1;
        Ok(self.record(name, is_there))
    }

    fn replace(&mut self, name: &str, partition: Partition) -> Result<bool, Fault> {
        let stored = Stored::encode(partition)?;
        let mut statement = self.connection.prepare_cached(
            "UPDATE partitions SET location = ?3, own = ?4, properties = ?5, created_at = ?6 WHERE table_id = ?1 AND name = ?2",
        )?;
        let stored = params![self.table.id, name, stored.location, stored.own, stored.properties, stored.created_at];
        let is_there = statement.execute(stored)? == 1;
        Ok(self.record(name, is_there))
    }

    fn remove(&mut self, name: &str) -> Result<bool, Fault> {
        let mut statement = self.connection.prepare_cached("DELETE FROM partitions WHERE table_id = ?1 AND name = ?2")?;
        let was_there = statement.execute(params![self.table.id, name])? == 1;
        Ok(self.record(name, was_there))
    }
}

/// The current version of a table.
fn current(connection: &Connection, table: &Table) -> Result<Table, Fault> {
    tables::table_by_id(connection, table.id)?.ok_or_else(|| Fault::Catalog(rules::table_dropped(table)))
}

pub(super) fn partitions(connection: &Connection, table: &Table, values: &[PartitionValues]) -> Result<Vec<Partition>, Fault> {
    let table = current(connection, table)?;
    let mut rows = Rows::new(connection, &table);
    let mut found = Vec::with_capacity(values.len());
    for values in values {
        found.extend(rows.get(&rules::partition_name(&table, values)?)?);
    }
    Ok(found)
}

pub(super) fn change(connection: &Connection, table: &Table, change: PartitionChange) -> Result<PartitionChangeSummary, Fault> {
    let seen = table;
    let table = current(connection, seen)?;
    let mut rows = Rows::new(connection, &table);
    let summary = change::apply(&table, seen, change, &mut rows)?;
    if summary != PartitionChangeSummary::default() {
        tables::raise_version(connection, table.id)?;
        changes::record(connection, table.id, table.version + 1, rows.changed.as_deref())?;
    }
    Ok(summary)
}

/// The index of the current version of a table, updated from an older one if the changes since then are known.
pub(super) fn index(connection: &Connection, table: &Table, older: Option<&Indexed>) -> Result<Indexed, Fault> {
    let table = current(connection, table)?;
    let changed = match older {
        Some(older) => changed_since(connection, &table, older.version)?.map(|names| (older, names)),
        None => None,
    };
    let index = match changed {
        Some((older, names)) if names.is_empty() => Arc::clone(&older.index),
        Some((older, names)) => {
            let entries = entries(connection, &table, names)?;
            match older.index.updated(&entries) {
                Ok(index) => Arc::new(index),
                // If something is wrong, building it from all rows gives the error.
                Err(_) => Arc::new(whole_index(connection, &table)?),
            }
        }
        None => Arc::new(whole_index(connection, &table)?),
    };
    Ok(Indexed { version: table.version, index })
}

/// The names of the partitions that have changed since a version.
pub(super) fn changed(connection: &Connection, table: &Table, since: i64) -> Result<Option<Vec<String>>, Fault> {
    changed_since(connection, &current(connection, table)?, since)
}

fn changed_since(connection: &Connection, table: &Table, since: i64) -> Result<Option<Vec<String>>, Fault> {
    match since.cmp(&table.version) {
        Ordering::Less => changes::between(connection, table.id, since, table.version),
        Ordering::Equal => Ok(Some(Vec::new())),
        // That version never existed here.
        Ordering::Greater => Ok(None),
    }
}

fn whole_index(connection: &Connection, table: &Table) -> Result<PartitionIndex, Fault> {
    let mut builder = PartitionIndexBuilder::new(&table.partition_keys);
    let mut shared = Shared::default();
    let mut statement =
        connection.prepare_cached("SELECT location, own, name FROM partitions WHERE table_id = ?1 ORDER BY name")?;
    let mut rows = statement.query([table.id])?;
    while let Some(row) = rows.next()? {
        let name = row.get_ref(2)?.as_str().map_err(rusqlite::Error::from)?;
        let location = row.get_ref(0)?.as_str_or_null().map_err(rusqlite::Error::from)?;
        builder.push(name, location, shared.own(name, row)?).map_err(|error| misread(table, error))?;
    }
    Ok(builder.finish().map_err(|error| misread(table, error))?)
}

/// The current entries of these partitions; `None` for those that do not exist.
fn entries(
    connection: &Connection,
    table: &Table,
    names: Vec<String>,
) -> Result<BTreeMap<String, Option<PartitionEntry>>, Fault> {
    let mut shared = Shared::default();
    let sql = "SELECT location, own FROM partitions WHERE table_id = ?1 AND name = ?2";
    let mut statement = connection.prepare_cached(sql)?;
    let mut entries = BTreeMap::new();
    for name in names {
        let mut rows = statement.query(params![table.id, name])?;
        let entry = match rows.next()? {
            Some(row) => Some(PartitionEntry { location: row.get(0)?, own: shared.own(&name, row)? }),
            None => None,
        };
        drop(rows);
        entries.insert(name, entry);
    }
    Ok(entries)
}

/// Partitions' own columns and SerDes. Most share them with their neighbours, so each distinct one is decoded once.
#[derive(Default)]
struct Shared(HashMap<String, Arc<PartitionOwn>>);

impl Shared {
    /// Decodes the second column of a row.
    fn own(&mut self, name: &str, row: &Row<'_>) -> Result<Option<Arc<PartitionOwn>>, Fault> {
        let Some(text) = row.get_ref(1)?.as_str_or_null().map_err(rusqlite::Error::from)? else { return Ok(None) };
        if let Some(own) = self.0.get(text) {
            return Ok(Some(Arc::clone(own)));
        }
        let own: Arc<PartitionOwn> = Arc::new(decode("partition", name, text)?);
        self.0.insert(text.to_owned(), Arc::clone(&own));
        Ok(Some(own))
    }
}

/// Makes an invalid value a damaged catalog: what is stored has been checked.
fn misread(table: &Table, error: Error) -> Error {
    let error = error.with_context("table", table.name.to_string());
    match error.kind() {
        ErrorKind::Invalid => {
            Error::corrupt(error.to_string()).with_hint("Drop the partition, or restore a backup of the catalog")
        }
        _ => error,
    }
}

/// Reads all partitions of a table completely and passes each fault to `report`.
pub(super) fn check(connection: &Connection, table: &Table, report: &mut impl FnMut(String)) -> Result<(), Fault> {
    let mut statement = connection
        .prepare_cached("SELECT location, own, properties, created_at, name FROM partitions WHERE table_id = ?1 ORDER BY name")?;
    let mut rows = statement.query([table.id])?;
    while let Some(row) = rows.next()? {
        let name: String = row.get(4)?;
        let stored = Stored { location: row.get(0)?, own: row.get(1)?, properties: row.get(2)?, created_at: row.get(3)? };
        match stored.decode(table, &name) {
            Err(Fault::Catalog(error)) => report(format!("{error}, table \"{}\"", table.name)),
            Err(fault) => return Err(fault),
            Ok(partition) => {
                for (key, value) in table.partition_keys.iter().zip(&partition.values) {
                    if let Some(Err(error)) = value.as_deref().map(|value| check_value(key, value)) {
                        report(format!("{error}, partition \"{name}\", table \"{}\"", table.name));
                    }
                }
            }
        }
    }
    Ok(())
}
