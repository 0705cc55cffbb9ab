//! `information_schema`: the databases and tables of the catalog, its own tables, as in Trino, and those of `system`, which is a catalog in Trino
//! and a schema here. It agrees with [`super::Browser`].

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch},
    datatypes::SchemaRef,
};
use futures::{StreamExt, stream, stream::BoxStream};
use glaux_catalog::{HiveType, Metastore, ident::CATALOG_NAME, model::Table};

use super::{
    columns::{batch, counts, schema, texts},
    lookup,
    narrowing::Narrowing,
    own_table::OwnTable,
    source::{RowSource, Wanted},
    view::View,
};
use crate::{error::Result, reserved::SYSTEM_SCHEMAS};

/// One of its tables.
#[derive(Debug)]
pub(super) struct InformationSchema {
    pub(super) view: View,
    /// The catalog as the session's user may see it.
    pub(super) metastore: Arc<dyn Metastore>,
}

impl RowSource for InformationSchema {
    fn schema(&self) -> SchemaRef {
        schema(&self.view.columns())
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
        let databases = lookup::databases(self.metastore.as_ref(), narrowing, "schema_name").await?;
        let mut names: Vec<_> = databases.into_iter().map(|database| database.name).collect();
        let system = SYSTEM_SCHEMAS.into_iter().filter(|name| narrowing.allows("schema_name", name));
        names.extend(system.map(str::to_owned));
        names.sort_unstable();
        names.dedup();
        Ok(vec![catalog(names.len()), texts(names.iter().map(Some))])
    }

    async fn tables(&self, narrowing: &Narrowing) -> Result<Vec<ArrayRef>> {
        let tables = self.lookup(narrowing).await?;
        let own = own_tables(narrowing);
        let mut rows: Vec<(&str, &str, &str)> = Vec::with_capacity(tables.len() + own.len());
        rows.extend(tables.iter().map(|table| {
            let kind = if table.is_view() { "VIEW" } else { "BASE TABLE" };
            (table.name.database.as_str(), table.name.table.as_str(), kind)
        }));
        rows.extend(own.into_iter().map(|table| (table.schema_name(), table.name(), "BASE TABLE")));
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
        for own in own_tables(narrowing) {
            for (at, column) in own.columns().into_iter().enumerate() {
                rows.push(ColumnRow {
                    schema: own.schema_name().to_owned(),
                    table: own.name().to_owned(),
                    name: column.name.to_owned(),
                    position: at as u64 + 1,
                    data_type: HiveType::from_arrow(&column.data_type)?.trino_name(),
                    comment: Some(column.meaning.to_owned()),
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
        lookup::tables(self.metastore.as_ref(), narrowing, "table_schema", "table_name").await
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

/// The engine's own tables that may be wanted.
fn own_tables(narrowing: &Narrowing) -> Vec<OwnTable> {
    let is_wanted =
        |table: &OwnTable| narrowing.allows("table_schema", table.schema_name()) && narrowing.allows("table_name", table.name());
    OwnTable::ALL.into_iter().filter(is_wanted).collect()
}

fn catalog(rows: usize) -> ArrayRef {
    texts(std::iter::repeat_n(Some(CATALOG_NAME), rows))
}
