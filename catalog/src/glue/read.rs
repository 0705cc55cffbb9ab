//! Reads Glue's objects as definitions of the catalog. Objects that only look like Hive tables are rejected by name; fields that only Glue has are kept
//! with the definition.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde_json::Value;

use super::{
    Kept, Rest,
    document::{Columns, GlueColumn, GlueDatabase, GluePartition, GlueSerde, GlueTable, GlueTime, SharedStorage},
    informative, view,
};
use crate::{
    error::{Error, Result},
    format::FileFormat,
    ident::TableName,
    model::{Column, Database, Partition, Properties, SerDe, StorageDescriptor, Table, TableType},
    partition::HIVE_DEFAULT_PARTITION,
};

/// The columns that partitions share, parsed once.
fn columns_of(shared: &SharedStorage) -> Result<&Columns> {
    if let Some(columns) = shared.columns.get() {
        return Ok(columns);
    }
    let read = columns(shared.storage.columns.as_deref().unwrap_or_default())?;
    Ok(shared.columns.get_or_init(|| read))
}

/// A database. `now` is its time of creation if Glue has none.
///
/// # Errors
/// `Invalid` for a time that is not valid.
pub fn database(glue: GlueDatabase, now: DateTime<Utc>) -> Result<Database> {
    let mut properties = glue.parameters.unwrap_or_default();
    Kept { own: informative(glue.rest), ..Kept::default() }.put(&mut properties)?;
    Ok(Database {
        name: glue.name,
        comment: glue.description,
        location: glue.location_uri.filter(|location| !location.is_empty()),
        properties,
        created_at: time(glue.create_time.as_ref(), now)?,
    })
}

/// A table or view. `now` is its time of creation if Glue has none.
///
/// # Errors
/// `Unsupported` for objects that only look like Hive tables (Iceberg, Delta, Hudi, links to other catalogs) and for Hive views; `Invalid` for columns
/// and times that are not valid.
pub fn table(glue: GlueTable, now: DateTime<Utc>) -> Result<Table> {
    refuse_others(&glue)?;
    let is_view = glue.table_type.as_deref() == Some("VIRTUAL_VIEW");
    let storage = glue.storage_descriptor.unwrap_or_default();
    let mut properties = glue.parameters.unwrap_or_default();
    let (columns, kept_columns) = columns(storage.columns.as_deref().unwrap_or_default())?;
    let (partition_keys, kept_keys) = self::columns(glue.partition_keys.as_deref().unwrap_or_default())?;
    let (serde, kept_serde) = serde(storage.serde_info);
    let mut own = informative(glue.rest);
    if own.get("ViewExpandedText").and_then(Value::as_str) == Some(view::EXPANDED) {
        own.remove("ViewExpandedText");
    }
    match glue.table_type.as_deref() {
        Some("EXTERNAL_TABLE" | "VIRTUAL_VIEW") => {}
        Some(other) => _ = own.insert("TableType".to_owned(), Value::from(other)),
        None => {}
    }
    let mut kept = Kept {
        own,
        storage_descriptor: informative(storage.rest),
        serde_info: kept_serde,
        columns: kept_columns,
        partition_keys: kept_keys,
        view: Rest::new(),
    };
    let mut comment = glue.description;
    let (mut view_text, mut view_database) = (None, None);
    let original = glue.view_original_text.filter(|text| !text.trim().is_empty());
    if is_view {
        let view = view::read(&original.unwrap_or_default())?;
        kept.view = informative(view.rest);
        comment = comment.or(view.comment);
        view_database = view.schema.or_else(|| glue.database_name.clone());
        view_text = Some(view.original_sql);
    } else {
        if let Some(text) = original {
            kept.own.insert("ViewOriginalText".to_owned(), Value::from(text));
        }
        comment = comment.or_else(|| properties.get("comment").cloned());
    }
    kept.put(&mut properties)?;
    let created_at = time(glue.create_time.as_ref(), now)?;
    let (bucket_columns, bucket_count) = buckets(storage.bucket_columns, storage.number_of_buckets)?;
    Ok(Table {
        name: TableName::new(glue.database_name.unwrap_or_default(), &glue.name),
        id: 0,
        version: 0,
        table_type: if is_view { TableType::VirtualView } else { TableType::ExternalTable },
        storage: StorageDescriptor {
            columns,
            location: if is_view { String::new() } else { storage.location.unwrap_or_default() },
            input_format: storage.input_format.unwrap_or_default(),
            output_format: storage.output_format.unwrap_or_default(),
            serde,
            bucket_columns,
            bucket_count,
        },
        partition_keys,
        comment,
        properties,
        view_text,
        view_database,
        updated_at: time(glue.update_time.as_ref(), created_at)?,
        created_at,
    })
}

/// A partition of a table that was read before. `now` is its time of creation if Glue has none.
///
/// # Errors
/// `Invalid` for columns and times that are not valid; `Unsupported` for files of another format than the table's.
pub fn partition(table: &Table, glue: &GluePartition, shared: &SharedStorage, now: DateTime<Utc>) -> Result<Partition> {
    let values =
        glue.values.iter().map(|value| Some(value.clone()).filter(|value| value != HIVE_DEFAULT_PARTITION && !value.is_empty()));
    let mut partition = Partition::new(values.collect(), time(glue.creation_time.as_ref(), now)?);
    partition.properties = glue.parameters.clone().unwrap_or_default();
    let of_table = Kept::of(&table.properties)?;
    let mut kept = Kept { own: informative(glue.rest.clone()), ..Kept::default() };
    if kept.own.get("CatalogId") == of_table.own.get("CatalogId") {
        kept.own.remove("CatalogId");
    }
    if let Some(storage) = &glue.storage_descriptor {
        partition.location = storage.location.clone().filter(|location| !location.is_empty());
        kept.storage_descriptor = informative(storage.rest.clone());
        kept.storage_descriptor.extend(informative(shared.storage.rest.clone()));
        if shared.storage.columns.is_some() {
            let (columns, rest) = columns_of(shared)?;
            partition.columns = (*columns != table.storage.columns).then(|| columns.clone());
            kept.columns = if *rest == of_table.columns { BTreeMap::new() } else { rest.clone() };
        }
        if shared.storage.serde_info.is_some() {
            let (serde, rest) = serde(shared.storage.serde_info.clone());
            kept.serde_info = if rest == of_table.serde_info { Rest::new() } else { rest };
            partition.serde = (serde != table.storage.serde).then_some(serde);
        }
        for (what, own, usual) in [
            ("InputFormat", &shared.storage.input_format, &table.storage.input_format),
            ("OutputFormat", &shared.storage.output_format, &table.storage.output_format),
        ] {
            if let Some(own) = own.as_ref().filter(|own| *own != usual && !own.is_empty()) {
                kept.storage_descriptor.insert(what.to_owned(), Value::from(own.as_str()));
            }
        }
        let (bucket_columns, bucket_count) = buckets(shared.storage.bucket_columns.clone(), shared.storage.number_of_buckets)?;
        if (&bucket_columns, bucket_count) != (&table.storage.bucket_columns, table.storage.bucket_count) {
            kept.storage_descriptor.insert("BucketColumns".to_owned(), Value::from(bucket_columns));
            kept.storage_descriptor.insert("NumberOfBuckets".to_owned(), Value::from(bucket_count.map_or(-1, i64::from)));
        }
        check_format(table, &partition, shared)?;
    }
    kept.put(&mut partition.properties)?;
    Ok(partition)
}

/// Rejects a partition whose files have another format, as they would be read in the table's.
fn check_format(table: &Table, partition: &Partition, shared: &SharedStorage) -> Result<()> {
    let of_partition = StorageDescriptor {
        input_format: shared.storage.input_format.clone().unwrap_or_else(|| table.storage.input_format.clone()),
        serde: partition.serde.clone().unwrap_or_else(|| table.storage.serde.clone()),
        ..table.storage.clone()
    };
    if FileFormat::of(&of_partition) == FileFormat::of(&table.storage) {
        return Ok(());
    }
    Err(Error::unsupported("its files have another format than its table's")
        .with_hint("Rewrite them in the table's format, or create a table for them"))
}

fn refuse_others(glue: &GlueTable) -> Result<()> {
    let refuse = |what: &str, hint: &str| Err(Error::unsupported(format!("it is {what}")).with_hint(hint));
    if glue.rest.get("TargetTable").is_some_and(|target| !target.is_null()) {
        return refuse("a link to a table of another catalog", "Import the table that it links to");
    }
    if glue.rest.get("FederatedTable").is_some_and(|target| !target.is_null()) {
        return refuse("a table of another service", "Only tables over files in a lake are supported");
    }
    let parameter =
        |key: &str| glue.parameters.as_ref().and_then(|parameters| parameters.get(key)).map(|value| value.to_lowercase());
    let kinds = [parameter("table_type"), parameter("spark.sql.sources.provider"), parameter("classification")];
    let input = glue.storage_descriptor.as_ref().and_then(|storage| storage.input_format.as_deref()).unwrap_or_default();
    for (kind, name) in [("iceberg", "an Iceberg table"), ("delta", "a Delta table"), ("hudi", "a Hudi table")] {
        if kinds.iter().flatten().any(|found| found == kind)
            || input.to_lowercase().contains(&format!("{kind}."))
            || input.starts_with("org.apache.hudi") && kind == "hudi"
        {
            return refuse(name, "Its folder has files that are no longer part of it, so it cannot be read as Parquet files");
        }
    }
    Ok(())
}

fn columns(glue: &[GlueColumn]) -> Result<Columns> {
    let mut kept = BTreeMap::new();
    let mut columns = Vec::with_capacity(glue.len());
    for column in glue {
        let text = column.hive_type.as_deref().unwrap_or("string");
        let hive_type = text.parse().map_err(|error: Error| {
            let context = Error::new(error.kind(), format!("column \"{}\": {error}", column.name));
            error.hint().map(str::to_owned).into_iter().fold(context, Error::with_hint)
        })?;
        let rest = informative(column.rest.clone());
        if !rest.is_empty() {
            kept.insert(column.name.to_lowercase(), rest);
        }
        columns.push(Column { name: column.name.to_lowercase(), hive_type, comment: column.comment.clone() });
    }
    Ok((columns, kept))
}

fn serde(glue: Option<GlueSerde>) -> (SerDe, Rest) {
    let GlueSerde { serialization_library, parameters, rest } = glue.unwrap_or_default();
    (SerDe { library: serialization_library.unwrap_or_default(), properties: parameters.unwrap_or_default() }, informative(rest))
}

/// Glue has -1 or 0 where there are no buckets.
fn buckets(columns: Option<Vec<String>>, count: Option<i64>) -> Result<(Vec<String>, Option<u32>)> {
    let columns: Vec<String> = columns.unwrap_or_default().iter().map(|name| name.to_lowercase()).collect();
    match count {
        Some(count @ 1..) => match u32::try_from(count) {
            Ok(count) => Ok((columns, Some(count))),
            Err(_) => Err(Error::invalid(format!("it has {count} buckets"))),
        },
        _ => Ok((columns, None)),
    }
}

fn time(glue: Option<&GlueTime>, otherwise: DateTime<Utc>) -> Result<DateTime<Utc>> {
    glue.map_or(Ok(otherwise), GlueTime::read)
}

/// Properties without the fields that are kept for Glue.
pub(super) fn without_kept(properties: &Properties) -> Properties {
    properties.iter().filter(|(key, _)| *key != super::KEPT).map(|(key, value)| (key.clone(), value.clone())).collect()
}
