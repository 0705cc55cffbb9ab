//! The statements that would create existing tables and views again: for `SHOW CREATE` and for scripts.

use glaux_catalog::model::{Properties, Table};

use crate::{
    access::view_denied,
    error::{Error, Result},
    sql::{ClusteredBy, CreateTable, CreateView, RowFormat, Statement, StoredAs, TableRef},
};

/// The property of a view that its statement named the columns, so that they are shown with it.
pub(crate) const VIEW_COLUMNS: &str = "glaux.view.columns";

/// The statement that makes the table again. Classes are written out, so that nothing depends on what a format's name stands for.
pub(crate) fn create_table_statement(table: &Table) -> Statement {
    let storage = &table.storage;
    let mut properties: Properties = table.properties.clone();
    properties.remove("EXTERNAL");
    if properties.get("comment") == table.comment.as_ref() {
        properties.remove("comment");
    }
    Statement::CreateTable(Box::new(CreateTable {
        table: reference(table),
        if_not_exists: false,
        columns: storage.columns.clone(),
        comment: table.comment.clone(),
        partitioned_by: table.partition_keys.clone(),
        clustered_by: storage
            .bucket_count
            .filter(|_| !storage.bucket_columns.is_empty())
            .map(|buckets| ClusteredBy { columns: storage.bucket_columns.clone(), buckets }),
        row_format: Some(RowFormat::SerDe(storage.serde.library.clone())),
        serde_properties: storage.serde.properties.clone(),
        stored_as: Some(StoredAs::Classes { input: storage.input_format.clone(), output: storage.output_format.clone() }),
        location: Some(storage.location.clone()),
        properties,
    }))
}

/// The statement that makes the view again.
///
/// # Errors
/// `Invalid` for a table, `Denied` for a view whose text is not shown to who asks.
pub(crate) fn create_view_statement(table: &Table) -> Result<Statement> {
    let Some(query_text) = table.view_text.clone() else {
        if table.is_view() {
            return Err(view_denied(&table.name));
        }
        return Err(Error::invalid(format!("\"{}\" is a table", table.name)).with_hint("Write SHOW CREATE TABLE"));
    };
    let columns = match table.properties.contains_key(VIEW_COLUMNS) {
        true => table.storage.columns.iter().map(|column| column.name.clone()).collect(),
        false => Vec::new(),
    };
    Ok(Statement::CreateView(CreateView {
        view: reference(table),
        or_replace: false,
        columns,
        comment: table.comment.clone(),
        query_text,
    }))
}

fn reference(table: &Table) -> TableRef {
    TableRef { database: Some(table.name.database.clone()), table: table.name.table.clone() }
}
