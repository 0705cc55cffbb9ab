//! `information_schema`, by Trino's columns and with the two that Athena adds to `columns`: `comment` and `extra_info`.
//!
//! It holds what the catalog holds, and itself, as in Trino; and the tables of `system`, which is a catalog of its own there and a schema here. So it says
//! what [`super::Browser`] says.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch},
    datatypes::SchemaRef,
};
use futures::{StreamExt, stream, stream::BoxStream};
use glaux_catalog::{HiveType, ident::CATALOG_NAME, model::Table};

use super::{
    SYSTEM_SCHEMAS, SystemDeps,
    columns::{batch, count, counts, schema, text, texts},
    lookup,
    narrowing::Narrowing,
    provider::{RowSource, Wanted},
    table_names,
};
use crate::error::Result;

/// A table of `information_schema`.
#[derive(Debug)]
pub(super) struct InformationSchema {
    pub(super) view: View,
    pub(super) deps: SystemDeps,
}

/// Which one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Columns,
    Schemata,
    Tables,
    Views,
}

impl View {
    /// By name.
    pub(super) const ALL: [Self; 4] = [Self::Columns, Self::Schemata, Self::Tables, Self::Views];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Columns => "columns",
            Self::Schemata => "schemata",
            Self::Tables => "tables",
            Self::Views => "views",
        }
    }

    fn schema(self) -> SchemaRef {
        let table = ["table_catalog", "table_schema", "table_name"].map(text).into_iter();
        match self {
            Self::Schemata => schema(["catalog_name", "schema_name"].map(text)),
            Self::Tables => schema(table.chain([text("table_type")])),
            Self::Views => schema(table.chain([text("view_definition")])),
            Self::Columns => {
                let column = table.chain([text("column_name"), count("ordinal_position")]);
                schema(column.chain(["column_default", "is_nullable", "data_type", "comment", "extra_info"].map(text)))
            }
        }
    }
}

impl RowSource for InformationSchema {
    fn schema(&self) -> SchemaRef {
        self.view.schema()
    }

    fn name(&self) -> &'static str {
        self.view.name()
    }

    fn rows(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        stream::once(async move { self.batch(&wanted.narrowing).await }).boxed()
    }
}

impl InformationSchema {
    async fn batch(&self, narrowing: &Narrowing) -> Result<RecordBatch> {
        let catalog_column = if self.view == View::Schemata { "catalog_name" } else { "table_catalog" };
        if !narrowing.allows(catalog_column, CATALOG_NAME) {
            return Ok(RecordBatch::new_empty(self.schema()));
        }
        let columns = match self.view {
            View::Schemata => self.schemata(narrowing).await?,
            View::Tables => self.tables(narrowing).await?,
            View::Views => self.views(narrowing).await?,
            View::Columns => self.columns(narrowing).await?,
        };
        batch(&self.schema(), columns)
    }

    async fn schemata(&self, narrowing: &Narrowing) -> Result<Vec<ArrayRef>> {
        let databases = lookup::databases(self.deps.metastore.as_ref(), narrowing, "schema_name").await?;
        let mut names: Vec<_> = databases.into_iter().map(|database| database.name).collect();
        let system = SYSTEM_SCHEMAS.into_iter().filter(|name| narrowing.allows("schema_name", name));
        names.extend(system.map(str::to_owned));
        names.sort_unstable();
        names.dedup();
        Ok(vec![catalog(names.len()), texts(names.iter().map(Some))])
    }

    async fn tables(&self, narrowing: &Narrowing) -> Result<Vec<ArrayRef>> {
        let tables = self.lookup(narrowing).await?;
        let system = system_tables(narrowing);
        let mut rows: Vec<(&str, &str, &str)> = Vec::with_capacity(tables.len() + system.len());
        rows.extend(tables.iter().map(|table| {
            let kind = if table.is_view() { "VIEW" } else { "BASE TABLE" };
            (table.name.database.as_str(), table.name.table.as_str(), kind)
        }));
        rows.extend(system.into_iter().map(|(schema, name)| (schema, name, "BASE TABLE")));
        Ok(vec![
            catalog(rows.len()),
            texts(rows.iter().map(|row| Some(row.0))),
            texts(rows.iter().map(|row| Some(row.1))),
            texts(rows.iter().map(|row| Some(row.2))),
        ])
    }

    async fn views(&self, narrowing: &Narrowing) -> Result<Vec<ArrayRef>> {
        let mut views = self.lookup(narrowing).await?;
        views.retain(Table::is_view);
        Ok(vec![
            catalog(views.len()),
            texts(views.iter().map(|view| Some(&view.name.database))),
            texts(views.iter().map(|view| Some(&view.name.table))),
            texts(views.iter().map(|view| view.view_text.as_ref())),
        ])
    }

    async fn columns(&self, narrowing: &Narrowing) -> Result<Vec<ArrayRef>> {
        let mut rows = Vec::new();
        for table in &self.lookup(narrowing).await? {
            let data_columns = table.storage.columns.len();
            rows.extend(table.all_columns().enumerate().map(|(at, column)| ColumnRow {
                schema: table.name.database.clone(),
                table: table.name.table.clone(),
                name: column.name.clone(),
                position: at as u64 + 1,
                data_type: column.hive_type.trino_name(),
                comment: column.comment.clone(),
                is_partition_key: at >= data_columns,
            }));
        }
        for (schema, table) in system_tables(narrowing) {
            let Some(provider) = super::provider(schema, table, &self.deps) else { continue };
            for (at, field) in provider.schema().fields().iter().enumerate() {
                rows.push(ColumnRow {
                    schema: schema.to_owned(),
                    table: table.to_owned(),
                    name: field.name().clone(),
                    position: at as u64 + 1,
                    data_type: HiveType::from_arrow(field.data_type())?.trino_name(),
                    comment: None,
                    is_partition_key: false,
                });
            }
        }
        Ok(vec![
            catalog(rows.len()),
            texts(rows.iter().map(|row| Some(&row.schema))),
            texts(rows.iter().map(|row| Some(&row.table))),
            texts(rows.iter().map(|row| Some(&row.name))),
            counts(rows.iter().map(|row| Some(row.position))),
            texts(rows.iter().map(|_| None::<&str>)),
            texts(rows.iter().map(|_| Some("YES"))),
            texts(rows.iter().map(|row| Some(&row.data_type))),
            texts(rows.iter().map(|row| row.comment.as_ref())),
            texts(rows.iter().map(|row| row.is_partition_key.then_some("partition key"))),
        ])
    }

    async fn lookup(&self, narrowing: &Narrowing) -> Result<Vec<Table>> {
        lookup::tables(self.deps.metastore.as_ref(), narrowing, "table_schema", "table_name").await
    }
}

struct ColumnRow {
    schema: String,
    table: String,
    name: String,
    position: u64,
    data_type: String,
    comment: Option<String>,
    is_partition_key: bool,
}

/// The tables of the system's schemas that may be wanted, each with its schema.
fn system_tables(narrowing: &Narrowing) -> Vec<(&'static str, &'static str)> {
    let schemas = SYSTEM_SCHEMAS.into_iter().filter(|schema| narrowing.allows("table_schema", schema));
    let tables = schemas.flat_map(|schema| table_names(schema).into_iter().map(move |table| (schema, table)));
    tables.filter(|(_, table)| narrowing.allows("table_name", table)).collect()
}

fn catalog(rows: usize) -> ArrayRef {
    texts(std::iter::repeat_n(Some(CATALOG_NAME), rows))
}
