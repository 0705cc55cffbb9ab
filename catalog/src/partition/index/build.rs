//! Builds an index from partitions in the order of their names.

use std::{collections::HashMap, ops::Range, sync::Arc};

use arrow::{
    array::{Array, ArrayRef, StringArray, StringBuilder},
    compute::concat,
};

use super::{
    PartitionIndex,
    level::Level,
    number::{number, places},
    own::PartitionOwn,
};
use crate::{
    error::{Error, ErrorKind, Result},
    model::Column,
    partition::{
        path::{escape, foreign_name, parse_value},
        value::typed_array,
    },
};

/// Builds a [`PartitionIndex`] in one pass over partitions in the order of their names.
#[derive(Debug)]
pub struct PartitionIndexBuilder {
    keys: Vec<Column>,
    prefixes: Vec<String>,
    levels: Vec<LevelBuilder>,
    /// The name of the last row.
    last: String,
    len: usize,
    located: Vec<u32>,
    locations: StringBuilder,
    own: Vec<(u32, Option<Arc<PartitionOwn>>)>,
}

#[derive(Debug, Default)]
struct LevelBuilder {
    codes: Vec<u32>,
    /// Where the children of each node begin.
    children: Vec<u32>,
    /// The values of the index that this one is built on.
    known: Option<(StringArray, ArrayRef)>,
    texts: StringBuilder,
    by_text: HashMap<Box<str>, u32>,
}

impl LevelBuilder {
    /// The place of a value.
    fn code(&mut self, text: &str) -> Result<u32> {
        if let Some(code) = self.by_text.get(text) {
            return Ok(*code);
        }
        check_size(&self.texts, text)?;
        let known = self.known.as_ref().map_or(0, |(texts, _)| texts.len());
        let code = number(known + self.by_text.len());
        self.by_text.insert(text.into(), code);
        self.texts.append_value(text);
        Ok(code)
    }

    fn finish(mut self, key: &Column, next: usize) -> Result<Level> {
        let texts = self.texts.finish();
        let raw: Vec<Option<String>> = texts.iter().flatten().map(parse_value).collect();
        let typed = typed_array(&key.hive_type, raw.iter().map(Option::as_deref));
        let typed = typed.map_err(|error| error.with_context("key", &key.name))?;
        let (texts, values) = match self.known {
            Some(known) if texts.is_empty() => known,
            Some((known_texts, known_values)) => {
                let joined = |a: &dyn Array, b: &dyn Array| {
                    concat(&[a, b]).map_err(|error| Error::internal("partition values could not be joined").with_source(error))
                };
                let texts = joined(&known_texts, &texts)?;
                (StringArray::from(texts.to_data()), joined(&known_values, &typed)?)
            }
            None => (texts, typed),
        };
        if !self.children.is_empty() {
            self.children.push(number(next));
        }
        self.codes.shrink_to_fit();
        self.children.shrink_to_fit();
        Ok(Level { codes: self.codes, children: self.children, texts, values })
    }
}

impl PartitionIndex {
    /// The index of a table without partitions, or whose partitions are not in the catalog.
    ///
    /// # Errors
    /// `Invalid` for a key with a nested type.
    pub fn empty(keys: &[Column]) -> Result<Self> {
        PartitionIndexBuilder::new(keys).finish()
    }
}

impl PartitionIndexBuilder {
    #[must_use]
    pub fn new(keys: &[Column]) -> Self {
        Self {
            keys: keys.to_vec(),
            prefixes: prefixes(keys),
            levels: keys.iter().map(|_| LevelBuilder::default()).collect(),
            last: String::new(),
            len: 0,
            located: Vec::new(),
            locations: StringBuilder::new(),
            own: Vec::new(),
        }
    }

    /// A builder of an index with rows of another one, which [`PartitionIndexBuilder::copy`] adds.
    pub(super) fn on(index: &PartitionIndex) -> Self {
        let mut builder = Self::new(&index.keys);
        for (level, of) in builder.levels.iter_mut().zip(&index.levels) {
            level.known = Some((of.texts.clone(), Arc::clone(&of.values)));
            level.codes.reserve(of.codes.len());
            level.children.reserve(of.children.len());
        }
        builder
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
        let (common, depth) = (self.common(name), self.levels.len());
        let mut segments = name.split('/').skip(common);
        for at in common..depth {
            let text = segments.next().and_then(|segment| segment.strip_prefix(self.prefixes[at].as_str()));
            let text = text.filter(|text| !text.is_empty()).ok_or_else(|| foreign_name(&self.keys, name))?;
            let code = self.levels[at].code(text)?;
            self.add_node(at, code);
        }
        if depth == 0 || segments.next().is_some() {
            return Err(foreign_name(&self.keys, name));
        }
        self.last.clear();
        self.last.push_str(name);
        self.end_row(location, own)
    }

    /// The number of nodes that the row shares with the last one.
    fn common(&self, name: &str) -> usize {
        if self.len == 0 {
            return 0;
        }
        name.split('/').zip(self.last.split('/')).take_while(|(segment, before)| segment == before).count()
    }

    fn add_node(&mut self, level: usize, code: u32) {
        if level + 1 < self.levels.len() {
            let next = number(self.levels[level + 1].codes.len());
            self.levels[level].children.push(next);
        }
        self.levels[level].codes.push(code);
    }

    fn end_row(&mut self, location: Option<&str>, own: Option<Arc<PartitionOwn>>) -> Result<()> {
        let row = u32::try_from(self.len).map_err(|_| too_large("there are more than four billion partitions"))?;
        if let Some(location) = location {
            check_size(&self.locations, location)?;
            self.locations.append_value(location);
            self.located.push(row);
        }
        self.set_own(row, own);
        self.len += 1;
        Ok(())
    }

    /// Sets the own value from this row on.
    fn set_own(&mut self, row: u32, own: Option<Arc<PartitionOwn>>) {
        let is_same = match (self.own.last().and_then(|(_, own)| own.as_ref()), &own) {
            (None, None) => true,
            (Some(before), Some(own)) => Arc::ptr_eq(before, own) || before == own,
            _ => false,
        };
        if !is_same {
            self.own.push((row, own));
        }
    }

    /// Adds rows of the index that this one is built on. They come after those added before.
    ///
    /// # Errors
    /// `LimitExceeded`, as [`PartitionIndexBuilder::push`].
    pub(super) fn copy(&mut self, from: &PartitionIndex, rows: Range<u32>) -> Result<()> {
        if rows.is_empty() {
            return Ok(());
        }
        let (start, end) = (from.path(rows.start as usize), from.path(rows.end as usize - 1));
        let name = from.name_of(&start);
        let common = self.common(&name);
        for (at, node) in start.iter().enumerate().skip(common) {
            self.add_node(at, from.levels[at].codes[*node as usize]);
        }
        // Each level has the first row's node now; the nodes after it are copied.
        let bases: Vec<u32> = self.levels.iter().map(|level| number(level.codes.len()) - 1).collect();
        for (at, (level, of)) in self.levels.iter_mut().zip(&from.levels).enumerate() {
            let nodes = places(&(start[at] + 1..end[at] + 1));
            level.codes.extend_from_slice(&of.codes[nodes.clone()]);
            if at + 1 < bases.len() {
                level.children.extend(of.children[nodes].iter().map(|child| child - start[at + 1] + bases[at + 1]));
            }
        }
        let first = number(self.len);
        let located = from.located.partition_point(|row| *row < rows.start)..from.located.partition_point(|row| *row < rows.end);
        for at in located {
            check_size(&self.locations, from.locations.value(at))?;
            self.locations.append_value(from.locations.value(at));
            self.located.push(from.located[at] - rows.start + first);
        }
        self.set_own(first, from.own(rows.start as usize).cloned());
        let runs = from.own.partition_point(|(row, _)| *row <= rows.start)..from.own.partition_point(|(row, _)| *row < rows.end);
        for (row, own) in &from.own[runs] {
            self.set_own(row - rows.start + first, own.clone());
        }
        self.len += rows.len();
        self.last = from.name_of(&end);
        Ok(())
    }

    /// Parses the values by their types.
    ///
    /// # Errors
    /// `Invalid` for a value that is not of its key's type, naming the value, the key and the type.
    pub fn finish(mut self) -> Result<PartitionIndex> {
        let sizes: Vec<usize> = self.levels.iter().map(|level| level.codes.len()).collect();
        let next = sizes.into_iter().skip(1).chain([0]);
        let levels = self.levels.into_iter().zip(&self.keys).zip(next);
        let levels = levels.map(|((level, key), next)| level.finish(key, next)).collect::<Result<_>>()?;
        self.located.shrink_to_fit();
        self.own.shrink_to_fit();
        let locations = self.locations.finish();
        Ok(PartitionIndex { keys: self.keys, prefixes: self.prefixes, levels, located: self.located, locations, own: self.own })
    }
}

/// `key=` of each key, as in names.
fn prefixes(keys: &[Column]) -> Vec<String> {
    keys.iter().map(|key| format!("{}=", escape(&key.name))).collect()
}

/// Checks that a text fits into an array with the others.
fn check_size(texts: &StringBuilder, text: &str) -> Result<()> {
    if texts.values_slice().len() + text.len() > i32::MAX as usize {
        return Err(too_large("the values or locations of the partitions are larger than 2 GiB in total"));
    }
    Ok(())
}

fn too_large(message: &str) -> Error {
    Error::new(ErrorKind::LimitExceeded, message).with_hint("Use partition projection, or fewer partitions")
}
