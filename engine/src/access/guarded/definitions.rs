//! Databases, tables and partitions as one caller sees and may change them.

use std::sync::Arc;

use async_trait::async_trait;
use glaux_catalog::{
    TableName, glue,
    ident::fold,
    metastore::{Definitions, PartitionChange, PartitionChangeSummary, TableVersion},
    model::{Access, Database, GrantObject, Partition, PartitionValues, Table},
    partition::PartitionIndex,
};

use super::{Guarded, lock};
use crate::{
    access::{rights::Rights, views},
    error::{Error, ErrorKind, Result, nearest},
};

impl Guarded {
    async fn check_table(&self, table: &Table, before: Option<&Table>) -> Result<()> {
        let reach = self.reach(Access::Read).await?;
        reach.check_table(table, before, &self.places_of(&table.name.database).await?)
    }

    /// Judges partitions that name their own locations, but for those that lie there already.
    async fn check_partitions(&self, table: &Table, new: &[Partition], replaced: &[Partition]) -> Result<()> {
        let has_own = |partition: &&Partition| partition.location.is_some();
        if !new.iter().chain(replaced).any(|partition| has_own(&partition)) {
            return Ok(());
        }
        let reach = self.reach(Access::Read).await?;
        let mut own = self.places_of(&table.name.database).await?;
        own.push(table.root());
        let values: Vec<PartitionValues> = replaced.iter().filter(has_own).map(|partition| partition.values.clone()).collect();
        let before = if values.is_empty() { Vec::new() } else { self.catalog.partitions(table, &values).await? };
        let is_there = |partition: &&Partition| {
            before.iter().any(|before| before.values == partition.values && before.location == partition.location)
        };
        for partition in new.iter().chain(replaced.iter().filter(|partition| !is_there(partition))) {
            if let Some(location) = &partition.location {
                reach.check(&format!("{}/", location.trim_end_matches('/')), &own)?;
            }
        }
        Ok(())
    }

    /// A view without its text, if the text names what the caller may not read.
    fn without_closed_text(mut table: Table, rights: &Rights) -> Table {
        if !rights.hides_nothing() && table.is_view() && !views::is_open(&table, rights) {
            table.view_text = None;
            table.properties.remove(glue::KEPT);
        }
        table
    }

    /// An answer in which the hint for what does not exist names only what the caller sees.
    async fn without_hidden<T>(&self, answer: Result<T>, database: &str, table: Option<&str>) -> Result<T> {
        match answer {
            answer if self.is_administrator() => answer,
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
            return Ok(near(&fold(table), &names).unwrap_or_else(|| format!("SHOW TABLES IN {database} lists the tables")));
        }
        let names: Vec<String> = self.databases().await?.into_iter().map(|database| database.name).collect();
        Ok(near(&database, &names).unwrap_or_else(|| "SHOW DATABASES lists the databases".to_owned()))
    }
}

#[async_trait]
impl Definitions for Guarded {
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
        if let Some(location) = &database.location {
            self.reach(Access::Read).await?.check(location, &[])?;
        }
        self.catalog.create_database(database).await
    }

    async fn replace_database(&self, database: Database) -> Result<()> {
        self.require(GrantObject::Database(database.name.clone()), Access::Write).await?;
        let name = database.name.clone();
        if let Some(location) = &database.location {
            let before = self.places_of(&name).await?;
            if before.first() != Some(location) {
                self.reach(Access::Read).await?.check(location, &before)?;
            }
        }
        self.without_hidden(self.catalog.replace_database(database).await, &name, None).await
    }

    /// Takes write access to everything in it, and names nothing that is not seen.
    async fn drop_database(&self, name: &str, cascade: bool) -> Result<()> {
        self.require(GrantObject::Database(name.to_owned()), Access::Write).await?;
        let rights = self.rights().await?;
        let name = fold(name);
        if self.is_administrator() {
            return self.catalog.drop_database(&name, cascade).await;
        }
        let tables = self.without_hidden(self.catalog.table_names(&name).await, &name, None).await?;
        let is_kept = |table: String| rights.on_table(&TableName::new(&name, table)) < Access::Write;
        if tables.into_iter().any(is_kept) {
            return Err(Error::new(ErrorKind::Denied, format!("dropping database \"{name}\" is denied"))
                .with_hint("It contains tables that you may not drop"));
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
        Ok(tables.into_iter().map(|table| Self::without_closed_text(table, &rights)).collect())
    }

    async fn table(&self, name: &TableName) -> Result<Table> {
        self.require_table(name, Access::Read).await?;
        let table = self.without_hidden(self.catalog.table(name).await, &name.database, Some(&name.table)).await?;
        lock(&self.looked_up).insert(table.name.clone());
        Ok(Self::without_closed_text(table, self.rights().await?.as_ref()))
    }

    /// What is hidden has no id.
    async fn table_by_id(&self, id: i64) -> Result<Table> {
        let (table, rights) = (self.catalog.table_by_id(id).await?, self.rights().await?);
        match rights.on_table(&table.name) {
            Access::None => Err(Error::not_found(format!("there is no table with the id {id}"))
                .with_hint("It was dropped; SHOW TABLES lists the tables")),
            _ => Ok(Self::without_closed_text(table, &rights)),
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
        if let Err(error) = self.catalog.database(&database).await {
            return self.without_hidden(Err(error), &database, None).await;
        }
        self.check_table(&table, None).await?;
        self.without_hidden(self.catalog.create_table(table).await, &database, None).await
    }

    /// Takes write access to what it is called now and to what it is to be called. What is hidden has no id.
    async fn replace_table(&self, mut table: Table) -> Result<Table> {
        self.require_table(&table.name, Access::Write).await?;
        let (before, rights) = (self.catalog.table_by_id(table.id).await.ok(), self.rights().await?);
        let before = before.filter(|before| rights.on_table(&before.name) > Access::None);
        match &before {
            Some(before) => {
                self.require_table(&before.name, Access::Write).await?;
                if table.is_view() && table.view_text.is_none() && before.view_text.is_some() {
                    return Err(views::denied(&before.name));
                }
            }
            // No table has this one, so that the answer is that for a table that is gone.
            None => table.id = 0,
        }
        self.check_table(&table, before.as_ref()).await?;
        let database = table.name.database.clone();
        self.without_hidden(self.catalog.replace_table(table).await, &database, None).await
    }

    async fn install_table(&self, table: Table, partitions: Vec<Partition>, replace: bool) -> Result<Table> {
        self.require_table(&table.name, Access::Write).await?;
        let before = if replace { self.catalog.table(&table.name).await.ok() } else { None };
        self.check_table(&table, before.as_ref()).await?;
        self.check_partitions(&table, &partitions, &[]).await?;
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
        self.check_partitions(table, &change.add, &change.replace).await?;
        self.catalog.change_partitions(table, change).await
    }
}
