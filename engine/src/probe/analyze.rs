//! `ANALYZE`: reads the footers of a table's files and stores their statistics in the catalog, by partition, and in total for the planner.
//!
//! The figures of the table are those of the partitions that were analysed and still exist. Data are not read.

use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use glaux_catalog::{
    model::{Column, Table},
    partition::{HIVE_DEFAULT_PARTITION, PartitionIndex, Projection},
};

use super::ProbeContext;
use crate::{
    error::{Error, Result, nearest},
    formats,
    scan::{Analyzed, DataFile, OF_PARTITION, OF_TABLE, ScanIo, Summaries},
    sql::{ANALYZE_COLUMNS, Analyze, AnalyzePartitions},
};

/// Attachments that are written at once.
const BATCH: usize = 1000;

/// The schema of the answer: one row.
pub(crate) fn schema() -> SchemaRef {
    Arc::new(Schema::new(ANALYZE_COLUMNS.map(|name| Field::new(name, DataType::Utf8, true)).to_vec()))
}

/// Carries it out.
///
/// # Errors
/// `NotFound` and `Invalid` for the table, its columns and partitions; `Unsupported` for formats whose files tell nothing; those of the store and of
/// damaged files, which are named.
pub(crate) async fn analyze(analyze: &Analyze, context: &ProbeContext<'_>) -> Result<RecordBatch> {
    let table = context.metastore.table(&analyze.table.resolve(context.database)).await?;
    check(&table)?;
    let columns = columns(&table, &analyze.columns)?;
    let index = match table.is_partitioned() {
        true => context.metastore.partition_index(&table).await?,
        false => Arc::new(PartitionIndex::empty(&[])?),
    };
    let rows = chosen(&table, &index, &analyze.partitions)?;
    let scan = context.scan;
    let format = formats::of(&table, &scan.footers)?;
    let Some(summaries) = format.summaries() else {
        return Err(Error::unsupported(format!("table \"{}\" cannot be analyzed: its files have no footers", table.name))
            .with_hint("Parquet tables can be analyzed"));
    };
    let files = scan.listing.files(&table, &index, &rows).await?;
    let io = scan.io(&table.name);
    let told = stream::iter(files).map(|file| one(summaries, &io, &columns, file));
    let mut told = told.buffer_unordered(scan.listing_concurrency.max(1));
    let mut found: BTreeMap<u32, Analyzed> = rows.iter().map(|row| (*row, Analyzed::default())).collect();
    while let Some((partition, analyzed)) = told.try_next().await? {
        found.entry(partition).or_default().merge(&analyzed);
    }
    if !analyze.columns.is_empty() {
        keep_others(&table, &index, &mut found, context).await?;
    }
    let mut sum = Analyzed::default();
    let mut changes: Vec<(String, Option<Bytes>)> = Vec::new();
    for (row, analyzed) in &found {
        sum.merge(analyzed);
        if table.is_partitioned() {
            let name = format!("{OF_PARTITION}{}", index.name(*row as usize));
            changes.push((name, Some(analyzed.encode()?.into())));
        }
    }
    let of_table = match table.is_partitioned() {
        true => together(&table, &index, &found, context, &mut changes).await?,
        false => sum.clone(),
    };
    changes.push((OF_TABLE.to_owned(), Some(of_table.encode()?.into())));
    let mut changes = changes.into_iter().peekable();
    while changes.peek().is_some() {
        let batch: Vec<_> = changes.by_ref().take(BATCH).collect();
        context.metastore.set_attachments(&table, batch).await?;
    }
    let partitions = if table.is_partitioned() { rows.len() } else { 0 };
    let values =
        [table.name.to_string(), partitions.to_string(), sum.files.to_string(), sum.rows.to_string(), sum.bytes.to_string()];
    let arrays = values.map(|value| Arc::new(StringArray::from(vec![value])) as ArrayRef);
    RecordBatch::try_new(schema(), arrays.to_vec())
        .map_err(|error| Error::internal("the answer is not a batch").with_source(error))
}

fn check(table: &Table) -> Result<()> {
    if table.is_view() {
        return Err(Error::invalid(format!("\"{}\" is a view, and ANALYZE takes a table", table.name))
            .with_hint("Analyze the tables that it reads"));
    }
    if Projection::is_enabled(table) {
        return Err(Error::unsupported(format!("table \"{}\" uses partition projection, and cannot be analyzed", table.name))
            .with_hint("Statistics are kept only for partitions that are in the catalog"));
    }
    Ok(())
}

/// The data columns of these names, or all.
fn columns(table: &Table, names: &[String]) -> Result<Vec<Column>> {
    let data = &table.storage.columns;
    if names.is_empty() {
        return Ok(data.clone());
    }
    for name in names {
        if !table.all_columns().any(|column| column.name == *name) {
            let error = Error::not_found(format!("table \"{}\" has no column \"{name}\"", table.name));
            return Err(error.with_hint(match nearest(name, table.all_columns().map(|column| column.name.as_str())) {
                Some(near) => format!("Did you mean \"{near}\"?"),
                None => format!("DESCRIBE {} lists them", table.name),
            }));
        }
    }
    Ok(data.iter().filter(|column| names.contains(&column.name)).cloned().collect())
}

/// The rows of the partitions that are meant.
fn chosen(table: &Table, index: &PartitionIndex, partitions: &AnalyzePartitions) -> Result<Vec<u32>> {
    let all = 0..u32::try_from(index.len()).unwrap_or(u32::MAX);
    if *partitions == AnalyzePartitions::All {
        return Ok(all.collect());
    }
    if !table.is_partitioned() {
        return Err(Error::invalid(format!("table \"{}\" is not partitioned", table.name)));
    }
    let keys: Vec<&str> = table.partition_keys.iter().map(|key| key.name.as_str()).collect();
    let null = |value: &String| Some(value.clone()).filter(|value| value != HIVE_DEFAULT_PARTITION);
    let rows: Vec<u32> = match partitions {
        AnalyzePartitions::All => Vec::new(),
        AnalyzePartitions::Having(spec) => {
            let mut wanted = vec![None; keys.len()];
            for (key, value) in spec {
                let at = keys.iter().position(|known| known == key).ok_or_else(|| {
                    Error::invalid(format!("table \"{}\" has no partition key \"{key}\"", table.name))
                        .with_hint(format!("Its partition keys are {}", keys.join(", ")))
                })?;
                wanted[at] = value.as_ref().map(null);
            }
            let fits = |row: &u32| {
                let values = index.raw_values(*row as usize);
                wanted.iter().zip(values).all(|(wanted, value)| wanted.as_ref().is_none_or(|wanted| *wanted == value))
            };
            all.filter(fits).collect()
        }
        AnalyzePartitions::These(these) => {
            let mut rows = Vec::with_capacity(these.len());
            for values in these {
                let values: Vec<Option<String>> = values.iter().map(|value| value.as_ref().and_then(null)).collect();
                let name = glaux_catalog::partition::hive_name(&table.partition_keys, &values);
                let row = index.find(&name).filter(|_| values.len() == keys.len()).ok_or_else(|| {
                    Error::not_found(format!("partition \"{name}\" of table \"{}\" does not exist", table.name))
                        .with_hint(format!("SHOW PARTITIONS {} lists the partitions", table.name))
                })?;
                rows.push(u32::try_from(row).unwrap_or(u32::MAX));
            }
            rows.sort_unstable();
            rows.dedup();
            rows
        }
    };
    if rows.is_empty() {
        return Err(Error::not_found(format!("no partition of table \"{}\" has these values", table.name))
            .with_hint(format!("SHOW PARTITIONS {} lists the partitions", table.name)));
    }
    Ok(rows)
}

async fn one(summaries: &dyn Summaries, io: &ScanIo, columns: &[Column], file: DataFile) -> Result<(u32, Analyzed)> {
    Ok((file.partition, summaries.analyze(io, &file, columns).await?))
}

/// Keeps what is known of columns that were not asked for.
async fn keep_others(
    table: &Table,
    index: &PartitionIndex,
    found: &mut BTreeMap<u32, Analyzed>,
    context: &ProbeContext<'_>,
) -> Result<()> {
    let prefix = if table.is_partitioned() { OF_PARTITION } else { OF_TABLE };
    for kept in context.metastore.attachments(table, prefix).await? {
        let row = if table.is_partitioned() { index.find(&kept.name[OF_PARTITION.len()..]) } else { Some(0) };
        let row = row.and_then(|row| u32::try_from(row).ok());
        if let Some(analyzed) = row.and_then(|row| found.get_mut(&row)) {
            for (name, figures) in Analyzed::decode(&kept.bytes)?.columns {
                analyzed.columns.entry(name).or_insert(figures);
            }
        }
    }
    Ok(())
}

/// The figures of all partitions that are known and exist: those just found, and of the others what was found before. What is known of partitions that
/// exist no longer is removed.
async fn together(
    table: &Table,
    index: &PartitionIndex,
    found: &BTreeMap<u32, Analyzed>,
    context: &ProbeContext<'_>,
    changes: &mut Vec<(String, Option<Bytes>)>,
) -> Result<Analyzed> {
    let fresh: HashSet<usize> = found.keys().map(|row| *row as usize).collect();
    let mut by_row: BTreeMap<usize, Analyzed> = BTreeMap::new();
    for kept in context.metastore.attachments(table, OF_PARTITION).await? {
        match index.find(&kept.name[OF_PARTITION.len()..]) {
            None => changes.push((kept.name, None)),
            Some(row) if !fresh.contains(&row) => _ = by_row.insert(row, Analyzed::decode(&kept.bytes)?),
            Some(_) => {}
        }
    }
    by_row.extend(found.iter().map(|(row, analyzed)| (*row as usize, analyzed.clone())));
    let mut sum = Analyzed::default();
    for analyzed in by_row.values() {
        sum.merge(analyzed);
    }
    Ok(sum)
}
