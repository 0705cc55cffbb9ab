//! A catalog table as DataFusion sees it: prunes the partition index, lists the survivors, and plans a read of their files, which
//! [`crate::scan`] executes.
//!
//! Planning reads no data file and no footer: the table's schema is the catalog's, and statistics are told as far as they are known.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use arrow::{
    array::RecordBatch,
    datatypes::{DataType, Field, FieldRef, Schema, SchemaRef},
};
use async_trait::async_trait;
use datafusion::{
    catalog::{Session, TableProvider},
    common::ScalarValue,
    datasource::{
        listing::PartitionedFile,
        physical_plan::{FileGroup, FileScanConfigBuilder},
        source::DataSourceExec,
        table_schema::TableSchema,
    },
    error::Result as DataFusionResult,
    execution::object_store::ObjectStoreUrl,
    logical_expr::{Expr, TableProviderFilterPushDown, TableType, execution_props::ExecutionProps},
    physical_plan::{ExecutionPlan, empty::EmptyExec},
};
use glaux_catalog::{
    HiveType,
    model::{Column, Table},
    partition::{PartitionIndex, Projection},
};

use super::{
    context::ScanContext,
    hidden, projected, prune,
    statistics::{self, Known},
};
use crate::{
    error::{Error, Result, to_datafusion},
    failure::from_datafusion,
    formats,
    scan::{Analyzed, DataFile, Format, LakeSource, Own, PlannedFile, Split},
};

/// Bytes of files for which one stream is enough.
const STREAM_BYTES: u64 = 2 << 20;

/// A table of the catalog, at one version.
#[derive(Debug)]
pub(crate) struct LakeTable {
    table: Arc<Table>,
    index: Arc<PartitionIndex>,
    /// How its partitions are computed, if they are not those of the index.
    projection: Option<Projection>,
    context: ScanContext,
    schema: TableSchema,
    format: Arc<dyn Format>,
    /// Whether `"$path"` and its like are among the columns.
    has_hidden: bool,
    /// Of filters that the planner has asked about, whether pruning partitions is all that they ask for.
    exact: Mutex<HashMap<Expr, bool>>,
}

impl LakeTable {
    /// # Errors
    /// `Unsupported` for a format that is not read yet, naming it.
    pub(crate) fn try_new(table: Table, index: Arc<PartitionIndex>, context: ScanContext, has_hidden: bool) -> Result<Self> {
        let format = formats::of(&table, &context.footers)?;
        let projection = Projection::of(&table)?;
        let mut beside: Vec<FieldRef> = table.partition_keys.iter().map(field).collect();
        if has_hidden {
            beside.extend(hidden::fields());
        }
        let data = Schema::new(table.storage.columns.iter().map(data_field).collect::<Vec<_>>());
        let schema = TableSchema::builder(Arc::new(data)).with_table_partition_cols(beside).build();
        Ok(Self { table: Arc::new(table), index, projection, context, schema, format, has_hidden, exact: Mutex::default() })
    }

    /// The partitions that a query may need: all of the catalog, or those of a projection that its filters leave.
    fn partitions(&self, filters: &[Expr], props: &ExecutionProps) -> Result<Arc<PartitionIndex>> {
        match &self.projection {
            Some(projection) => Ok(Arc::new(projected::partitions(projection, filters, props)?)),
            None => Ok(Arc::clone(&self.index)),
        }
    }

    /// The files to read: of surviving partitions, and not excluded by hidden columns.
    async fn files(&self, index: &PartitionIndex, props: &ExecutionProps, filters: &[Expr]) -> Result<Vec<DataFile>> {
        let meter = &self.context.meter;
        let of_table = meter.table(&self.table.name);
        let survivors = if self.table.is_partitioned() {
            let survivors = prune::partitions::surviving(index, filters, props);
            // How many a projection has in all is not enumerated.
            let total = self.projection.is_none().then_some(index.len() as u64);
            of_table.add_partitions(survivors.len() as u64, total, prune::partitions::is_filtered(index, filters));
            survivors
        } else {
            Vec::new()
        };
        let started = Instant::now();
        let listed = self.context.listing.files(&self.table, index, &survivors).await;
        meter.add_listing_time(started.elapsed());
        let mut files = listed?;
        of_table.add_files_total(files.len() as u64);
        if self.has_hidden && !filters.is_empty() {
            let known = self.known_of_files(index, &files)?;
            if let Some(kept) = prune::keep(&known, filters, props) {
                let rows = prune::kept_rows(Some(&kept), files.len());
                files = rows.into_iter().map(|row| files[row as usize].clone()).collect();
            }
        }
        Ok(files)
    }

    /// One row a file: its partition's values and its hidden columns.
    fn known_of_files(&self, index: &PartitionIndex, files: &[DataFile]) -> Result<RecordBatch> {
        let schema = Arc::new(Schema::new(self.schema.table_partition_cols().clone()));
        let mut values = self.values(index);
        let rows: Vec<Vec<ScalarValue>> = files.iter().map(&mut values).collect::<Result<_>>()?;
        if rows.is_empty() {
            return Ok(RecordBatch::new_empty(schema));
        }
        let columns = (0..schema.fields().len())
            .map(|column| ScalarValue::iter_to_array(rows.iter().map(|row| row[column].clone())).map_err(from_datafusion));
        RecordBatch::try_new(schema, columns.collect::<Result<_>>()?).map_err(|error| Error::internal(error.to_string()))
    }

    /// What gives a file's values: of its partition, which are looked up once for neighbours, and of its hidden columns.
    fn values<'a>(&'a self, index: &'a PartitionIndex) -> impl FnMut(&DataFile) -> Result<Vec<ScalarValue>> + 'a {
        let keys = if self.table.is_partitioned() { index.keys().len() } else { 0 };
        let mut last: Option<(u32, Vec<ScalarValue>)> = None;
        move |file| {
            let mut values = match &last {
                Some((partition, values)) if *partition == file.partition => values.clone(),
                _ => {
                    let value = |key: usize| {
                        let (values, at) = index.value(key, file.partition as usize);
                        ScalarValue::try_from_array(values, at).map_err(from_datafusion)
                    };
                    let values: Vec<ScalarValue> = (0..keys).map(value).collect::<Result<_>>()?;
                    last.insert((file.partition, values)).1.clone()
                }
            };
            if self.has_hidden {
                values.extend(hidden::values(file));
            }
            Ok(values)
        }
    }

    /// What gives that which a partition has of its own; looked up once for neighbours.
    fn own<'a>(&'a self, index: &'a PartitionIndex) -> impl FnMut(u32) -> Option<Arc<Own>> + 'a {
        let mut last: Option<(u32, Option<Arc<Own>>)> = None;
        move |partition| {
            if let Some((_, own)) = last.as_ref().filter(|(of, _)| *of == partition) {
                return own.clone();
            }
            let row = partition as usize;
            let has_own = self.table.is_partitioned() && (index.serde(row).is_some() || index.columns(row).is_some());
            let own = || Own { serde: index.serde(row).cloned(), columns: index.columns(row).map(<[Column]>::to_vec) };
            let own = has_own.then(|| Arc::new(own()));
            last = Some((partition, own.clone()));
            own
        }
    }

    /// One group a stream, with the splits that are its own where streams do not share their work.
    fn groups(&self, index: &PartitionIndex, files: Vec<DataFile>, target: usize) -> Result<Vec<FileGroup>> {
        let bytes: u64 = files.iter().map(|file| file.meta.size).sum();
        let most = usize::try_from(bytes / STREAM_BYTES).unwrap_or(usize::MAX).max(files.len());
        let streams = target.clamp(1, most.max(1));
        let mut groups = vec![Vec::new(); streams];
        let mut values_of = self.values(index);
        let mut own_of = self.own(index);
        let shares = self.context.fetch.fetcher().shares_splits();
        let mut position = 0;
        for file in files {
            let values = values_of(&file)?;
            let (meta, size) = (file.meta.clone(), file.meta.size);
            let bytes = self.format.split_bytes(&file, shares).unwrap_or(u64::MAX).max(1);
            let own = own_of(file.partition);
            let file = Arc::new(PlannedFile { file, values, own });
            let mut start = 0;
            loop {
                // What is left is not worth a split of its own if it is short.
                let end = if size - start <= bytes.saturating_add(bytes / 4) { size } else { start + bytes };
                let stream = position % streams;
                let split = Arc::new(Split { file: Arc::clone(&file), range: start..end, position, stream });
                let planned = PartitionedFile::new_from_meta(meta.clone()).with_partition_values(file.values.clone());
                groups[stream].push(planned.with_extension(split));
                position += 1;
                if end >= size {
                    break;
                }
                start = end;
            }
        }
        Ok(groups.into_iter().map(FileGroup::new).collect())
    }

    async fn plan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let index = self.partitions(filters, state.execution_props())?;
        let files = self.files(&index, state.execution_props(), filters).await?;
        let Some(first) = files.first() else {
            let schema = match projection {
                Some(columns) => Arc::new(self.schema().project(columns).map_err(|error| Error::internal(error.to_string()))?),
                None => self.schema(),
            };
            return Ok(Arc::new(EmptyExec::new(schema)));
        };
        let store_url = ObjectStoreUrl::parse(first.store_url.as_ref()).map_err(from_datafusion)?;
        let source = LakeSource::new(
            Arc::from(self.table.name.to_string()),
            self.schema.clone(),
            Arc::clone(&self.format),
            self.context.io(&self.table.name),
        );
        let analyzed = Analyzed::of_table(self.context.listing.metastore.as_ref(), &self.table).await;
        let known = Known { format: self.format.as_ref(), analyzed: analyzed.as_ref() };
        let statistics = statistics::of_files(known, &files, &self.schema, projection, filters).await;
        let groups = self.groups(&index, files, state.config().target_partitions())?;
        let config = FileScanConfigBuilder::new(store_url, Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_limit(limit)
            .with_projection_indices(projection.cloned())
            .map_err(from_datafusion)?
            .build();
        Ok(DataSourceExec::from_data_source(config))
    }
}

/// A column of the data as plans have it: text as views of what is decoded, which is not copied then. Results do not show it.
fn data_field(column: &Column) -> FieldRef {
    match column.hive_type {
        HiveType::String => Arc::new(Field::new(&column.name, DataType::Utf8View, true)),
        _ => field(column),
    }
}

/// A column of the catalog as a field; data may always be absent.
fn field(column: &Column) -> FieldRef {
    Arc::new(Field::new(&column.name, column.hive_type.to_arrow(), true))
}

#[async_trait]
impl TableProvider for LakeTable {
    fn schema(&self) -> SchemaRef {
        Arc::clone(self.schema.table_schema())
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> DataFusionResult<Vec<TableProviderFilterPushDown>> {
        let props = ExecutionProps::new();
        // What is computed for a query is filtered again: a condition that fails on some value would not be seen here.
        let is_catalogued = self.table.is_partitioned() && self.projection.is_none();
        let mut known = self.exact.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pushed = Vec::with_capacity(filters.len());
        for filter in filters {
            let is_exact = is_catalogued
                && match known.get(*filter) {
                    Some(is_exact) => *is_exact,
                    None => {
                        let is_exact = prune::partitions::is_exact(&self.index, filter, &props);
                        known.insert((*filter).clone(), is_exact);
                        is_exact
                    }
                };
            pushed.push(if is_exact { TableProviderFilterPushDown::Exact } else { TableProviderFilterPushDown::Inexact });
        }
        Ok(pushed)
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> DataFusionResult<Arc<dyn ExecutionPlan>> {
        self.plan(state, projection, filters, limit).await.map_err(to_datafusion)
    }
}
