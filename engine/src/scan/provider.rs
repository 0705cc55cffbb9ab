//! A catalog table as DataFusion sees it: prunes the partition index, lists the survivors, and plans a read of their files, which
//! [`super::leaf`] executes.
//!
//! Planning reads no data file and no footer: the table's schema is the catalog's, and statistics are told as far as they are known.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, OnceLock, PoisonError, atomic::AtomicBool},
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
    config::TableParquetOptions,
    datasource::{
        listing::PartitionedFile,
        physical_plan::{FileGroup, FileScanConfigBuilder, ParquetSource},
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
    model::{Column, Table, TableFormat},
    partition::{PartitionIndex, Projection},
};

use super::{
    analyzed::Analyzed,
    evolve::EvolveFactory,
    fetch::QueryFetch,
    hidden,
    listing::{DataFile, Listing},
    metadata::{Footers, Reading, TableFiles},
    projected, prune,
    statistics::{self, Known},
};
use crate::{
    accounting::{Meter, ScanMeter},
    error::{Error, Result, to_datafusion},
    failure::from_datafusion,
    storage::QueryStores,
};

/// What a query's scans share.
#[derive(Debug, Clone)]
pub struct ScanContext {
    pub stores: Arc<QueryStores>,
    pub meter: Arc<Meter>,
    pub footers: Arc<Footers>,
    pub fetch: QueryFetch,
    pub listing: Listing,
    /// Listing requests in flight.
    pub listing_concurrency: usize,
}

/// What the files of one planned scan share.
#[derive(Debug)]
pub(super) struct TableScan {
    pub name: String,
    pub context: ScanContext,
    pub files: TableFiles,
    pub scan: Arc<ScanMeter>,
}

/// A file of a planned scan, as the plan carries it.
#[derive(Debug)]
pub(super) struct PlannedFile {
    pub table: Arc<TableScan>,
    pub file: DataFile,
    /// Its values of the table's partition columns and hidden columns.
    pub values: Vec<ScalarValue>,
    /// Its place in the order of reading.
    pub position: usize,
}

/// Bytes of files for which one stream is enough.
const STREAM_BYTES: u64 = 2 << 20;

/// A table of the catalog, at one version.
#[derive(Debug)]
pub struct LakeTable {
    table: Arc<Table>,
    index: Arc<PartitionIndex>,
    /// How its partitions are computed, if they are not those of the index.
    projection: Option<Projection>,
    context: ScanContext,
    schema: TableSchema,
    reading: Reading,
    /// Whether `"$path"` and its like are among the columns.
    has_hidden: bool,
    /// Of filters that the planner has asked about, whether pruning partitions is all that they ask for.
    exact: Mutex<HashMap<Expr, bool>>,
}

impl LakeTable {
    /// # Errors
    /// `Unsupported` for a format that is not read yet, naming it.
    pub fn try_new(table: Table, index: Arc<PartitionIndex>, context: ScanContext, has_hidden: bool) -> Result<Self> {
        if table.storage.format() != TableFormat::Parquet {
            let serde = &table.storage.serde.library;
            return Err(Error::unsupported(format!(
                "table \"{}\" is stored in a format that is not read yet: {serde}",
                table.name
            ))
            .with_hint("Only Parquet tables can be queried; the definition is kept"));
        }
        let reading = Reading::of(&table);
        let projection = Projection::of(&table)?;
        let mut beside: Vec<FieldRef> = table.partition_keys.iter().map(field).collect();
        if has_hidden {
            beside.extend(hidden::fields());
        }
        let data = Schema::new(table.storage.columns.iter().map(data_field).collect::<Vec<_>>());
        let schema = TableSchema::builder(Arc::new(data)).with_table_partition_cols(beside).build();
        Ok(Self { table: Arc::new(table), index, projection, context, schema, reading, has_hidden, exact: Mutex::default() })
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
        let survivors = if self.table.is_partitioned() {
            let survivors = prune::partitions::surviving(index, filters, props);
            // How many a projection has in all is not enumerated.
            let total = self.projection.is_none().then_some(index.len() as u64);
            meter.add_partitions(survivors.len() as u64, total);
            survivors
        } else {
            Vec::new()
        };
        let started = Instant::now();
        let listed = self.context.listing.files(&self.table, index, &survivors).await;
        meter.add_listing_time(started.elapsed());
        let mut files = listed?;
        meter.add_files_total(files.len() as u64);
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
        let columns = (0..schema.fields().len()).map(|column| {
            ScalarValue::iter_to_array(rows.iter().map(|row| row[column].clone())).map_err(from_datafusion)
        });
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

    /// One group a stream. The streams share the files whatever group they are in: DataFusion takes the number of streams from that of groups.
    fn groups(
        &self,
        table: &Arc<TableScan>,
        index: &PartitionIndex,
        files: Vec<DataFile>,
        target: usize,
    ) -> Result<Vec<FileGroup>> {
        let bytes: u64 = files.iter().map(|file| file.meta.size).sum();
        let most = usize::try_from(bytes / STREAM_BYTES).unwrap_or(usize::MAX).max(files.len());
        let streams = target.clamp(1, most.max(1));
        let mut groups = vec![Vec::new(); streams];
        let mut values_of = self.values(index);
        for (position, file) in files.into_iter().enumerate() {
            let values = values_of(&file)?;
            let planned = PartitionedFile::new_from_meta(file.meta.clone()).with_partition_values(values.clone());
            let file = Arc::new(PlannedFile { table: Arc::clone(table), file, values, position });
            groups[position % streams].push(planned.with_extension(file));
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
        let options =
            TableParquetOptions { global: state.config_options().execution.parquet.clone(), ..TableParquetOptions::default() };
        let root: Arc<str> = Arc::from(self.table.root());
        let table = Arc::new(TableScan {
            name: self.table.name.to_string(),
            scan: ScanMeter::new(Arc::clone(&self.context.meter)),
            files: TableFiles {
                first_read: self.context.footers.first_read(&root).map(OnceLock::from).unwrap_or_default(),
                root,
                reading: self.reading.clone(),
                learned: AtomicBool::new(false),
            },
            context: self.context.clone(),
        });
        let columns = self.table.storage.columns.iter().map(|column| (column.name.as_str(), &column.hive_type));
        let evolve = EvolveFactory::new(columns);
        let source = ParquetSource::new(self.schema.clone()).with_table_parquet_options(options);
        let analyzed = Analyzed::of_table(self.context.listing.metastore.as_ref(), &self.table).await;
        let known = Known { footers: &self.context.footers, analyzed: analyzed.as_ref() };
        let statistics = statistics::of_files(known, &table.files, &files, &self.schema, projection, filters).await;
        let groups = self.groups(&table, &index, files, state.config().target_partitions())?;
        let config = FileScanConfigBuilder::new(store_url, Arc::new(source))
            .with_file_groups(groups)
            .with_statistics(statistics)
            .with_limit(limit)
            .with_expr_adapter(Some(Arc::new(evolve)))
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
