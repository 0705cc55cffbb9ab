//! The arguments of `ANALYZE`, and how they are written back.

use std::fmt::{self, Display, Formatter};

use super::names::TableRef;
use crate::sql::quote::{hive_name, hive_string, trino_name, trino_string};

/// `ANALYZE TABLE ... COMPUTE STATISTICS` of Hive, and `ANALYZE ...` of Trino.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Analyze {
    pub table: TableRef,
    pub partitions: AnalyzePartitions,
    /// The columns whose statistics are wanted; none means all.
    pub columns: Vec<String>,
}

/// The partitions that are analysed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AnalyzePartitions {
    All,
    /// Those with these values, as in `PARTITION (dt='2024-01-01', region)`: a key without a value takes any.
    Having(Vec<(String, Option<String>)>),
    /// Exactly these, the values in the order of the keys, as in `WITH (partitions = ARRAY[ARRAY['2024-01-01', 'eu']])`; `None` is NULL.
    These(Vec<Vec<Option<String>>>),
}

impl Display for Analyze {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        if let AnalyzePartitions::These(partitions) = &self.partitions {
            return self.as_trino(f, partitions);
        }
        write!(f, "ANALYZE TABLE {}", self.table)?;
        if let AnalyzePartitions::Having(spec) = &self.partitions {
            let key = |(key, value): &(String, Option<String>)| match value {
                Some(value) => format!("{}={}", hive_name(key), hive_string(value)),
                None => hive_name(key),
            };
            write!(f, " PARTITION ({})", spec.iter().map(key).collect::<Vec<_>>().join(", "))?;
        }
        f.write_str(" COMPUTE STATISTICS")?;
        if !self.columns.is_empty() {
            let names: Vec<String> = self.columns.iter().map(|name| hive_name(name)).collect();
            write!(f, " FOR COLUMNS {}", names.join(", "))?;
        }
        Ok(())
    }
}

impl Analyze {
    fn as_trino(&self, f: &mut Formatter<'_>, partitions: &[Vec<Option<String>>]) -> fmt::Result {
        f.write_str("ANALYZE ")?;
        if let Some(database) = &self.table.database {
            write!(f, "{}.", trino_name(database))?;
        }
        f.write_str(&trino_name(&self.table.table))?;
        let array = |values: Vec<String>| format!("ARRAY[{}]", values.join(", "));
        let value = |value: &Option<String>| value.as_deref().map_or_else(|| "NULL".to_owned(), trino_string);
        let partitions = partitions.iter().map(|values| array(values.iter().map(value).collect())).collect();
        write!(f, " WITH (partitions = {}", array(partitions))?;
        if !self.columns.is_empty() {
            write!(f, ", columns = {}", array(self.columns.iter().map(|column| trino_string(column)).collect()))?;
        }
        f.write_str(")")
    }
}
