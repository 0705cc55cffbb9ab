//! A table's partitions as they are pruned: the columns of the index as Arrow IPC, piece by piece, and an index built from the
//! pieces.
//!
//! All of them go as they are, sliced; a page, or those with certain values, are taken out first. What is a partition's own goes
//! as a dictionary, so that a million alike are told of once.

use std::{collections::HashMap, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, DictionaryArray, Int32Array, RecordBatch, StringArray, UInt32Array},
    compute::take,
    datatypes::{Field, Int32Type, Schema},
};
use bytes::Bytes;

use super::ipc::{Decoder, Encoder};
use crate::{
    error::{Error, Result},
    model::Column,
    partition::{HIVE_DEFAULT_PARTITION, PartitionIndex, PartitionIndexBuilder, PartitionOwn, escape},
};

/// The bytes of a piece, about.
const PIECE_BYTES: usize = 1 << 20;

/// The most partitions in a piece.
const PIECE_ROWS: usize = 65_536;

/// Which partitions are asked for.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    /// For a key, the raw values that it may have; all must hold.
    pub(crate) filters: Vec<(String, Vec<Option<String>>)>,
    /// At most so many.
    pub(crate) limit: Option<usize>,
    /// Only those after this name.
    pub(crate) after: Option<String>,
}

impl Selection {
    fn is_everything(&self) -> bool {
        self.filters.is_empty() && self.limit.is_none() && self.after.is_none()
    }

    /// The rows that are selected, and the name of the last one if there are more.
    ///
    /// # Errors
    /// `NotFound` for a key that the table does not have.
    fn rows(&self, index: &PartitionIndex) -> Result<(Vec<u32>, Option<String>)> {
        // By position, the segments of a name that a partition may have there.
        let mut wanted: Vec<(usize, Vec<String>)> = Vec::with_capacity(self.filters.len());
        for (key, values) in &self.filters {
            let name = crate::ident::fold(key);
            let position = index.keys().iter().position(|known| known.name == name).ok_or_else(|| no_key(key, index.keys()))?;
            let segment = |value: &Option<String>| match value.as_deref() {
                None | Some("") => format!("{}={HIVE_DEFAULT_PARTITION}", escape(&name)),
                Some(value) => format!("{}={}", escape(&name), escape(value)),
            };
            wanted.push((position, values.iter().map(segment).collect()));
        }
        let fits = |name: &str| {
            wanted.iter().all(|(position, any)| {
                name.split('/').nth(*position).is_some_and(|segment| any.iter().any(|wanted| wanted == segment))
            })
        };
        let begin = self.after.as_deref().map_or(0, |after| first_after(index, after));
        let (mut rows, mut last) = (Vec::new(), None);
        for row in begin..index.len() {
            if !fits(index.name(row)) {
                continue;
            }
            if self.limit.is_some_and(|limit| rows.len() >= limit) {
                last = rows.last().map(|row: &u32| index.name(*row as usize).to_owned());
                break;
            }
            rows.push(u32::try_from(row).map_err(|_| Error::internal("an index has more than 4 billion rows"))?);
        }
        Ok((rows, last))
    }
}

/// The first row whose name is greater.
fn first_after(index: &PartitionIndex, name: &str) -> usize {
    let (mut low, mut high) = (0, index.len());
    while low < high {
        let middle = low + (high - low) / 2;
        if index.name(middle) <= name {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

fn no_key(key: &str, keys: &[Column]) -> Error {
    let keys: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
    let error = Error::not_found(format!("partition key \"{key}\" does not exist"));
    match keys.is_empty() {
        true => error.with_hint("The table is not partitioned"),
        false => error.with_hint(format!("The partition keys are \"{}\"", keys.join("\", \""))),
    }
}

/// Partitions on their way out.
pub(crate) struct Pieces {
    batch: RecordBatch,
    /// The name after which the next page begins.
    pub(crate) next: Option<String>,
    rows: usize,
    sent: usize,
    encoder: Option<Encoder>,
}

impl Pieces {
    /// # Errors
    /// `NotFound` for a filter of a key that does not exist.
    pub(crate) fn new(index: &PartitionIndex, selection: &Selection) -> Result<Self> {
        let mut batch = columns(index)?;
        let mut next = None;
        if !selection.is_everything() {
            let (rows, last) = selection.rows(index)?;
            let rows = UInt32Array::from(rows);
            let taken = batch.columns().iter().map(|column| take(column, &rows, None)).collect::<Result<Vec<_>, _>>();
            batch = RecordBatch::try_new(batch.schema(), taken.map_err(unmade)?).map_err(unmade)?;
            next = last;
        }
        let bytes = batch.columns().iter().map(|column| column.get_array_memory_size()).sum::<usize>().max(1);
        let rows = (PIECE_BYTES * batch.num_rows() / bytes).clamp(1, PIECE_ROWS);
        let encoder = Some(Encoder::new(&batch.schema())?);
        Ok(Self { batch, next, rows, sent: 0, encoder })
    }

    /// How many partitions there are.
    pub(crate) fn count(&self) -> usize {
        self.batch.num_rows()
    }

    /// The next piece, and whether it is the last; nothing after that.
    pub(crate) fn next_piece(&mut self) -> Option<Result<(Bytes, bool)>> {
        let left = self.batch.num_rows() - self.sent;
        if left == 0 {
            return Some(self.encoder.take()?.end().map(|piece| (piece, true)));
        }
        let slice = self.batch.slice(self.sent, left.min(self.rows));
        self.sent += slice.num_rows();
        Some(self.encoder.as_mut()?.piece(&slice).map(|piece| (piece, false)))
    }
}

/// The index as one batch.
fn columns(index: &PartitionIndex) -> Result<RecordBatch> {
    let mut columns: Vec<(String, ArrayRef)> = vec![("$name".to_owned(), Arc::new(index.names().clone()))];
    let locations: StringArray = (0..index.len()).map(|row| index.own_location(row)).collect();
    columns.push(("$location".to_owned(), Arc::new(locations)));
    columns.push(("$own".to_owned(), Arc::new(own(index)?)));
    for (field, array) in index.values().schema().fields().iter().zip(index.values().columns()) {
        columns.push((field.name().clone(), Arc::clone(array)));
    }
    let fields: Vec<Field> = columns.iter().map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(unmade)
}

/// What is each partition's own, each different thing once.
fn own(index: &PartitionIndex) -> Result<DictionaryArray<Int32Type>> {
    let mut texts: Vec<String> = Vec::new();
    let mut by_text: HashMap<String, i32> = HashMap::new();
    // Neighbours share what they have: it is looked at once, by its address.
    let mut by_address: HashMap<(usize, usize), i32> = HashMap::new();
    let mut keys = Vec::with_capacity(index.len());
    for row in 0..index.len() {
        let (columns, serde) = (index.columns(row), index.serde(row));
        if columns.is_none() && serde.is_none() {
            keys.push(None);
            continue;
        }
        let address =
            (columns.map_or(0, |columns| columns.as_ptr() as usize), serde.map_or(0, |serde| std::ptr::from_ref(serde) as usize));
        if let Some(key) = by_address.get(&address) {
            keys.push(Some(*key));
            continue;
        }
        let own = PartitionOwn { columns: columns.map(<[_]>::to_vec), serde: serde.cloned() };
        let text =
            serde_json::to_string(&own).map_err(|error| Error::internal("a definition does not encode").with_source(error))?;
        let next = i32::try_from(texts.len()).map_err(|_| Error::internal("there are too many definitions of partitions"))?;
        let key = *by_text.entry(text.clone()).or_insert(next);
        if key == next {
            texts.push(text);
        }
        by_address.insert(address, key);
        keys.push(Some(key));
    }
    DictionaryArray::try_new(Int32Array::from(keys), Arc::new(StringArray::from(texts))).map_err(unmade)
}

fn unmade(error: arrow::error::ArrowError) -> Error {
    Error::internal("the partitions form no batch").with_source(error)
}

/// Builds an index from its pieces.
#[derive(Debug)]
pub(crate) struct Assembly {
    decoder: Decoder,
    builder: PartitionIndexBuilder,
    shared: HashMap<String, Arc<PartitionOwn>>,
}

impl Assembly {
    pub(crate) fn new(keys: &[Column]) -> Self {
        Self { decoder: Decoder::default(), builder: PartitionIndexBuilder::new(keys), shared: HashMap::new() }
    }

    /// # Errors
    /// `CorruptData` for what is no piece of an index.
    pub(crate) fn add(&mut self, piece: Bytes) -> Result<()> {
        for batch in self.decoder.batches(piece)? {
            self.add_batch(&batch)?;
        }
        Ok(())
    }

    fn add_batch(&mut self, batch: &RecordBatch) -> Result<()> {
        let column = |name: &str| batch.column_by_name(name).ok_or_else(|| foreign(name));
        let text = |name: &'static str| column(name)?.as_string_opt::<i32>().ok_or_else(|| foreign(name));
        let (names, locations) = (text("$name")?, text("$location")?);
        let own = column("$own")?.as_dictionary_opt::<Int32Type>().ok_or_else(|| foreign("$own"))?;
        let texts = own.values().as_string_opt::<i32>().ok_or_else(|| foreign("$own"))?;
        for row in 0..batch.num_rows() {
            let own = match own.key(row) {
                None => None,
                Some(key) if key < texts.len() && texts.is_valid(key) => Some(self.own(texts.value(key))?),
                Some(_) => return Err(foreign("$own")),
            };
            let location = locations.is_valid(row).then(|| locations.value(row));
            self.builder.push(names.value(row), location, own)?;
        }
        Ok(())
    }

    fn own(&mut self, text: &str) -> Result<Arc<PartitionOwn>> {
        if let Some(own) = self.shared.get(text) {
            return Ok(Arc::clone(own));
        }
        let own: Arc<PartitionOwn> = Arc::new(serde_json::from_str(text).map_err(|error| foreign("$own").with_source(error))?);
        self.shared.insert(text.to_owned(), Arc::clone(&own));
        Ok(own)
    }

    /// # Errors
    /// `CorruptData` if the last piece has not come.
    pub(crate) fn finish(self) -> Result<PartitionIndex> {
        if self.decoder.schema().is_none() {
            return Err(foreign("$name"));
        }
        self.decoder.end()?;
        self.builder.finish()
    }
}

fn foreign(name: &str) -> Error {
    Error::corrupt(format!("the partitions that came over the network have no column \"{name}\" of the right type"))
        .with_hint("Use the same release of glaux on both sides")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{error::ErrorKind, hive_type::HiveType, model::SerDe};

    fn keys() -> Vec<Column> {
        vec![Column::new("dt", HiveType::Date), Column::new("region", HiveType::String)]
    }

    /// Days of January, in two regions each.
    fn index() -> PartitionIndex {
        let own = Arc::new(PartitionOwn { columns: Some(vec![Column::new("a", HiveType::Int)]), serde: None });
        let serde = Arc::new(PartitionOwn { columns: None, serde: Some(SerDe::default()) });
        let mut builder = PartitionIndexBuilder::new(&keys());
        for day in 1..=31 {
            let own = match day {
                1..=9 => Some(Arc::clone(&own)),
                10 => Some(Arc::clone(&serde)),
                _ => None,
            };
            for region in ["__HIVE_DEFAULT_PARTITION__", "a%2Fb"] {
                let location = (day == 3).then_some("s3://elsewhere/");
                builder.push(&format!("dt=2024-01-{day:02}/region={region}"), location, own.clone()).unwrap();
            }
        }
        builder.finish().unwrap()
    }

    fn sent(index: &PartitionIndex, selection: &Selection) -> (PartitionIndex, Option<String>) {
        let mut pieces = Pieces::new(index, selection).unwrap();
        let mut assembly = Assembly::new(index.keys());
        let mut ended = false;
        while let Some(piece) = pieces.next_piece() {
            assert!(!ended);
            let (piece, last) = piece.unwrap();
            assembly.add(piece).unwrap();
            ended = last;
        }
        (assembly.finish().unwrap(), pieces.next)
    }

    #[test]
    fn an_index_comes_back_as_it_was() {
        let index = index();
        let (read, next) = sent(&index, &Selection::default());
        assert_eq!((read.len(), next), (62, None));
        assert_eq!(read.values(), index.values());
        for row in 0..index.len() {
            assert_eq!((read.name(row), read.own_location(row)), (index.name(row), index.own_location(row)));
            assert_eq!((read.columns(row), read.serde(row)), (index.columns(row), index.serde(row)));
        }
        let (empty, _) = sent(&PartitionIndex::empty(&keys()).unwrap(), &Selection::default());
        assert!(empty.is_empty());
        let (flat, _) = sent(&PartitionIndex::empty(&[]).unwrap(), &Selection::default());
        assert!(flat.is_empty());
    }

    #[test]
    fn pages_follow_each_other_without_a_gap() {
        let index = index();
        let (mut after, mut seen, mut pages) = (None, Vec::new(), 0);
        loop {
            let (page, next) = sent(&index, &Selection { limit: Some(10), after: after.take(), ..Selection::default() });
            seen.extend((0..page.len()).map(|row| page.name(row).to_owned()));
            pages += 1;
            match next {
                Some(next) => after = Some(next),
                None => break,
            }
        }
        assert_eq!((pages, seen.len()), (7, 62));
        assert!(seen.is_sorted());
    }

    #[test]
    fn filters_are_of_raw_values() {
        let index = index();
        let values = |raw: &[Option<&str>]| raw.iter().map(|value| value.map(str::to_owned)).collect::<Vec<_>>();
        let filters = vec![
            ("DT".to_owned(), values(&[Some("2024-01-05"), Some("2024-01-31")])),
            ("region".to_owned(), values(&[Some("a/b")])),
        ];
        let (found, next) = sent(&index, &Selection { filters, ..Selection::default() });
        let names: Vec<_> = (0..found.len()).map(|row| found.name(row).to_owned()).collect();
        assert_eq!((names, next), (vec!["dt=2024-01-05/region=a%2Fb".to_owned(), "dt=2024-01-31/region=a%2Fb".to_owned()], None));
        let (nulls, _) =
            sent(&index, &Selection { filters: vec![("region".to_owned(), values(&[None]))], ..Selection::default() });
        assert_eq!(nulls.len(), 31);
        let unknown = Selection { filters: vec![("day".to_owned(), values(&[None]))], ..Selection::default() };
        let error = Pieces::new(&index, &unknown).err().unwrap();
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert_eq!(error.hint(), Some("The partition keys are \"dt\", \"region\""));
    }

    #[test]
    fn an_index_that_is_cut_off_is_no_index() {
        let index = index();
        let mut pieces = Pieces::new(&index, &Selection::default()).unwrap();
        let mut assembly = Assembly::new(index.keys());
        assert_eq!(Assembly::new(index.keys()).finish().unwrap_err().kind(), ErrorKind::CorruptData);
        let (first, _) = pieces.next_piece().unwrap().unwrap();
        assembly.add(first.slice(..first.len() / 2)).unwrap();
        assert_eq!(assembly.finish().unwrap_err().kind(), ErrorKind::CorruptData);
    }
}
