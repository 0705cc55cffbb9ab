//! Complete partitions, and their values alone, as Arrow IPC: many in one message, so that a change of a million partitions takes few messages.

use std::{collections::HashMap, sync::Arc};

use arrow::{
    array::{
        Array, ArrayRef, AsArray, BooleanArray, Int64Builder, ListArray, ListBuilder, RecordBatch, StringArray, StringBuilder,
        StringDictionaryBuilder,
    },
    compute::cast,
    datatypes::{DataType, Field, Int32Type, Int64Type, Schema},
};
use bytes::Bytes;
use chrono::DateTime;
use glaux_proto::catalog::v1::change_partitions_request::End;

use super::ipc;
use crate::{
    error::{Error, Result},
    metastore::{DropPartition, PartitionChange},
    model::{Partition, PartitionValues},
    partition::PartitionOwn,
};

/// The last message of a change: how many changes of each kind came before it.
pub(crate) fn end_of(change: &PartitionChange) -> End {
    End {
        drops: change.drop.len() as u64,
        renames: change.rename.len() as u64,
        replaces: change.replace.len() as u64,
        adds: change.add.len() as u64,
    }
}

/// Partitions in one message.
pub(crate) const CHUNK: usize = 8_192;

fn strings() -> ListBuilder<StringBuilder> {
    ListBuilder::new(StringBuilder::new())
}

fn append(list: &mut ListBuilder<StringBuilder>, values: &[Option<String>]) {
    for value in values {
        list.values().append_option(value.as_deref());
    }
    list.append(true);
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<Bytes> {
    let fields: Vec<Field> = columns.iter().map(|(name, array)| Field::new(*name, array.data_type().clone(), true)).collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    let batch = RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays)
        .map_err(|error| Error::internal("partitions could not be made a batch").with_source(error))?;
    ipc::whole(&batch)
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::internal("a definition could not be encoded").with_source(error))
}

pub(crate) fn encode(partitions: &[Partition]) -> Result<Bytes> {
    let (mut values, mut locations, mut created) = (strings(), StringBuilder::new(), Int64Builder::new());
    let mut own = StringDictionaryBuilder::<Int32Type>::new();
    let mut properties = StringDictionaryBuilder::<Int32Type>::new();
    for partition in partitions {
        append(&mut values, &partition.values);
        locations.append_option(partition.location.as_deref());
        if partition.columns.is_none() && partition.serde.is_none() {
            own.append_null();
        } else {
            own.append_value(json(&PartitionOwn { columns: partition.columns.clone(), serde: partition.serde.clone() })?);
        }
        if partition.properties.is_empty() {
            properties.append_null();
        } else {
            properties.append_value(json(&partition.properties)?);
        }
        created.append_value(partition.created_at.timestamp_nanos_opt().ok_or_else(|| {
            Error::invalid(format!("a partition cannot be created at \"{}\"", partition.created_at))
                .with_hint("Use a time in the years 1678 to 2261")
        })?);
    }
    batch(vec![
        ("values", Arc::new(values.finish())),
        ("location", Arc::new(locations.finish())),
        ("own", Arc::new(own.finish())),
        ("properties", Arc::new(properties.finish())),
        ("created_at", Arc::new(created.finish())),
    ])
}

pub(crate) fn decode(bytes: Bytes) -> Result<Vec<Partition>> {
    let mut partitions = Vec::new();
    for batch in ipc::read(bytes)? {
        let (values, locations) = (list(&batch, "values")?, text(&batch, "location")?);
        let (own, properties) = (text(&batch, "own")?, text(&batch, "properties")?);
        let created = column(&batch, "created_at")?.as_primitive_opt::<Int64Type>().ok_or_else(|| misfit("created_at"))?;
        // Mostly they all share one.
        let mut known: HashMap<String, PartitionOwn> = HashMap::new();
        for row in 0..batch.num_rows() {
            let own = match optional(&own, row) {
                None => PartitionOwn::default(),
                Some(text) => match known.get(text) {
                    Some(own) => own.clone(),
                    None => {
                        let own: PartitionOwn = parse("own", text)?;
                        known.insert(text.to_owned(), own.clone());
                        own
                    }
                },
            };
            partitions.push(Partition {
                values: row_values(values, row)?,
                location: optional(&locations, row).map(str::to_owned),
                columns: own.columns,
                serde: own.serde,
                properties: optional(&properties, row)
                    .map_or_else(|| Ok(Default::default()), |text| parse("properties", text))?,
                created_at: DateTime::from_timestamp_nanos(created.value(row)),
            });
        }
    }
    Ok(partitions)
}

pub(crate) fn encode_values(all: &[PartitionValues]) -> Result<Bytes> {
    let mut values = strings();
    all.iter().for_each(|one| append(&mut values, one));
    batch(vec![("values", Arc::new(values.finish()))])
}

pub(crate) fn decode_values(bytes: Bytes) -> Result<Vec<PartitionValues>> {
    let mut all = Vec::new();
    for batch in ipc::read(bytes)? {
        let values = list(&batch, "values")?;
        for row in 0..batch.num_rows() {
            all.push(row_values(values, row)?);
        }
    }
    Ok(all)
}

pub(crate) fn encode_drops(drops: &[DropPartition]) -> Result<Bytes> {
    let mut values = strings();
    drops.iter().for_each(|drop| append(&mut values, &drop.values));
    let if_exists: BooleanArray = drops.iter().map(|drop| Some(drop.if_exists)).collect();
    batch(vec![("values", Arc::new(values.finish())), ("if_exists", Arc::new(if_exists))])
}

pub(crate) fn decode_drops(bytes: Bytes) -> Result<Vec<DropPartition>> {
    let mut drops = Vec::new();
    for batch in ipc::read(bytes)? {
        let values = list(&batch, "values")?;
        let if_exists = column(&batch, "if_exists")?.as_boolean_opt().ok_or_else(|| misfit("if_exists"))?;
        for row in 0..batch.num_rows() {
            drops.push(DropPartition { values: row_values(values, row)?, if_exists: if_exists.value(row) });
        }
    }
    Ok(drops)
}

pub(crate) fn encode_renames(renames: &[(PartitionValues, PartitionValues)]) -> Result<Bytes> {
    let (mut from, mut to) = (strings(), strings());
    for (old, new) in renames {
        append(&mut from, old);
        append(&mut to, new);
    }
    batch(vec![("from", Arc::new(from.finish())), ("to", Arc::new(to.finish()))])
}

pub(crate) fn decode_renames(bytes: Bytes) -> Result<Vec<(PartitionValues, PartitionValues)>> {
    let mut renames = Vec::new();
    for batch in ipc::read(bytes)? {
        let (from, to) = (list(&batch, "from")?, list(&batch, "to")?);
        for row in 0..batch.num_rows() {
            renames.push((row_values(from, row)?, row_values(to, row)?));
        }
    }
    Ok(renames)
}

fn misfit(name: &str) -> Error {
    Error::corrupt(format!("partitions received over the network have no column \"{name}\" of the right type"))
}

fn column<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ArrayRef> {
    batch.column_by_name(name).ok_or_else(|| misfit(name))
}

fn list<'a>(batch: &'a RecordBatch, name: &str) -> Result<&'a ListArray> {
    column(batch, name)?.as_list_opt::<i32>().ok_or_else(|| misfit(name))
}

/// A column of strings, however it is encoded.
fn text(batch: &RecordBatch, name: &str) -> Result<StringArray> {
    let plain = cast(column(batch, name)?, &DataType::Utf8).map_err(ipc::unread)?;
    plain.as_string_opt::<i32>().cloned().ok_or_else(|| misfit(name))
}

fn optional(strings: &StringArray, row: usize) -> Option<&str> {
    strings.is_valid(row).then(|| strings.value(row))
}

fn row_values(lists: &ListArray, row: usize) -> Result<PartitionValues> {
    let values = lists.value(row);
    let values = values.as_string_opt::<i32>().ok_or_else(|| misfit("values"))?;
    Ok(values.iter().map(|value| value.map(str::to_owned)).collect())
}

fn parse<T: serde::de::DeserializeOwned>(what: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| misfit(what).with_source(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        error::ErrorKind,
        hive_type::HiveType,
        model::{Column, Properties, SerDe},
    };

    fn values(raw: &[Option<&str>]) -> PartitionValues {
        raw.iter().map(|value| value.map(str::to_owned)).collect()
    }

    #[test]
    fn partitions_come_back_as_they_were() {
        let time = DateTime::from_timestamp_nanos(-1_700_000_000_123_456_789);
        let plain = Partition::new(values(&[Some("1"), None, Some("")]), time);
        let mut rich = Partition::new(values(&[Some("a/b é")]), time);
        rich.location = Some("s3://elsewhere/".to_owned());
        rich.columns = Some(vec![Column::new("a", HiveType::Decimal(10, 2))]);
        rich.serde = Some(SerDe { library: "x".to_owned(), properties: Properties::new() });
        rich.properties = Properties::from([("k".to_owned(), "v".to_owned())]);
        let all = [plain.clone(), rich.clone(), rich, Partition::new(Vec::new(), time), plain];
        assert_eq!(decode(encode(&all).unwrap()).unwrap(), all);
        assert!(decode(encode(&[]).unwrap()).unwrap().is_empty());
    }

    #[test]
    fn values_drops_and_renames_come_back() {
        let all = [values(&[Some("1"), None]), values(&[]), values(&[Some("")])];
        assert_eq!(decode_values(encode_values(&all).unwrap()).unwrap(), all);
        let drops = [
            DropPartition { values: all[0].clone(), if_exists: true },
            DropPartition { values: all[2].clone(), if_exists: false },
        ];
        assert_eq!(decode_drops(encode_drops(&drops).unwrap()).unwrap(), drops);
        let renames = [(all[0].clone(), all[2].clone())];
        assert_eq!(decode_renames(encode_renames(&renames).unwrap()).unwrap(), renames);
    }

    #[test]
    fn damage_is_refused() {
        for bytes in
            [Bytes::from_static(b"nonsense, and more of it"), encode_values(&[values(&[Some("1")])]).unwrap().slice(..40)]
        {
            assert_eq!(decode_values(bytes).unwrap_err().kind(), ErrorKind::CorruptData);
        }
        assert_eq!(decode(encode_values(&[]).unwrap()).unwrap_err().kind(), ErrorKind::CorruptData);
        let cut = encode_values(&[values(&[Some("1")])]).unwrap();
        assert!(decode_values(cut.slice(..cut.len() - 12)).is_err(), "the end is missing");
    }
}
