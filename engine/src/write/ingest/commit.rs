//! The commit of one ingest: files are written where nobody sees them, then made visible and registered in the catalog, or removed.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::Arc,
    time::Duration,
};

use arrow::array::RecordBatch;
use futures::{Stream, TryStreamExt};
use glaux_catalog::{
    Metastore, TableName,
    format::FileFormat,
    metastore::PartitionChange,
    model::{Partition, PartitionValues, Table},
    partition::hive_name,
};

use super::{
    columns::Columns,
    place::Places,
    target::{Fate, Resolved},
};
use crate::{
    error::{Error, ErrorKind, Result},
    managed::Managed,
    statements::{self, StatementContext},
    storage::QueryStores,
    write::{WriteOptions, WrittenFile, staged::Staged, table::TableWriter},
};

/// Rows that are converted and written at a time, between two looks at whether anybody wants them.
const ROWS_AT_A_TIME: usize = 32 << 10;

/// How often a change of partitions that others change too is tried.
const ATTEMPTS: usize = 8;

/// How long a query that failed waits until its files are removed; what takes longer goes on without it.
const REMOVAL_PATIENCE: Duration = Duration::from_secs(5);

/// One ingest.
#[derive(Debug)]
pub(crate) struct Ingest {
    target: Resolved,
    columns: Columns,
    writer: TableWriter,
}

impl Ingest {
    /// Nothing is sent yet. What is staged on disks is noted in the folder `run`. Files are named `<prefix>-00000` and so on, which must be unique.
    ///
    /// # Errors
    /// `Invalid` for columns that do not fit the table, naming them.
    pub(crate) fn new(
        target: Resolved,
        schema: &arrow::datatypes::SchemaRef,
        stores: &Arc<QueryStores>,
        run: &Path,
        file_prefix: String,
    ) -> Result<Self> {
        let columns = Columns::matched(&target.name, schema, &target.columns, &target.keys)?;
        let places = Places {
            stores: Arc::clone(stores),
            root: target.root.clone(),
            index: Arc::clone(&target.index),
            format: Arc::clone(&target.format),
            table: match &target.fate {
                Fate::Append(table) => Some(table.clone()),
                Fate::Create { .. } => None,
            },
        };
        let options = WriteOptions { file_prefix, max_open_files: 100, memory_limit: 128 << 20 };
        let staged = Staged::begin(run, &options.file_prefix).map_err(|error| {
            Error::new(ErrorKind::Unavailable, format!("\"{}\" cannot be written to", run.display()))
                .with_hint("Give this user write access to the data directory, on a file system with locks")
                .with_source(error)
        })?;
        let writer = TableWriter::placed(Box::new(places), columns.schema(), &target.keys, options)?.noted(staged);
        Ok(Self { target, columns, writer })
    }

    /// Writes all rows to files that nobody sees. Give it up with [`give_up`] if this fails, or is dropped.
    ///
    /// # Errors
    /// Those of the rows; `Invalid` for values that do not fit, naming the column; those of the store.
    pub(crate) async fn write(&mut self, batches: impl Stream<Item = Result<RecordBatch>>) -> Result<()> {
        let mut batches = std::pin::pin!(batches);
        while let Some(batch) = batches.try_next().await? {
            for start in (0..batch.num_rows()).step_by(ROWS_AT_A_TIME) {
                let rows = batch.slice(start, ROWS_AT_A_TIME.min(batch.num_rows() - start));
                self.writer.write(&self.columns.convert(&rows)?).await?;
                tokio::task::yield_now().await;
            }
        }
        self.writer.seal().await
    }

    /// Lets readers see the files, unless the table is not what it was. Give it up with [`give_up`] if this fails, or is dropped.
    ///
    /// # Errors
    /// `Conflict`; those of the store.
    pub(crate) async fn publish(&mut self, metastore: &Arc<dyn Metastore>) -> Result<()> {
        self.target.check_unchanged(metastore).await?;
        self.writer.publish().await
    }

    /// Changes the catalog. This is to be waited for: if it is dropped, nobody knows whether it happened.
    ///
    /// # Errors
    /// `Conflict` if the table is not what it was; those of the catalog, which then knows nothing new.
    pub(crate) async fn commit(&mut self, context: &StatementContext<'_>) -> Result<()> {
        let partitions =
            self.writer.written().iter().map(|file| (hive_name(&self.target.keys, &file.values), file.values.clone()));
        let partitions: BTreeMap<String, PartitionValues> = partitions.filter(|(name, _)| !name.is_empty()).collect();
        self.target.commit(&partitions, context).await
    }

    /// The table that these rows have taken the place of.
    pub(crate) fn replaced(&self) -> Option<Managed> {
        match &self.target.fate {
            Fate::Create { replaces, .. } => replaces.clone(),
            Fate::Append(_) => None,
        }
    }

    /// The table's name, and the Hive names of the partitions that have new files; none of a table without partition keys.
    pub(crate) fn written_to(&self) -> (TableName, BTreeSet<String>) {
        let names = self.writer.written().iter().map(|file| hive_name(&self.target.keys, &file.values));
        (self.target.name.clone(), names.filter(|name| !name.is_empty()).collect())
    }

    /// What was written: rows, files, bytes.
    pub(crate) fn totals(&self) -> [u64; 3] {
        let files = self.writer.written();
        let sum = |figure: fn(&WrittenFile) -> u64| files.iter().map(figure).sum();
        [sum(|file| file.rows), files.len() as u64, sum(|file| file.bytes)]
    }
}

impl Resolved {
    /// Brings the catalog to know the table, and the partitions by their Hive names.
    async fn commit(&self, partitions: &BTreeMap<String, PartitionValues>, context: &StatementContext<'_>) -> Result<()> {
        match &self.fate {
            Fate::Append(_) => {
                let table = self.check_unchanged(context.metastore()).await?;
                match table {
                    Some(table) => self.add_partitions(&table, partitions, context).await,
                    None => Ok(()),
                }
            }
            Fate::Create { create, managed, replaces } => {
                let table = statements::new_table(create, context)?;
                let partition = |values: &PartitionValues| Partition::new(values.clone(), context.now());
                let partitions = partitions.values().map(partition).collect();
                match context.metastore().install_table(table, partitions, replaces.is_some()).await {
                    Ok(table) if *managed => Managed::note(&table, context.unguarded).await,
                    Ok(_) => {}
                    Err(error) if error.kind() == ErrorKind::AlreadyExists => return Err(self.conflict("was created")),
                    Err(error) => return Err(error),
                }
                Ok(())
            }
        }
    }

    /// The table as it is now, if it is what it was found to be; none if there was and is none.
    async fn check_unchanged(&self, metastore: &Arc<dyn Metastore>) -> Result<Option<Table>> {
        let now = match metastore.table(&self.name).await {
            Ok(table) => Some(table),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(error),
        };
        match (&self.fate, &now) {
            (Fate::Create { replaces: None, .. }, None) => {}
            (Fate::Create { replaces: None, .. }, Some(_)) => return Err(self.conflict("was created")),
            (Fate::Create { replaces: Some(then), .. }, Some(now)) if then.id() == now.id => {}
            (Fate::Create { replaces: Some(_), .. }, _) => return Err(self.conflict("was dropped")),
            (Fate::Append(then), Some(now)) if then.id == now.id => {
                let columns =
                    |table: &Table| table.all_columns().map(|c| (c.name.clone(), c.hive_type.clone())).collect::<Vec<_>>();
                // Properties of the table, too, may say how text is laid out.
                let has_layout = FileFormat::of(&then.storage) != Some(FileFormat::Parquet);
                let is_laid_out_anew = then.storage.serde != now.storage.serde || has_layout && then.properties != now.properties;
                if columns(then) != columns(now) || then.root() != now.root() || is_laid_out_anew {
                    return Err(self.conflict("was altered"));
                }
            }
            (Fate::Append(_), _) => return Err(self.conflict("was dropped")),
        }
        Ok(now)
    }

    /// Adds the partitions that have files and are new, in one transaction, and sees that the others are where they were.
    async fn add_partitions(
        &self,
        table: &Table,
        written: &BTreeMap<String, PartitionValues>,
        context: &StatementContext<'_>,
    ) -> Result<()> {
        if written.is_empty() {
            return Ok(());
        }
        let values: Vec<PartitionValues> = written.values().cloned().collect();
        for _ in 0..ATTEMPTS {
            let found = context.metastore().partitions(table, &values).await.map_err(|error| self.meanwhile(error))?;
            let mut existing = BTreeMap::new();
            for partition in found {
                existing.insert(hive_name(&self.keys, &partition.values), partition.location);
            }
            let mut add = Vec::new();
            for (name, values) in written {
                let then = self.index.find(name).map(|row| self.index.own_location(row));
                match (existing.get(name), then) {
                    (None, None) => add.push(Partition::new(values.clone(), context.now())),
                    // It was not there, or lay in the usual place; and it does.
                    (Some(None), None) => {}
                    (Some(now), Some(then)) if now.as_deref() == then => {}
                    _ => {
                        return Err(self.conflict(&format!("changed its partition \"{name}\"")));
                    }
                }
            }
            if add.is_empty() {
                return Ok(());
            }
            match context.metastore().change_partitions(table, PartitionChange { add, ..PartitionChange::default() }).await {
                // Somebody else adds partitions too: look again.
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                changed => return changed.map(drop).map_err(|error| self.meanwhile(error)),
            }
        }
        Err(self.conflict("was altered again and again"))
    }

    /// An error of a table that was looked up by its id.
    fn meanwhile(&self, error: Error) -> Error {
        if error.kind() == ErrorKind::NotFound { self.conflict("was dropped") } else { error }
    }

    fn conflict(&self, what: &str) -> Error {
        Error::conflict(format!("table \"{}\" {what} during the ingest", self.name))
            .with_hint("No rows were added; send them again")
    }
}

/// Removes whatever was written; gives the error that was the reason, with what could not be removed.
pub(crate) async fn give_up(ingest: Ingest, error: Error) -> Error {
    let removed = tokio::time::timeout(REMOVAL_PATIENCE, tokio::spawn(ingest.writer.abort())).await;
    match removed {
        Ok(Ok(left)) => left.into_iter().fold(error, |error, path| error.with_context("left behind", path.as_ref())),
        Ok(Err(_)) | Err(_) => error.with_context("files", "still being removed"),
    }
}
