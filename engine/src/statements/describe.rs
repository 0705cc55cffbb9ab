//! `DESCRIBE`: columns, partition keys, and with `EXTENDED` or `FORMATTED` everything else that the catalog knows, in Hive's layout.

use chrono::{DateTime, Utc};
use glaux_catalog::{
    HiveType, TableName,
    model::{Column, Partition, Properties, Table},
};

use super::{
    columns,
    context::StatementContext,
    engine_tables,
    lookup::{find, resolve},
    partitions,
    rows::{Row, row},
    show::written,
    stats,
};
use crate::{
    error::{Error, Result, nearest},
    sql::{Describe, DescribeDetail},
};

pub(super) async fn describe(what: &Describe, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    let name = resolve(&what.table, context);
    if let Some(columns) = engine_tables::columns(&name)? {
        return describe_engine_table(what, &name, &columns);
    }
    let table = find(&what.table, context).await?;
    let partition = match &what.partition {
        Some(spec) => Some(partitions::find(&table, spec, context).await?),
        None => None,
    };
    let data = partition.as_ref().and_then(|partition| partition.columns.as_ref()).unwrap_or(&table.storage.columns);
    let all: Vec<&Column> = data.iter().chain(&table.partition_keys).collect();
    if let [name, steps @ ..] = what.path.as_slice() {
        let column = all.iter().find(|column| column.name == *name).ok_or_else(|| columns::no_column(&table, name))?;
        return path(column, steps);
    }
    let formatted = what.detail == DescribeDetail::Formatted;
    let mut rows = Vec::new();
    if formatted {
        rows.push(row(["# col_name", "data_type", "comment"]));
        rows.push(blank());
    }
    rows.extend(all.into_iter().map(column_row));
    if table.is_partitioned() {
        rows.push(blank());
        rows.push(row(["# Partition Information", "", ""]));
        rows.push(row(["# col_name", "data_type", "comment"]));
        rows.push(blank());
        rows.extend(table.partition_keys.iter().map(column_row));
    }
    if what.detail == DescribeDetail::Columns {
        return Ok(rows);
    }
    let (table, partition) = with_figures(table, partition, context).await?;
    rows.extend(match formatted {
        true => details(&table, partition.as_ref()),
        false => extended(&table, partition.as_ref()),
    });
    Ok(rows)
}

/// One of the engine's tables has columns, and nothing else.
fn describe_engine_table(what: &Describe, name: &TableName, columns: &[Column]) -> Result<Vec<Row>> {
    if what.partition.is_some() {
        return Err(Error::invalid(format!("table \"{name}\" is not partitioned")));
    }
    match what.path.as_slice() {
        [] => Ok(columns.iter().map(column_row).collect()),
        [of, steps @ ..] => match columns.iter().find(|column| column.name == *of) {
            Some(column) => path(column, steps),
            None => Err(Error::not_found(format!("table \"{name}\" has no column \"{of}\""))
                .with_hint(format!("DESCRIBE {name} lists them"))),
        },
    }
}

/// Adds what `ANALYZE` found to the parameters, where Hive has it.
async fn with_figures(
    mut table: Table,
    mut partition: Option<Partition>,
    context: &StatementContext<'_>,
) -> Result<(Table, Option<Partition>)> {
    let metastore = context.metastore().as_ref();
    let found = match &mut partition {
        Some(partition) => {
            let name = glaux_catalog::partition::hive_name(&table.partition_keys, &partition.values);
            (stats::of_partition(metastore, &table, &name).await?, &mut partition.properties)
        }
        None => (stats::whole(metastore, &table).await?, &mut table.properties),
    };
    if let (Some(analyzed), properties) = found {
        stats::parameters(properties, &analyzed);
    }
    Ok((table, partition))
}

fn blank() -> Row {
    row(["", "", ""])
}

fn column_row(column: &Column) -> Row {
    row([&column.name, &column.hive_type.to_string(), column.comment.as_deref().unwrap_or_default()])
}

/// One column, or a part of it.
fn path(column: &Column, steps: &[String]) -> Result<Vec<Row>> {
    let Some(last) = steps.last() else { return Ok(vec![column_row(column)]) };
    let mut at = &column.hive_type;
    for step in steps {
        at = match (at, step.as_str()) {
            (HiveType::Array(element), "$elem$") => element,
            (HiveType::Map(key, _), "$key$") => key,
            (HiveType::Map(_, value), "$value$") => value,
            (HiveType::Struct(fields), name) => match fields.iter().find(|(field, _)| field == name) {
                Some((_, field)) => field,
                None => {
                    let error = Error::not_found(format!("column \"{}\" has no field \"{name}\"", column.name));
                    return Err(match nearest(name, fields.iter().map(|(field, _)| field.as_str())) {
                        Some(near) => error.with_hint(format!("Did you mean \"{near}\"?")),
                        None => error,
                    });
                }
            },
            (other, step) => {
                return Err(Error::invalid(format!("\"{step}\" does not lead into a column of type \"{other}\""))
                    .with_hint("Arrays have $elem$, maps $key$ and $value$, structs their fields"));
            }
        };
    }
    Ok(vec![row([last, &at.to_string(), ""])])
}

/// A label and its value, in the columns that Hive puts them in.
fn detail(label: &str, value: impl AsRef<str>) -> Row {
    row([label, value.as_ref(), ""])
}

fn parameters(rows: &mut Vec<Row>, label: &str, properties: &Properties) {
    if !properties.is_empty() {
        rows.push(row([label, "", ""]));
        rows.extend(properties.iter().map(|(key, value)| row(["", key, value])));
    }
}

fn time(at: DateTime<Utc>) -> String {
    at.format("%a %b %d %H:%M:%S UTC %Y").to_string()
}

/// Where the files of the table, or of the partition, are.
fn place(table: &Table, partition: Option<&Partition>) -> String {
    match partition {
        None => table.storage.location.clone(),
        Some(partition) => match &partition.location {
            Some(location) => location.clone(),
            None => {
                format!("{}{}/", table.root(), glaux_catalog::partition::hive_name(&table.partition_keys, &partition.values))
            }
        },
    }
}

fn kind(table: &Table) -> &'static str {
    if table.is_view() { "VIRTUAL_VIEW" } else { "EXTERNAL_TABLE" }
}

/// The blocks of `DESCRIBE FORMATTED`.
fn details(table: &Table, partition: Option<&Partition>) -> Vec<Row> {
    let mut rows = vec![blank()];
    match partition {
        Some(partition) => {
            let values: Vec<_> = partition.values.iter().map(|value| written(value.as_deref())).collect();
            rows.push(row(["# Detailed Partition Information", "", ""]));
            rows.push(detail("Partition Value:", format!("[{}]", values.join(", "))));
            rows.push(detail("Database:", &table.name.database));
            rows.push(detail("Table:", &table.name.table));
            rows.push(detail("CreateTime:", time(partition.created_at)));
            rows.push(detail("Location:", place(table, Some(partition))));
            parameters(&mut rows, "Partition Parameters:", &partition.properties);
        }
        None => {
            rows.push(row(["# Detailed Table Information", "", ""]));
            rows.push(detail("Database:", &table.name.database));
            rows.push(detail("CreateTime:", time(table.created_at)));
            rows.push(detail("LastAccessTime:", "UNKNOWN"));
            if !table.is_view() {
                rows.push(detail("Location:", place(table, None)));
            }
            rows.push(detail("Table Type:", kind(table)));
            if let Some(comment) = &table.comment {
                rows.push(detail("Comment:", comment));
            }
            parameters(&mut rows, "Table Parameters:", &table.properties);
        }
    }
    if let Some(text) = &table.view_text {
        rows.push(blank());
        rows.push(row(["# View Information", "", ""]));
        rows.push(detail("View Original Text:", text));
        return rows;
    }
    let storage = &table.storage;
    let serde = partition.and_then(|partition| partition.serde.as_ref()).unwrap_or(&storage.serde);
    rows.push(blank());
    rows.push(row(["# Storage Information", "", ""]));
    rows.push(detail("SerDe Library:", &serde.library));
    rows.push(detail("InputFormat:", &storage.input_format));
    rows.push(detail("OutputFormat:", &storage.output_format));
    rows.push(detail("Compressed:", "No"));
    rows.push(detail("Num Buckets:", storage.bucket_count.map_or_else(|| "-1".to_owned(), |count| count.to_string())));
    rows.push(detail("Bucket Columns:", format!("[{}]", storage.bucket_columns.join(", "))));
    rows.push(detail("Sort Columns:", "[]"));
    parameters(&mut rows, "Storage Desc Params:", &serde.properties);
    rows
}

/// The one row of `DESCRIBE EXTENDED`.
fn extended(table: &Table, partition: Option<&Partition>) -> Vec<Row> {
    let map = |properties: &Properties| {
        let pairs: Vec<_> = properties.iter().map(|(key, value)| format!("{key}={value}")).collect();
        format!("{{{}}}", pairs.join(", "))
    };
    let storage = &table.storage;
    let serde = partition.and_then(|partition| partition.serde.as_ref()).unwrap_or(&storage.serde);
    let descriptor = format!(
        "location:{}, inputFormat:{}, outputFormat:{}, numBuckets:{}, serializationLib:{}, serdeParameters:{}, bucketCols:[{}]",
        place(table, partition),
        storage.input_format,
        storage.output_format,
        storage.bucket_count.map_or(-1, i64::from),
        serde.library,
        map(&serde.properties),
        storage.bucket_columns.join(", "),
    );
    let (label, text) = match partition {
        Some(partition) => {
            let values: Vec<_> = partition.values.iter().map(|value| written(value.as_deref())).collect();
            let text = format!(
                "Partition(values:[{}], dbName:{}, tableName:{}, createTime:{}, sd:StorageDescriptor({descriptor}), parameters:{})",
                values.join(", "),
                table.name.database,
                table.name.table,
                partition.created_at.timestamp(),
                map(&partition.properties),
            );
            ("Detailed Partition Information", text)
        }
        None => {
            let text = format!(
                "Table(tableName:{}, dbName:{}, createTime:{}, sd:StorageDescriptor({descriptor}), parameters:{}, tableType:{}{})",
                table.name.table,
                table.name.database,
                table.created_at.timestamp(),
                map(&table.properties),
                kind(table),
                table.view_text.as_ref().map(|text| format!(", viewOriginalText:{text}")).unwrap_or_default(),
            );
            ("Detailed Table Information", text)
        }
    };
    vec![blank(), row([label, &text, ""])]
}
