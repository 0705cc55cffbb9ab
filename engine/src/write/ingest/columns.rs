//! Rows matched to a table's columns by name.

use std::{collections::HashMap, sync::Arc};

use arrow::{
    array::{ArrayRef, AsArray, RecordBatch, RecordBatchOptions, new_null_array},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use glaux_catalog::{HiveType, TableName, ident::fold, model::Column, partition::HIVE_DEFAULT_PARTITION};

use super::convert::{convert, converts, file_type};
use crate::error::{Error, Result, nearest};

/// How the columns of batches become those of a table.
#[derive(Debug)]
pub(super) struct Columns {
    table: TableName,
    source: SchemaRef,
    /// The data columns, and then the partition keys.
    columns: Vec<Matched>,
    schema: SchemaRef,
}

#[derive(Debug)]
struct Matched {
    column: Column,
    is_key: bool,
    data_type: DataType,
    /// Where it is in the batches; absent columns are NULL.
    at: Option<usize>,
}

/// The positions of a schema's columns by their folded names.
///
/// # Errors
/// `Invalid` for two names that fold to one, and for a schema without columns.
pub(super) fn positions(schema: &Schema) -> Result<HashMap<String, usize>> {
    let mut positions = HashMap::new();
    for (at, field) in schema.fields().iter().enumerate() {
        if let Some(other) = positions.insert(fold(field.name()), at) {
            let other = schema.field(other).name();
            return Err(Error::invalid(format!("the columns \"{other}\" and \"{}\" have the same name", field.name()))
                .with_hint("Names that differ only in case are the same: rename one of them"));
        }
    }
    if positions.is_empty() {
        return Err(Error::invalid("the rows have no columns").with_hint("Send a schema with at least one column"));
    }
    Ok(positions)
}

impl Columns {
    /// # Errors
    /// `Invalid` for columns that the table does not have, for two of one name, and for types that do not go together, naming them.
    pub(super) fn matched(table: &TableName, source: &SchemaRef, columns: &[Column], keys: &[Column]) -> Result<Self> {
        let mut positions = positions(source)?;
        let mut matched = Vec::with_capacity(columns.len() + keys.len());
        for (column, is_key) in columns.iter().map(|column| (column, false)).chain(keys.iter().map(|key| (key, true))) {
            let at = positions.remove(&column.name);
            if let Some(found) = at.map(|at| source.field(at).data_type())
                && !converts(found, &column.hive_type)
            {
                return Err(Error::invalid(format!(
                    "column \"{}\" is {found} in the rows but {} in table \"{table}\"",
                    column.name, column.hive_type
                ))
                .with_hint("Cast it to the table's type"));
            }
            let data_type = if is_key { column.hive_type.to_arrow() } else { file_type(&column.hive_type) };
            matched.push(Matched { column: column.clone(), is_key, data_type, at });
        }
        if !positions.is_empty() {
            return Err(unknown(table, source, positions, &matched));
        }
        let fields = matched.iter().map(|matched| Field::new(&matched.column.name, matched.data_type.clone(), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        Ok(Self { table: table.clone(), source: Arc::clone(source), columns: matched, schema })
    }

    /// The schema of converted batches.
    pub(super) fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    /// A batch with the table's columns and types.
    ///
    /// # Errors
    /// `Invalid` for a batch of another schema, and for values that do not fit, naming the column.
    pub(super) fn convert(&self, batch: &RecordBatch) -> Result<RecordBatch> {
        let types = |schema: &Schema| schema.fields().iter().map(|field| field.data_type().clone()).collect::<Vec<_>>();
        if !Arc::ptr_eq(&batch.schema(), &self.source) && types(&batch.schema()) != types(&self.source) {
            return Err(Error::invalid(format!("rows for table \"{}\" do not match the announced schema", self.table))
                .with_hint("Send all batches with one schema"));
        }
        let columns = self.columns.iter().map(|matched| {
            let Some(at) = matched.at else { return Ok(new_null_array(&matched.data_type, batch.num_rows())) };
            let name = &matched.column.name;
            let values = convert(batch.column(at), &matched.column.hive_type, &matched.data_type, name)?;
            if matched.is_key {
                check_key(&values, &matched.column)?;
            }
            Ok(values)
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(Arc::clone(&self.schema), columns, &options)
            .map_err(|error| Error::internal("rows do not fit their table").with_source(error))
    }
}

/// Refuses values of a partition key that its directories cannot tell from NULL.
fn check_key(values: &ArrayRef, key: &Column) -> Result<()> {
    let is_null = |text: &[u8]| text.is_empty() || text == HIVE_DEFAULT_PARTITION.as_bytes();
    let found = match key.hive_type {
        HiveType::Char(_) | HiveType::Varchar(_) | HiveType::String => {
            values.as_string_opt::<i32>().and_then(|texts| texts.iter().flatten().find(|text| is_null(text.as_bytes())))
        }
        HiveType::Binary => values
            .as_binary_opt::<i32>()
            .and_then(|all| all.iter().flatten().find(|bytes| is_null(bytes)))
            .map(|bytes| if bytes.is_empty() { "" } else { HIVE_DEFAULT_PARTITION }),
        _ => None,
    };
    match found {
        None => Ok(()),
        Some(text) => {
            Err(Error::invalid(format!("partition key \"{}\" cannot have the value \"{text}\": it stands for NULL", key.name))
                .with_hint("Send NULL, or another text"))
        }
    }
}

fn unknown(table: &TableName, source: &Schema, positions: HashMap<String, usize>, known: &[Matched]) -> Error {
    let mut unknown: Vec<usize> = positions.into_values().collect();
    unknown.sort_unstable();
    let names: Vec<_> = unknown.iter().map(|at| source.field(*at).name().as_str()).collect();
    let columns = if names.len() == 1 { "column" } else { "columns" };
    let error = Error::invalid(format!("table \"{table}\" has no {columns} \"{}\"", names.join("\", \"")));
    let near = names.first().and_then(|name| nearest(&fold(name), known.iter().map(|matched| matched.column.name.as_str())));
    error.with_hint(match near {
        Some(near) => format!("Did you mean \"{near}\"? Columns are matched by name"),
        None => "Columns are matched by name: leave it out, or ALTER TABLE ... ADD COLUMNS first".to_owned(),
    })
}
