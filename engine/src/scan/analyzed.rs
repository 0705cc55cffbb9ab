//! What `ANALYZE` found about a table's files: rows, bytes, and for each column its range, its nulls and the approximate number of distinct
//! values.
//!
//! How many values differ is estimated. Of two sets together: as many as the larger has, and of the smaller one what lies outside of the part of its
//! range that they share. Never more than there are values, or whole numbers in the range.

use std::{cmp::Ordering, collections::BTreeMap};

use arrow::datatypes::DataType;
use datafusion::common::ScalarValue;
use glaux_catalog::{
    HiveType, Metastore,
    model::{Column, Table},
    partition::{canonical, typed_array},
};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The attachment with the figures of a whole table.
pub(crate) const OF_TABLE: &str = "statistics/table";

/// What the attachments with the figures of partitions begin with; the partition's name follows.
pub(crate) const OF_PARTITION: &str = "statistics/partition/";

/// What is known of some files.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Analyzed {
    pub files: u64,
    pub rows: u64,
    /// Of the files, as they lie in the store.
    pub bytes: u64,
    pub columns: BTreeMap<String, Figures>,
}

/// What is known of one column.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Figures {
    pub hive_type: HiveType,
    /// Values that are NULL, if all files tell.
    pub nulls: Option<u64>,
    /// The least and greatest values, in the table's type.
    pub range: Option<(ScalarValue, ScalarValue)>,
    /// About how many values differ.
    pub distinct: Option<f64>,
    /// Bytes of the column, unpacked.
    pub bytes: u64,
}

impl Analyzed {
    /// What is known of a table as a whole. They are estimates, so that a query goes without them where they cannot be had.
    pub(crate) async fn of_table(metastore: &dyn Metastore, table: &Table) -> Option<Self> {
        let read = async {
            let kept = metastore.attachments(table, OF_TABLE).await?;
            kept.iter().find(|kept| kept.name == OF_TABLE).map(|kept| Self::decode(&kept.bytes)).transpose()
        };
        read.await.unwrap_or_else(|error: Error| {
            tracing::warn!(table = %table.name, %error, "statistics are not used");
            None
        })
    }

    /// What is known of both together. Columns that only one knows are not known.
    pub(crate) fn merge(&mut self, other: &Self) {
        if self.files == 0 {
            self.clone_from(other);
            return;
        }
        if other.files == 0 {
            return;
        }
        self.files += other.files;
        self.rows += other.rows;
        self.bytes += other.bytes;
        self.columns.retain(|name, _| other.columns.contains_key(name));
        for (name, figures) in &mut self.columns {
            if let Some(of_other) = other.columns.get(name) {
                figures.merge(of_other, self.rows);
            }
        }
    }

    /// As it is kept in the catalog.
    ///
    /// # Errors
    /// `Internal` if it does not encode.
    pub(crate) fn encode(&self) -> Result<Vec<u8>> {
        let column = |(name, figures): (&String, &Figures)| {
            let text = |value: &ScalarValue| canonical(value.to_array_of_size(1).ok()?.as_ref(), 0).ok().flatten();
            let range = figures.range.as_ref().and_then(|(min, max)| Some((text(min)?, text(max)?)));
            let stored = StoredColumn(figures.hive_type.to_string(), figures.nulls, range, figures.distinct, figures.bytes);
            (name.clone(), stored)
        };
        let stored =
            Stored { files: self.files, rows: self.rows, bytes: self.bytes, columns: self.columns.iter().map(column).collect() };
        serde_json::to_vec(&stored).map_err(|error| Error::internal("statistics could not be encoded").with_source(error))
    }

    /// # Errors
    /// `CorruptData` for what is no statistics.
    pub(crate) fn decode(bytes: &[u8]) -> Result<Self> {
        let damaged = || Error::corrupt("statistics in the catalog cannot be decoded").with_hint("ANALYZE the table again");
        let stored: Stored = serde_json::from_slice(bytes).map_err(|error| damaged().with_source(error))?;
        let mut columns = BTreeMap::new();
        for (name, StoredColumn(hive_type, nulls, range, distinct, bytes)) in stored.columns {
            let hive_type: HiveType = hive_type.parse().map_err(|_| damaged())?;
            let value = |text: &str| {
                let array = typed_array(&hive_type, std::iter::once(Some(text))).ok()?;
                ScalarValue::try_from_array(&array, 0).ok()
            };
            let range = range.and_then(|(min, max)| Some((value(&min)?, value(&max)?)));
            columns.insert(name, Figures { hive_type, nulls, range, distinct, bytes });
        }
        Ok(Self { files: stored.files, rows: stored.rows, bytes: stored.bytes, columns })
    }
}

#[derive(Serialize, Deserialize)]
struct Stored {
    files: u64,
    rows: u64,
    bytes: u64,
    columns: BTreeMap<String, StoredColumn>,
}

/// Type, nulls, range as text, distinct values, bytes.
#[derive(Serialize, Deserialize)]
struct StoredColumn(String, Option<u64>, Option<(String, String)>, Option<f64>, u64);

impl Figures {
    /// Of a column that is NULL in all rows, as one is that a file lacks.
    pub(crate) fn of_nulls(column: &Column, rows: u64) -> Self {
        Self { hive_type: column.hive_type.clone(), nulls: Some(rows), range: None, distinct: Some(0.0), bytes: 0 }
    }

    fn merge(&mut self, other: &Self, rows: u64) {
        let shared = shared(self.range.as_ref(), other.range.as_ref());
        self.distinct = self.distinct.zip(other.distinct).map(|(one, another)| {
            let (more, fewer) = (one.max(another), one.min(another));
            more + fewer * (1.0 - shared)
        });
        self.nulls = self.nulls.zip(other.nulls).map(|(one, other)| one + other);
        self.bytes += other.bytes;
        self.range = match (self.range.take(), &other.range) {
            (Some((min, max)), Some((of_min, of_max))) => Some((
                if of_min.partial_cmp(&min) == Some(Ordering::Less) { of_min.clone() } else { min },
                if of_max.partial_cmp(&max) == Some(Ordering::Greater) { of_max.clone() } else { max },
            )),
            // One without values has no range, and does not change that of the other.
            (Some(range), None) if other.distinct == Some(0.0) => Some(range),
            (None, Some(range)) if self.distinct == other.distinct => Some(range.clone()),
            _ => None,
        };
        let values = rows.saturating_sub(self.nulls.unwrap_or(0)) as f64;
        self.distinct = self.distinct.map(|distinct| self.bounded(distinct, values));
    }

    /// No more than there are values, or whole numbers in the range.
    pub(crate) fn bounded(&self, distinct: f64, values: f64) -> f64 {
        let whole = match (&self.hive_type, &self.range) {
            (HiveType::Boolean, _) => Some(2.0),
            (hive_type, Some((min, max))) if is_whole(hive_type) => Some(number(max) - number(min) + 1.0),
            _ => None,
        };
        distinct.min(values).min(whole.unwrap_or(f64::INFINITY)).max(0.0).round()
    }
}

fn is_whole(hive_type: &HiveType) -> bool {
    matches!(hive_type, HiveType::TinyInt | HiveType::SmallInt | HiveType::Int | HiveType::BigInt | HiveType::Date)
}

/// How much of the smaller of two ranges both have in common, from 0 to 1. Text that overlaps counts as all in common, as does what has no range.
fn shared(one: Option<&(ScalarValue, ScalarValue)>, other: Option<&(ScalarValue, ScalarValue)>) -> f64 {
    let (Some((min, max)), Some((of_min, of_max))) = (one, other) else { return 1.0 };
    if max.partial_cmp(of_min) == Some(Ordering::Less) || of_max.partial_cmp(min) == Some(Ordering::Less) {
        return 0.0;
    }
    let (one, other) = ((number(min), number(max)), (number(of_min), number(of_max)));
    let common = one.1.min(other.1) - one.0.max(other.0);
    let smaller = (one.1 - one.0).min(other.1 - other.0);
    if common.is_finite() && smaller > 0.0 { (common / smaller).clamp(0.0, 1.0) } else { 1.0 }
}

/// A value as a number; NaN for those that are none.
fn number(value: &ScalarValue) -> f64 {
    let value = match value {
        ScalarValue::Date32(Some(days)) => return f64::from(*days),
        ScalarValue::TimestampMillisecond(Some(millis), _) => return *millis as f64,
        other => other.cast_to(&DataType::Float64),
    };
    match value {
        Ok(ScalarValue::Float64(Some(number))) => number,
        _ => f64::NAN,
    }
}
