//! The target of an ingest: an existing table, or the definition of a new one.

use std::{collections::HashSet, path::Path, sync::Arc};

use glaux_catalog::{
    HiveType, Metastore, TableName,
    discovery::{ListRequest, StoreProvider},
    ident,
    model::{Access, Column, Properties, Table},
    partition::PartitionIndex,
};

use super::{IfExists, IfNotExists, IngestTarget, columns::positions, place::place};
use crate::{
    access::Guarded,
    data_dir::WAREHOUSE,
    error::{Error, ErrorKind, Result, nearest},
    formats::{self, OutputFormat},
    location::normalise_location,
    managed::Managed,
    plan::PlanContext,
    reserved::is_system_schema,
    sql::{CreateTable, StoredAs, TableRef},
    storage::QueryStores,
};

/// A target that was found to be possible.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(super) name: TableName,
    pub(super) columns: Vec<Column>,
    pub(super) keys: Vec<Column>,
    /// With a slash at its end.
    pub(super) root: String,
    /// Its partitions so far.
    pub(super) index: Arc<PartitionIndex>,
    /// What writes its files, but for partitions that are laid out otherwise.
    pub(super) format: Arc<dyn OutputFormat>,
    pub(super) fate: Fate,
}

/// What the catalog is told at the end.
#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "there is one an ingest")]
pub(super) enum Fate {
    /// The table as it was found; new partitions are added.
    Append(Table),
    Create {
        create: CreateTable,
        /// Whether its files are to go with it.
        managed: bool,
        /// The table that it takes the place of.
        replaces: Option<Managed>,
    },
}

impl Resolved {
    /// Looks for the table, or for its place. `unique` becomes part of the name of a new table's folder.
    ///
    /// # Errors
    /// `Invalid` for options that were not chosen or contradict the table, for a view, and for a new table's location that holds files;
    /// `Unsupported` for a replacement, a format that is not written, and types that Hive does not have; `AlreadyExists`; `NotFound`.
    pub(crate) async fn find(target: &IngestTarget, context: &PlanContext, data_dir: &Path, unique: &str) -> Result<Self> {
        let PlanContext { metastore, guard, .. } = context;
        let stores = context.scan.stores.as_ref();
        let name = target.name(&context.session.database);
        if target.if_exists == IfExists::Unspecified || target.if_not_exists == IfNotExists::Unspecified {
            return Err(Error::invalid(format!("it is not specified whether to create table \"{name}\" or to append to it"))
                .with_hint("Choose what happens if the table exists, and if it does not"));
        }
        if is_system_schema(&name.database) {
            return Err(Error::invalid(format!("\"{}\" holds the engine's own tables, which cannot be written", name.database))
                .with_hint("Choose another database"));
        }
        ident::checked("table", &name.table)?;
        let replaces = match metastore.table(&name).await {
            Ok(table) => match Self::existing(target, table, metastore).await? {
                Existing::Taken(resolved) => {
                    resolved.check_places(guard).await?;
                    return Ok(resolved);
                }
                Existing::Replaced(managed) => Some(managed),
            },
            Err(missing) if missing.kind() == ErrorKind::NotFound && target.if_not_exists == IfNotExists::Create => None,
            Err(error) => return Err(error),
        };
        let database = metastore.database(&name.database).await?;
        // A folder of its own: whoever drops the table and creates it again meets nothing of it, and no removal meets what is new.
        let folder = format!("{}-{unique}", name.table);
        let location = match (&target.location, &database.location) {
            (Some(location), _) => location.clone(),
            (None, Some(database)) => format!("{}/{folder}/", database.trim_end_matches('/')),
            (None, None) => data_dir.join(WAREHOUSE).join(&name.database).join(folder).to_string_lossy().into_owned(),
        };
        let root = normalise_location(&location)?;
        guard.reach(Access::Write).await?.check(&root, &guard.places_of(&name.database).await?)?;
        Self::new(target, name, root, stores, replaces).await
    }

    async fn existing(target: &IngestTarget, table: Table, metastore: &Arc<dyn Metastore>) -> Result<Existing> {
        let name = table.name.clone();
        if target.if_exists == IfExists::Fail {
            return Err(Error::already_exists(format!("table \"{name}\" already exists"))
                .with_hint("Choose another name, or append to it"));
        }
        if table.is_view() {
            return Err(
                Error::invalid(format!("\"{name}\" is a view, and rows can be added only to tables")).with_hint("Name a table")
            );
        }
        if target.if_exists == IfExists::Replace {
            let managed = Managed::of(&table, metastore.as_ref()).await?;
            return managed.map(Existing::Replaced).ok_or_else(|| {
                Error::unsupported(format!("table \"{name}\" is external, and Glaux does not replace its files"))
                    .with_hint("Run DROP TABLE first, which keeps its files, or append to it")
            });
        }
        let format = formats::output_of(&table, None)?;
        if table.storage.bucket_count.is_some() {
            return Err(Error::unsupported(format!("table \"{name}\" is bucketed, and buckets cannot be written"))
                .with_hint("Append to a table without CLUSTERED BY"));
        }
        if let Some(location) = &target.location {
            let location = normalise_location(location)?;
            if location != table.root() {
                return Err(Error::invalid(format!("table \"{name}\" is at \"{}\", not at \"{location}\"", table.root()))
                    .with_hint("Leave the location out to append to a table"));
            }
        }
        let keys: Vec<_> = table.partition_keys.iter().map(|key| key.name.clone()).collect();
        let asked: Vec<_> = target.partitioned_by.iter().map(|key| ident::fold(key)).collect();
        if !asked.is_empty() && asked != keys {
            return Err(Error::invalid(format!("table \"{name}\" is not partitioned by \"{}\"", asked.join("\", \"")))
                .with_hint(if keys.is_empty() {
                    "It has no partition keys".to_owned()
                } else {
                    format!("Its partition keys are {}", keys.join(", "))
                }));
        }
        let index = metastore.partition_index(&table).await?;
        Ok(Existing::Taken(Self {
            name,
            columns: table.storage.columns.clone(),
            keys: table.partition_keys.clone(),
            root: table.root(),
            index,
            format,
            fate: Fate::Append(table),
        }))
    }

    /// Refuses to write where the caller may not: a table that one may write can lie over another that one may not.
    async fn check_places(&self, guard: &Guarded) -> Result<()> {
        let reach = guard.reach(Access::Write).await?;
        reach.check_others(&self.name, &self.root)?;
        for row in self.index.located() {
            reach.check_others(&self.name, &self.index.location(*row as usize, &self.root))?;
        }
        Ok(())
    }

    async fn new(
        target: &IngestTarget,
        name: TableName,
        root: String,
        stores: &QueryStores,
        replaces: Option<Managed>,
    ) -> Result<Self> {
        let (columns, keys) = definition(target, &name)?;
        let format = formats::parquet_output()?;
        check_empty(stores, &name, &root, &format).await?;
        let create = CreateTable {
            table: TableRef { database: Some(name.database.clone()), table: name.table.clone() },
            if_not_exists: false,
            columns: columns.clone(),
            comment: None,
            partitioned_by: keys.clone(),
            clustered_by: None,
            row_format: None,
            serde_properties: Properties::new(),
            stored_as: Some(StoredAs::Format("PARQUET".to_owned())),
            location: Some(root.clone()),
            properties: Properties::new(),
        };
        let index = Arc::new(PartitionIndex::empty(&keys)?);
        let fate = Fate::Create { create, managed: target.location.is_none(), replaces };
        Ok(Self { name, columns, keys, root, index, format, fate })
    }
}

/// A table that is there: it takes the rows, or is replaced by them.
#[expect(clippy::large_enum_variant, reason = "there is one an ingest")]
enum Existing {
    Taken(Resolved),
    Replaced(Managed),
}

/// The columns and the partition keys of a new table.
fn definition(target: &IngestTarget, table: &TableName) -> Result<(Vec<Column>, Vec<Column>)> {
    let positions = positions(&target.schema)?;
    let column = |at: usize| {
        let field = target.schema.field(at);
        let name = ident::checked("column", field.name())?;
        let hive_type = HiveType::from_arrow(field.data_type()).and_then(|hive_type| check_parts(&hive_type).map(|()| hive_type));
        Ok(Column::new(name, hive_type.map_err(|error| error.with_context("column", field.name()))?))
    };
    let mut chosen = HashSet::new();
    let mut keys = Vec::with_capacity(target.partitioned_by.len());
    for key in &target.partitioned_by {
        let Some(at) = positions.get(&ident::fold(key)) else {
            let error = Error::invalid(format!("partition key \"{key}\" is not a column of the rows"));
            return Err(match nearest(&ident::fold(key), positions.keys().map(String::as_str)) {
                Some(near) => error.with_hint(format!("Did you mean \"{near}\"?")),
                None => error.with_hint("Partition a table by columns that the rows have"),
            });
        };
        if !chosen.insert(*at) {
            return Err(Error::invalid(format!("partition key \"{key}\" is named twice")).with_hint("Name it once"));
        }
        let key = column(*at)?;
        if key.hive_type.is_nested() {
            return Err(Error::invalid(format!("partition key \"{}\" has the type \"{}\"", key.name, key.hive_type))
                .with_hint("Partition keys have scalar types"));
        }
        keys.push(key);
    }
    let others = (0..target.schema.fields().len()).filter(|at| !chosen.contains(at));
    let columns = others.map(column).collect::<Result<Vec<_>>>()?;
    if columns.is_empty() {
        return Err(Error::invalid(format!("table \"{table}\" has no columns besides partition keys"))
            .with_hint("Partition it by fewer columns"));
    }
    Ok((columns, keys))
}

/// Refuses structs with two fields of one name.
fn check_parts(hive_type: &HiveType) -> Result<()> {
    match hive_type {
        HiveType::Array(element) => check_parts(element),
        HiveType::Map(key, value) => check_parts(key).and_then(|()| check_parts(value)),
        HiveType::Struct(fields) => {
            let mut names = HashSet::new();
            for (name, field) in fields {
                if !names.insert(name) {
                    return Err(Error::invalid(format!("a struct has two fields named \"{name}\""))
                        .with_hint("Names that differ only in case are the same: rename one of them"));
                }
                check_parts(field)?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// Refuses a new table's location that holds files, which would be the table's.
async fn check_empty(stores: &QueryStores, table: &TableName, location: &str, format: &Arc<dyn OutputFormat>) -> Result<()> {
    // Whether it can be written is asked before it is listed.
    place(stores, location, Arc::clone(format))?;
    let opened = stores.open(location)?;
    let prefix = if opened.prefix.is_empty() { String::new() } else { format!("{}/", opened.prefix) };
    let mut token = None;
    loop {
        let page = opened.lister.page(ListRequest { prefix: prefix.clone(), token, ..ListRequest::default() }).await?;
        // What is empty is a folder's marker, or is passed over by readers all the same.
        if let Some(file) = page.objects.iter().find(|object| object.size > 0) {
            return Err(Error::invalid(format!("the location \"{location}\" of the new table \"{table}\" already holds files"))
                .with_context("file", file.location.as_ref())
                .with_hint("Choose an empty folder, or CREATE EXTERNAL TABLE over it and append to that"));
        }
        match page.next_token {
            Some(next) => token = Some(next),
            None => return Ok(()),
        }
    }
}
