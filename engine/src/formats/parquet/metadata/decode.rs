//! Parquet metadata out of bytes, normalised so that nothing above sees a file's peculiarities: what the decoder refuses for no good reason is corrected
//! (`normalise`), the schema becomes the table's (`schema`), the embedded Arrow schema is dropped in favour of Parquet's own types, offsets that point
//! outside the file are refused before a decoder meets them, and statistics that must not be believed are gone (`belief`). Nothing is read here.

use std::sync::Arc;

use bytes::Bytes;
use glaux_catalog::contained::contained;
use parquet::{
    DecodeResult,
    errors::ParquetError,
    file::metadata::{
        FileMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataBuilder, ParquetMetaDataOptions,
        ParquetMetaDataPushDecoder, ParquetMetaDataReader, ParquetStatisticsPolicy, RowGroupMetaData,
    },
};

use super::{
    chunks,
    fault::{corrupt, encrypted, not_decoded, unsupported_codec},
    indexes::Indexes,
    inexact::Marks,
    normalise,
    reading::Reading,
    schema,
};
use crate::{error::Result, formats::parquet::belief, scan::DataFile};

/// The length of the footer's length and the magic after it.
pub(super) const TAIL: u64 = 8;

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
pub(super) fn footer(file: &DataFile, thrift: &[u8], reading: &Reading) -> Result<ParquetMetaData> {
    let metadata = decode(thrift, reading).or_else(|error| {
        let normalised = normalise::normalised(thrift).map(|thrift| decode(&thrift, reading));
        normalised.and_then(Result::ok).ok_or(error)
    });
    let metadata = metadata.map_err(|error| match normalise::unknown_codec(thrift) {
        Some(codec) => unsupported_codec(&file.url(), &format!("codec {codec} of a newer format")),
        None => not_decoded(file, error),
    })?;
    if let Some(why) = belief::contradiction(&metadata) {
        return Err(corrupt(file, &why));
    }
    // A row group without rows has no bytes either, and may say that they lie anywhere.
    let groups = metadata.row_groups().iter().filter(|group| group.num_rows() > 0).cloned().collect();
    let metadata = metadata.into_builder().set_row_groups(groups).build();
    let pages_end = file.meta.size.saturating_sub(TAIL + thrift.len() as u64);
    let metadata = chunks::counted(metadata, i64::try_from(pages_end).unwrap_or(i64::MAX));
    let metadata = check_ranges(file, metadata.map_err(|error| not_decoded(file, error))?)?;
    belief::of_footer(&metadata).map_err(|error| not_decoded(file, error))
}

/// The same metadata with page indexes, out of the region of the file that holds them.
pub(super) fn indexed(
    file: &DataFile,
    footer: &ParquetMetaData,
    indexes: Indexes,
    offset: u64,
    region: Bytes,
) -> Result<ParquetMetaData> {
    let decoded = || -> Result<ParquetMetaData, ParquetError> {
        let mut decoder = ParquetMetaDataPushDecoder::try_new_with_metadata(file.meta.size, footer.clone())?
            .with_column_index_policy(indexes.column_policy())
            .with_offset_index_policy(PageIndexPolicy::Optional);
        decoder.push_range(offset..offset + region.len() as u64, region)?;
        match decoder.try_decode()? {
            DecodeResult::Data(metadata) => Ok(belief::of_indexes(metadata)),
            _ => Err(ParquetError::General("its page indexes lie apart".to_owned())),
        }
    };
    caught(decoded).map_err(|error| corrupt(file, "its page indexes do not decode").with_source(error))
}

/// What a decoder makes of bytes. It meets damage that it did not foresee.
fn caught<T>(decode: impl FnOnce() -> Result<T, ParquetError>) -> Result<T, ParquetError> {
    contained(decode).unwrap_or_else(|panic| Err(ParquetError::General(panic)))
}

fn decode(thrift: &[u8], reading: &Reading) -> Result<ParquetMetaData, ParquetError> {
    caught(|| plain(thrift, reading))
}

fn plain(thrift: &[u8], reading: &Reading) -> Result<ParquetMetaData, ParquetError> {
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
    let adapted = schema::adapted(metadata.file_metadata().schema_descr(), reading)?;
    if let Some(schema) = &adapted.schema {
        options.set_schema(Arc::clone(schema));
        metadata = read(&options)?;
    }
    let file = metadata.file_metadata();
    let mut properties = adapted.decimals.clone();
    let own = file.key_value_metadata().into_iter().flatten();
    properties.extend(own.filter(|property| property.key != parquet::arrow::ARROW_SCHEMA_META_KEY).cloned());
    let plain = FileMetaData::new(
        file.version(),
        file.num_rows(),
        file.created_by().map(str::to_owned),
        (!properties.is_empty()).then_some(properties),
        file.schema_descr_ptr(),
        file.column_orders().cloned(),
    );
    let marks = Marks::read(thrift);
    let groups = metadata.row_groups().iter().enumerate();
    let groups = groups.map(|(at, group)| marks.apply(at, adapted.without_bounds(group)?)).collect::<Result<_, _>>()?;
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
