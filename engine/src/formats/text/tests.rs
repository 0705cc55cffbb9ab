//! What text is read as, and which text is written: answers of a Trino (`answers.jsonl` and `writes.jsonl`, which `record.py` and `record_writes.py`
//! record), and what no Trino can be asked.

mod answers;
mod compressed;
mod csv;
mod ranges;
mod writes;
mod written;

use std::sync::Arc;

use arrow::{
    array::{Array, AsArray, RecordBatch},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use bytes::Bytes;
use glaux_catalog::{
    HiveType,
    model::{Column, Properties, SerDe, StorageDescriptor},
};

use super::{compression::Compression, decoder::TextDecoder, options::TextOptions, row::TextColumn};
use crate::error::Result;

const LAZY_SIMPLE: &str = "org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe";
const OPEN_CSV: &str = "org.apache.hadoop.hive.serde2.OpenCSVSerde";

/// A table's text.
struct Table {
    storage: StorageDescriptor,
    options: Arc<TextOptions>,
}

impl Table {
    fn new(serde: &str, columns: &[(&str, &str)], properties: &[(&str, &str)]) -> Result<Self> {
        let column = |(name, hive_type): &(&str, &str)| Column::new(*name, hive_type.parse::<HiveType>().unwrap());
        let properties = properties.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let storage = StorageDescriptor {
            columns: columns.iter().map(column).collect(),
            input_format: "org.apache.hadoop.mapred.TextInputFormat".to_owned(),
            serde: SerDe { library: serde.to_owned(), properties: properties.collect() },
            ..StorageDescriptor::default()
        };
        let options = Arc::new(TextOptions::of(&storage, &Properties::new())?);
        Ok(Self { storage, options })
    }

    fn lazy(columns: &[(&str, &str)], properties: &[(&str, &str)]) -> Self {
        Self::new(LAZY_SIMPLE, columns, properties).unwrap()
    }

    /// A decoder of some of its columns.
    fn decoder(&self, wanted: &[usize]) -> Result<TextDecoder> {
        let columns: Arc<[TextColumn]> = wanted.iter().map(|at| self.column(*at)).collect();
        let fields = columns.iter().map(|column| {
            let data_type = match &column.hive_type {
                HiveType::String => DataType::Utf8View,
                other => other.to_arrow(),
            };
            Field::new(&column.name, data_type, true)
        });
        let schema: SchemaRef = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        TextDecoder::new(Arc::clone(&self.options), columns, schema, 1000)
    }

    fn column(&self, position: usize) -> TextColumn {
        let Column { name, hive_type, .. } = self.storage.columns[position].clone();
        TextColumn { position, name, hive_type }
    }

    /// All columns of a file.
    fn read(&self, name: &str, file: &[u8]) -> Result<Vec<RecordBatch>> {
        let all: Vec<usize> = (0..self.storage.columns.len()).collect();
        let decoder = self.decoder(&all)?.with_compression(Compression::of_name(name)?)?;
        decode(decoder, [Bytes::copy_from_slice(file)])
    }
}

/// All batches of a file that comes in these pieces.
fn decode(mut decoder: TextDecoder, pieces: impl IntoIterator<Item = Bytes>) -> Result<Vec<RecordBatch>> {
    let mut batches = Vec::new();
    for piece in pieces {
        decoder.push(piece);
        while let Some(batch) = decoder.next()? {
            batches.push(batch);
        }
    }
    decoder.finish();
    while let Some(batch) = decoder.next()? {
        batches.push(batch);
    }
    Ok(batches)
}

/// The values of a column of strings.
fn strings(batches: &[RecordBatch], column: usize) -> Vec<Option<String>> {
    let values = batches.iter().flat_map(|batch| {
        let values = batch.column(column).as_string_view().clone();
        (0..values.len()).map(move |row| values.is_valid(row).then(|| values.value(row).to_owned())).collect::<Vec<_>>()
    });
    values.collect()
}

fn rows(batches: &[RecordBatch]) -> usize {
    batches.iter().map(RecordBatch::num_rows).sum()
}
