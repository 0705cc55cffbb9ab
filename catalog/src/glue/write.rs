//! Writes definitions of the catalog as Glue's objects, with the fields that were kept when they were read.

use serde_json::{Value, json};

use super::{
    Kept, Rest,
    document::{GlueColumn, GlueDatabase, GluePartition, GlueSerde, GlueStorage, GlueTable, GlueTime},
    read::without_kept,
    view,
};
use crate::{
    error::Result,
    model::{Column, Database, Partition, SerDe, Table},
    partition::{HIVE_DEFAULT_PARTITION, hive_name},
};

/// # Errors
/// `CorruptData` if the kept fields cannot be decoded.
pub fn database(database: &Database) -> Result<GlueDatabase> {
    Ok(GlueDatabase {
        name: database.name.clone(),
        description: database.comment.clone(),
        location_uri: database.location.clone(),
        parameters: Some(without_kept(&database.properties)),
        create_time: Some(GlueTime::of(database.created_at)),
        rest: Kept::of(&database.properties)?.own,
    })
}

/// # Errors
/// As [`database`].
pub fn table(table: &Table) -> Result<GlueTable> {
    let mut kept = Kept::of(&table.properties)?;
    let mut rest = rest_of(std::mem::take(&mut kept.own), &[("Retention", json!(0))]);
    let table_type = match rest.remove("TableType") {
        Some(Value::String(kept)) => kept,
        _ if table.is_view() => "VIRTUAL_VIEW".to_owned(),
        _ => "EXTERNAL_TABLE".to_owned(),
    };
    let view_original_text = match (&table.view_text, rest.remove("ViewOriginalText")) {
        (Some(text), _) => {
            rest.insert("ViewExpandedText".to_owned(), Value::from(view::EXPANDED));
            let database = table.view_database.as_deref().unwrap_or(&table.name.database);
            let view = std::mem::take(&mut kept.view);
            Some(view::write(text, database, &table.storage.columns, table.comment.as_deref(), view)?)
        }
        (None, Some(Value::String(text))) => Some(text),
        (None, _) => None,
    };
    let parameters = without_kept(&table.properties);
    Ok(GlueTable {
        name: table.name.table.clone(),
        database_name: Some(table.name.database.clone()),
        description: table.comment.clone().filter(|comment| table.is_view() || parameters.get("comment") != Some(comment)),
        create_time: Some(GlueTime::of(table.created_at)),
        update_time: Some(GlueTime::of(table.updated_at)),
        storage_descriptor: Some(storage(table, None, &kept, &kept)),
        partition_keys: Some(table.partition_keys.iter().map(|key| column(key, kept.partition_keys.get(&key.name))).collect()),
        view_original_text,
        table_type: Some(table_type),
        parameters: Some(parameters),
        rest,
    })
}

/// A partition with its own descriptor, as in Glue.
///
/// # Errors
/// As [`database`].
pub fn partition(table: &Table, partition: &Partition) -> Result<GluePartition> {
    let of_table = Kept::of(&table.properties)?;
    let kept = Kept::of(&partition.properties)?;
    let mut rest = kept.own.clone();
    if let (false, Some(id)) = (rest.contains_key("CatalogId"), of_table.own.get("CatalogId")) {
        rest.insert("CatalogId".to_owned(), id.clone());
    }
    Ok(GluePartition {
        values: partition.values.iter().map(|value| value.clone().unwrap_or_else(|| HIVE_DEFAULT_PARTITION.to_owned())).collect(),
        database_name: Some(table.name.database.clone()),
        table_name: Some(table.name.table.clone()),
        creation_time: Some(GlueTime::of(partition.created_at)),
        storage_descriptor: Some(storage(table, Some(partition), &kept, &of_table)),
        parameters: Some(without_kept(&partition.properties)),
        rest,
    })
}

fn storage(table: &Table, partition: Option<&Partition>, kept: &Kept, of_table: &Kept) -> GlueStorage {
    let storage = &table.storage;
    let location = match partition {
        None => Some(storage.location.clone()).filter(|location| !table.is_view() || !location.is_empty()),
        Some(partition) => Some(
            partition
                .location
                .clone()
                .unwrap_or_else(|| format!("{}{}/", table.root(), hive_name(&table.partition_keys, &partition.values))),
        ),
    };
    let columns = partition.and_then(|partition| partition.columns.as_ref()).unwrap_or(&storage.columns);
    let kept_columns = if kept.columns.is_empty() { &of_table.columns } else { &kept.columns };
    let SerDe { library, properties } = partition.and_then(|partition| partition.serde.as_ref()).unwrap_or(&storage.serde);
    let serde = if kept.serde_info.is_empty() { &of_table.serde_info } else { &kept.serde_info };
    let mut rest = rest_of(
        kept.storage_descriptor.clone(),
        &[("Compressed", json!(false)), ("SortColumns", json!([])), ("StoredAsSubDirectories", json!(false))],
    );
    let mut format = |key: &str, usual: &str| match rest.remove(key) {
        Some(Value::String(own)) => Some(own),
        _ => Some(usual.to_owned()).filter(|usual| !usual.is_empty()),
    };
    let (input_format, output_format) =
        (format("InputFormat", &storage.input_format), format("OutputFormat", &storage.output_format));
    let bucket_columns = match rest.remove("BucketColumns") {
        Some(Value::Array(own)) => own.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => storage.bucket_columns.clone(),
    };
    let buckets = rest.remove("NumberOfBuckets").and_then(|own| own.as_i64());
    GlueStorage {
        columns: Some(columns.iter().map(|of| column(of, kept_columns.get(&of.name))).collect()),
        location,
        input_format,
        output_format,
        number_of_buckets: Some(buckets.unwrap_or_else(|| storage.bucket_count.map_or(-1, i64::from))),
        serde_info: Some(GlueSerde {
            serialization_library: Some(library.clone()).filter(|library| !library.is_empty()),
            parameters: Some(properties.clone()).filter(|properties| !properties.is_empty()),
            rest: serde.clone(),
        }),
        bucket_columns: Some(bucket_columns),
        rest,
    }
}

/// The kept fields, and those that Glue always has.
fn rest_of(mut kept: Rest, always: &[(&str, Value)]) -> Rest {
    for (key, value) in always {
        if !kept.contains_key(*key) {
            kept.insert((*key).to_owned(), value.clone());
        }
    }
    kept
}

fn column(column: &Column, rest: Option<&Rest>) -> GlueColumn {
    GlueColumn {
        name: column.name.clone(),
        hive_type: Some(column.hive_type.to_string()),
        comment: column.comment.clone(),
        rest: rest.cloned().unwrap_or_default(),
    }
}
