//! `SHOW STATS FOR`: what `ANALYZE` found, in Trino's shape, for the partitions that were analysed and still exist.

use std::cmp::Ordering;

use datafusion::common::ScalarValue;
use glaux_catalog::{
    Metastore,
    model::{Properties, Table},
    partition::{PartitionIndex, canonical},
};

use super::{context::StatementContext, lookup::find_table, rows::Row};
use crate::{
    error::Result,
    scan::{Analyzed, Figures, OF_PARTITION, OF_TABLE},
    sql::TableRef,
};

pub(super) async fn show(table: &TableRef, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    let table = find_table(table, "SHOW STATS", context).await?;
    let mut sum = Analyzed::default();
    let mut analysed: Vec<(usize, u64)> = Vec::new();
    let mut index = None;
    if table.is_partitioned() {
        let of_table = context.metastore().partition_index(&table).await?;
        for kept in context.metastore().attachments(&table, OF_PARTITION).await? {
            if let Some(row) = of_table.find(&kept.name[OF_PARTITION.len()..]) {
                let one = Analyzed::decode(&kept.bytes)?;
                analysed.push((row, one.rows));
                sum.merge(&one);
            }
        }
        index = Some(of_table);
    } else {
        sum = whole(context.metastore().as_ref(), &table).await?.unwrap_or_default();
    }
    let is_known = sum.files > 0 || !analysed.is_empty();
    let mut rows: Vec<Row> =
        table.storage.columns.iter().map(|column| of_column(&column.name, sum.columns.get(&column.name), sum.rows)).collect();
    for (at, key) in table.partition_keys.iter().enumerate() {
        let figures = index.as_ref().filter(|_| is_known).map(|index| of_key(index, at, &analysed));
        rows.push(of_column(&key.name, figures.as_ref(), sum.rows));
    }
    rows.push(vec![None, None, None, None, is_known.then(|| double(sum.rows as f64)), None, None]);
    Ok(rows)
}

/// What is known of a table as a whole.
pub(super) async fn whole(metastore: &dyn Metastore, table: &Table) -> Result<Option<Analyzed>> {
    kept(metastore, table, OF_TABLE).await
}

/// What is known of a partition.
pub(super) async fn of_partition(metastore: &dyn Metastore, table: &Table, name: &str) -> Result<Option<Analyzed>> {
    kept(metastore, table, &format!("{OF_PARTITION}{name}")).await
}

async fn kept(metastore: &dyn Metastore, table: &Table, name: &str) -> Result<Option<Analyzed>> {
    let kept = metastore.attachments(table, name).await?;
    kept.iter().find(|kept| kept.name == name).map(|kept| Analyzed::decode(&kept.bytes)).transpose()
}

/// The parameters in which Hive shows it.
pub(super) fn parameters(properties: &mut Properties, analyzed: &Analyzed) {
    for (key, value) in [("numFiles", analyzed.files), ("numRows", analyzed.rows), ("totalSize", analyzed.bytes)] {
        properties.insert(key.to_owned(), value.to_string());
    }
}

fn of_column(name: &str, figures: Option<&Figures>, rows: u64) -> Row {
    let Some(figures) = figures else { return vec![Some(name.to_owned()), None, None, None, None, None, None] };
    let fraction = figures.nulls.map(|nulls| if rows == 0 { 0.0 } else { nulls as f64 / rows as f64 });
    let text = |value: &ScalarValue| canonical(value.to_array_of_size(1).ok()?.as_ref(), 0).ok().flatten();
    let is_text = matches!(&figures.range, Some((ScalarValue::Utf8(_) | ScalarValue::Binary(_), _)));
    // As in Trino, ranges are shown only of columns whose values have a fixed length; of the others, the total length is shown.
    let (low, high) = match &figures.range {
        Some((min, max)) if !is_text => (text(min), text(max)),
        _ => (None, None),
    };
    let size = figures.bytes;
    vec![
        Some(name.to_owned()),
        (is_text || figures.hive_type.is_nested()).then(|| double(size as f64)),
        figures.distinct.map(double),
        fraction.map(double),
        None,
        low,
        high,
    ]
}

/// A number as Trino shows doubles.
fn double(value: f64) -> String {
    canonical(&arrow::array::Float64Array::from(vec![value]), 0).ok().flatten().unwrap_or_default()
}

/// The figures of a partition key over the partitions that were analysed.
fn of_key(index: &PartitionIndex, at: usize, analysed: &[(usize, u64)]) -> Figures {
    let value = |row: usize| {
        let (values, place) = index.value(at, row);
        ScalarValue::try_from_array(values, place).ok().filter(|value| !value.is_null())
    };
    let mut range: Option<(ScalarValue, ScalarValue)> = None;
    let mut different = std::collections::HashSet::new();
    let mut nulls = 0;
    for (row, rows) in analysed {
        let Some(value) = value(*row) else {
            nulls += rows;
            continue;
        };
        range = Some(match range.take() {
            None => (value.clone(), value.clone()),
            Some((min, max)) => (
                if value.partial_cmp(&min) == Some(Ordering::Less) { value.clone() } else { min },
                if value.partial_cmp(&max) == Some(Ordering::Greater) { value.clone() } else { max },
            ),
        });
        different.insert(value);
    }
    Figures {
        hive_type: index.keys()[at].hive_type.clone(),
        nulls: Some(nulls),
        range,
        distinct: Some(different.len() as f64),
        bytes: 0,
    }
}
