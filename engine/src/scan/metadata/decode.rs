//! Parquet metadata out of bytes, normalised so that nothing above sees a file's peculiarities: names fold to lower case (or become the table's by
//! position, for `parquet.column.index.access`), the embedded Arrow schema is dropped in favour of Parquet's own types, offsets that point
//! outside the file are refused before a decoder meets them, and statistics that must not be believed are gone (`belief`). Nothing is read here.

use std::sync::Arc;

use bytes::Bytes;
use glaux_catalog::model::Table;
use parquet::{
    DecodeResult,
    errors::ParquetError,
    file::metadata::{
        FileMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataBuilder, ParquetMetaDataOptions,
        ParquetMetaDataPushDecoder, ParquetMetaDataReader, ParquetStatisticsPolicy, RowGroupMetaData,
    },
    schema::types::{SchemaDescPtr, SchemaDescriptor, Type, TypePtr},
};

use super::Indexes;
use crate::{
    error::{Error, Result},
    scan::{belief, listing::DataFile},
};

/// The length of the footer's length and the magic after it.
pub(super) const TAIL: u64 = 8;

/// How the columns of a table's files are found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(in crate::scan) enum Naming {
    /// By name, whatever the case.
    ByName,
    /// By position: these are the table's column names.
    ByPosition(Arc<[String]>),
}

impl Naming {
    /// As the table's SerDe says.
    pub(in crate::scan) fn of(table: &Table) -> Self {
        match table.storage.serde.properties.get("parquet.column.index.access").map(String::as_str) {
            Some("true") => Self::ByPosition(table.storage.columns.iter().map(|column| column.name.clone()).collect()),
            _ => Self::ByName,
        }
    }
}

/// How long a footer is, without its tail, told by the last bytes of a file.
pub(super) fn footer_length(file: &DataFile, end: &[u8]) -> Result<u64> {
    let size = file.meta.size;
    let (body, magic) = end.split_at(end.len().saturating_sub(4));
    match magic {
        b"PAR1" => {}
        b"PARE" => return Err(encrypted(file)),
        _ => return Err(corrupt(file, "it does not end with Parquet's magic bytes")),
    }
    let length = body.last_chunk::<4>().map_or(0, |bytes| u64::from(u32::from_le_bytes(*bytes)));
    if length + TAIL > size {
        return Err(corrupt(file, &format!("its footer of {length} bytes is longer than its {size} bytes")));
    }
    Ok(length)
}

/// The metadata of a footer's bytes, without its tail.
pub(super) fn footer(file: &DataFile, thrift: &[u8], naming: &Naming) -> Result<ParquetMetaData> {
    let metadata = decode(thrift, naming).map_err(|error| not_decoded(file, error))?;
    if let Some(why) = belief::contradiction(&metadata) {
        return Err(corrupt(file, &why));
    }
    // A row group without rows has no bytes either, and may say that they lie anywhere.
    let groups = metadata.row_groups().iter().filter(|group| group.num_rows() > 0).cloned().collect();
    let metadata = check_ranges(file, metadata.into_builder().set_row_groups(groups).build())?;
    belief::of_footer(metadata).map_err(|error| not_decoded(file, error))
}

/// The same metadata with page indexes, out of the region of the file that holds them.
pub(super) fn indexed(
    file: &DataFile,
    footer: &ParquetMetaData,
    indexes: Indexes,
    offset: u64,
    region: Bytes,
) -> Result<ParquetMetaData> {
    let decoded = || {
        let mut decoder = ParquetMetaDataPushDecoder::try_new_with_metadata(file.meta.size, footer.clone())?
            .with_column_index_policy(indexes.column_policy())
            .with_offset_index_policy(PageIndexPolicy::Optional);
        decoder.push_range(offset..offset + region.len() as u64, region)?;
        match decoder.try_decode()? {
            DecodeResult::Data(metadata) => Ok(belief::of_indexes(metadata)),
            _ => Err(ParquetError::General("its page indexes lie apart".to_owned())),
        }
    };
    decoded().map_err(|error: ParquetError| corrupt(file, "its page indexes do not decode").with_source(error))
}

fn decode(thrift: &[u8], naming: &Naming) -> Result<ParquetMetaData, ParquetError> {
    let read = |options: &ParquetMetaDataOptions| ParquetMetaDataReader::decode_metadata_with_options(thrift, Some(options));
    let mut options = ParquetMetaDataOptions::new();
    let mut metadata = match read(&options) {
        Ok(metadata) => metadata,
        // Statistics that are none, such as a negative count of NULLs, are no loss.
        Err(error) => {
            options.set_column_stats_policy(ParquetStatisticsPolicy::SkipAll);
            read(&options).map_err(|_| error)?
        }
    };
    if let Some(schema) = renamed(metadata.file_metadata().schema_descr(), naming)? {
        options.set_schema(schema);
        metadata = read(&options)?;
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
    Ok(ParquetMetaDataBuilder::new(plain).set_row_groups(metadata.row_groups().to_vec()).build())
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
                let chunk = columns[column].clone().into_builder().set_dictionary_page_offset(None);
                columns[column] = chunk.build().map_err(|error| not_decoded(file, error))?;
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

pub(super) fn corrupt(file: &DataFile, why: &str) -> Error {
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
pub(in crate::scan) fn unreadable(file_url: &str, text: &str) -> Error {
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
