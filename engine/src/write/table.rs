//! The files of one table: rows go by their partition keys into Hive directories, with bounded open files and memory.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use arrow::{
    array::{Array, ArrayRef, RecordBatch, UInt32Array},
    compute::take_record_batch,
    datatypes::{Field, Schema, SchemaRef},
    row::{OwnedRow, Row, RowConverter, SortField},
    util::display::{ArrayFormatter, FormatOptions},
};
use glaux_catalog::{model::Column, partition::hive_name};
use object_store::{ObjectStore, ObjectStoreExt, path::Path};

use super::parquet::{ParquetFileWriter, WriteOptions};
use crate::error::{Error, Result};

/// A file that is complete and visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFile {
    pub path: Path,
    /// The raw values of its partition; empty for a table without partitions.
    pub values: Vec<Option<String>>,
    pub rows: u64,
    pub bytes: u64,
    pub row_groups: usize,
}

/// Writes the rows of one table below a root.
#[derive(Debug)]
pub struct TableWriter {
    store: Arc<dyn ObjectStore>,
    root: Path,
    keys: Vec<Column>,
    key_columns: Vec<usize>,
    data_columns: Vec<usize>,
    data_schema: SchemaRef,
    converter: RowConverter,
    options: WriteOptions,
    /// Where the partition of a key is in `partitions`.
    index: HashMap<OwnedRow, usize>,
    /// The same by directory: different keys, such as NULL and the empty string, may share one.
    by_name: HashMap<String, usize>,
    partitions: Vec<Partition>,
    /// Counts writes, to tell which file waited longest.
    turn: u64,
    written: Vec<WrittenFile>,
}

/// A partition that has been met.
#[derive(Debug)]
struct Partition {
    values: Vec<Option<String>>,
    /// Files begun, which numbers the next one.
    begun: u32,
    file: Option<OpenFile>,
}

#[derive(Debug)]
struct OpenFile {
    path: Path,
    writer: ParquetFileWriter,
    memory: usize,
    turn: u64,
}

impl TableWriter {
    /// Begins a table below `root`, a key without a slash at its end. The `keys` are columns of `schema` by name; they are written as
    /// directories, the other columns into the files, in the order of `schema`.
    ///
    /// # Errors
    /// `Invalid` if a key is not in the schema or no column is left; `Unsupported` if a key has a type that directories cannot have.
    pub fn new(store: Arc<dyn ObjectStore>, root: Path, schema: &Schema, keys: &[Column], options: WriteOptions) -> Result<Self> {
        let position = |key: &Column| {
            schema
                .index_of(&key.name)
                .map_err(|_| Error::invalid(format!("partition key \"{}\" is not a column of the rows", key.name)))
        };
        let key_columns = keys.iter().map(position).collect::<Result<Vec<_>>>()?;
        let data_columns: Vec<_> = (0..schema.fields().len()).filter(|column| !key_columns.contains(column)).collect();
        if data_columns.is_empty() {
            return Err(Error::invalid("a table needs a column that is not a partition key"));
        }
        if let Some(key) = key_columns.iter().map(|column| schema.field(*column)).find(|field| field.data_type().is_nested()) {
            return Err(Error::unsupported(format!("partition key \"{}\" has a nested type", key.name())));
        }
        let fields: Vec<Arc<Field>> = data_columns.iter().map(|column| Arc::clone(&schema.fields()[*column])).collect();
        let sort_fields = key_columns.iter().map(|column| SortField::new(schema.field(*column).data_type().clone())).collect();
        // Without keys there is one partition, which is there from the beginning.
        let partitions = if keys.is_empty() { vec![Partition { values: Vec::new(), begun: 0, file: None }] } else { Vec::new() };
        Ok(Self {
            store,
            root,
            keys: keys.to_vec(),
            key_columns,
            data_columns,
            data_schema: Arc::new(Schema::new(fields)),
            converter: RowConverter::new(sort_fields).map_err(internal)?,
            options,
            index: HashMap::new(),
            by_name: HashMap::new(),
            partitions,
            turn: 0,
            written: Vec::new(),
        })
    }

    /// Adds rows.
    ///
    /// # Errors
    /// Those of the store. Call [`TableWriter::abort`] then.
    pub async fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let data = batch.project(&self.data_columns).map_err(internal)?;
        if self.keys.is_empty() {
            return self.write_partition(0, &data).await;
        }
        for (partition, rows) in self.split(batch)? {
            if rows.len() == data.num_rows() {
                self.write_partition(partition, &data).await?;
            } else {
                self.write_partition(partition, &take_record_batch(&data, &rows).map_err(internal)?).await?;
            }
        }
        Ok(())
    }

    /// Ends all files; gives them in the order of their paths.
    ///
    /// # Errors
    /// Those of the store; then everything that this writer wrote has been removed again.
    pub async fn finish(mut self) -> Result<Vec<WrittenFile>> {
        for partition in 0..self.partitions.len() {
            if let Err(error) = self.end_file(partition).await {
                self.abort().await;
                return Err(error);
            }
        }
        self.written.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(self.written)
    }

    /// Gives the table up: files that are open never appear, finished ones are removed.
    pub async fn abort(self) {
        for file in self.partitions.into_iter().filter_map(|partition| partition.file) {
            file.writer.abort().await;
        }
        for file in self.written {
            if let Err(error) = self.store.delete(&file.path).await {
                tracing::warn!(path = %file.path, %error, "a file of a table that was given up remains in the store");
            }
        }
    }

    /// The rows of a batch by partition, in the order of the keys.
    fn split(&mut self, batch: &RecordBatch) -> Result<Vec<(usize, UInt32Array)>> {
        let columns: Vec<ArrayRef> = self.key_columns.iter().map(|column| Arc::clone(batch.column(*column))).collect();
        let keys = self.converter.convert_columns(&columns).map_err(internal)?;
        let mut groups: BTreeMap<Row<'_>, Vec<u32>> = BTreeMap::new();
        for (row, key) in (0_u32..).zip(keys.iter()) {
            groups.entry(key).or_default().push(row);
        }
        let mut split = Vec::with_capacity(groups.len());
        for (key, rows) in groups {
            let key = key.owned();
            let partition = match self.index.get(&key) {
                Some(partition) => *partition,
                None => {
                    let values = raw_values(&columns, rows[0] as usize)?;
                    let next = self.partitions.len();
                    let partition = *self.by_name.entry(hive_name(&self.keys, &values)).or_insert(next);
                    if partition == next {
                        self.partitions.push(Partition { values, begun: 0, file: None });
                    }
                    self.index.insert(key, partition);
                    partition
                }
            };
            split.push((partition, UInt32Array::from(rows)));
        }
        Ok(split)
    }

    async fn write_partition(&mut self, partition: usize, data: &RecordBatch) -> Result<()> {
        if data.num_rows() == 0 {
            return Ok(());
        }
        self.turn += 1;
        let mut file = match self.partitions[partition].file.take() {
            Some(file) => file,
            None => {
                self.make_room().await?;
                self.begin_file(partition)?
            }
        };
        let result = file.writer.write(data).await;
        (file.turn, file.memory) = (self.turn, file.writer.memory_size());
        let full = file.writer.size() >= self.options.target_file_bytes;
        self.partitions[partition].file = Some(file);
        result?;
        if full {
            self.end_file(partition).await?;
        }
        self.bound_memory().await
    }

    fn begin_file(&mut self, partition: usize) -> Result<OpenFile> {
        let Partition { values, begun, .. } = &mut self.partitions[partition];
        let file = format!("{}-{begun:05}.parquet", self.options.file_prefix);
        *begun += 1;
        let parts = [self.root.as_ref(), &hive_name(&self.keys, values), &file];
        let key = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
        // Parsed, not built: a Hive name is escaped already.
        let path = Path::parse(&key)
            .map_err(|error| Error::invalid(format!("\"{key}\" cannot be the name of a file in a store")).with_source(error))?;
        let writer =
            ParquetFileWriter::create(Arc::clone(&self.store), path.clone(), Arc::clone(&self.data_schema), &self.options)?;
        Ok(OpenFile { path, writer, memory: 0, turn: self.turn })
    }

    /// Ends a partition's open file, if it has one.
    async fn end_file(&mut self, partition: usize) -> Result<()> {
        let Some(file) = self.partitions[partition].file.take() else { return Ok(()) };
        let size = file.writer.finish().await?;
        let values = self.partitions[partition].values.clone();
        self.written.push(WrittenFile {
            path: file.path,
            values,
            rows: size.rows,
            bytes: size.bytes,
            row_groups: size.row_groups,
        });
        Ok(())
    }

    /// Ends the file that waited longest, if as many are open as may be.
    async fn make_room(&mut self) -> Result<()> {
        let open = self.partitions.iter().enumerate().filter_map(|(at, partition)| Some((partition.file.as_ref()?.turn, at)));
        let open: Vec<_> = open.collect();
        let oldest = open.iter().min().filter(|_| open.len() >= self.options.max_open_files.max(1)).map(|(_, at)| *at);
        match oldest {
            Some(oldest) => self.end_file(oldest).await,
            None => Ok(()),
        }
    }

    /// Sends the largest row groups as long as all together hold more memory than they may.
    async fn bound_memory(&mut self) -> Result<()> {
        loop {
            let files = self.partitions.iter_mut().filter_map(|partition| partition.file.as_mut());
            let (mut total, mut largest): (usize, Option<&mut OpenFile>) = (0, None);
            for file in files {
                total += file.memory;
                if largest.as_ref().is_none_or(|largest| largest.memory < file.memory) {
                    largest = Some(file);
                }
            }
            let Some(file) = largest.filter(|_| total > self.options.memory_limit) else { return Ok(()) };
            let before = file.memory;
            file.writer.flush().await?;
            file.memory = file.writer.memory_size();
            if file.memory >= before {
                return Ok(());
            }
        }
    }
}

/// The raw values of a row's partition keys, as directories spell them; the empty string is NULL there.
fn raw_values(columns: &[ArrayRef], row: usize) -> Result<Vec<Option<String>>> {
    const OPTIONS: FormatOptions<'static> = FormatOptions::new()
        .with_display_error(false)
        .with_date_format(Some("%Y-%m-%d"))
        .with_timestamp_format(Some("%Y-%m-%d %H:%M:%S%.f"));
    let value = |column: &ArrayRef| {
        if column.is_null(row) {
            return Ok(None);
        }
        let text = ArrayFormatter::try_new(column, &OPTIONS).and_then(|formatter| formatter.value(row).try_to_string())?;
        Ok(Some(text).filter(|text| !text.is_empty()))
    };
    columns.iter().map(value).collect::<Result<_, _>>().map_err(internal)
}

fn internal(error: arrow::error::ArrowError) -> Error {
    Error::internal("cannot take rows apart by their partition").with_source(error)
}
