//! Parquet footers: read with one request where the length can be foreseen, checked, given the catalog's names, and cached.
//!
//! A footer is normalised as it is read, so that nothing above sees a file's peculiarities: names fold to lower case (or become the
//! table's by position, for `parquet.column.index.access`), the embedded Arrow schema is dropped in favour of Parquet's own types, and
//! offsets that point outside the file are refused before a decoder meets them.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use moka::future::Cache;
use parquet::{
    errors::ParquetError,
    file::metadata::{
        FileMetaData, ParquetMetaData, ParquetMetaDataBuilder, ParquetMetaDataOptions, ParquetMetaDataReader, RowGroupMetaData,
    },
    schema::types::{SchemaDescPtr, SchemaDescriptor, Type, TypePtr},
};

use super::listing::DataFile;
use crate::error::{Error, Result};

/// What is read of a file of a table nothing is known about.
const FIRST_READ: u64 = 64 << 10;

/// The most that is read at first, however long the footers of a table's other files are.
const LONGEST_FIRST_READ: u64 = 256 << 10;

/// The length of the footer's length and the magic after it.
const TAIL: u64 = 8;

/// How the columns of a table's files are found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Naming {
    /// By name, whatever the case.
    ByName,
    /// By position: these are the table's column names.
    ByPosition(Arc<[String]>),
}

/// What the files of one scan have in common.
#[derive(Debug, Clone)]
pub(super) struct TableFiles {
    /// The table's root, under which footer lengths are learned.
    pub root: Arc<str>,
    pub naming: Naming,
    /// From [`Footers::first_read`].
    pub first_read: u64,
}

/// A version of a file; two with equal keys have equal bytes.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct FileKey {
    url: String,
    size: u64,
    version: String,
}

impl FileKey {
    fn new(file: &DataFile) -> Self {
        let version = file.meta.e_tag.clone().unwrap_or_default() + &file.meta.last_modified.timestamp_micros().to_string();
        Self { url: file.url(), size: file.meta.size, version }
    }
}

/// The cache of footers and of the page indexes and bloom filters read after them, shared by all queries of an engine.
#[derive(Debug)]
pub struct Footers {
    parsed: Cache<(FileKey, Naming), Arc<ParquetMetaData>>,
    pieces: Cache<(FileKey, Range<u64>), Bytes>,
    /// The longest footer seen in each folder of files, by the table's root.
    learned: Mutex<HashMap<Arc<str>, u64>>,
}

impl Footers {
    /// A cache of about that many bytes.
    #[must_use]
    pub fn new(capacity: u64) -> Arc<Self> {
        let weight = |size: usize| u32::try_from(size).unwrap_or(u32::MAX);
        Arc::new(Self {
            parsed: Cache::builder()
                .max_capacity(capacity / 4 * 3)
                .weigher(move |_, footer: &Arc<ParquetMetaData>| weight(footer.memory_size()))
                .build(),
            pieces: Cache::builder().max_capacity(capacity / 4).weigher(move |_, piece: &Bytes| weight(piece.len())).build(),
            learned: Mutex::default(),
        })
    }

    /// How much to read at first of the files of a table; one scan asks once, so that it reads the same whatever its streams' timing.
    pub(super) fn first_read(&self, table: &str) -> u64 {
        let learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
        learned.get(table).copied().unwrap_or(FIRST_READ).min(LONGEST_FIRST_READ)
    }

    /// The footer of a file; `fetch` is called for what is not cached, once for several callers at the same time.
    ///
    /// # Errors
    /// `CorruptData` or `Unsupported` (encrypted), naming the file; those of `fetch`.
    pub(super) async fn footer<F, Fut>(&self, table: &TableFiles, file: &DataFile, fetch: F) -> Result<Arc<ParquetMetaData>>
    where
        F: Fn(Range<u64>) -> Fut,
        Fut: Future<Output = Result<Bytes>>,
    {
        let key = (FileKey::new(file), table.naming.clone());
        let loaded = self.parsed.try_get_with(key, async {
            let footer = self.load(table, file, fetch).await?;
            Ok::<_, Error>(Arc::new(footer))
        });
        loaded.await.map_err(|error: Arc<Error>| Error::clone(&error))
    }

    /// A page index or bloom filter; cached as the bytes it is.
    pub(super) async fn piece<Fut>(&self, file: &DataFile, range: Range<u64>, fetch: Fut) -> Result<Bytes>
    where
        Fut: Future<Output = Result<Bytes>>,
    {
        let loaded = self.pieces.try_get_with((FileKey::new(file), range), async {
            // A copy, so that no larger buffer is kept alive by a slice of it.
            Ok::<_, Error>(Bytes::copy_from_slice(&fetch.await?))
        });
        loaded.await.map_err(|error: Arc<Error>| Error::clone(&error))
    }

    async fn load<F, Fut>(&self, table: &TableFiles, file: &DataFile, fetch: F) -> Result<ParquetMetaData>
    where
        F: Fn(Range<u64>) -> Fut,
        Fut: Future<Output = Result<Bytes>>,
    {
        let size = file.meta.size;
        if size < TAIL + 4 {
            return Err(corrupt(file, &format!("it has {size} bytes")));
        }
        let first = table.first_read.clamp(TAIL, size);
        let tail = fetch(size - first..size).await?;
        let (body, magic) = tail.split_at(tail.len().saturating_sub(4));
        match magic {
            b"PAR1" => {}
            b"PARE" => return Err(encrypted(file)),
            _ => return Err(corrupt(file, "it does not end with Parquet's magic bytes")),
        }
        let length = body.last_chunk::<4>().map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)));
        if length + TAIL > size {
            return Err(corrupt(file, &format!("its footer of {length} bytes is longer than its {size} bytes")));
        }
        {
            let mut learned = self.learned.lock().unwrap_or_else(PoisonError::into_inner);
            let longest = learned.entry(Arc::clone(&table.root)).or_default();
            *longest = (*longest).max(length + TAIL);
        }
        let missing = (length + TAIL).saturating_sub(first);
        let buffer = if missing > 0 {
            let head = fetch(size - length - TAIL..size - first).await?;
            Bytes::from([head.as_ref(), tail.as_ref()].concat())
        } else {
            tail.slice((first - length - TAIL) as usize..)
        };
        let thrift = &buffer[..length as usize];
        let metadata = decode(thrift, &table.naming).map_err(|error| not_decoded(file, error))?;
        check_ranges(file, metadata)
    }
}

fn decode(thrift: &[u8], naming: &Naming) -> Result<ParquetMetaData, ParquetError> {
    let mut metadata = ParquetMetaDataReader::decode_metadata(thrift)?;
    if let Some(schema) = renamed(metadata.file_metadata().schema_descr(), naming)? {
        let options = ParquetMetaDataOptions::new().with_schema(schema);
        metadata = ParquetMetaDataReader::decode_metadata_with_options(thrift, Some(&options))?;
    }
    let file = metadata.file_metadata();
    let properties = file.key_value_metadata().map(|properties| {
        properties.iter().filter(|property| property.key != parquet::arrow::ARROW_SCHEMA_META_KEY).cloned().collect()
    });
    let plain = FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_owned),
        properties,
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    // A row group without rows has no bytes either, and may say that they lie anywhere.
    let groups = metadata.row_groups().iter().filter(|group| group.num_rows() > 0).cloned().collect();
    Ok(ParquetMetaDataBuilder::new(plain).set_row_groups(groups).build())
}

/// Refuses column chunks outside the file; forgets dictionary offsets that some writers set without a dictionary.
fn check_ranges(file: &DataFile, metadata: ParquetMetaData) -> Result<ParquetMetaData> {
    let size = i64::try_from(file.meta.size).unwrap_or(i64::MAX);
    let mut mended: Option<Vec<RowGroupMetaData>> = None;
    for (at, group) in metadata.row_groups().iter().enumerate() {
        for (column, chunk) in group.columns().iter().enumerate() {
            let dictionary = chunk.dictionary_page_offset();
            let stray = dictionary.is_some_and(|offset| offset < 4 || offset >= chunk.data_page_offset());
            let start = dictionary.filter(|_| !stray).unwrap_or_else(|| chunk.data_page_offset());
            let end = start.checked_add(chunk.compressed_size());
            if start < 4 || chunk.compressed_size() < 0 || end.is_none_or(|end| end > size) {
                let name = chunk.column_path().string();
                return Err(corrupt(file, &format!("its footer puts column \"{name}\" outside the file")));
            }
            if stray {
                let groups = mended.get_or_insert_with(|| metadata.row_groups().to_vec());
                let mut columns = groups[at].columns().to_vec();
                let chunk = columns[column].clone().into_builder().set_dictionary_page_offset(None).build();
                columns[column] = chunk.map_err(|error| not_decoded(file, error))?;
                let group = groups[at].clone().into_builder().set_column_metadata(columns).build();
                groups[at] = group.map_err(|error| not_decoded(file, error))?;
            }
        }
    }
    Ok(match mended {
        Some(groups) => metadata.into_builder().set_row_groups(groups).build(),
        None => metadata,
    })
}

fn corrupt(file: &DataFile, why: &str) -> Error {
    Error::corrupt(format!("file \"{}\" is not a readable Parquet file: {why}", file.url()))
        .with_hint("Remove or rewrite the file; names that begin with _ or . are not read")
}

fn encrypted(file: &DataFile) -> Error {
    Error::unsupported(format!("file \"{}\" is encrypted", file.url()))
        .with_hint("Parquet modular encryption is not offered; rewrite the file without it")
}

fn not_decoded(file: &DataFile, error: ParquetError) -> Error {
    let text = error.to_string();
    if text.contains("encrypt") { encrypted(file) } else { corrupt(file, "its footer does not decode").with_source(error) }
}

/// An error of reading a file's data pages.
pub(super) fn unreadable(file_url: &str, text: &str) -> Error {
    if text.contains("encrypt") {
        return Error::unsupported(format!("file \"{file_url}\" is encrypted"))
            .with_hint("Parquet modular encryption is not offered; rewrite the file without it");
    }
    let mut text = text;
    for prefix in ["Parquet error: ", "Parquet argument error: ", "External: "] {
        text = text.strip_prefix(prefix).unwrap_or(text);
    }
    Error::corrupt(format!("file \"{file_url}\" is not a readable Parquet file: {text}"))
        .with_hint("Remove or rewrite the file; names that begin with _ or . are not read")
}

/// The schema with the names that the table uses; `None` if they are the file's already.
fn renamed(schema: &SchemaDescriptor, naming: &Naming) -> Result<Option<SchemaDescPtr>, ParquetError> {
    let root = schema.root_schema();
    let mut fields = Vec::with_capacity(root.get_fields().len());
    for (position, field) in root.get_fields().iter().enumerate() {
        fields.push(match naming {
            Naming::ByName => folded(field, &field.name().to_lowercase())?,
            // Columns beyond the table's keep a name that no table can have.
            Naming::ByPosition(names) => match names.get(position) {
                Some(name) => folded(field, name)?,
                None => folded(field, &format!("/{position}"))?,
            },
        });
    }
    // Of two columns that differ only in case, the first counts.
    let mut seen = std::collections::HashSet::new();
    for (position, field) in fields.iter_mut().enumerate() {
        if !seen.insert(field.name().to_owned()) {
            *field = folded(field, &format!("/{position}"))?;
        }
    }
    if fields.iter().zip(root.get_fields()).all(|(new, old)| new == old) {
        return Ok(None);
    }
    let root = Type::group_type_builder(root.name()).with_fields(fields).build()?;
    Ok(Some(Arc::new(SchemaDescriptor::new(Arc::new(root)))))
}

/// A field with that name, and the fields within it in lower case.
fn folded(field: &TypePtr, name: &str) -> Result<TypePtr, ParquetError> {
    let unchanged = field.name() == name && (field.is_primitive() || field.get_fields().iter().all(is_folded));
    if unchanged {
        return Ok(Arc::clone(field));
    }
    let info = field.get_basic_info();
    let id = info.has_id().then(|| info.id());
    let built = match field.as_ref() {
        Type::PrimitiveType { physical_type, type_length, scale, precision, .. } => {
            Type::primitive_type_builder(name, *physical_type)
                .with_repetition(info.repetition())
                .with_converted_type(info.converted_type())
                .with_logical_type(info.logical_type_ref().cloned())
                .with_length(*type_length)
                .with_precision(*precision)
                .with_scale(*scale)
                .with_id(id)
                .build()?
        }
        Type::GroupType { fields, .. } => {
            let fields = fields.iter().map(|field| folded(field, &field.name().to_lowercase())).collect::<Result<_, _>>()?;
            Type::group_type_builder(name)
                .with_repetition(info.repetition())
                .with_converted_type(info.converted_type())
                .with_logical_type(info.logical_type_ref().cloned())
                .with_fields(fields)
                .with_id(id)
                .build()?
        }
    };
    Ok(Arc::new(built))
}

fn is_folded(field: &TypePtr) -> bool {
    field.name() == field.name().to_lowercase() && (field.is_primitive() || field.get_fields().iter().all(is_folded))
}
