//! All partitions of one version of a table: their typed values as one Arrow batch, for pruning, and beside it what is needed of those
//! that survive.
//!
//! Columns, not structs: a million partitions take tens of megabytes. It evaluates no predicate; whoever prunes does so on
//! [`PartitionIndex::values`].

use std::{cmp::Ordering, collections::HashMap, fmt, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, RecordBatch, RecordBatchOptions, StringArray, StringBuilder},
    datatypes::{Field, Schema},
};

use super::{path::parse_name, value::typed_array};
use crate::{
    error::{Error, ErrorKind, Result},
    model::{Column, SerDe},
};

/// What a partition has of its own in place of its table's.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PartitionOwn {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub columns: Option<Vec<Column>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub serde: Option<SerDe>,
}

/// The partitions of a table, sorted by Hive name (as bytes).
pub struct PartitionIndex {
    keys: Vec<Column>,
    values: RecordBatch,
    names: StringArray,
    locations: StringArray,
    own: HashMap<usize, Arc<PartitionOwn>>,
}

impl PartitionIndex {
    /// The index of a table without partitions, or whose partitions are not in the catalog.
    ///
    /// # Errors
    /// `Invalid` for a key with a nested type.
    pub fn empty(keys: &[Column]) -> Result<Self> {
        PartitionIndexBuilder::new(keys).finish()
    }

    /// How many partitions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// The partition keys.
    #[must_use]
    pub fn keys(&self) -> &[Column] {
        &self.keys
    }

    /// The typed values, a nullable column for each key under its name, a row for each partition.
    #[must_use]
    pub fn values(&self) -> &RecordBatch {
        &self.values
    }

    /// The Hive names, `key=value/key=value`, a row for each partition, ascending.
    #[must_use]
    pub fn names(&self) -> &StringArray {
        &self.names
    }

    /// The Hive name of a row; empty for a row that does not exist.
    #[must_use]
    pub fn name(&self, row: usize) -> &str {
        if row < self.names.len() { self.names.value(row) } else { "" }
    }

    /// The row with this Hive name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<usize> {
        let (mut low, mut high) = (0, self.names.len());
        while low < high {
            let middle = low + (high - low) / 2;
            match self.names.value(middle).cmp(name) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return Some(middle),
            }
        }
        None
    }

    /// The raw values of a row, which are its identity.
    #[must_use]
    pub fn raw_values(&self, row: usize) -> Vec<Option<String>> {
        parse_name(&self.keys, self.name(row)).unwrap_or_default()
    }

    /// The partition's own location, where it is not `table root + Hive name`.
    #[must_use]
    pub fn own_location(&self, row: usize) -> Option<&str> {
        (row < self.locations.len() && self.locations.is_valid(row)).then(|| self.locations.value(row))
    }

    /// Where a partition's files are, with one `/` at its end. `table_root` is [`crate::model::Table::root`].
    #[must_use]
    pub fn location(&self, row: usize, table_root: &str) -> String {
        match self.own_location(row) {
            Some(location) => format!("{}/", location.trim_end_matches('/')),
            None => format!("{}/{}/", table_root.trim_end_matches('/'), self.name(row)),
        }
    }

    /// The partition's own columns; `None` means the table's.
    #[must_use]
    pub fn columns(&self, row: usize) -> Option<&[Column]> {
        self.own.get(&row)?.columns.as_deref()
    }

    /// The partition's own SerDe; `None` means the table's.
    #[must_use]
    pub fn serde(&self, row: usize) -> Option<&SerDe> {
        self.own.get(&row)?.serde.as_ref()
    }

    /// Bytes held in memory, to weigh caches by. What partitions share is counted once.
    #[must_use]
    pub fn memory_size(&self) -> usize {
        let mut distinct: Vec<*const PartitionOwn> = self.own.values().map(Arc::as_ptr).collect();
        distinct.sort_unstable();
        distinct.dedup();
        let columns: usize = self.own.values().map(|own| own.columns.as_ref().map_or(0, Vec::len)).max().unwrap_or(0);
        let own_size = size_of::<PartitionOwn>() + columns * (size_of::<Column>() + 32);
        size_of::<Self>()
            + self.values.get_array_memory_size()
            + self.names.get_array_memory_size()
            + self.locations.get_array_memory_size()
            + self.own.capacity() * size_of::<(usize, Arc<PartitionOwn>)>()
            + distinct.len() * own_size
    }
}

impl fmt::Debug for PartitionIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let keys: Vec<&str> = self.keys.iter().map(|key| key.name.as_str()).collect();
        f.debug_struct("PartitionIndex").field("keys", &keys).field("len", &self.len()).finish_non_exhaustive()
    }
}

/// Builds a [`PartitionIndex`] in one pass over partitions in the order of their names.
#[derive(Debug)]
pub struct PartitionIndexBuilder {
    keys: Vec<Column>,
    raw: Vec<StringBuilder>,
    names: StringBuilder,
    last: String,
    text_bytes: usize,
    locations: StringBuilder,
    own: HashMap<usize, Arc<PartitionOwn>>,
    len: usize,
}

impl PartitionIndexBuilder {
    #[must_use]
    pub fn new(keys: &[Column]) -> Self {
        Self {
            keys: keys.to_vec(),
            raw: keys.iter().map(|_| StringBuilder::new()).collect(),
            names: StringBuilder::new(),
            last: String::new(),
            text_bytes: 0,
            locations: StringBuilder::new(),
            own: HashMap::new(),
            len: 0,
        }
    }

    /// Adds a partition by its Hive name, which must be greater than the one before.
    ///
    /// # Errors
    /// `CorruptData` for a name with other keys; `LimitExceeded` for more text than an Arrow array holds (2 GiB); `Internal` for a name
    /// out of order.
    pub fn push(&mut self, name: &str, location: Option<&str>, own: Option<Arc<PartitionOwn>>) -> Result<()> {
        if self.len > 0 && name <= self.last.as_str() {
            return Err(Error::internal(format!("partition \"{name}\" comes after \"{}\"", self.last)));
        }
        self.text_bytes += name.len().max(location.map_or(0, str::len));
        if self.text_bytes > i32::MAX as usize {
            let message = format!("the partitions' names are longer than 2 GiB in all, at the {}th partition", self.len);
            return Err(Error::new(ErrorKind::LimitExceeded, message).with_hint("Use partition projection, or fewer partitions"));
        }
        for (builder, value) in self.raw.iter_mut().zip(parse_name(&self.keys, name)?) {
            builder.append_option(value);
        }
        self.names.append_value(name);
        self.last.clear();
        self.last.push_str(name);
        self.locations.append_option(location);
        if let Some(own) = own {
            self.own.insert(self.len, own);
        }
        self.len += 1;
        Ok(())
    }

    /// Types the values.
    ///
    /// # Errors
    /// `Invalid` for a value that is not of its key's type, naming the value, the key and the type.
    pub fn finish(mut self) -> Result<PartitionIndex> {
        let mut fields = Vec::with_capacity(self.keys.len());
        let mut columns: Vec<ArrayRef> = Vec::with_capacity(self.keys.len());
        for (key, raw) in self.keys.iter().zip(&mut self.raw) {
            let raw = raw.finish();
            let typed = typed_array(&key.hive_type, raw.iter()).map_err(|error| error.with_context("key", &key.name))?;
            fields.push(Field::new(&key.name, typed.data_type().clone(), true));
            columns.push(typed);
        }
        let options = RecordBatchOptions::new().with_row_count(Some(self.len));
        let values = RecordBatch::try_new_with_options(Arc::new(Schema::new(fields)), columns, &options)
            .map_err(|error| Error::internal("partition values do not form a batch").with_source(error))?;
        self.own.shrink_to_fit();
        Ok(PartitionIndex {
            keys: self.keys,
            values,
            names: self.names.finish(),
            locations: self.locations.finish(),
            own: self.own,
        })
    }
}

#[cfg(test)]
mod tests {
    use arrow::{array::AsArray, datatypes::Int32Type};

    use super::*;
    use crate::hive_type::HiveType;

    fn keys() -> Vec<Column> {
        vec![Column::new("year", HiveType::Int), Column::new("region", HiveType::String)]
    }

    #[test]
    fn holds_partitions_as_columns() {
        let own = PartitionOwn { columns: Some(vec![Column::new("a", HiveType::Int)]), serde: None };
        let mut builder = PartitionIndexBuilder::new(&keys());
        builder.push("year=01/region=a%2Fb", None, None).unwrap();
        builder.push("year=1/region=__HIVE_DEFAULT_PARTITION__", Some("s3://other/place"), Some(Arc::new(own))).unwrap();
        let index = builder.finish().unwrap();
        assert_eq!(index.len(), 2);
        let years = index.values().column(0).as_primitive::<Int32Type>();
        assert_eq!((years.value(0), years.value(1)), (1, 1));
        assert!(index.values().column(1).is_null(1));
        assert_eq!(index.raw_values(0), [Some("01".to_owned()), Some("a/b".to_owned())]);
        assert_eq!(index.location(0, "s3://b/t/"), "s3://b/t/year=01/region=a%2Fb/");
        assert_eq!(index.location(1, "s3://b/t/"), "s3://other/place/");
        assert_eq!(index.columns(0), None);
        assert_eq!(index.columns(1).unwrap()[0].name, "a");
        assert_eq!(index.find("year=1/region=__HIVE_DEFAULT_PARTITION__"), Some(1));
        assert_eq!(index.find("year=2/region=x"), None);
        assert_eq!(index.name(7), "");
    }

    #[test]
    fn refuses_disorder_and_foreign_values() {
        let mut builder = PartitionIndexBuilder::new(&keys());
        builder.push("year=2/region=a", None, None).unwrap();
        assert_eq!(builder.push("year=1/region=a", None, None).unwrap_err().kind(), ErrorKind::Internal);
        assert_eq!(builder.push("month=3/region=a", None, None).unwrap_err().kind(), ErrorKind::Internal);
        assert_eq!(builder.push("year=3", None, None).unwrap_err().kind(), ErrorKind::CorruptData);
        builder.push("year=x/region=a", None, None).unwrap();
        let error = builder.finish().unwrap_err();
        assert_eq!(error.to_string(), "partition value \"x\" is not of type \"int\", key \"year\"");
    }

    #[test]
    fn without_keys_it_is_empty() {
        let index = PartitionIndex::empty(&[]).unwrap();
        assert!(index.is_empty());
        assert_eq!(index.values().num_columns(), 0);
    }

    #[test]
    fn a_hundred_thousand_partitions_stay_small() {
        let own = Arc::new(PartitionOwn { columns: Some(vec![Column::new("a", HiveType::Int)]), serde: None });
        let mut builder = PartitionIndexBuilder::new(&keys());
        for n in 100_000..200_000 {
            builder.push(&format!("year={n}/region=eu"), None, Some(Arc::clone(&own))).unwrap();
        }
        let index = builder.finish().unwrap();
        assert_eq!(index.find("year=150000/region=eu"), Some(50_000));
        assert!(index.memory_size() < 100_000 * 120, "{} bytes", index.memory_size());
    }
}
