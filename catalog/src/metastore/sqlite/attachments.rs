//! Attachments as rows: the id of the table, a name and a blob.

use async_trait::async_trait;
use bytes::Bytes;
use rusqlite::{Connection, params};

use super::{fault::Fault, store::SqliteMetastore};
use crate::{
    error::Result,
    metastore::{Attachments, rules},
    model::{Attachment, Table},
};

#[async_trait]
impl Attachments for SqliteMetastore {
    async fn attachments(&self, table: &Table, prefix: &str) -> Result<Vec<Attachment>> {
        let (table, prefix) = (table.clone(), prefix.to_owned());
        self.connections.read(move |connection| named(connection, &table, &prefix)).await
    }

    async fn set_attachments(&self, table: &Table, changes: Vec<(String, Option<Bytes>)>) -> Result<()> {
        rules::check_attachments(table, &changes)?;
        let table = table.clone();
        self.connections.write(move |connection| change(connection, &table, &changes)).await
    }
}

fn check_exists(connection: &Connection, table: &Table) -> Result<(), Fault> {
    match connection.prepare_cached("SELECT 1 FROM tables WHERE id = ?1")?.exists([table.id])? {
        true => Ok(()),
        false => Err(Fault::Catalog(rules::table_dropped(table))),
    }
}

fn named(connection: &Connection, table: &Table, prefix: &str) -> Result<Vec<Attachment>, Fault> {
    check_exists(connection, table)?;
    let sql = "SELECT name, bytes FROM attachments WHERE table_id = ?1 AND name >= ?2 ORDER BY name";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query(params![table.id, prefix])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        if !name.starts_with(prefix) {
            break;
        }
        found.push(Attachment { name, bytes: Bytes::from(row.get::<_, Vec<u8>>(1)?) });
    }
    Ok(found)
}

fn change(connection: &Connection, table: &Table, changes: &[(String, Option<Bytes>)]) -> Result<(), Fault> {
    check_exists(connection, table)?;
    let mut put = connection.prepare_cached(
        "INSERT INTO attachments (table_id, name, bytes) VALUES (?1, ?2, ?3)
         ON CONFLICT (table_id, name) DO UPDATE SET bytes = excluded.bytes",
    )?;
    let mut remove = connection.prepare_cached("DELETE FROM attachments WHERE table_id = ?1 AND name = ?2")?;
    for (name, bytes) in changes {
        match bytes {
            Some(bytes) => put.execute(params![table.id, name, bytes.as_ref()])?,
            None => remove.execute(params![table.id, name])?,
        };
    }
    Ok(())
}
