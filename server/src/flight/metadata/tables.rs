//! GetTables: which of the tables are asked for, and their rows, with or without their schemas. Where tables come from is not known here.

use std::{num::NonZero, sync::Arc, thread};

use arrow::{
    array::{ArrayRef, RecordBatch, builder::BinaryBuilder},
    datatypes::{DataType, Field, Schema, SchemaRef},
    ipc::writer::IpcWriteOptions,
};
use arrow_flight::sql::CommandGetTables;
use bytes::Bytes;
use glaux_catalog::{ident::CATALOG_NAME, model::Table};
use glaux_engine::{Error, ErrorKind, Result};

use super::{
    names::{TableKind, batch, is_our_catalog, texts},
    pattern::NamePattern,
    table_schema::TableSchema,
};

/// As many tables as keep a thread busy for some milliseconds.
const WORTH_A_THREAD: usize = 256;
/// Browsing leaves the other cores to queries.
const MOST_THREADS: usize = 4;

/// A table as it was found.
#[derive(Debug)]
pub(super) struct ListedTable {
    pub(super) database: String,
    pub(super) name: String,
    pub(super) kind: TableKind,
    pub(super) columns: ListedColumns,
}

/// Where the columns of a table come from.
#[derive(Debug)]
pub(super) enum ListedColumns {
    Defined(Box<Table>),
    Arrow(SchemaRef),
}

/// What a command asks for.
#[derive(Debug)]
pub(super) struct TableFilter {
    of_catalog: bool,
    database: NamePattern,
    table: NamePattern,
    /// None for all.
    kinds: Option<Vec<TableKind>>,
}

impl TableFilter {
    pub(super) fn new(command: &CommandGetTables) -> Self {
        let kinds = command.table_types.iter().filter_map(|name| TableKind::of_name(name)).collect();
        Self {
            of_catalog: is_our_catalog(command.catalog.as_deref()),
            database: NamePattern::new(command.db_schema_filter_pattern.as_deref()),
            table: NamePattern::new(command.table_name_filter_pattern.as_deref()),
            kinds: (!command.table_types.is_empty()).then_some(kinds),
        }
    }

    /// Whether tables of a database can be wanted.
    pub(super) fn wants_database(&self, database: &str) -> bool {
        self.of_catalog && self.kinds.as_ref().is_none_or(|kinds| !kinds.is_empty()) && self.database.matches(database)
    }

    /// Whether a table of a wanted database is wanted.
    pub(super) fn wants_table(&self, name: &str, kind: TableKind) -> bool {
        self.kinds.as_ref().is_none_or(|kinds| kinds.contains(&kind)) && self.table.matches(name)
    }
}

pub(super) fn schema(include_schema: bool) -> SchemaRef {
    let mut fields = vec![
        Field::new("catalog_name", DataType::Utf8, true),
        Field::new("db_schema_name", DataType::Utf8, true),
        Field::new("table_name", DataType::Utf8, false),
        Field::new("table_type", DataType::Utf8, false),
    ];
    if include_schema {
        fields.push(Field::new("table_schema", DataType::Binary, false));
    }
    Arc::new(Schema::new(fields))
}

/// The rows of tables, by database, name and kind. Schemas are built here, one a table, so that tables should have been filtered.
pub(super) fn rows(mut tables: Vec<ListedTable>, include_schema: bool) -> Result<RecordBatch> {
    tables.sort_unstable_by(|a, b| (&a.database, &a.name, a.kind).cmp(&(&b.database, &b.name, b.kind)));
    let mut columns = vec![
        texts(std::iter::repeat_n(CATALOG_NAME, tables.len())),
        texts(tables.iter().map(|table| &table.database)),
        texts(tables.iter().map(|table| &table.name)),
        texts(tables.iter().map(|table| table.kind.name())),
    ];
    if include_schema {
        columns.push(schemas(&tables)?);
    }
    batch(schema(include_schema), columns)
}

fn schemas(tables: &[ListedTable]) -> Result<ArrayRef> {
    let encoded = encode_all(tables)?;
    let bytes = encoded.iter().flatten().map(Bytes::len).sum();
    // The offsets of binary columns have 32 bits.
    if bytes > i32::MAX as usize {
        let message = format!("the schemas of {} tables do not fit into one answer of 2 GiB", tables.len());
        return Err(
            Error::new(ErrorKind::LimitExceeded, message).with_hint("Ask for fewer tables, by a pattern for database or table")
        );
    }
    let mut column = BinaryBuilder::with_capacity(tables.len(), bytes);
    encoded.into_iter().flatten().for_each(|schema| column.append_value(schema));
    Ok(Arc::new(column.finish()))
}

/// Encodes many tables on several threads; in order, in parts.
fn encode_all(tables: &[ListedTable]) -> Result<Vec<Vec<Bytes>>> {
    let encode_part = |part: &[ListedTable]| {
        let options = IpcWriteOptions::default();
        part.iter().map(|table| encode(table, &options)).collect::<Result<Vec<_>>>()
    };
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(MOST_THREADS);
    let part = tables.len().div_ceil(threads).max(WORTH_A_THREAD);
    if tables.len() <= part {
        return Ok(vec![encode_part(tables)?]);
    }
    thread::scope(|scope| {
        let parts: Vec<_> = tables.chunks(part).map(|part| scope.spawn(move || encode_part(part))).collect();
        let ended = |_| Err(Error::internal("the schemas of tables were not encoded to the end"));
        parts.into_iter().map(|part| part.join().unwrap_or_else(ended)).collect()
    })
}

fn encode(table: &ListedTable, options: &IpcWriteOptions) -> Result<Bytes> {
    let mut schema = TableSchema::new(&table.database, &table.name);
    match &table.columns {
        ListedColumns::Defined(definition) => definition.all_columns().for_each(|column| schema.push_column(column)),
        ListedColumns::Arrow(own) => own.fields().iter().for_each(|field| schema.push_field(field.name(), field.data_type())),
    }
    schema.encode(options)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(types: &[&str], catalog: Option<&str>) -> TableFilter {
        TableFilter::new(&CommandGetTables {
            catalog: catalog.map(str::to_owned),
            db_schema_filter_pattern: Some("s%".to_owned()),
            table_name_filter_pattern: Some(r"o\_%".to_owned()),
            table_types: types.iter().map(|&name| name.to_owned()).collect(),
            include_schema: false,
        })
    }

    #[test]
    fn the_schemas_are_the_protocol_s() {
        let mut fields = vec![
            Field::new("catalog_name", DataType::Utf8, true),
            Field::new("db_schema_name", DataType::Utf8, true),
            Field::new("table_name", DataType::Utf8, false),
            Field::new("table_type", DataType::Utf8, false),
        ];
        assert_eq!(*schema(false), Schema::new(fields.clone()));
        fields.push(Field::new("table_schema", DataType::Binary, false));
        assert_eq!(*schema(true), Schema::new(fields));
        assert_eq!(rows(Vec::new(), true).unwrap(), RecordBatch::new_empty(schema(true)));
        assert_eq!(rows(Vec::new(), false).unwrap(), RecordBatch::new_empty(schema(false)));
    }

    #[test]
    fn names_and_kinds_filter() {
        let all = filter(&[], None);
        assert!(all.wants_database("sales") && !all.wants_database("default"));
        assert!(all.wants_table("o_1", TableKind::View) && !all.wants_table("ox1", TableKind::View));
        let tables = filter(&["BASE TABLE"], None);
        assert!(tables.wants_table("o_1", TableKind::Table) && !tables.wants_table("o_1", TableKind::System));
        let two = filter(&["VIEW", "SYSTEM TABLE"], None);
        assert!(two.wants_table("o_1", TableKind::View) && two.wants_table("o_1", TableKind::System));
        assert!(!two.wants_table("o_1", TableKind::Table));
    }

    #[test]
    fn kinds_are_exact_and_unknown_ones_select_nothing() {
        assert!(!filter(&["table"], None).wants_database("sales"));
        assert!(!filter(&["LOCAL TEMPORARY"], None).wants_database("sales"));
        let known = filter(&["LOCAL TEMPORARY", "TABLE"], None);
        assert!(known.wants_database("sales") && known.wants_table("o_1", TableKind::Table));
    }

    #[test]
    fn other_catalogs_and_none_have_no_tables() {
        assert!(filter(&[], Some("awsdatacatalog")).wants_database("sales"));
        assert!(!filter(&[], Some("")).wants_database("sales"));
        assert!(!filter(&[], Some("hive")).wants_database("sales"));
    }
}
