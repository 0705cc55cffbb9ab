//! Builders of `LazySimpleSerDe`'s columns: scalars, and arrays, maps and structs, each level of which has a delimiter of its own.

use std::{collections::HashSet, ops::Range, sync::Arc};

use arrow::{
    array::{ArrayRef, ListArray, MapArray, NullBufferBuilder, StructArray},
    buffer::{NullBuffer, OffsetBuffer, ScalarBuffer},
    datatypes::{DataType, FieldRef, Fields},
    error::ArrowError,
};
use glaux_catalog::HiveType;
use memchr::{memchr, memchr2};

use super::{
    leaf::{Key, Leaf},
    options::LazyOptions,
    value::BadValue,
};

/// A column as it is built.
#[derive(Debug)]
pub(super) enum Column {
    Leaf(Leaf),
    Array(Box<Array>),
    Map(Box<Map>),
    Struct(Struct),
}

#[derive(Debug)]
pub(super) struct Array {
    field: FieldRef,
    separator: u8,
    elements: Column,
    parts: Parts,
}

#[derive(Debug)]
pub(super) struct Map {
    field: FieldRef,
    entry_fields: Fields,
    separator: u8,
    key_separator: u8,
    keys: Leaf,
    values: Column,
    parts: Parts,
}

#[derive(Debug)]
pub(super) struct Struct {
    fields: Fields,
    separator: u8,
    columns: Vec<Column>,
    validity: NullBufferBuilder,
}

/// Where each value's parts end, and which values are NULL.
#[derive(Debug)]
struct Parts {
    offsets: Vec<i32>,
    /// Parts so far.
    count: i32,
    validity: NullBufferBuilder,
}

impl Parts {
    fn new() -> Self {
        Self { offsets: vec![0], count: 0, validity: NullBufferBuilder::new(0) }
    }

    fn end(&mut self, is_valid: bool) {
        self.offsets.push(self.count);
        self.validity.append(is_valid);
    }

    fn finish(&mut self) -> (OffsetBuffer<i32>, Option<NullBuffer>) {
        let offsets = std::mem::replace(&mut self.offsets, vec![0]);
        self.count = 0;
        (OffsetBuffer::new(ScalarBuffer::from(offsets)), self.validity.finish())
    }
}

impl Column {
    /// None if the types do not go together, or nest deeper than there are delimiters for.
    pub(super) fn new(hive_type: &HiveType, data_type: &DataType, level: usize, separators: &[u8]) -> Option<Self> {
        let separator = |level: usize| separators.get(level).copied();
        Some(match (hive_type, data_type) {
            (HiveType::Array(element), DataType::List(field)) => Self::Array(Box::new(Array {
                field: Arc::clone(field),
                separator: separator(level)?,
                elements: Self::new(element, field.data_type(), level + 1, separators)?,
                parts: Parts::new(),
            })),
            (HiveType::Map(key, value), DataType::Map(field, _)) => {
                let DataType::Struct(entry_fields) = field.data_type() else { return None };
                let [key_field, value_field] = &entry_fields[..] else { return None };
                Self::Map(Box::new(Map {
                    field: Arc::clone(field),
                    separator: separator(level)?,
                    key_separator: separator(level + 1)?,
                    keys: Leaf::new(key, key_field.data_type())?,
                    values: Self::new(value, value_field.data_type(), level + 2, separators)?,
                    entry_fields: entry_fields.clone(),
                    parts: Parts::new(),
                }))
            }
            (HiveType::Struct(types), DataType::Struct(fields)) if types.len() == fields.len() => {
                let column = |((_, hive_type), field): (&(String, HiveType), &FieldRef)| {
                    Self::new(hive_type, field.data_type(), level + 1, separators)
                };
                Self::Struct(Struct {
                    fields: fields.clone(),
                    separator: separator(level)?,
                    columns: types.iter().zip(fields).map(column).collect::<Option<_>>()?,
                    validity: NullBufferBuilder::new(0),
                })
            }
            _ => Self::Leaf(Leaf::new(hive_type, data_type)?),
        })
    }

    /// Adds the value that a part of a line is.
    pub(super) fn append(&mut self, line: &[u8], part: Range<usize>, options: &LazyOptions) -> Result<(), BadValue> {
        let text = &line[part.clone()];
        match self {
            Self::Leaf(leaf) => leaf.append(text, options),
            _ if text == options.null => {
                self.append_null();
                Ok(())
            }
            Self::Array(array) => array.append(line, part, options),
            Self::Map(map) => map.append(line, part, options),
            Self::Struct(row) => row.append(line, part, options),
        }
    }

    pub(super) fn append_null(&mut self) {
        match self {
            Self::Leaf(leaf) => leaf.append_null(),
            Self::Array(array) => array.parts.end(false),
            Self::Map(map) => map.parts.end(false),
            Self::Struct(row) => {
                row.columns.iter_mut().for_each(Self::append_null);
                row.validity.append_null();
            }
        }
    }

    /// The values so far, after which it starts anew.
    pub(super) fn finish(&mut self) -> Result<ArrayRef, ArrowError> {
        Ok(match self {
            Self::Leaf(leaf) => leaf.finish(),
            Self::Array(array) => {
                let (offsets, nulls) = array.parts.finish();
                Arc::new(ListArray::try_new(Arc::clone(&array.field), offsets, array.elements.finish()?, nulls)?)
            }
            Self::Map(map) => {
                let (offsets, nulls) = map.parts.finish();
                let columns = vec![map.keys.finish(), map.values.finish()?];
                let entries = StructArray::try_new(map.entry_fields.clone(), columns, None)?;
                Arc::new(MapArray::try_new(Arc::clone(&map.field), offsets, entries, nulls, false)?)
            }
            Self::Struct(row) => {
                let columns = row.columns.iter_mut().map(Self::finish).collect::<Result<_, _>>()?;
                Arc::new(StructArray::try_new(row.fields.clone(), columns, row.validity.finish())?)
            }
        })
    }
}

impl Array {
    fn append(&mut self, line: &[u8], part: Range<usize>, options: &LazyOptions) -> Result<(), BadValue> {
        for_each(line, part, self.separator, options, |element| {
            self.parts.count += 1;
            self.elements.append(line, element, options)
        })?;
        self.parts.end(true);
        Ok(())
    }
}

impl Map {
    /// Of entries with one key the first counts; those whose key is NULL are left out. An entry without a delimiter has a key alone.
    fn append(&mut self, line: &[u8], part: Range<usize>, options: &LazyOptions) -> Result<(), BadValue> {
        let mut seen = Seen::default();
        let escapes_end = last_escape(&part);
        for_each(line, part, self.separator, options, |entry| {
            let at = next_separator(line, entry.clone(), self.key_separator, options.escape, escapes_end);
            let key = entry.start..at.unwrap_or(entry.end);
            let Some(found) = self.keys.key(&line[key.clone()], options)? else { return Ok(()) };
            if !seen.is_new(found) {
                return Ok(());
            }
            self.parts.count += 1;
            self.keys.append(&line[key], options)?;
            match at {
                Some(at) => self.values.append(line, at + 1..entry.end, options),
                None => {
                    self.values.append_null();
                    Ok(())
                }
            }
        })?;
        self.parts.end(true);
        Ok(())
    }
}

impl Struct {
    /// Fields that are missing are NULL; of more than there are, the rest belongs to the last, or to none.
    fn append(&mut self, line: &[u8], part: Range<usize>, options: &LazyOptions) -> Result<(), BadValue> {
        let (mut start, last) = (part.start, self.columns.len().saturating_sub(1));
        for (place, column) in self.columns.iter_mut().enumerate() {
            if start > part.end {
                column.append_null();
                continue;
            }
            let takes_rest = options.takes_rest && place == last && place > 0;
            let end =
                if takes_rest { None } else { next_separator(line, start..part.end, self.separator, options.escape, usize::MAX) };
            let end = end.unwrap_or(part.end);
            column.append(line, start..end, options)?;
            start = end + 1;
        }
        self.validity.append_non_null();
        Ok(())
    }
}

/// The keys of a map so far.
#[derive(Default)]
struct Seen<'l> {
    few: Vec<Key<'l>>,
    many: HashSet<Key<'l>>,
}

impl<'l> Seen<'l> {
    fn is_new(&mut self, key: Key<'l>) -> bool {
        const FEW: usize = 16;
        if key == Key::NotEqual {
            return true;
        }
        if self.few.contains(&key) || self.many.contains(&key) {
            return false;
        }
        if self.few.len() < FEW {
            self.few.push(key);
        } else {
            self.many.insert(key);
        }
        true
    }
}

/// Up to where an escape character counts within an array or a map. As in Trino, whose deserializer takes the length of the value for its end: of
/// a value that does not begin its line, a part at its end has no escapes.
fn last_escape(part: &Range<usize>) -> usize {
    part.len().saturating_sub(1)
}

/// Goes over the elements of an array or the entries of a map. An empty text has none.
fn for_each(
    line: &[u8],
    part: Range<usize>,
    separator: u8,
    options: &LazyOptions,
    mut act: impl FnMut(Range<usize>) -> Result<(), BadValue>,
) -> Result<(), BadValue> {
    if part.is_empty() {
        return Ok(());
    }
    let mut start = part.start;
    while let Some(end) = next_separator(line, start..part.end, separator, options.escape, last_escape(&part)) {
        act(start..end)?;
        start = end + 1;
    }
    act(start..part.end)
}

/// Where the next separator is in a part of a line. The byte after an escape character is none; beyond `escapes_end` nothing is escaped.
pub(super) fn next_separator(
    line: &[u8],
    part: Range<usize>,
    separator: u8,
    escape: Option<u8>,
    escapes_end: usize,
) -> Option<usize> {
    let mut at = part.start;
    let Some(escape) = escape else { return memchr(separator, &line[part]).map(|found| at + found) };
    while at < part.end {
        at += memchr2(separator, escape, &line[at..part.end])?;
        if line[at] == separator {
            return Some(at);
        }
        at += if at < escapes_end { 2 } else { 1 };
    }
    None
}
