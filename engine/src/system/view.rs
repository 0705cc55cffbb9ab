//! The tables of `information_schema` and their columns: Trino's, and two that Athena adds to `columns`: `comment` and `extra_info`.

use super::columns::{Column, count, text};

const CATALOG: &str = "Always awsdatacatalog";

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

    pub(super) fn columns(self) -> Vec<Column> {
        let table = |what: &'static str| {
            vec![text("table_catalog", CATALOG), text("table_schema", "Database of the table"), text("table_name", what)]
        };
        let (mut columns, more) = match self {
            Self::Schemata => (vec![text("catalog_name", CATALOG)], vec![text("schema_name", "Name of the database")]),
            Self::Tables => {
                (table("Name of the table or view"), vec![text("table_type", "BASE TABLE for a table, VIEW for a view")])
            }
            Self::Views => (table("Name of the view"), vec![text("view_definition", "Text of the view's query")]),
            Self::Columns => (
                table("Name of the table or view"),
                vec![
                    text("column_name", "Name of the column"),
                    count("ordinal_position", "Position of the column, from 1; partition keys come last"),
                    text("column_default", "Always NULL: columns have no defaults"),
                    text("is_nullable", "Always YES"),
                    text("data_type", "Type of the column in SQL"),
                    text("comment", "Comment of the column"),
                    text("extra_info", "partition key for a partition key, otherwise NULL"),
                ],
            ),
        };
        columns.extend(more);
        columns
    }
}
