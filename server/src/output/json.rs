//! `--format json`: one object a row, one row a line (NDJSON), NULLs included. What JSON has no numbers for is text, as Trino casts it to
//! JSON: "NaN", "Infinity", "-Infinity".

use std::{
    io::Write,
    sync::{Arc, LazyLock},
};

use arrow::{
    array::{Array, AsArray, RecordBatch},
    compute::cast,
    datatypes::{DataType, Field, FieldRef, Float32Type, Float64Type, Schema},
    error::ArrowError,
    json::writer::{
        Encoder, EncoderFactory, EncoderOptions, LineDelimited, NullableEncoder, Writer, WriterBuilder, make_encoder,
    },
};
use glaux_engine::Result;

use super::writer::{ResultWriter, arrow_error, write_error};

/// Writes a result as lines of JSON.
pub(super) struct JsonWriter<W: Write>(Writer<W, LineDelimited>);

impl<W: Write> JsonWriter<W> {
    pub(super) fn new(out: W) -> Self {
        let builder = WriterBuilder::new()
            .with_explicit_nulls(true)
            .with_encoder_factory(Arc::new(Floats))
            .with_timestamp_format("%Y-%m-%d %H:%M:%S%.f".to_owned())
            .with_timestamp_tz_format("%Y-%m-%d %H:%M:%S%.f %Z".to_owned());
        Self(builder.build(out))
    }
}

impl<W: Write> ResultWriter for JsonWriter<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.0.write(&with_text_keys(batch).map_err(arrow_error)?).map_err(arrow_error)
    }

    fn finish(&mut self) -> Result<()> {
        self.0.finish().map_err(arrow_error)?;
        self.0.get_mut().flush().map_err(write_error)
    }
}

/// Writes columns of floating-point numbers.
#[derive(Debug)]
struct Floats;

impl EncoderFactory for Floats {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        _: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        static PLAIN: LazyLock<EncoderOptions> = LazyLock::new(EncoderOptions::default);
        let value: Box<dyn Fn(usize) -> f64 + 'a> = match array.data_type() {
            DataType::Float32 => Box::new(move |at| f64::from(array.as_primitive::<Float32Type>().value(at))),
            DataType::Float64 => Box::new(move |at| array.as_primitive::<Float64Type>().value(at)),
            _ => return Ok(None),
        };
        let floats = FloatEncoder { value, finite: make_encoder(field, array, &PLAIN)? };
        Ok(Some(NullableEncoder::new(Box::new(floats), array.nulls().cloned())))
    }
}

struct FloatEncoder<'a> {
    value: Box<dyn Fn(usize) -> f64 + 'a>,
    finite: NullableEncoder<'a>,
}

impl Encoder for FloatEncoder<'_> {
    fn encode(&mut self, at: usize, out: &mut Vec<u8>) {
        let value = (self.value)(at);
        let name = match value {
            _ if value.is_finite() => return self.finite.encode(at, out),
            f64::INFINITY => "\"Infinity\"",
            f64::NEG_INFINITY => "\"-Infinity\"",
            _ => "\"NaN\"",
        };
        out.extend_from_slice(name.as_bytes());
    }
}

/// The batch with the keys of its maps as text: JSON has no others.
fn with_text_keys(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let fields: Vec<FieldRef> = batch.schema().fields().iter().map(text_keys_field).collect();
    if fields.iter().eq(batch.schema().fields().iter()) {
        return Ok(batch.clone());
    }
    let columns = batch.columns().iter().zip(&fields).map(|(column, field)| cast(column, field.data_type()));
    RecordBatch::try_new(Arc::new(Schema::new(fields.clone())), columns.collect::<Result<_, _>>()?)
}

fn text_keys_field(field: &FieldRef) -> FieldRef {
    Arc::new(field.as_ref().clone().with_data_type(text_keys(field.data_type())))
}

fn text_keys(data_type: &DataType) -> DataType {
    match data_type {
        DataType::List(item) => DataType::List(text_keys_field(item)),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(text_keys_field).collect()),
        DataType::Map(entries, is_sorted) => {
            let entry = |(at, field): (usize, &FieldRef)| match at {
                0 => Arc::new(Field::new(field.name(), DataType::Utf8, false)),
                _ => text_keys_field(field),
            };
            let DataType::Struct(fields) = entries.data_type() else { return data_type.clone() };
            let pairs = DataType::Struct(fields.iter().enumerate().map(entry).collect());
            DataType::Map(Arc::new(entries.as_ref().clone().with_data_type(pairs)), *is_sorted)
        }
        other => other.clone(),
    }
}
