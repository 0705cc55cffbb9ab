//! A partition index as Arrow IPC, in pieces, and an index built from pieces: of all partitions, a page of them, or those with certain values.
//!
//! Partitions' own columns and SerDes are sent as a dictionary, so that what a million partitions share is sent once.

use std::{collections::HashMap, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, AsArray, DictionaryArray, Int32Array, RecordBatch, StringArray},
    datatypes::{Field, Int32Type, Schema},
};
use bytes::Bytes;

use super::ipc::{Decoder, Encoder};
use crate::{
    error::{Error, Result},
    model::Column,
    partition::{PartitionIndex, PartitionIndexBuilder, PartitionOwn},
};

/// Partitions in a piece, at most: mostly less than a mebibyte.
const PIECE_ROWS: usize = 16_384;

/// Which partitions are requested.
#[derive(Debug, Clone, Default)]
pub(crate) struct Selection {
    /// For a key, the raw values that it may have; all filters must hold.
    pub(crate) filters: Vec<(String, Vec<Option<String>>)>,
    /// At most this many.
    pub(crate) limit: Option<usize>,
    /// Only those after this name.
    pub(crate) after: Option<String>,
}

impl Selection {
    /// The selected rows, and the name of the last one if there are more.
    ///
    /// # Errors
    /// `NotFound` for a key that the table does not have.
    fn rows(&self, index: &PartitionIndex) -> Result<(Vec<u32>, Option<String>)> {
        let mut wanted: Vec<(usize, Vec<Option<String>>)> = Vec::with_capacity(self.filters.len());
        for (key, values) in &self.filters {
            let name = crate::ident::fold(key);
            let position = index.keys().iter().position(|known| known.name == name).ok_or_else(|| no_key(key, index.keys()))?;
            wanted.push((position, values.clone()));
        }
        let begin = self.after.as_deref().map_or(0, |after| index.first_after(after));
        let mut rows = index.rows_with(wanted);
        rows.retain(|row| *row as usize >= begin);
        let mut last = None;
        if let Some(limit) = self.limit.filter(|limit| *limit < rows.len()) {
            rows.truncate(limit);
            last = rows.last().map(|row| index.name(*row as usize));
        }
        Ok((rows, last))
    }
}

fn no_key(key: &str, keys: &[Column]) -> Error {
    let keys: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
    let error = Error::not_found(format!("partition key \"{key}\" does not exist"));
    match keys.is_empty() {
        true => error.with_hint("The table is not partitioned"),
        false => error.with_hint(format!("The partition keys are \"{}\"", keys.join("\", \""))),
    }
}

/// The pieces of an index, each encoded when it is taken.
pub(crate) struct Pieces {
    index: Arc<PartitionIndex>,
    /// Ascending.
    rows: Vec<u32>,
    owns: Owns,
    /// The name after which the next page begins.
    pub(crate) next: Option<String>,
    sent: usize,
    encoder: Option<Encoder>,
}

impl Pieces {
    /// # Errors
    /// `NotFound` for a filter of a key that does not exist.
    pub(crate) fn new(index: &Arc<PartitionIndex>, selection: &Selection) -> Result<Self> {
        let (rows, next) = selection.rows(index)?;
        Self::of_rows(index, rows, next)
    }

    /// # Errors
    /// `Internal` if a definition could not be encoded.
    pub(crate) fn of_rows(index: &Arc<PartitionIndex>, rows: Vec<u32>, next: Option<String>) -> Result<Self> {
        let owns = Owns::of(index)?;
        let schema = columns(index, &owns, &[])?.schema();
        Ok(Self { index: Arc::clone(index), rows, owns, next, sent: 0, encoder: Some(Encoder::new(&schema)?) })
    }

    /// How many partitions there are.
    pub(crate) fn count(&self) -> usize {
        self.rows.len()
    }

    /// The next piece, and whether it is the last; `None` after that.
    pub(crate) fn next_piece(&mut self) -> Option<Result<(Bytes, bool)>> {
        let rows = &self.rows[self.sent..self.rows.len().min(self.sent + PIECE_ROWS)];
        if rows.is_empty() {
            return Some(self.encoder.take()?.end().map(|piece| (piece, true)));
        }
        self.sent += rows.len();
        let encoder = self.encoder.as_mut()?;
        Some(columns(&self.index, &self.owns, rows).and_then(|batch| encoder.piece(&batch)).map(|piece| (piece, false)))
    }
}

/// Ascending rows of an index as one batch.
fn columns(index: &PartitionIndex, owns: &Owns, rows: &[u32]) -> Result<RecordBatch> {
    let names: StringArray = index.names_of(rows).map(Some).collect();
    let locations: StringArray = match index.located().is_empty() {
        true => StringArray::new_null(rows.len()),
        false => rows.iter().map(|row| index.own_location(*row as usize)).collect(),
    };
    let own: ArrayRef = Arc::new(owns.column(index, rows)?);
    let beside: [(&str, ArrayRef); 3] = [("$name", Arc::new(names)), ("$location", Arc::new(locations)), ("$own", own)];
    let mut columns: Vec<(String, ArrayRef)> = beside.into_iter().map(|(name, array)| (name.to_owned(), array)).collect();
    let values = index.values_of(rows)?;
    for (field, array) in values.schema().fields().iter().zip(values.columns()) {
        columns.push((field.name().clone(), Arc::clone(array)));
    }
    let fields: Vec<Field> = columns.iter().map(|(name, array)| Field::new(name, array.data_type().clone(), true)).collect();
    let arrays = columns.into_iter().map(|(_, array)| array).collect();
    RecordBatch::try_new(Arc::new(Schema::new(fields)), arrays).map_err(unmade)
}

/// The partitions' own columns and SerDes, each distinct one once, for all pieces.
struct Owns {
    texts: ArrayRef,
    by_address: HashMap<usize, i32>,
}

impl Owns {
    fn of(index: &PartitionIndex) -> Result<Self> {
        let mut texts: Vec<String> = Vec::new();
        let mut by_text: HashMap<String, i32> = HashMap::new();
        let mut by_address = HashMap::new();
        for own in index.owns() {
            if by_address.contains_key(&address(own)) {
                continue;
            }
            let text = serde_json::to_string(own.as_ref())
                .map_err(|error| Error::internal("a definition could not be encoded").with_source(error))?;
            let next = i32::try_from(texts.len()).map_err(|_| Error::internal("there are too many definitions of partitions"))?;
            let key = *by_text.entry(text.clone()).or_insert(next);
            if key == next {
                texts.push(text);
            }
            by_address.insert(address(own), key);
        }
        Ok(Self { texts: Arc::new(StringArray::from(texts)), by_address })
    }

    fn column(&self, index: &PartitionIndex, rows: &[u32]) -> Result<DictionaryArray<Int32Type>> {
        let key = |row: &u32| self.by_address.get(&address(index.own(*row as usize)?)).copied();
        let keys: Int32Array = rows.iter().map(key).collect();
        DictionaryArray::try_new(keys, Arc::clone(&self.texts)).map_err(unmade)
    }
}

/// Neighbouring partitions share one value, so its address identifies it.
fn address(own: &Arc<PartitionOwn>) -> usize {
    Arc::as_ptr(own) as usize
}

fn unmade(error: arrow::error::ArrowError) -> Error {
    Error::internal("partitions could not be made a batch").with_source(error)
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
    /// `CorruptData` for what is not a piece of an index.
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
    /// `CorruptData` if a piece is missing.
    pub(crate) fn finish(self) -> Result<PartitionIndex> {
        if self.decoder.schema().is_none() {
            return Err(foreign("$name"));
        }
        self.decoder.end()?;
        self.builder.finish()
    }
}

fn foreign(name: &str) -> Error {
    Error::corrupt(format!("partitions received over the network have no column \"{name}\" of the right type"))
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
    fn index() -> Arc<PartitionIndex> {
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
        Arc::new(builder.finish().unwrap())
    }

    fn sent(index: &Arc<PartitionIndex>, selection: &Selection) -> (PartitionIndex, Option<String>) {
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
        assert_eq!(read.values().unwrap(), index.values().unwrap());
        for row in 0..index.len() {
            assert_eq!((read.name(row), read.own_location(row)), (index.name(row), index.own_location(row)));
            assert_eq!((read.columns(row), read.serde(row)), (index.columns(row), index.serde(row)));
        }
        let (empty, _) = sent(&Arc::new(PartitionIndex::empty(&keys()).unwrap()), &Selection::default());
        assert!(empty.is_empty());
        let (flat, _) = sent(&Arc::new(PartitionIndex::empty(&[]).unwrap()), &Selection::default());
        assert!(flat.is_empty());
    }

    #[test]
    fn pages_follow_each_other_without_a_gap() {
        let index = index();
        let (mut after, mut seen, mut pages) = (None, Vec::new(), 0);
        loop {
            let (page, next) = sent(&index, &Selection { limit: Some(10), after: after.take(), ..Selection::default() });
            seen.extend((0..page.len()).map(|row| page.name(row)));
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
        let names: Vec<_> = (0..found.len()).map(|row| found.name(row)).collect();
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
