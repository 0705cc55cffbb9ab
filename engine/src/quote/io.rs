//! Trino's document of `EXPLAIN (TYPE IO)`: the tables that a plan reads, with what its filters say of their columns, and the planner's estimates.
//!
//! Partition keys have the values of the partitions that are read; other columns what the filter of the scan allows.

mod domain;
mod value;

use std::{collections::BTreeSet, sync::Arc};

use arrow::datatypes::DataType;
use datafusion::{
    common::{ScalarValue, Statistics, stats::Precision},
    physical_plan::{
        ExecutionPlan,
        statistics::{StatisticsArgs, StatisticsContext},
    },
};
use glaux_catalog::{HiveType, ident::CATALOG_NAME};
use serde::{Serialize, Serializer};

use self::domain::Domain;
use super::walk;
use crate::{
    error::{Error, Result},
    failure::from_datafusion,
    scan::{LakeScan, ScanSpec},
};

/// The document of a plan, as text.
///
/// # Errors
/// Those of the plan's statistics.
pub(crate) fn document(plan: &Arc<dyn ExecutionPlan>) -> Result<String> {
    let mut inputs: Vec<TableInfo> = Vec::new();
    for found in walk::scans(plan) {
        // Trino has a set of them.
        if let Some(table) = TableInfo::of(found.scan).filter(|table| !inputs.contains(table)) {
            inputs.push(table);
        }
    }
    let statistics = StatisticsContext::new().compute(plan.as_ref(), &StatisticsArgs::new()).map_err(from_datafusion)?;
    let read = inputs.iter().map(|input| input.estimate.cpu_cost.0).sum();
    let estimate = Estimate { cpu_cost: Figure(read), max_memory: Figure(f64::NAN), ..Estimate::of(&statistics) };
    let document = Document { input_table_column_infos: inputs, estimate };
    let text = serde_json::to_string_pretty(&document);
    text.map_err(|error| Error::internal("a plan's document cannot be written").with_source(error))
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Document {
    input_table_column_infos: Vec<TableInfo>,
    estimate: Estimate,
}

#[derive(Serialize, PartialEq)]
struct TableInfo {
    table: CatalogTable,
    constraint: Constraint,
    estimate: Estimate,
}

#[derive(Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct CatalogTable {
    catalog: &'static str,
    schema_table: SchemaTable,
}

#[derive(Serialize, PartialEq)]
struct SchemaTable {
    schema: String,
    table: String,
}

#[derive(Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Constraint {
    /// Whether no row can pass.
    none: bool,
    column_constraints: Vec<ColumnConstraint>,
}

#[derive(Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct ColumnConstraint {
    column_name: String,
    #[serde(rename = "type")]
    data_type: String,
    domain: Domain,
}

/// The planner's estimates. Trino's costs are in units of bytes.
#[derive(Serialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Estimate {
    output_row_count: Figure,
    output_size_in_bytes: Figure,
    cpu_cost: Figure,
    max_memory: Figure,
    network_cost: Figure,
}

/// A number, or that it is not known.
#[derive(Clone, Copy)]
struct Figure(f64);

impl PartialEq for Figure {
    fn eq(&self, other: &Self) -> bool {
        self.0.total_cmp(&other.0).is_eq()
    }
}

impl Serialize for Figure {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if self.0.is_finite() { serializer.serialize_f64(self.0) } else { serializer.serialize_str("NaN") }
    }
}

impl Estimate {
    fn of(statistics: &Statistics) -> Self {
        let figure = |value: &Precision<usize>| Figure(value.get_value().map_or(f64::NAN, |value| *value as f64));
        let bytes = figure(&statistics.total_byte_size);
        Self {
            output_row_count: figure(&statistics.num_rows),
            output_size_in_bytes: bytes,
            cpu_cost: bytes,
            max_memory: Figure(0.0),
            network_cost: Figure(0.0),
        }
    }
}

impl TableInfo {
    /// Nothing for a scan whose filter lets no row pass.
    fn of(scan: &LakeScan) -> Option<Self> {
        let spec = scan.spec();
        let constraint = Constraint { none: false, column_constraints: constraints(spec)? };
        let (schema, table) = spec.table.split_once('.').unwrap_or(("", &spec.table));
        let schema_table = SchemaTable { schema: schema.to_owned(), table: table.to_owned() };
        Some(Self {
            table: CatalogTable { catalog: CATALOG_NAME, schema_table },
            constraint,
            estimate: Estimate::of(scan.known()),
        })
    }
}

/// What is known of the columns of the rows that a scan gives; `None` if that is none.
fn constraints(spec: &ScanSpec) -> Option<Vec<ColumnConstraint>> {
    let mut constraints = Vec::new();
    // Partition keys stand before hidden columns.
    for (at, field) in spec.schema.table_partition_cols().iter().enumerate().take(spec.pruning.keys.len()) {
        let mut values: Vec<ScalarValue> = Vec::new();
        let mut seen = BTreeSet::new();
        for value in spec.files().filter_map(|file| file.values.get(at)) {
            if seen.insert(value.to_string()) {
                values.push(value.clone());
            }
        }
        constraints.push(constraint(field.name(), field.data_type(), Domain::of_values(values)));
    }
    for (column, domain) in domain::of(spec.predicate.as_ref()) {
        if domain.is_none() {
            return None;
        }
        let Ok(field) = spec.schema.file_schema().field_with_name(&column) else { continue };
        if !domain.is_all() {
            constraints.push(constraint(&column, field.data_type(), domain));
        }
    }
    Some(constraints)
}

fn constraint(name: &str, data_type: &DataType, domain: Domain) -> ColumnConstraint {
    let named = HiveType::from_arrow(data_type).map_or_else(|_| data_type.to_string(), |hive_type| hive_type.trino_name());
    ColumnConstraint { column_name: name.to_owned(), data_type: named, domain }
}
