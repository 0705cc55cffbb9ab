//! Grants as rows: the name of the database or the id of the table (neither for the catalog), the kind and name of the grantee, and the access.

use async_trait::async_trait;
use rusqlite::{Connection, Row, params};

use super::{fault::Fault, store::SqliteMetastore, tables};
use crate::{
    error::{Error, Result},
    ident::TableName,
    metastore::{Grants, rules},
    model::{Access, Grant, GrantObject, Grantee},
};

#[async_trait]
impl Grants for SqliteMetastore {
    async fn grants(&self) -> Result<Vec<Grant>> {
        self.connections.read(all).await
    }

    async fn set_grant(&self, grant: Grant) -> Result<()> {
        let grant = rules::checked_grant(grant)?;
        self.connections.write(move |connection| set(connection, &grant)).await
    }

    async fn remove_grant(&self, object: &GrantObject, grantee: &Grantee) -> Result<()> {
        let (object, grantee) = (object.folded(), grantee.clone());
        self.connections.write(move |connection| remove(connection, &object, &grantee)).await
    }
}

const USER: &str = "user";
const GROUP: &str = "group";

fn all(connection: &Connection) -> Result<Vec<Grant>, Fault> {
    let mut statement = connection.prepare_cached(
        "SELECT grants.database, tables.database, tables.name, grantee_kind, grantee, access
            FROM grants LEFT JOIN tables ON tables.id = grants.table_id",
    )?;
    let mut rows = statement.query([])?;
    let mut grants = Vec::new();
    while let Some(row) = rows.next()? {
        grants.push(read(row)?);
    }
    grants.sort();
    Ok(grants)
}

fn read(row: &Row<'_>) -> Result<Grant, Fault> {
    let object = match (row.get(0)?, row.get(1)?, row.get(2)?) {
        (Some(database), _, _) => GrantObject::Database(database),
        (None, Some(database), Some(table)) => GrantObject::Table(TableName { database, table }),
        _ => GrantObject::Catalog,
    };
    let (kind, name): (String, String) = (row.get(3)?, row.get(4)?);
    let grantee = match kind.as_str() {
        USER => Grantee::User(name),
        GROUP => Grantee::Group(name),
        _ => return Err(unreadable(&object, &kind)),
    };
    let access: String = row.get(5)?;
    let access = Access::parse(&access).ok_or_else(|| unreadable(&object, &access))?;
    Ok(Grant { object, grantee, access })
}

fn unreadable(object: &GrantObject, word: &str) -> Fault {
    let error = Error::corrupt(format!("a stored grant on {object} has the unknown value \"{word}\""));
    Fault::Catalog(error.with_hint("Restore a backup of the catalog"))
}

/// The columns that identify an object.
fn key(connection: &Connection, object: &GrantObject) -> Result<(Option<String>, Option<i64>), Fault> {
    Ok(match object {
        GrantObject::Catalog => (None, None),
        GrantObject::Database(name) => {
            tables::check_database(connection, name)?;
            (Some(name.clone()), None)
        }
        GrantObject::Table(name) => (None, Some(tables::table_id(connection, name)?)),
    })
}

fn words(grantee: &Grantee) -> (&'static str, &str) {
    match grantee {
        Grantee::User(name) => (USER, name),
        Grantee::Group(name) => (GROUP, name),
    }
}

fn set(connection: &Connection, grant: &Grant) -> Result<(), Fault> {
    let (database, table) = key(connection, &grant.object)?;
    let (kind, name) = words(&grant.grantee);
    connection.execute(
        "INSERT INTO grants (database, table_id, grantee_kind, grantee, access) VALUES (?1, ?2, ?3, ?4, ?5)
            ON CONFLICT (ifnull(database, ''), ifnull(table_id, 0), grantee_kind, grantee) DO UPDATE SET access = excluded.access",
        params![database, table, kind, name, grant.access.as_str()],
    )?;
    Ok(())
}

fn remove(connection: &Connection, object: &GrantObject, grantee: &Grantee) -> Result<(), Fault> {
    let (kind, name) = words(grantee);
    let removed = match key(connection, object) {
        Ok((database, table)) => connection.execute(
            "DELETE FROM grants WHERE ifnull(database, '') = ifnull(?1, '') AND ifnull(table_id, 0) = ifnull(?2, 0)
                AND grantee_kind = ?3 AND grantee = ?4",
            params![database, table, kind, name],
        )?,
        // An object that does not exist has no grants.
        Err(Fault::Catalog(_)) => 0,
        Err(fault) => return Err(fault),
    };
    if removed == 0 { Err(Fault::Catalog(rules::no_grant(object, grantee))) } else { Ok(()) }
}

/// Reads all grants to find damaged ones.
pub(super) fn check(connection: &Connection, report: &mut impl FnMut(String)) -> Result<(), Fault> {
    match all(connection) {
        Err(Fault::Catalog(error)) => {
            report(error.to_string());
            Ok(())
        }
        other => other.map(|_| ()),
    }
}
