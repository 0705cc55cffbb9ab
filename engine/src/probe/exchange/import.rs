//! Imports Glue's JSON into a catalog, one transaction for a table with its partitions. What is not supported is reported by name, with the
//! reason.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, Utc};
use glaux_catalog::{
    Metastore, TableName,
    glue::{self, Documents, GluePartition, SharedStorage},
    ident,
    metastore::PartitionChange,
    model::{Database, Partition, PartitionValues, Table},
};

use crate::{
    error::{Error, ErrorKind, Result},
    location::normalise_location,
    reserved::is_system_schema,
    sql::{self, Statement},
};

/// What decides about definitions that exist already, as errors name it.
const IF_EXISTS: &str = "import.if_exists";

/// What becomes of a table that the catalog has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IfExists {
    /// It stays as it is.
    Skip,
    /// What is imported takes its place, with the same grants.
    Replace,
    /// Nothing at all is imported.
    Fail,
}

/// What became of one object.
#[derive(Debug, Clone)]
pub struct Imported {
    /// `table "sales.orders"`.
    pub object: String,
    pub outcome: Outcome,
    /// Partitions that came with it.
    pub partitions: usize,
    pub is_view: bool,
}

#[derive(Debug, Clone)]
pub enum Outcome {
    Created,
    Replaced,
    /// It already exists.
    Skipped,
    /// It cannot be held, for this reason.
    LeftOut(Error),
}

/// The partitions of one table, as Glue gave them.
type Group = Vec<(GluePartition, Arc<SharedStorage>)>;

/// Takes all that was read into the catalog. Databases that exist stay as they are unless they are to be replaced; partitions of tables that are
/// not among the documents are added to the catalog's. `now` is the time of what Glue gives no time for.
///
/// # Errors
/// `AlreadyExists` with [`IfExists::Fail`], before anything was changed; those of the catalog, which leave whole tables behind.
pub async fn import_glue(
    metastore: &dyn Metastore,
    documents: Documents,
    if_exists: IfExists,
    now: DateTime<Utc>,
) -> Result<Vec<Imported>> {
    let mut groups: BTreeMap<TableName, Group> = BTreeMap::new();
    for (partition, shared) in documents.partitions {
        let (Some(database), Some(table)) = (&partition.database_name, &partition.table_name) else {
            return Err(Error::invalid(format!(
                "the partition with the values \"{}\" does not name its table",
                partition.values.join("\", \"")
            ))
            .with_hint("Give it DatabaseName and TableName, as Glue does"));
        };
        groups.entry(TableName::new(database, table)).or_default().push((partition, shared));
    }
    let tables: Vec<_> = documents
        .tables
        .into_iter()
        .map(|glue| {
            let name = TableName::new(glue.database_name.clone().unwrap_or_default(), &glue.name);
            let is_view = glue.table_type.as_deref() == Some("VIRTUAL_VIEW");
            let object = format!("{} \"{name}\"", if is_view { "view" } else { "table" });
            let group = groups.remove(&name).unwrap_or_default();
            (object, is_view, read_table(glue, &group, now))
        })
        .collect();
    if if_exists == IfExists::Fail {
        for (table, _) in tables.iter().filter_map(|(_, _, read)| read.as_ref().ok()) {
            if exists(metastore, &table.name).await?.is_some() {
                return Err(Error::already_exists(format!("table \"{}\" already exists", table.name))
                    .with_hint("Nothing was imported. Skip existing objects (skip), or replace them (replace)")
                    .with_setting(IF_EXISTS));
            }
        }
    }
    let mut imported = Vec::new();
    for database in documents.databases {
        let object = format!("database \"{}\"", database.name);
        let outcome = match glue::database(database, now) {
            Ok(database) => import_database(metastore, database, if_exists).await?,
            Err(reason) => Outcome::LeftOut(reason),
        };
        imported.push(Imported { object, outcome, partitions: 0, is_view: false });
    }
    for (object, is_view, read) in tables {
        let (outcome, partitions) = match read {
            Ok((table, partitions)) => import_table(metastore, table, partitions, if_exists, now).await?,
            Err(reason) => (Outcome::LeftOut(reason), 0),
        };
        imported.push(Imported { object, outcome, partitions, is_view });
    }
    for (name, group) in groups {
        let (outcome, partitions) = import_partitions(metastore, &name, &group, if_exists, now).await?;
        imported.push(Imported { object: format!("partitions of table \"{name}\""), outcome, partitions, is_view: false });
    }
    Ok(imported)
}

async fn exists(metastore: &dyn Metastore, name: &TableName) -> Result<Option<Table>> {
    match metastore.table(name).await {
        Ok(table) => Ok(Some(table)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

fn read_table(glue: glue::GlueTable, group: &Group, now: DateTime<Utc>) -> Result<(Table, Vec<Partition>)> {
    if glue.database_name.as_deref().is_none_or(str::is_empty) {
        return Err(Error::invalid("it does not name its database").with_hint("Give it a DatabaseName, as Glue does"));
    }
    let mut table = glue::table(glue, now)?;
    if let Some(text) = &table.view_text {
        match sql::parse(text) {
            Ok(Statement::Query(_)) => {}
            Ok(_) => return Err(Error::invalid("its text is not a query")),
            Err(error) => return Err(error),
        }
    } else {
        table.storage.location = place(&table.storage.location)?;
    }
    let partitions = group.iter().map(|(glue, shared)| read_partition(&table, glue, shared, now)).collect::<Result<_>>()?;
    Ok((table, partitions))
}

fn read_partition(table: &Table, glue: &GluePartition, shared: &SharedStorage, now: DateTime<Utc>) -> Result<Partition> {
    let read = || {
        let mut partition = glue::partition(table, glue, shared, now)?;
        partition.location = partition.location.as_deref().map(place).transpose()?;
        Ok(partition)
    };
    read().map_err(|error: Error| error.with_context("partition", glue.values.join("/")))
}

/// A location in the catalog's form. Hadoop's other schemes for S3 mean the same.
fn place(location: &str) -> Result<String> {
    let rest = ["s3a://", "s3n://"].iter().find_map(|scheme| location.strip_prefix(scheme));
    normalise_location(&rest.map_or_else(|| location.to_owned(), |rest| format!("s3://{rest}")))
}

async fn import_database(metastore: &dyn Metastore, database: Database, if_exists: IfExists) -> Result<Outcome> {
    if let Some(reserved) = reserved(&database.name) {
        return Ok(Outcome::LeftOut(reserved));
    }
    left_out(match metastore.database(&database.name).await {
        Err(error) if error.kind() == ErrorKind::NotFound => metastore.create_database(database).await.map(|()| Outcome::Created),
        Err(error) => return Err(error),
        Ok(_) if if_exists == IfExists::Replace => metastore.replace_database(database).await.map(|()| Outcome::Replaced),
        Ok(_) => Ok(Outcome::Skipped),
    })
}

/// Why a database cannot have this name, if it is that of one of the engine's own schemas.
fn reserved(database: &str) -> Option<Error> {
    is_system_schema(&ident::fold(database)).then(|| {
        Error::invalid(format!("database name \"{database}\" is reserved"))
            .with_hint("It holds the engine's own tables; rename the database before it is exported")
    })
}

/// An object that does not make sense is left out; what the catalog fails at ends the import.
fn left_out(outcome: Result<Outcome>) -> Result<Outcome> {
    match outcome {
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::Invalid | ErrorKind::Unsupported | ErrorKind::AlreadyExists | ErrorKind::NotFound
            ) =>
        {
            Ok(Outcome::LeftOut(error))
        }
        outcome => outcome,
    }
}

async fn import_table(
    metastore: &dyn Metastore,
    table: Table,
    partitions: Vec<Partition>,
    if_exists: IfExists,
    now: DateTime<Utc>,
) -> Result<(Outcome, usize)> {
    if let Some(reserved) = reserved(&table.name.database) {
        return Ok((Outcome::LeftOut(reserved), 0));
    }
    let existing = exists(metastore, &table.name).await?;
    if existing.is_some() && if_exists == IfExists::Skip {
        return Ok((Outcome::Skipped, 0));
    }
    if existing.is_none()
        && let Err(error) = metastore.database(&table.name.database).await
    {
        if error.kind() != ErrorKind::NotFound {
            return Err(error);
        }
        let plain = Database {
            name: table.name.database.clone(),
            comment: None,
            location: None,
            properties: Default::default(),
            created_at: now,
        };
        if let outcome @ Outcome::LeftOut(_) = left_out(metastore.create_database(plain).await.map(|()| Outcome::Created))? {
            return Ok((outcome, 0));
        }
    }
    let count = partitions.len();
    let replace = if_exists == IfExists::Replace;
    let done = if existing.is_some() { Outcome::Replaced } else { Outcome::Created };
    let outcome = left_out(metastore.install_table(table, partitions, replace).await.map(|_| done))?;
    let count = if matches!(outcome, Outcome::LeftOut(_)) { 0 } else { count };
    Ok((outcome, count))
}

/// Partitions of a table that is in the catalog alone.
async fn import_partitions(
    metastore: &dyn Metastore,
    name: &TableName,
    group: &Group,
    if_exists: IfExists,
    now: DateTime<Utc>,
) -> Result<(Outcome, usize)> {
    let Some(table) = exists(metastore, name).await? else {
        let reason = Error::not_found("their table is neither in the documents nor in the catalog");
        return Ok((Outcome::LeftOut(reason.with_hint("Import what `aws glue get-tables` prints with them")), 0));
    };
    let read = group.iter().map(|(glue, shared)| read_partition(&table, glue, shared, now)).collect::<Result<Vec<_>>>();
    let partitions = match read {
        Ok(partitions) => partitions,
        Err(reason) => return Ok((Outcome::LeftOut(reason), 0)),
    };
    let mut change = PartitionChange { add: partitions, skip_existing: if_exists == IfExists::Skip, ..Default::default() };
    if if_exists == IfExists::Replace {
        let values: Vec<PartitionValues> = change.add.iter().map(|partition| partition.values.clone()).collect();
        let known = metastore.partitions(&table, &values).await?;
        let known: std::collections::HashSet<PartitionValues> = known.into_iter().map(|partition| partition.values).collect();
        (change.replace, change.add) = change.add.into_iter().partition(|partition| known.contains(&partition.values));
    }
    match metastore.change_partitions(&table, change).await {
        Ok(summary) => Ok((Outcome::Created, summary.added + summary.replaced)),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            Err(error.with_hint("Skip existing partitions (skip), or replace them (replace)").with_setting(IF_EXISTS))
        }
        Err(error) => Ok((left_out(Err(error))?, 0)),
    }
}
