//! The engine's own tables (`system.*`, `information_schema.*`) in statements: they can be shown and described like other tables, but not
//! changed.

use glaux_catalog::{TableName, model::Column};

use crate::{
    error::{Error, Result, nearest},
    reserved::is_system_schema,
    system::{table_columns, table_names},
};

/// The columns of one of the engine's tables; `None` for a name in a database.
///
/// # Errors
/// `NotFound` for a name that none of the engine's tables has.
pub(super) fn columns(name: &TableName) -> Result<Option<Vec<Column>>> {
    if !is_system_schema(&name.database) {
        return Ok(None);
    }
    exists(name)?;
    table_columns(&name.database, &name.table).transpose()
}

/// # Errors
/// `Invalid` for one of the engine's tables, which the statement does not take; `NotFound` for a name that none of them has.
pub(super) fn refuse(name: &TableName) -> Result<()> {
    if !is_system_schema(&name.database) {
        return Ok(());
    }
    exists(name)?;
    Err(Error::invalid(format!("\"{name}\" is one of the engine's own tables"))
        .with_hint("It can be read with SELECT, DESCRIBE and SHOW COLUMNS, but not changed"))
}

/// # Errors
/// `Invalid` for a schema in which nothing is created.
pub(super) fn check_writable(database: &str) -> Result<()> {
    match is_system_schema(database) {
        true => Err(Error::invalid(format!("schema \"{database}\" belongs to the engine: nothing can be created in it"))
            .with_hint("Choose a database; SHOW DATABASES lists them")),
        false => Ok(()),
    }
}

fn exists(name: &TableName) -> Result<()> {
    let names = table_names(&name.database);
    if names.contains(&name.table.as_str()) {
        return Ok(());
    }
    let error = Error::not_found(format!("table \"{name}\" does not exist"));
    Err(match nearest(&name.table, names.into_iter()) {
        Some(near) => error.with_hint(format!("The nearest name is \"{near}\"")),
        None => error.with_hint(format!("SHOW TABLES IN {} lists the tables", name.database)),
    })
}
