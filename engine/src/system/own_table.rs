//! The engine's own tables: their names and columns, which are the same for everybody.

use glaux_catalog::{HiveType, model};

use super::{
    columns::Column,
    files::Files,
    history::Recorded,
    partitions::Partitions,
    repair_findings::RepairFindings,
    usage::{TableUsageByDay, UsageByDay},
    view::View,
    workgroups::Workgroups,
};
use crate::{
    error::Result,
    lifecycle::HistoryTable,
    reserved::{INFORMATION_SCHEMA, SYSTEM},
};

/// One of the engine's own tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum OwnTable {
    InformationSchema(View),
    Files,
    Partitions,
    Queries,
    QueryStores,
    QueryTables,
    RepairFindings,
    TableUsage,
    Usage,
    Workgroups,
}

impl OwnTable {
    /// By schema and name.
    pub(super) const ALL: [Self; 13] = [
        Self::InformationSchema(View::Columns),
        Self::InformationSchema(View::Schemata),
        Self::InformationSchema(View::Tables),
        Self::InformationSchema(View::Views),
        Self::Files,
        Self::Partitions,
        Self::Queries,
        Self::QueryStores,
        Self::QueryTables,
        Self::RepairFindings,
        Self::TableUsage,
        Self::Usage,
        Self::Workgroups,
    ];

    /// The tables of a schema, by name; of a schema that is not the engine's own none.
    pub(super) fn of_schema(schema: &str) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().filter(move |table| table.schema_name() == schema)
    }

    /// By its names in lower case.
    pub(super) fn find(schema: &str, name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|table| table.schema_name() == schema && table.name() == name)
    }

    pub(super) const fn schema_name(self) -> &'static str {
        match self {
            Self::InformationSchema(_) => INFORMATION_SCHEMA,
            Self::Files
            | Self::Partitions
            | Self::Queries
            | Self::QueryStores
            | Self::QueryTables
            | Self::RepairFindings
            | Self::TableUsage
            | Self::Usage
            | Self::Workgroups => SYSTEM,
        }
    }

    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::InformationSchema(view) => view.name(),
            Self::Files => "files",
            Self::Partitions => "partitions",
            Self::Queries => "queries",
            Self::QueryStores => "query_stores",
            Self::QueryTables => "query_tables",
            Self::RepairFindings => "repair_findings",
            Self::TableUsage => "table_usage",
            Self::Usage => "usage",
            Self::Workgroups => "workgroups",
        }
    }

    pub(super) fn columns(self) -> Vec<Column> {
        match self {
            Self::InformationSchema(view) => view.columns(),
            Self::Files => Files::columns(),
            Self::Partitions => Partitions::columns(),
            Self::Queries => Recorded::columns(HistoryTable::Queries),
            Self::QueryStores => Recorded::columns(HistoryTable::Stores),
            Self::QueryTables => Recorded::columns(HistoryTable::Tables),
            Self::RepairFindings => RepairFindings::columns(),
            Self::TableUsage => TableUsageByDay::columns(),
            Self::Usage => UsageByDay::columns(),
            Self::Workgroups => Workgroups::columns(),
        }
    }
}

/// The names of the tables of a schema, in order; of a schema that is not the engine's own none.
#[must_use]
pub(crate) fn table_names(schema: &str) -> Vec<&'static str> {
    OwnTable::of_schema(schema).map(OwnTable::name).collect()
}

/// The columns of a table by its names in lower case, as the catalog would define them; `None` if there is none.
pub(crate) fn table_columns(schema: &str, name: &str) -> Option<Result<Vec<model::Column>>> {
    let column = |column: Column| {
        let hive_type = HiveType::from_arrow(&column.data_type)?;
        Ok(model::Column { name: column.name.to_owned(), hive_type, comment: Some(column.meaning.to_owned()) })
    };
    OwnTable::find(schema, name).map(|table| table.columns().into_iter().map(column).collect())
}
