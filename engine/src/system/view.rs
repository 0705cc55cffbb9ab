//! The tables of `information_schema` and their columns, by Trino's names and with the two that Athena adds to `columns`: `comment` and `extra_info`.

use arrow::datatypes::SchemaRef;

use super::columns::{count, schema, text};

/// A table of `information_schema`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum View {
    Columns,
    Schemata,
    Tables,
    Views,
}

impl View {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Columns => "columns",
            Self::Schemata => "schemata",
            Self::Tables => "tables",
            Self::Views => "views",
        }
    }

    pub(super) fn columns(self) -> SchemaRef {
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
