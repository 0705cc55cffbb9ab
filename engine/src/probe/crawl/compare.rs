//! Compares the tables of a lake with those of the catalog, and makes the changes that the crawl's policy allows.

use std::collections::BTreeSet;

use glaux_catalog::{
    TableName,
    format::FileFormat,
    metastore::{DropPartition, PartitionChange, checked_table},
    model::{Column, StorageDescriptor, Table},
    partition::{PartitionIndex, Projection, check_value, hive_name, parse_name},
};
use twox_hash::XxHash64;

use super::{
    difference::{Change, Difference},
    format::{Delimited, recorded},
    found::FoundTable,
    keys::Found,
    merge::Clash,
    partitions::{Repair, compare},
    tree::Folder,
};
use crate::{
    error::{Error, ErrorKind, Result},
    probe::ProbeContext,
    sql::{Crawl, CrawlDeletions, CrawlPolicy},
};

/// The property with the template of a projected table's locations.
const LOCATION_TEMPLATE: &str = "storage.location.template";

/// Partitions that are named where many are meant.
const NAMED: usize = 3;

/// Compares the tables of one crawl with those of one database.
pub(super) struct Comparison<'a> {
    crawl: &'a Crawl,
    context: &'a ProbeContext<'a>,
    database: &'a str,
    url: &'a str,
    tables: Vec<Table>,
    /// Names that are taken.
    names: BTreeSet<String>,
}

impl<'a> Comparison<'a> {
    pub(super) async fn begin(crawl: &'a Crawl, database: &'a str, url: &'a str, context: &'a ProbeContext<'a>) -> Result<Self> {
        let tables = context.metastore.tables(database).await?;
        // All names, of what the caller does not see as well, would be better; creating one of those is refused anyway.
        let names = tables.iter().map(|table| table.name.table.clone()).collect();
        Ok(Self { crawl, context, database, url, tables, names })
    }

    /// Whether something is changed at all.
    fn writes(&self) -> bool {
        !self.crawl.dry_run && self.crawl.policy != CrawlPolicy::Log
    }

    /// What is said of a change that the policy allows, made or not.
    fn action(&self, done: &'static str) -> Option<&'static str> {
        Some(match (self.crawl.policy, self.crawl.dry_run) {
            (CrawlPolicy::Log, _) => "logged",
            (_, true) => "would be done",
            _ => done,
        })
    }

    /// Compares a table, and changes the catalog as far as the policy says. A table that cannot be defined or changed is reported, and the others are still handled.
    ///
    /// # Errors
    /// Those of the catalog that are not about this table alone.
    pub(super) async fn table(&mut self, found: &FoundTable<'_>) -> Result<Vec<Difference>> {
        let existing = self.tables.iter().find(|table| !table.is_view() && table.root() == found.location).cloned();
        let (table, name, change) = match &existing {
            None => (String::new(), found.location.clone(), Change::Ignored),
            Some(table) => (table.name.table.clone(), table.name.table.clone(), Change::Conflict),
        };
        let compared = match existing {
            None => self.create(found).await,
            Some(table) => self.update(table, found).await,
        };
        match compared {
            Err(error) if is_about_one_table(&error) => {
                let detail = match error.hint() {
                    Some(hint) => format!("{error}; {hint}"),
                    None => error.to_string(),
                };
                Ok(vec![Difference { table, object: "table", name, change, detail, ..Difference::default() }])
            }
            compared => compared,
        }
    }

    async fn create(&mut self, found: &FoundTable<'_>) -> Result<Vec<Difference>> {
        check_readable(found)?;
        let name = self.free_name(&found.location);
        let Some(recorded) = recorded(found.format, found.compression, found.text) else { return Ok(Vec::new()) };
        let now = self.context.clock.now();
        let mut properties = recorded.table;
        properties.insert("EXTERNAL".to_owned(), "TRUE".to_owned());
        properties.insert("typeOfData".to_owned(), "file".to_owned());
        properties.insert("transient_lastDdlTime".to_owned(), now.timestamp().to_string());
        let mut rows = Vec::new();
        let mut columns = Vec::with_capacity(found.columns.0.len());
        for seen in &found.columns.0 {
            let (hive_type, clashes) = seen.settle();
            rows.extend(clashes.iter().map(|clash| conflict(&name, &seen.name, None, clash)));
            columns.push(Column::new(&seen.name, hive_type));
        }
        let storage = StorageDescriptor {
            columns,
            location: found.location.clone(),
            input_format: recorded.classes.input.to_owned(),
            output_format: recorded.classes.output.to_owned(),
            serde: recorded.serde,
            ..StorageDescriptor::default()
        };
        let name_of_table = TableName::new(self.database, &name);
        let table = checked_table(Table { properties, ..Table::external(name_of_table, storage, found.keys.clone(), now) })?;
        let index = PartitionIndex::empty(&table.partition_keys)?;
        let repair = compare(&found.partitions, &|path| found.folder.may_hold(path), &table, &index, now);
        let keys: Vec<String> = table.partition_keys.iter().map(|key| format!("{} {}", key.name, key.hive_type)).collect();
        let mut detail =
            format!("{}, {} of {} files read", counted(table.storage.columns.len(), "column"), found.sampled, found.files);
        if !keys.is_empty() {
            let count = counted(repair.lacking.len(), "partition");
            detail = format!("{detail}, keys {}, {count}", keys.join(", "));
        }
        let first = Difference {
            table: name.clone(),
            object: "table",
            name: name.clone(),
            change: Change::New,
            found: Some(format!("{} at {}", found.format, found.location)),
            action: self.action("created"),
            detail,
            catalog: None,
        };
        rows.insert(0, first);
        rows.extend(same_values(&name, &repair));
        if self.writes() {
            self.context.metastore.install_table(table, repair.lacking, false).await?;
        }
        self.names.insert(name);
        Ok(rows)
    }

    async fn update(&mut self, table: Table, found: &FoundTable<'_>) -> Result<Vec<Difference>> {
        let name = table.name.table.clone();
        let row = |object, of: &str, change| Difference {
            table: name.clone(),
            object,
            name: of.to_owned(),
            change,
            ..Difference::default()
        };
        if !reads(&table, found) {
            return Ok(vec![Difference {
                catalog: Some(table.storage.serde.library.clone()),
                found: Some(found.format.to_string()),
                detail: "its files have another format than in the catalog; nothing was changed".to_owned(),
                ..row("table", &name, Change::Conflict)
            }]);
        }
        if let Some(conflict) = keys_conflict(&table, found) {
            return Ok(vec![Difference { table: name.clone(), object: "table", name: name.clone(), ..conflict }]);
        }
        let (columns, mut rows) = self.columns(&table, found);
        if columns != table.storage.columns {
            let mut changed = table.clone();
            changed.storage.columns = columns;
            changed.updated_at = self.context.clock.now();
            let changed = checked_table(changed)?;
            if self.writes() {
                self.context.metastore.replace_table(changed).await?;
            }
        }
        if table.is_partitioned() {
            rows.extend(self.partitions(&table, found).await?);
        }
        if rows.is_empty() {
            rows.push(Difference {
                detail: format!("no differences, {} of {} files read", found.sampled, found.files),
                ..row("table", &name, Change::None)
            });
        }
        Ok(rows)
    }

    /// The table's columns as they should be by the policy, and what differs.
    fn columns(&self, table: &Table, found: &FoundTable<'_>) -> (Vec<Column>, Vec<Difference>) {
        let name = &table.name.table;
        let mut rows = Vec::new();
        let mut columns = Vec::new();
        let is_updated = self.crawl.policy == CrawlPolicy::Update;
        for column in &table.storage.columns {
            let row = Difference { table: name.clone(), object: "column", name: column.name.clone(), ..Difference::default() };
            let of_catalog = Some(column.hive_type.to_string());
            let Some(seen) = found.columns.get(&column.name) else {
                let all_read = found.sampled as u64 == found.files;
                let is_dropped = is_updated && self.crawl.deletions == CrawlDeletions::Delete && all_read;
                let detail = format!("not found in any of {} files read, of {} in total", found.sampled, found.files);
                let action = if is_dropped { self.action("dropped") } else { Some("logged") };
                rows.push(Difference { change: Change::Missing, catalog: of_catalog, action, detail, ..row });
                if !is_dropped {
                    columns.push(column.clone());
                }
                continue;
            };
            let wider = match found.format {
                FileFormat::Parquet => seen.widen(&column.hive_type),
                // Text is read as whatever the table says.
                _ => column.hive_type.clone(),
            };
            let clashes = if found.format == FileFormat::Parquet { seen.clashes_with(&column.hive_type) } else { Vec::new() };
            rows.extend(clashes.iter().map(|clash| conflict(name, &column.name, of_catalog.clone(), clash)));
            if wider == column.hive_type {
                columns.push(column.clone());
                continue;
            }
            let action = if is_updated { self.action("changed") } else { Some("logged") };
            rows.push(Difference { change: Change::Changed, catalog: of_catalog, found: Some(wider.to_string()), action, ..row });
            columns.push(if is_updated { Column { hive_type: wider, ..column.clone() } } else { column.clone() });
        }
        for seen in &found.columns.0 {
            if table.all_columns().any(|column| column.name == seen.name) {
                continue;
            }
            let (hive_type, clashes) = seen.settle();
            rows.push(Difference {
                table: name.clone(),
                object: "column",
                name: seen.name.clone(),
                change: Change::New,
                found: Some(hive_type.to_string()),
                action: self.action("added"),
                ..Difference::default()
            });
            rows.extend(clashes.iter().map(|clash| conflict(name, &seen.name, None, clash)));
            columns.push(Column::new(&seen.name, hive_type));
        }
        // A table has at least one column.
        if columns.is_empty() {
            columns.clone_from(&table.storage.columns);
        }
        (columns, rows)
    }

    /// Adds the partitions that the catalog lacks, and by the policy drops those that are gone.
    async fn partitions(&self, table: &Table, found: &FoundTable<'_>) -> Result<Vec<Difference>> {
        if Projection::is_enabled(table) {
            // They are computed: none is missing, and none that is added would be read.
            return Ok(Vec::new());
        }
        let name = &table.name.table;
        let row = |change| Difference { table: name.clone(), object: "partitions", change, ..Difference::default() };
        let fits = |partition: &&Found| {
            table
                .partition_keys
                .iter()
                .zip(&partition.values)
                .all(|(key, value)| value.as_deref().is_none_or(|value| check_value(key, value).is_ok()))
        };
        let (fitting, others): (Vec<&Found>, Vec<&Found>) = found.partitions.iter().partition(fits);
        let fitting: Vec<Found> = fitting.into_iter().cloned().collect();
        let mut rows = Vec::new();
        if !others.is_empty() {
            let paths = some(others.iter().map(|found| found.path.as_str()));
            let detail = format!("their values do not fit the types of the keys: {paths}");
            rows.push(Difference { found: Some(others.len().to_string()), detail, ..row(Change::Conflict) });
        }
        let index = self.context.metastore.partition_index(table).await?;
        let repair = compare(&fitting, &|path| found.folder.may_hold(path), table, &index, self.context.clock.now());
        rows.extend(same_values(name, &repair));
        if !repair.lacking.is_empty() {
            let names: Vec<String> = repair.lacking.iter().map(|new| hive_name(&table.partition_keys, &new.values)).collect();
            rows.push(Difference {
                found: Some(names.len().to_string()),
                action: self.action("added"),
                detail: some(names.iter().map(String::as_str)),
                ..row(Change::New)
            });
        }
        let is_dropped = self.crawl.policy == CrawlPolicy::Update && self.crawl.deletions == CrawlDeletions::Delete;
        if !repair.gone.is_empty() {
            rows.push(Difference {
                catalog: Some(repair.gone.len().to_string()),
                action: if is_dropped { self.action("dropped") } else { Some("logged") },
                detail: some(repair.gone.iter().map(String::as_str)),
                ..row(Change::Missing)
            });
        }
        let drop = if is_dropped { repair.gone } else { Vec::new() };
        let drop = drop
            .iter()
            .map(|name| Ok(DropPartition { values: parse_name(&table.partition_keys, name)?, if_exists: true }))
            .collect::<Result<Vec<_>>>()?;
        if self.writes() && !(drop.is_empty() && repair.lacking.is_empty()) {
            // Somebody may have added some meanwhile: that is no error.
            let change = PartitionChange { drop, add: repair.lacking, skip_existing: true, ..PartitionChange::default() };
            self.context.metastore.change_partitions(table, change).await?;
        }
        Ok(rows)
    }

    /// Tables of the catalog below the URL that have no data: neither at their location nor, in partitions that lie elsewhere, there.
    pub(super) async fn missing_tables(&self, tree: &Folder) -> Result<Vec<Difference>> {
        let mut rows = Vec::new();
        let is_dropped = self.crawl.policy == CrawlPolicy::Update && self.crawl.deletions == CrawlDeletions::Delete;
        for table in self.tables.iter().filter(|table| !table.is_view()) {
            let root = table.root();
            let Some(path) = root.strip_prefix(self.url) else { continue };
            if tree.may_hold(path.trim_end_matches('/')) || self.has_partitions_elsewhere(table).await? {
                continue;
            }
            rows.push(Difference {
                table: table.name.table.clone(),
                object: "table",
                name: table.name.table.clone(),
                change: Change::Missing,
                catalog: Some(table.storage.location.clone()),
                found: None,
                action: if is_dropped { self.action("dropped") } else { Some("logged") },
                detail: "no data files are at its location".to_owned(),
            });
            if is_dropped && self.writes() {
                self.context.metastore.drop_table(&table.name).await?;
            }
        }
        Ok(rows)
    }

    /// Whether a table has partitions that need not be below its location.
    async fn has_partitions_elsewhere(&self, table: &Table) -> Result<bool> {
        if Projection::is_enabled(table) {
            return Ok(table.properties.contains_key(LOCATION_TEMPLATE));
        }
        if !table.is_partitioned() {
            return Ok(false);
        }
        let (index, root) = (self.context.metastore.partition_index(table).await?, table.root());
        let is_elsewhere = |row: &u32| index.own_location(*row as usize).is_some_and(|location| !location.starts_with(&root));
        Ok(index.located().iter().any(is_elsewhere))
    }

    /// The name of the folder, with the prefix; with a hash of the location after it if that is taken.
    fn free_name(&self, location: &str) -> String {
        let folder = location.trim_end_matches('/').rsplit('/').next().unwrap_or_default().to_lowercase();
        let plain: String = folder.chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { '_' }).collect();
        let name = format!("{}{}", self.crawl.table_prefix, if plain.is_empty() { "lake" } else { &plain });
        match self.names.contains(&name) {
            true => format!("{name}_{:08x}", XxHash64::oneshot(0, location.as_bytes()) as u32),
            false => name,
        }
    }
}

/// Whether an error is about one table, so that the others can be looked at all the same.
fn is_about_one_table(error: &Error) -> bool {
    use ErrorKind::{AlreadyExists, Conflict, Invalid, LimitExceeded, NotFound, Unsupported};
    matches!(error.kind(), Invalid | Unsupported | AlreadyExists | NotFound | Conflict | LimitExceeded)
}

/// Whether a table's classes read what was found.
fn reads(table: &Table, found: &FoundTable<'_>) -> bool {
    use FileFormat as F;
    match (FileFormat::of(&table.storage), found.format) {
        (Some(F::Json | F::OpenXJson), F::Json | F::OpenXJson) => true,
        (of_catalog, F::Text | F::Csv) => of_catalog == Some(found.text.map_or(F::Text, Delimited::format)),
        (of_catalog, found) => of_catalog == Some(found),
    }
}

/// A table reads all files of its location, as in Hive: one that no query can read would make every query fail.
///
/// # Errors
/// `Invalid`, naming such a file.
fn check_readable(found: &FoundTable<'_>) -> Result<()> {
    let Some((_, such)) = found.unreadable.first() else { return Ok(()) };
    let count: u64 = found.unreadable.iter().map(|(count, _)| count).sum();
    let files = if count == 1 { "a file".to_owned() } else { format!("{count} files") };
    Err(Error::invalid(format!("no table was made of it: {files} in it cannot be read as {}, such as {such}", found.format))
        .with_hint("Move other files elsewhere, or give them names that begin with _ or ."))
}

/// Whether the folders are divided by other keys than the table; folders without names go with any.
fn keys_conflict(table: &Table, found: &FoundTable<'_>) -> Option<Difference> {
    let names = |keys: &[Column]| keys.iter().map(|key| key.name.clone()).collect::<Vec<_>>().join(", ");
    let is_same = if found.keys_are_named {
        found.keys.iter().map(|key| &key.name).eq(table.partition_keys.iter().map(|key| &key.name))
    } else {
        found.keys.len() == table.partition_keys.len()
    };
    (!is_same).then(|| Difference {
        change: Change::Conflict,
        catalog: Some(format!("partitioned by ({})", names(&table.partition_keys))),
        found: Some(format!("partitioned by ({})", names(&found.keys))),
        detail: "partition keys cannot be changed: recreate the table; nothing was changed".to_owned(),
        ..Difference::default()
    })
}

fn conflict(table: &str, column: &str, catalog: Option<String>, clash: &Clash) -> Difference {
    Difference {
        table: table.to_owned(),
        object: "column",
        name: column.to_owned(),
        change: Change::Conflict,
        catalog,
        found: Some(clash.hive_type.to_string()),
        action: Some("logged"),
        detail: format!("in {}: {}", counted(clash.count, "file"), some(clash.files.iter().map(String::as_str))),
    }
}

/// Folders that have the same values as others.
fn same_values(table: &str, repair: &Repair) -> Vec<Difference> {
    let row = |path: &String| Difference {
        table: table.to_owned(),
        object: "folder",
        name: path.clone(),
        change: Change::Ignored,
        detail: "another folder has the same values".to_owned(),
        ..Difference::default()
    };
    repair.same.iter().map(row).collect()
}

/// Some of these names.
fn some<'a>(names: impl Iterator<Item = &'a str>) -> String {
    let names: Vec<&str> = names.collect();
    let shown = names.iter().take(NAMED).copied().collect::<Vec<_>>().join(", ");
    match names.len().saturating_sub(NAMED) {
        0 => shown,
        more => format!("{shown} and {more} more"),
    }
}

fn counted(count: usize, noun: &str) -> String {
    format!("{count} {noun}{}", if count == 1 { "" } else { "s" })
}
