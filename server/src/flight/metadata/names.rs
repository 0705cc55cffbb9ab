//! The commands that answer with names alone: GetCatalogs, GetDbSchemas and GetTableTypes; and the kinds of tables that GetTables uses
//! too.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use arrow_flight::sql::CommandGetDbSchemas;
use glaux_catalog::ident::{CATALOG_NAME, fold};
use glaux_engine::{Error, Result};

use super::pattern::NamePattern;

/// What a table is to a client. Sorted by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum TableKind {
    System,
    Table,
    View,
}

impl TableKind {
    pub(super) const ALL: [Self; 3] = [Self::System, Self::Table, Self::View];

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::System => "SYSTEM TABLE",
            Self::Table => "TABLE",
            Self::View => "VIEW",
        }
    }

    /// The kind of a filter's name, which is exact; `BASE TABLE` is how `information_schema` calls tables.
    pub(super) fn of_name(name: &str) -> Option<Self> {
        match name {
            "BASE TABLE" => Some(Self::Table),
            name => Self::ALL.into_iter().find(|kind| kind.name() == name),
        }
    }
}

/// Whether a filter lets the one catalog through. Nothing is without a catalog, so that the empty name selects nothing.
pub(super) fn is_our_catalog(asked: Option<&str>) -> bool {
    asked.is_none_or(|name| fold(name) == CATALOG_NAME)
}

pub(super) fn catalogs_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("catalog_name", DataType::Utf8, false)]))
}

pub(super) fn catalogs() -> Result<RecordBatch> {
    batch(catalogs_schema(), vec![texts([CATALOG_NAME])])
}

pub(super) fn table_types_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("table_type", DataType::Utf8, false)]))
}

pub(super) fn table_types() -> Result<RecordBatch> {
    batch(table_types_schema(), vec![texts(TableKind::ALL.map(TableKind::name))])
}

pub(super) fn db_schemas_schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("catalog_name", DataType::Utf8, true),
        Field::new("db_schema_name", DataType::Utf8, false),
    ]))
}

/// Those of the databases that a command asks for, by name.
pub(super) fn db_schemas(command: &CommandGetDbSchemas, mut databases: Vec<String>) -> Result<RecordBatch> {
    let pattern = NamePattern::new(command.db_schema_filter_pattern.as_deref());
    let of_catalog = is_our_catalog(command.catalog.as_deref());
    databases.retain(|name| of_catalog && pattern.matches(name));
    databases.sort_unstable();
    let catalog = texts(std::iter::repeat_n(CATALOG_NAME, databases.len()));
    batch(db_schemas_schema(), vec![catalog, texts(&databases)])
}

pub(super) fn texts<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

pub(super) fn batch(schema: SchemaRef, columns: Vec<ArrayRef>) -> Result<RecordBatch> {
    RecordBatch::try_new(schema, columns)
        .map_err(|error| Error::internal("rows of metadata do not fit their schema").with_source(error))
}

#[cfg(test)]
mod tests {
    use arrow::array::cast::as_string_array;

    use super::*;

    fn asked(catalog: Option<&str>, pattern: Option<&str>) -> Vec<String> {
        let command =
            CommandGetDbSchemas { catalog: catalog.map(str::to_owned), db_schema_filter_pattern: pattern.map(str::to_owned) };
        let databases = ["sales_eu", "default", "salesxeu", "information_schema"].map(str::to_owned).to_vec();
        let batch = db_schemas(&command, databases).unwrap();
        assert_eq!(batch.schema(), db_schemas_schema());
        assert!(as_string_array(batch.column(0)).iter().all(|name| name == Some("awsdatacatalog")));
        as_string_array(batch.column(1)).iter().flatten().map(str::to_owned).collect()
    }

    #[test]
    fn databases_are_filtered_and_sorted() {
        let all = ["default", "information_schema", "sales_eu", "salesxeu"];
        assert_eq!(asked(None, None), all);
        assert_eq!(asked(Some("awsdatacatalog"), Some("%")), all);
        assert_eq!(asked(Some("AwsDataCatalog"), Some("SALES_EU")), ["sales_eu", "salesxeu"]);
        assert_eq!(asked(None, Some(r"sales\_eu")), ["sales_eu"]);
    }

    #[test]
    fn other_catalogs_and_none_have_no_databases() {
        assert!(asked(Some("hive"), None).is_empty());
        assert!(asked(Some(""), None).is_empty());
        assert!(asked(Some("aws%"), None).is_empty(), "a catalog is no pattern");
        assert!(asked(None, Some("")).is_empty());
    }

    #[test]
    fn catalogs_and_kinds_are_listed_under_the_protocol_s_schemas() {
        let catalogs = catalogs().unwrap();
        assert_eq!(*catalogs.schema(), Schema::new(vec![Field::new("catalog_name", DataType::Utf8, false)]));
        assert_eq!(as_string_array(catalogs.column(0)).iter().collect::<Vec<_>>(), [Some("awsdatacatalog")]);
        let types = table_types().unwrap();
        assert_eq!(*types.schema(), Schema::new(vec![Field::new("table_type", DataType::Utf8, false)]));
        assert_eq!(as_string_array(types.column(0)).iter().flatten().collect::<Vec<_>>(), ["SYSTEM TABLE", "TABLE", "VIEW"]);
        let databases = Schema::new(vec![
            Field::new("catalog_name", DataType::Utf8, true),
            Field::new("db_schema_name", DataType::Utf8, false),
        ]);
        assert_eq!(*db_schemas_schema(), databases);
    }
}
