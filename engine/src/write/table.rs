//! The files of one table: rows are distributed by their partition keys over Hive directories, with a limited number of open files and limited
//! memory. Readers see no file before all are complete.

use std::{
    collections::{BTreeMap, HashMap},
    path::Path as FsPath,
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, RecordBatch, UInt32Array},
    compute::take_record_batch,
    datatypes::{Field, Schema, SchemaRef},
    row::{OwnedRow, Row, RowConverter, SortField},
};
use futures::{StreamExt, TryStreamExt, stream};
use glaux_catalog::{
    model::Column,
    partition::{canonical, hive_name},
};
use object_store::{ObjectStore, path::Path};
use tokio::sync::Semaphore;

use super::{
    file::TableFile,
    staged::Staged,
    upload::{Destination, Publishing, Upload, hidden},
};
use crate::{
    error::{Error, ErrorKind, Result},
    formats::{
        OutputFormat,
        parquet::{ParquetOptions, ParquetOutput},
    },
    storage::from_store,
};

/// How the files of a table are written, whatever their format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteOptions {
    /// Files are named `<prefix>-00000` and so on, with the ending of their format. A file of that name that already exists is replaced.
    pub file_prefix: String,
    /// Files that are open at the same time; beyond it, the one that waited longest is ended.
    pub max_open_files: usize,
    /// Bytes of encoded rows in memory; beyond it, the largest open file sends what it can, or is ended.
    pub memory_limit: usize,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self { file_prefix: "part".to_owned(), max_open_files: 256, memory_limit: 512 << 20 }
    }
}

/// Parts on their way, of all files of a table.
const PARTS_IN_FLIGHT: usize = 8;

/// Files that are published, or removed, at the same time.
const FILES_IN_FLIGHT: usize = 16;

/// The part of the memory limit that small files may take that wait to be published.
const HELD_SHARE: usize = 4;

/// A file that is complete.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WrittenFile {
    pub path: Path,
    /// The raw values of its partition; empty for a table without partitions.
    pub values: Vec<Option<String>>,
    pub rows: u64,
    pub bytes: u64,
}

/// A directory for files, how files appear in it, and what writes them.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) store: Arc<dyn ObjectStore>,
    /// Without a slash at its end.
    pub(super) directory: Path,
    pub(super) publishing: Publishing,
    pub(super) format: Arc<dyn OutputFormat>,
}

/// Decides where the files of a partition go.
pub(super) trait Placement: std::fmt::Debug + Send + Sync {
    /// The place of the partition with this Hive name; the name is empty for a table without partition keys.
    ///
    /// # Errors
    /// `Invalid` if a store cannot have the name; `Unsupported` for a format that is not written; those of opening the store.
    fn place(&self, name: &str) -> Result<Place>;
}

/// Everything below one directory of one store.
#[derive(Debug)]
struct Below(Place);

impl Placement for Below {
    fn place(&self, name: &str) -> Result<Place> {
        Ok(Place { directory: joined(&self.0.directory, name)?, ..self.0.clone() })
    }
}

/// A key below another. It is parsed, not built: a Hive name is escaped already.
fn joined(directory: &Path, name: &str) -> Result<Path> {
    let parts = [directory.as_ref(), name];
    let key = parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
    Path::parse(&key)
        .map_err(|error| Error::invalid(format!("\"{key}\" cannot be the name of a file in a store")).with_source(error))
}

/// Writes the rows of one table.
#[derive(Debug)]
pub struct TableWriter {
    placement: Box<dyn Placement>,
    slots: Arc<Semaphore>,
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
    /// Files begun in each directory, which numbers the next one.
    begun: HashMap<Path, u32>,
    /// Counts writes, to tell which file waited longest.
    turn: u64,
    sealed: Vec<Upload>,
    /// What is in `sealed`.
    written: Vec<WrittenFile>,
    /// Where the files of a disk are noted until they are published.
    staged: Option<Staged>,
}

/// A partition that has been met.
#[derive(Debug)]
struct Partition {
    values: Vec<Option<String>>,
    file: Option<OpenFile>,
}

#[derive(Debug)]
struct OpenFile {
    path: Path,
    writer: TableFile,
    /// The size at which it is ended.
    target_bytes: usize,
    memory: usize,
    turn: u64,
}

impl TableWriter {
    /// Begins a table of Parquet files below `root`, a key without a slash at its end. The `keys` are columns of `schema` by name; they are written as
    /// directories, the other columns into the files, in the order of `schema`.
    ///
    /// # Errors
    /// `Invalid` if a key is not in the schema or no column is left, and for options that do not fit; `Unsupported` if a key has a type that directories
    /// cannot have.
    pub fn parquet(
        store: Arc<dyn ObjectStore>,
        root: Path,
        schema: &Schema,
        keys: &[Column],
        files: &ParquetOptions,
        options: WriteOptions,
    ) -> Result<Self> {
        let format = Arc::new(ParquetOutput::new(files)?);
        let root = Below(Place { store, directory: root, publishing: Publishing::Completion, format });
        Self::placed(Box::new(root), schema, keys, options)
    }

    /// Begins a table whose files go where the placement says, in the format that it says; otherwise as [`TableWriter::parquet`].
    pub(super) fn placed(placement: Box<dyn Placement>, schema: &Schema, keys: &[Column], options: WriteOptions) -> Result<Self> {
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
        let partitions = if keys.is_empty() { vec![Partition { values: Vec::new(), file: None }] } else { Vec::new() };
        Ok(Self {
            placement,
            slots: Arc::new(Semaphore::new(PARTS_IN_FLIGHT)),
            keys: keys.to_vec(),
            key_columns,
            data_columns,
            data_schema: Arc::new(Schema::new(fields)),
            converter: RowConverter::new(sort_fields).map_err(internal)?,
            options,
            index: HashMap::new(),
            by_name: HashMap::new(),
            partitions,
            begun: HashMap::new(),
            turn: 0,
            sealed: Vec::new(),
            written: Vec::new(),
            staged: None,
        })
    }

    /// Notes the files of a disk until they are published, so that those of a process that is killed are found.
    pub(super) fn noted(self, staged: Staged) -> Self {
        Self { staged: Some(staged), ..self }
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

    /// Ends all files and lets readers see them; gives them in the order of their paths.
    ///
    /// # Errors
    /// Those of the store; then everything that this writer wrote has been removed again.
    pub async fn finish(mut self) -> Result<Vec<WrittenFile>> {
        let finished = match self.seal().await {
            Ok(()) => self.publish().await,
            Err(error) => Err(error),
        };
        match finished {
            Ok(()) => {
                self.written.sort_by(|a, b| a.path.cmp(&b.path));
                Ok(self.written)
            }
            Err(error) => {
                self.abort().await;
                Err(error)
            }
        }
    }

    /// Ends all files. Nobody sees them yet.
    ///
    /// # Errors
    /// Those of the store. Call [`TableWriter::abort`] then.
    pub(super) async fn seal(&mut self) -> Result<()> {
        for partition in 0..self.partitions.len() {
            self.end_file(partition).await?;
        }
        Ok(())
    }

    /// Lets readers see all files that were ended.
    ///
    /// # Errors
    /// Those of the store; some files may be visible by then. Call [`TableWriter::abort`] then.
    pub(super) async fn publish(&mut self) -> Result<()> {
        let publishing = self.sealed.iter_mut().map(Upload::publish);
        let published: Result<(), _> = stream::iter(publishing).buffer_unordered(FILES_IN_FLIGHT).try_collect().await;
        published.map_err(|error| from_store(&error))?;
        if let Some(staged) = self.staged.take() {
            staged.done();
        }
        Ok(())
    }

    /// The files that were ended, in that order.
    pub(super) fn written(&self) -> &[WrittenFile] {
        &self.written
    }

    /// Gives the table up: nothing remains of any file, visible or not. Gives the paths of files that could not be removed.
    pub async fn abort(self) -> Vec<Path> {
        let open = self.partitions.into_iter().filter_map(|partition| Some(partition.file?.writer.into_upload()));
        let discarded = stream::iter(self.sealed.into_iter().chain(open)).map(|mut upload| async move {
            let error = upload.discard().await.err()?;
            tracing::warn!(path = %upload.path(), %error, "parts of an abandoned file may remain in the store");
            Some(upload.path().clone())
        });
        let left: Vec<Path> = discarded.buffer_unordered(FILES_IN_FLIGHT).filter_map(std::future::ready).collect().await;
        if let Some(staged) = self.staged.filter(|_| left.is_empty()) {
            staged.done();
        }
        left
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
                        self.partitions.push(Partition { values, file: None });
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
        if self.partitions[partition].file.is_none() {
            self.make_room().await?;
            let file = self.begin_file(partition)?;
            self.partitions[partition].file = Some(file);
        }
        self.turn += 1;
        let Some(file) = &mut self.partitions[partition].file else { return Ok(()) };
        let result = file.writer.write(data).await;
        (file.turn, file.memory) = (self.turn, file.writer.memory_size());
        result?;
        if file.writer.size() >= file.target_bytes {
            self.end_file(partition).await?;
        }
        self.bound_memory().await
    }

    fn begin_file(&mut self, partition: usize) -> Result<OpenFile> {
        let Place { store, directory, publishing, format } =
            self.placement.place(&hive_name(&self.keys, &self.partitions[partition].values))?;
        let number = self.begun.entry(directory.clone()).or_default();
        let path = joined(&directory, &format!("{}-{number:05}{}", self.options.file_prefix, format.ending()))?;
        *number += 1;
        if let (Publishing::Rename, Some(staged)) = (publishing, &self.staged) {
            let file = FsPath::new("/").join(hidden(&path).as_ref());
            staged.note(&file).map_err(|error| {
                Error::new(ErrorKind::Unavailable, "the files of an ingest could not be recorded in the data directory")
                    .with_source(error)
            })?;
        }
        let to = Destination { store, path: path.clone(), publishing, slots: Arc::clone(&self.slots) };
        let writer = TableFile::begin(to, format.as_ref(), &self.data_schema)?;
        Ok(OpenFile { path, writer, target_bytes: format.target_file_bytes(), memory: 0, turn: self.turn })
    }

    /// Ends a partition's open file, if it has one.
    async fn end_file(&mut self, partition: usize) -> Result<()> {
        // It stays where it is until it is sealed, so that it is found and removed if this goes no further.
        let Some(file) = &mut self.partitions[partition].file else { return Ok(()) };
        file.writer.seal().await?;
        let Some(file) = self.partitions[partition].file.take() else { return Ok(()) };
        let values = self.partitions[partition].values.clone();
        self.written.push(WrittenFile { path: file.path, values, rows: file.writer.rows(), bytes: file.writer.bytes() });
        self.sealed.push(file.writer.into_upload());
        self.bound_held().await
    }

    /// Sends small files that wait to be published, as long as all together hold more memory than they may.
    async fn bound_held(&mut self) -> Result<()> {
        let mut held: usize = self.sealed.iter().map(Upload::held_bytes).sum();
        while held > self.options.memory_limit / HELD_SHARE {
            let Some(largest) = self.sealed.iter_mut().max_by_key(|upload| upload.held_bytes()) else { return Ok(()) };
            held -= largest.held_bytes();
            largest.spill().await.map_err(|error| from_store(&error))?;
        }
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

    /// Lets the largest files send what they can, or ends them, as long as all together hold more memory than they may.
    async fn bound_memory(&mut self) -> Result<()> {
        loop {
            let files =
                self.partitions.iter().enumerate().filter_map(|(at, partition)| Some((partition.file.as_ref()?.memory, at)));
            let (total, largest) = files.fold((0, None), |(total, largest), file| (total + file.0, largest.max(Some(file))));
            let Some((before, at)) = largest.filter(|_| total > self.options.memory_limit) else { return Ok(()) };
            let Some(file) = &mut self.partitions[at].file else { return Ok(()) };
            file.writer.flush().await?;
            file.memory = file.writer.memory_size();
            // What remains is a part that is not full yet.
            if file.memory > before / 2 {
                self.end_file(at).await?;
            }
        }
    }
}

/// The raw values of a row's partition keys, as directories spell them; the empty string is NULL there.
fn raw_values(columns: &[ArrayRef], row: usize) -> Result<Vec<Option<String>>> {
    let value = |column: &ArrayRef| Ok(canonical(column, row)?.filter(|text| !text.is_empty()));
    columns.iter().map(value).collect()
}

fn internal(error: arrow::error::ArrowError) -> Error {
    Error::internal("cannot take rows apart by their partition").with_source(error)
}
