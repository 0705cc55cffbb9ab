//! What every metastore checks in the same way: names, definitions and partition values, and the errors for objects that do not exist.
//!
//! It stores nothing: the implementations apply these rules and store the result.

use std::collections::HashSet;

use crate::{
    error::{Error, Result},
    ident::{self, DEFAULT_DATABASE, TableName},
    model::{Column, Database, Grant, GrantObject, Grantee, Partition, Table, Workgroup},
    partition::{HIVE_DEFAULT_PARTITION, check_count, check_value, hive_name},
};

/// The version of a new table.
pub(super) const FIRST_VERSION: i64 = 1;

/// The default database of a new metastore. It has no meaningful time of creation.
pub(super) fn default_database() -> Database {
    Database {
        name: DEFAULT_DATABASE.to_owned(),
        comment: None,
        location: None,
        properties: Default::default(),
        created_at: chrono::DateTime::UNIX_EPOCH,
    }
}

/// A database with its name checked and folded.
pub(super) fn checked_database(mut database: Database) -> Result<Database> {
    database.name = ident::checked("database", &database.name)?;
    Ok(database)
}

/// A grant with the names of its object folded and the name of its grantee checked.
pub(super) fn checked_grant(mut grant: Grant) -> Result<Grant> {
    let name = grant.grantee.name();
    if name.is_empty() || name.len() > ident::MAX_NAME_BYTES || name.chars().any(char::is_control) {
        return Err(Error::invalid(format!("\"{}\" is not a valid name of a user or group", name.escape_default()))
            .with_hint(format!("Names have 1 to {} bytes and no control characters", ident::MAX_NAME_BYTES)));
    }
    grant.object = grant.object.folded();
    Ok(grant)
}

/// A column as it is stored, with its name folded.
///
/// # Errors
/// `Invalid` for a name that no catalog accepts and a type that could not be read back, naming the column.
fn checked_column(mut column: Column) -> Result<Column> {
    column.name = ident::checked("column", &column.name)?;
    column.hive_type = column.hive_type.checked().map_err(|error| error.with_context("column", &column.name))?;
    Ok(column)
}

/// A table as it is stored: all names checked and folded. A definition is rejected here, before anything is stored, or never: what is stored can be read
/// back.
///
/// # Errors
/// `Invalid`, naming the table and what is wrong with it.
pub fn checked_table(mut table: Table) -> Result<Table> {
    table.name.database = ident::fold(&table.name.database);
    table.name.table = ident::checked("table", &table.name.table)?;
    let name = table.name.to_string();
    if table.storage.columns.is_empty() && !table.is_view() {
        return Err(
            Error::invalid(format!("table \"{name}\" has no columns besides partition keys")).with_hint("Give it a column")
        );
    }
    if table.is_view() && table.is_partitioned() {
        return Err(Error::invalid(format!("view \"{name}\" has partition keys")).with_hint("Only tables are partitioned"));
    }
    if table.is_view() && !table.storage.location.is_empty() {
        return Err(
            Error::invalid(format!("view \"{name}\" has a location")).with_hint("A view has no files: leave the location out")
        );
    }
    let mut seen = HashSet::new();
    for column in &mut table.storage.columns {
        *column = checked_column(column.clone()).map_err(|error| error.with_context("table", &name))?;
        if !seen.insert(column.name.clone()) {
            return Err(Error::invalid(format!("table \"{name}\" has two columns named \"{}\"", column.name))
                .with_hint("Names that differ only in case are the same"));
        }
    }
    for key in &mut table.partition_keys {
        *key = checked_column(key.clone()).map_err(|error| error.with_context("table", &name))?;
        if !seen.insert(key.name.clone()) {
            let is_column = table.storage.columns.iter().any(|column| column.name == key.name);
            return Err(match is_column {
                true => Error::invalid(format!("partition key \"{}\" of table \"{name}\" is also another column", key.name))
                    .with_hint("Leave it out of the columns; its values come from the partitions"),
                false => Error::invalid(format!("table \"{name}\" has two partition keys named \"{}\"", key.name))
                    .with_hint("Names that differ only in case are the same"),
            });
        }
        if key.hive_type.is_nested() {
            return Err(Error::invalid(format!(
                "partition key \"{}\" of table \"{name}\" has the type \"{}\"",
                key.name, key.hive_type
            ))
            .with_hint("Partition keys have scalar types"));
        }
    }
    Ok(table)
}

/// Checks that a changed definition keeps the names and types of the partition keys; comments may change.
pub(super) fn check_same_keys(old: &Table, new: &Table) -> Result<()> {
    let shape = |keys: &[Column]| keys.iter().map(|key| (key.name.clone(), key.hive_type.clone())).collect::<Vec<_>>();
    if shape(&old.partition_keys) == shape(&new.partition_keys) && old.table_type == new.table_type {
        return Ok(());
    }
    let message = if old.table_type == new.table_type {
        format!("the partition keys of table \"{}\" cannot change", old.name)
    } else {
        format!("\"{}\" cannot be changed between a table and a view", old.name)
    };
    Err(Error::invalid(message).with_hint("Drop it and create it again: the data files are not touched"))
}

/// The Hive name for raw values, which identifies a partition of the table. Checks their number, but not their types.
///
/// # Errors
/// `Invalid` for the wrong number of values, an empty value (which Hive cannot tell from NULL), and tables that have no partition keys.
pub(super) fn partition_name(table: &Table, values: &[Option<String>]) -> Result<String> {
    if !table.is_partitioned() {
        return Err(Error::invalid(format!("table \"{}\" is not partitioned", table.name)));
    }
    check_count(&table.partition_keys, values).map_err(|error| error.with_context("table", table.name.to_string()))?;
    for (key, value) in table.partition_keys.iter().zip(values) {
        if value.as_deref() == Some("") {
            return Err(Error::invalid(format!(
                "the value of partition key \"{}\" of table \"{}\" is empty",
                key.name, table.name
            ))
            .with_hint(format!("Use {HIVE_DEFAULT_PARTITION} for the partition of NULLs and empty values")));
        }
    }
    let values: Vec<_> = values.iter().map(|value| canonical_null(value.clone())).collect();
    Ok(hive_name(&table.partition_keys, &values))
}

/// NULL, if the value is the Hive name of NULL.
fn canonical_null(value: Option<String>) -> Option<String> {
    value.filter(|value| value != HIVE_DEFAULT_PARTITION)
}

/// # Errors
/// `Invalid` for a value that is not of its key's type, naming the value, the type, the key and the table.
pub(super) fn check_types(table: &Table, values: &[Option<String>]) -> Result<()> {
    for (key, value) in table.partition_keys.iter().zip(values) {
        if let Some(value) = value.as_deref().filter(|value| *value != HIVE_DEFAULT_PARTITION) {
            check_value(key, value).map_err(|error| error.with_context("table", table.name.to_string()))?;
        }
    }
    Ok(())
}

/// A partition as it is stored, with its Hive name: NULLs as `None`, a location only if it is not the default one, column names folded.
pub(super) fn checked_partition(table: &Table, mut partition: Partition) -> Result<(String, Partition)> {
    let name = partition_name(table, &partition.values)?;
    check_types(table, &partition.values)?;
    partition.values = partition.values.into_iter().map(canonical_null).collect();
    // What is stored can be read back.
    if let Some(location) = partition.location.as_deref().filter(|location| location.contains(char::is_control)) {
        return Err(Error::invalid(format!("location \"{location}\" of partition \"{name}\" contains a control character"))
            .with_hint("Rename the folder: locations cannot contain control characters"));
    }
    partition.location = own_location(&table.root(), &name, partition.location.as_deref());
    let mut seen = HashSet::new();
    for column in partition.columns.iter_mut().flatten() {
        *column = checked_column(column.clone()).map_err(|error| error.with_context("partition", &name))?;
        if !seen.insert(column.name.clone()) {
            return Err(Error::invalid(format!("partition \"{name}\" has two columns named \"{}\"", column.name)));
        }
    }
    Ok((name, partition))
}

/// A partition's location, if it is not the default one, `root + name`.
pub(super) fn own_location(root: &str, name: &str, location: Option<&str>) -> Option<String> {
    let location = location?;
    let usual = location.trim_end_matches('/').strip_prefix(root) == Some(name);
    (!usual).then(|| location.to_owned())
}

pub(super) fn no_database<'a>(name: &str, existing: impl IntoIterator<Item = &'a str>) -> Error {
    let error = Error::not_found(format!("database \"{name}\" does not exist"));
    match nearest(name, existing) {
        Some(near) => error.with_hint(format!("The nearest name is \"{near}\"")),
        None => error.with_hint("SHOW DATABASES lists the databases"),
    }
}

pub(super) fn no_table<'a>(database: &str, table: &str, existing: impl IntoIterator<Item = &'a str>) -> Error {
    let error = Error::not_found(format!("table \"{database}.{table}\" does not exist"));
    match nearest(table, existing) {
        Some(near) => error.with_hint(format!("The nearest name is \"{near}\"")),
        None => error.with_hint(format!("SHOW TABLES IN {database} lists the tables")),
    }
}

pub(super) fn database_exists(name: &str) -> Error {
    Error::already_exists(format!("database \"{name}\" already exists")).with_hint("Choose another name, or write IF NOT EXISTS")
}

pub(super) fn table_exists(database: &str, table: &str) -> Error {
    Error::already_exists(format!("table \"{database}.{table}\" already exists"))
        .with_hint("Choose another name, or write IF NOT EXISTS")
}

pub(super) fn keep_default_database() -> Error {
    Error::invalid(format!("database \"{DEFAULT_DATABASE}\" cannot be dropped")).with_hint("Drop the tables in it one by one")
}

/// `tables` are the names of some or all of its tables and views.
pub(super) fn database_not_empty(name: &str, tables: &[String]) -> Error {
    const SHOWN: usize = 3;
    let mut named = tables.iter().take(SHOWN).map(|table| format!("\"{table}\"")).collect::<Vec<_>>().join(", ");
    if tables.len() > SHOWN {
        named = format!("{named} and {} more", tables.len() - SHOWN);
    }
    Error::invalid(format!("database \"{name}\" is not empty: it holds {named}"))
        .with_hint("Drop its tables first, or write CASCADE")
}

pub(super) fn table_changed(table: &Table) -> Error {
    Error::conflict(format!("table \"{}\" was changed or dropped by someone else in the meantime", table.name))
        .with_hint("Retry: nothing was changed")
}

/// A table that was looked up by its id does not exist any more.
pub(super) fn table_dropped(table: &Table) -> Error {
    dropped(&table.name)
}

/// A table that had this name does not exist any more.
pub(crate) fn dropped(name: &TableName) -> Error {
    Error::not_found(format!("table \"{name}\" was dropped in the meantime"))
        .with_hint(format!("SHOW TABLES IN {} lists the tables", name.database))
}

pub(super) fn no_table_with_id(id: i64) -> Error {
    Error::not_found(format!("there is no table with the id {id}")).with_hint("It was dropped; SHOW TABLES lists the tables")
}

pub(super) fn location_changed(table: &Table) -> Error {
    Error::conflict(format!("the location of table \"{}\" was changed by someone else in the meantime", table.name))
        .with_hint("Retry: nothing was changed")
}

pub(super) fn no_partition(table: &Table, name: &str) -> Error {
    Error::not_found(format!("partition \"{name}\" of table \"{}\" does not exist", table.name))
        .with_hint(format!("SHOW PARTITIONS {} lists the partitions", table.name))
}

pub(super) fn partition_exists(table: &Table, name: &str) -> Error {
    Error::already_exists(format!("partition \"{name}\" of table \"{}\" already exists", table.name))
        .with_hint("Write IF NOT EXISTS")
}

/// # Errors
/// `Invalid` if an attachment has no name.
pub(super) fn check_attachments<T>(table: &Table, changes: &[(String, T)]) -> Result<()> {
    match changes.iter().any(|(name, _)| name.is_empty()) {
        true => {
            Err(Error::invalid(format!("an attachment of table \"{}\" has an empty name", table.name))
                .with_hint("Give it a name"))
        }
        false => Ok(()),
    }
}

pub(super) fn no_grant(object: &GrantObject, grantee: &Grantee) -> Error {
    Error::not_found(format!("nothing is granted on {object} to {grantee}")).with_hint("SHOW GRANTS lists the grants")
}

/// Bytes of the longest name and of the longest description of a workgroup, as in Athena.
const MAX_WORKGROUP_NAME: usize = 128;
const MAX_DESCRIPTION: usize = 1024;

/// The primary workgroup as long as it was not changed. It has no meaningful time of creation.
pub(super) fn primary_workgroup() -> Workgroup {
    Workgroup::new(Workgroup::PRIMARY, chrono::DateTime::UNIX_EPOCH)
}

/// A workgroup with its name and settings checked.
pub(super) fn checked_workgroup(workgroup: Workgroup) -> Result<Workgroup> {
    let name = &workgroup.name;
    let is_allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    if name.is_empty() || name.len() > MAX_WORKGROUP_NAME || !name.chars().all(is_allowed) {
        return Err(Error::invalid(format!("\"{}\" is not a valid name of a workgroup", name.escape_default()))
            .with_hint(format!("Use 1 to {MAX_WORKGROUP_NAME} letters of a to z, digits, dots, underscores and hyphens")));
    }
    if workgroup.description.as_ref().is_some_and(|text| text.len() > MAX_DESCRIPTION) {
        return Err(Error::invalid(format!("the comment of workgroup \"{name}\" is longer than {MAX_DESCRIPTION} bytes")));
    }
    let settings = workgroup.settings.checked().map_err(|error| error.with_context("workgroup", name))?;
    Ok(Workgroup { settings, ..workgroup })
}

pub(super) fn no_workgroup<'a>(name: &str, existing: impl IntoIterator<Item = &'a str>) -> Error {
    let mut names: Vec<&str> = existing.into_iter().collect();
    if !names.contains(&Workgroup::PRIMARY) {
        names.push(Workgroup::PRIMARY);
    }
    let error = Error::not_found(format!("workgroup \"{}\" does not exist", name.escape_debug()));
    match nearest(name, names) {
        Some(near) => error.with_hint(format!("The nearest name is \"{near}\"")),
        None => error.with_hint("SHOW WORKGROUPS lists the workgroups"),
    }
}

pub(super) fn workgroup_exists(name: &str) -> Error {
    Error::already_exists(format!("workgroup \"{name}\" already exists"))
        .with_hint("Choose another name, or write IF NOT EXISTS; ALTER WORKGROUP changes its settings")
}

pub(super) fn workgroup_changed(name: &str) -> Error {
    Error::conflict(format!("workgroup \"{name}\" was changed by someone else in the meantime"))
        .with_hint("Retry: nothing was changed")
}

pub(super) fn keep_primary_workgroup() -> Error {
    Error::invalid(format!("workgroup \"{}\" cannot be dropped", Workgroup::PRIMARY))
        .with_hint("New sessions begin in it. ALTER WORKGROUP ... RESET removes its settings, DISABLE keeps queries out of it")
}

/// The existing name with the fewest edits to the one asked for, if they are few for its length.
fn nearest<'a>(name: &str, existing: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).max(1);
    existing
        .into_iter()
        .filter(|other| other.len().abs_diff(name.len()) <= limit * 4)
        .map(|other| (edits(name, other), other))
        .filter(|(edits, _)| *edits <= limit)
        .min()
        .map(|(_, other)| other)
}

/// Insertions, removals, replacements and swaps of neighbours that turn one name into the other.
fn edits(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous = None;
    for (row, x) in a.chars().enumerate() {
        let mut current = vec![row + 1];
        for (col, y) in b.iter().enumerate() {
            let replaced = last[col] + usize::from(x != *y);
            let mut best = replaced.min(last[col + 1] + 1).min(current[col] + 1);
            if col > 0 && previous == Some(*y) && x == b[col - 1] {
                best = best.min(before_last[col - 1] + 1);
            }
            current.push(best);
        }
        before_last = std::mem::replace(&mut last, current);
        previous = Some(x);
    }
    last.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_nearest_name() {
        let names = ["orders", "lineitem", "lineitem_flat", "o"];
        assert_eq!(nearest("order", names), Some("orders"));
        assert_eq!(nearest("lnieitem", names), Some("lineitem"));
        assert_eq!(nearest("customers", names), None);
        assert_eq!(nearest("x", names), Some("o"));
        assert_eq!(edits("ab", "ba"), 1);
        assert_eq!(edits("kitten", "sitting"), 3);
        assert_eq!(edits("", "abc"), 3);
    }

    #[test]
    fn the_usual_location_is_not_kept() {
        assert_eq!(own_location("s3://b/t/", "dt=1", Some("s3://b/t/dt=1/")), None);
        assert_eq!(own_location("s3://b/t/", "dt=1", Some("s3://b/t/dt=1")), None);
        assert_eq!(own_location("s3://b/t/", "dt=1", None), None);
        assert_eq!(own_location("s3://b/t/", "dt=1", Some("s3://b/t/dt=2/")).as_deref(), Some("s3://b/t/dt=2/"));
    }
}
