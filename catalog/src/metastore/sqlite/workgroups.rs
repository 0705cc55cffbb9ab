//! Workgroups as rows: their names, and their definitions as JSON. The primary one has a row only once it was changed.

use async_trait::async_trait;
use rusqlite::{Connection, OptionalExtension, params};

use super::{
    fault::Fault,
    store::SqliteMetastore,
    tables::{decode, encode, names},
};
use crate::{
    error::Result,
    metastore::{PutWorkgroup, Workgroups, rules},
    model::Workgroup,
};

#[async_trait]
impl Workgroups for SqliteMetastore {
    async fn workgroups(&self) -> Result<Vec<Workgroup>> {
        self.connections.read(all).await
    }

    async fn workgroup(&self, name: &str) -> Result<Workgroup> {
        let name = name.to_owned();
        self.connections.read(move |connection| one(connection, &name)).await
    }

    async fn put_workgroup(&self, workgroup: Workgroup, mode: PutWorkgroup<'_>) -> Result<()> {
        let workgroup = rules::checked_workgroup(workgroup)?;
        let seen = match mode {
            PutWorkgroup::Create => None,
            PutWorkgroup::Replace(seen) => Some(seen.clone()),
        };
        self.connections.write(move |connection| put(connection, &workgroup, seen.as_ref())).await
    }

    async fn remove_workgroup(&self, name: &str) -> Result<()> {
        if name == Workgroup::PRIMARY {
            return Err(rules::keep_primary_workgroup());
        }
        let name = name.to_owned();
        self.connections.write(move |connection| remove(connection, &name)).await
    }
}

fn all(connection: &Connection) -> Result<Vec<Workgroup>, Fault> {
    let mut statement = connection.prepare_cached("SELECT name, definition FROM workgroups ORDER BY name")?;
    let mut rows = statement.query([])?;
    let mut workgroups = Vec::new();
    while let Some(row) = rows.next()? {
        workgroups.push(decode::<Workgroup>("workgroup", &row.get::<_, String>(0)?, &row.get::<_, String>(1)?)?);
    }
    if let Err(place) = workgroups.binary_search_by(|workgroup| workgroup.name.as_str().cmp(Workgroup::PRIMARY)) {
        workgroups.insert(place, rules::primary_workgroup());
    }
    Ok(workgroups)
}

fn find(connection: &Connection, name: &str) -> Result<Option<Workgroup>, Fault> {
    let mut statement = connection.prepare_cached("SELECT definition FROM workgroups WHERE name = ?1")?;
    let definition: Option<String> = statement.query_row([name], |row| row.get(0)).optional()?;
    match definition {
        Some(definition) => decode("workgroup", name, &definition).map(Some),
        None if name == Workgroup::PRIMARY => Ok(Some(rules::primary_workgroup())),
        None => Ok(None),
    }
}

fn missing(connection: &Connection, name: &str) -> Fault {
    match names(connection, "SELECT name FROM workgroups ORDER BY name", []) {
        Ok(names) => Fault::Catalog(rules::no_workgroup(name, names.iter().map(String::as_str))),
        Err(fault) => fault,
    }
}

fn one(connection: &Connection, name: &str) -> Result<Workgroup, Fault> {
    find(connection, name)?.ok_or_else(|| missing(connection, name))
}

fn put(connection: &Connection, workgroup: &Workgroup, seen: Option<&Workgroup>) -> Result<(), Fault> {
    let name = &workgroup.name;
    match (seen, find(connection, name)?) {
        (None, Some(_)) => return Err(Fault::Catalog(rules::workgroup_exists(name))),
        (Some(_), None) => return Err(missing(connection, name)),
        (Some(seen), Some(now)) if *seen != now => return Err(Fault::Catalog(rules::workgroup_changed(name))),
        (None, None) | (Some(_), Some(_)) => {}
    }
    connection.execute(
        "INSERT INTO workgroups (name, definition) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET definition = excluded.definition",
        params![name, encode(workgroup)?],
    )?;
    Ok(())
}

fn remove(connection: &Connection, name: &str) -> Result<(), Fault> {
    match connection.execute("DELETE FROM workgroups WHERE name = ?1", [name])? {
        0 => Err(missing(connection, name)),
        _ => Ok(()),
    }
}

/// Reads all workgroups to find damaged ones.
pub(super) fn check(connection: &Connection, report: &mut impl FnMut(String)) -> Result<(), Fault> {
    let mut statement = connection.prepare("SELECT name FROM workgroups ORDER BY name")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        match find(connection, &row.get::<_, String>(0)?) {
            Ok(_) => {}
            Err(Fault::Catalog(error)) => report(error.to_string()),
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}
