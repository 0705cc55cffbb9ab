//! Changes to a list of columns: `ADD COLUMNS`, `REPLACE COLUMNS` and `CHANGE COLUMN`, the same for tables and partitions.

use glaux_catalog::model::{Column, Table};

use crate::{
    error::{Error, Result, nearest},
    sql::ColumnPosition,
};

/// The columns with others after them.
///
/// # Errors
/// `AlreadyExists` for a name that is taken.
pub(super) fn add(table: &Table, columns: &[Column], new: &[Column]) -> Result<Vec<Column>> {
    let mut all = columns.to_vec();
    for column in new {
        check_free(table, &all, &column.name)?;
        all.push(column.clone());
    }
    Ok(all)
}

/// Other columns instead.
///
/// # Errors
/// `AlreadyExists` for a name that is given twice or is a partition key.
pub(super) fn replace(table: &Table, new: &[Column]) -> Result<Vec<Column>> {
    add(table, &[], new)
}

/// The columns with one changed, and perhaps moved. A comment that is not given stays.
///
/// # Errors
/// `NotFound` for the column or the one to put it after, `Invalid` for a partition key, `AlreadyExists` for a new name that is taken.
pub(super) fn change(
    table: &Table,
    columns: &[Column],
    old: &str,
    new: &Column,
    position: Option<&ColumnPosition>,
) -> Result<Vec<Column>> {
    if table.partition_keys.iter().any(|key| key.name == old) {
        return Err(Error::invalid(format!("\"{old}\" is a partition key of table \"{}\"", table.name))
            .with_hint("Partition keys cannot be changed: recreate the table; the data stays where it is"));
    }
    let mut all = columns.to_vec();
    let index = find(table, &all, old)?;
    let before = all.remove(index);
    check_free(table, &all, &new.name)?;
    let changed = Column { comment: new.comment.clone().or(before.comment), ..new.clone() };
    let index = match position {
        None => index,
        Some(ColumnPosition::First) => 0,
        Some(ColumnPosition::After(other)) => find(table, &all, other)? + 1,
    };
    all.insert(index, changed);
    Ok(all)
}

fn check_free(table: &Table, columns: &[Column], name: &str) -> Result<()> {
    if columns.iter().chain(&table.partition_keys).any(|other| other.name == name) {
        return Err(Error::already_exists(format!("table \"{}\" already has a column \"{name}\"", table.name))
            .with_hint("Choose another name"));
    }
    Ok(())
}

fn find(table: &Table, columns: &[Column], name: &str) -> Result<usize> {
    columns.iter().position(|column| column.name == name).ok_or_else(|| no_column(table, name))
}

/// The error for a column that does not exist.
pub(super) fn no_column(table: &Table, name: &str) -> Error {
    let error = Error::not_found(format!("table \"{}\" has no column \"{name}\"", table.name));
    error.with_hint(match nearest(name, table.all_columns().map(|column| column.name.as_str())) {
        Some(near) => format!("Did you mean \"{near}\"?"),
        None => format!("DESCRIBE {} lists them", table.name),
    })
}
