//! A metastore that shows one caller what they may see of another, and takes the changes that they may make. It decides nothing itself.

use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use glaux_catalog::{
    Metastore, TableName,
    ident::fold,
    metastore::{PartitionChange, PartitionChangeSummary, TableVersion},
    model::{Access, Attachment, Database, Grant, GrantObject, Grantee, Partition, PartitionValues, Table},
    partition::PartitionIndex,
};
use tokio::sync::OnceCell;

use super::{Caller, Rights, not_an_administrator};
use crate::error::{Error, ErrorKind, Result, nearest};

/// The catalog as one caller has it, during one call.
#[derive(Debug)]
pub(super) struct Guarded {
    caller: Caller,
    catalog: Arc<dyn Metastore>,
    rights: OnceCell<Rights>,
}

impl Guarded {
    pub(super) fn new(caller: Caller, catalog: Arc<dyn Metastore>) -> Self {
        Self { caller, catalog, rights: OnceCell::new() }
    }

    async fn rights(&self) -> Result<&Rights> {
        self.rights.get_or_try_init(|| async { Ok(self.caller.rights(&self.catalog.grants().await?)) }).await
    }

    async fn require(&self, object: GrantObject, wanted: Access) -> Result<()> {
        self.rights().await?.require(&object.folded(), wanted)
    }

    async fn require_table(&self, name: &TableName, wanted: Access) -> Result<()> {
        self.require(GrantObject::Table(name.clone()), wanted).await
    }

    /// An answer in which the hint for what does not exist names only what the caller sees.
    async fn without_hidden<T>(&self, answer: Result<T>, database: &str, table: Option<&str>) -> Result<T> {
        match answer {
            Err(error) if error.kind() == ErrorKind::NotFound => Err(error.with_hint(self.hint(database, table).await?)),
            answer => answer,
        }
    }

    async fn hint(&self, database: &str, table: Option<&str>) -> Result<String> {
        let (rights, database) = (self.rights().await?, fold(database));
        let near = |name: &str, shown: &[String]| {
            nearest(name, shown.iter().map(String::as_str)).map(|near| format!("The nearest name is \"{near}\""))
        };
        if let (Some(table), Ok(mut names)) = (table, self.catalog.table_names(&database).await) {
            names.retain(|name| rights.shows_table(&database, name));
            return Ok(near(&fold(table), &names).unwrap_or_else(|| format!("SHOW TABLES IN {database} lists what there is")));
        }
        let names: Vec<String> = self.databases().await?.into_iter().map(|database| database.name).collect();
        Ok(near(&database, &names).unwrap_or_else(|| "SHOW DATABASES lists what there is".to_owned()))
    }
}

#[async_trait]
impl Metastore for Guarded {
    async fn databases(&self) -> Result<Vec<Database>> {
        let rights = self.rights().await?;
        let mut databases = self.catalog.databases().await?;
        databases.retain(|database| rights.shows_database(&database.name));
        Ok(databases)
    }

    async fn database(&self, name: &str) -> Result<Database> {
        self.rights().await?.require_shown(&fold(name))?;
        self.without_hidden(self.catalog.database(name).await, name, None).await
    }

    async fn create_database(&self, database: Database) -> Result<()> {
        self.rights().await?.require_new_database(&fold(&database.name))?;
        self.catalog.create_database(database).await
    }

    async fn replace_database(&self, database: Database) -> Result<()> {
        self.require(GrantObject::Database(database.name.clone()), Access::Write).await?;
        let name = database.name.clone();
        self.without_hidden(self.catalog.replace_database(database).await, &name, None).await
    }

    /// Takes write access to everything in it, and names nothing that is not seen.
    async fn drop_database(&self, name: &str, cascade: bool) -> Result<()> {
        self.require(GrantObject::Database(name.to_owned()), Access::Write).await?;
        let rights = self.rights().await?;
        let name = fold(name);
        let tables = self.without_hidden(self.catalog.table_names(&name).await, &name, None).await?;
        let is_kept = |table: String| rights.on_table(&TableName::new(&name, table)) < Access::Write;
        if tables.into_iter().any(is_kept) {
            return Err(Error::new(ErrorKind::Denied, format!("dropping database \"{name}\" is denied"))
                .with_hint("It holds what you may not drop"));
        }
        self.without_hidden(self.catalog.drop_database(&name, cascade).await, &name, None).await
    }

    async fn table_names(&self, database: &str) -> Result<Vec<String>> {
        let (rights, database) = (self.rights().await?, fold(database));
        rights.require_shown(&database)?;
        let mut names = self.without_hidden(self.catalog.table_names(&database).await, &database, None).await?;
        names.retain(|name| rights.shows_table(&database, name));
        Ok(names)
    }

    async fn tables(&self, database: &str) -> Result<Vec<Table>> {
        let (rights, database) = (self.rights().await?, fold(database));
        rights.require_shown(&database)?;
        let mut tables = self.without_hidden(self.catalog.tables(&database).await, &database, None).await?;
        tables.retain(|table| rights.on_table(&table.name) > Access::None);
        Ok(tables)
    }

    async fn table(&self, name: &TableName) -> Result<Table> {
        self.require_table(name, Access::Read).await?;
        self.without_hidden(self.catalog.table(name).await, &name.database, Some(&name.table)).await
    }

    /// What is hidden has no id.
    async fn table_by_id(&self, id: i64) -> Result<Table> {
        let table = self.catalog.table_by_id(id).await?;
        match self.rights().await?.on_table(&table.name) {
            Access::None => Err(Error::not_found(format!("there is no table with the id {id}"))
                .with_hint("It was dropped; SHOW TABLES lists what there is")),
            _ => Ok(table),
        }
    }

    async fn table_versions(&self) -> Result<Vec<TableVersion>> {
        let rights = self.rights().await?;
        let mut versions = self.catalog.table_versions().await?;
        versions.retain(|table| rights.on_table(&table.name) > Access::None);
        Ok(versions)
    }

    async fn create_table(&self, table: Table) -> Result<Table> {
        self.require_table(&table.name, Access::Write).await?;
        let database = table.name.database.clone();
        self.without_hidden(self.catalog.create_table(table).await, &database, None).await
    }

    /// Takes write access to what it is called now and to what it is to be called.
    async fn replace_table(&self, table: Table) -> Result<Table> {
        self.require_table(&table.name, Access::Write).await?;
        if let Ok(now) = self.catalog.table_by_id(table.id).await {
            self.require_table(&now.name, Access::Write).await?;
        }
        let database = table.name.database.clone();
        self.without_hidden(self.catalog.replace_table(table).await, &database, None).await
    }

    async fn install_table(&self, table: Table, partitions: Vec<Partition>, replace: bool) -> Result<Table> {
        self.require_table(&table.name, Access::Write).await?;
        let database = table.name.database.clone();
        self.without_hidden(self.catalog.install_table(table, partitions, replace).await, &database, None).await
    }

    async fn drop_table(&self, name: &TableName) -> Result<()> {
        self.require_table(name, Access::Write).await?;
        self.without_hidden(self.catalog.drop_table(name).await, &name.database, Some(&name.table)).await
    }

    async fn partition_index(&self, table: &Table) -> Result<Arc<PartitionIndex>> {
        self.require_table(&table.name, Access::Read).await?;
        self.catalog.partition_index(table).await
    }

    async fn changed_partitions(&self, table: &Table, since: i64) -> Result<Option<Vec<String>>> {
        self.require_table(&table.name, Access::Read).await?;
        self.catalog.changed_partitions(table, since).await
    }

    async fn partitions(&self, table: &Table, values: &[PartitionValues]) -> Result<Vec<Partition>> {
        self.require_table(&table.name, Access::Read).await?;
        self.catalog.partitions(table, values).await
    }

    async fn change_partitions(&self, table: &Table, change: PartitionChange) -> Result<PartitionChangeSummary> {
        self.require_table(&table.name, Access::Write).await?;
        self.catalog.change_partitions(table, change).await
    }

    async fn attachments(&self, table: &Table, prefix: &str) -> Result<Vec<Attachment>> {
        self.require_table(&table.name, Access::Read).await?;
        self.catalog.attachments(table, prefix).await
    }

    async fn set_attachments(&self, table: &Table, changes: Vec<(String, Option<Bytes>)>) -> Result<()> {
        self.require_table(&table.name, Access::Write).await?;
        self.catalog.set_attachments(table, changes).await
    }

    /// Those for the caller, on what the caller sees.
    async fn grants(&self) -> Result<Vec<Grant>> {
        let rights = self.rights().await?;
        let mut grants = self.catalog.grants().await?;
        grants.retain(|grant| self.caller.is_meant(&grant.grantee) && rights.on(&grant.object) > Access::None);
        Ok(grants)
    }

    async fn set_grant(&self, _grant: Grant) -> Result<()> {
        Err(not_an_administrator())
    }

    async fn remove_grant(&self, _object: &GrantObject, _grantee: &Grantee) -> Result<()> {
        Err(not_an_administrator())
    }
}
