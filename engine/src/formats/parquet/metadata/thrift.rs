//! Thrift's compact protocol as a tree of fields, read and written, so that a footer can be corrected before Parquet's decoder reads it. It knows
//! nothing of what the fields mean.

use std::borrow::Cow;

/// Structs in structs in a footer. Parquet's own need six.
const DEEPEST: usize = 32;

const STOP: u8 = 0;
const TRUE: u8 = 1;
pub(super) const FALSE: u8 = 2;
const BYTE: u8 = 3;
pub(super) const I32: u8 = 5;
const I64: u8 = 6;
const DOUBLE: u8 = 7;
const BINARY: u8 = 8;
pub(super) const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
pub(super) const STRUCT: u8 = 12;

/// A value of a field or list, with the type that it was written as where several read the same.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value<'a> {
    Bool(bool),
    Byte(u8),
    /// Of 16, 32 or 64 bits: they are written alike.
    Int(u8, i64),
    Double(&'a [u8]),
    Binary(Cow<'a, [u8]>),
    List(List<'a>),
    /// Its keys' and values' types, and both in turn. Parquet has none.
    Map(u8, Vec<Value<'a>>),
    Struct(Struct<'a>),
}

/// What a field has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    Int,
    Binary,
    Struct,
    Ints,
    Structs,
}

/// A list's elements and their type.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct List<'a> {
    element: u8,
    pub items: Vec<Value<'a>>,
}

/// A struct's fields by their ids, ascending.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Struct<'a>(Vec<(i16, Value<'a>)>);

impl<'a> Value<'a> {
    pub(super) const fn int(value: i64) -> Self {
        Self::Int(I64, value)
    }

    pub(super) const fn no_ints() -> Self {
        Self::List(List { element: I32, items: Vec::new() })
    }

    fn is(&self, kind: Kind) -> bool {
        match (kind, self) {
            (Kind::Int, Self::Int(..)) | (Kind::Bool, Self::Bool(_)) | (Kind::Binary, Self::Binary(_)) => true,
            (Kind::Struct, Self::Struct(_)) => true,
            (Kind::Ints, Self::List(list)) => list.items.iter().all(|item| item.is(Kind::Int)),
            (Kind::Structs, Self::List(list)) => list.items.iter().all(|item| item.is(Kind::Struct)),
            _ => false,
        }
    }

    const fn kind(&self) -> u8 {
        match self {
            Self::Bool(true) => TRUE,
            Self::Bool(false) => FALSE,
            Self::Byte(_) => BYTE,
            Self::Int(kind, _) => *kind,
            Self::Double(_) => DOUBLE,
            Self::Binary(_) => BINARY,
            Self::List(_) => LIST,
            Self::Map(..) => MAP,
            Self::Struct(_) => STRUCT,
        }
    }
}

impl<'a> Struct<'a> {
    /// The struct that these bytes begin with; `None` if they hold none.
    pub(super) fn read(bytes: &'a [u8]) -> Option<Self> {
        Reader::new(bytes).fields(0)
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let mut out = Vec::new();
        write_fields(self, &mut out);
        out
    }

    pub(super) fn get(&self, id: i16) -> Option<&Value<'a>> {
        self.0.iter().find(|(of, _)| *of == id).map(|(_, value)| value)
    }

    pub(super) fn get_mut(&mut self, id: i16) -> Option<&mut Value<'a>> {
        self.0.iter_mut().find(|(of, _)| *of == id).map(|(_, value)| value)
    }

    pub(super) fn has(&self, id: i16) -> bool {
        self.get(id).is_some()
    }

    pub(super) fn int(&self, id: i16) -> Option<i64> {
        match self.get(id)? {
            Value::Int(_, value) => Some(*value),
            Value::Byte(value) => Some(i64::from(*value)),
            _ => None,
        }
    }

    pub(super) fn binary(&self, id: i16) -> Option<&[u8]> {
        match self.get(id)? {
            Value::Binary(bytes) => Some(bytes),
            _ => None,
        }
    }

    pub(super) fn struct_of(&self, id: i16) -> Option<&Self> {
        match self.get(id)? {
            Value::Struct(fields) => Some(fields),
            _ => None,
        }
    }

    pub(super) fn struct_mut(&mut self, id: i16) -> Option<&mut Self> {
        match self.get_mut(id)? {
            Value::Struct(fields) => Some(fields),
            _ => None,
        }
    }

    /// The elements of a list, or none.
    pub(super) fn items_mut(&mut self, id: i16) -> &mut [Value<'a>] {
        match self.get_mut(id) {
            Some(Value::List(list)) => &mut list.items,
            _ => &mut [],
        }
    }

    /// The structs of a list, or none.
    pub(super) fn structs_mut(&mut self, id: i16) -> impl Iterator<Item = &mut Self> {
        self.items_mut(id).iter_mut().filter_map(|item| match item {
            Value::Struct(fields) => Some(fields),
            _ => None,
        })
    }

    /// The id of the only field, for a union.
    pub(super) fn variant(&self) -> Option<(i16, &Value<'a>)> {
        match self.0.as_slice() {
            [(id, value)] => Some((*id, value)),
            _ => None,
        }
    }

    /// Takes away all fields but these, and these where they are of another kind.
    pub(super) fn keep(&mut self, kinds: &[(i16, Kind)]) {
        self.0.retain_mut(|(id, value)| {
            let Some((_, kind)) = kinds.iter().find(|(of, _)| of == id) else { return false };
            // Some writers leave open what an empty list is of.
            if let (Kind::Structs, Value::List(list)) = (kind, &mut *value)
                && list.items.is_empty()
            {
                list.element = STRUCT;
            }
            value.is(*kind)
        });
    }

    pub(super) fn set(&mut self, id: i16, value: Value<'a>) {
        match self.0.binary_search_by_key(&id, |(of, _)| *of) {
            Ok(at) => self.0[at].1 = value,
            Err(at) => self.0.insert(at, (id, value)),
        }
    }

    pub(super) fn set_if_absent(&mut self, id: i16, value: Value<'a>) {
        if !self.has(id) {
            self.set(id, value);
        }
    }

    pub(super) fn remove(&mut self, id: i16) {
        self.0.retain(|(of, _)| *of != id);
    }
}

/// Reads from the front of bytes; everything is `None` where they end too soon or are no Thrift.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    rest: &'a [u8],
    length: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes, length: bytes.len() }
    }

    /// How many bytes have been read.
    pub(super) const fn position(&self) -> usize {
        self.length - self.rest.len()
    }

    /// The next field's id and type; `None` in it after the last. `last` is the id of the one before, or 0.
    pub(super) fn field(&mut self, last: i16) -> Option<Option<(i16, u8)>> {
        let header = self.byte()?;
        let kind = header & 0x0f;
        if kind == STOP {
            return Some(None);
        }
        let id = match header >> 4 {
            0 => i16::try_from(self.signed()?).ok()?,
            delta => last.checked_add(i16::from(delta))?,
        };
        Some(Some((id, kind)))
    }

    /// Reads a field that is of no interest.
    pub(super) fn skip(&mut self, kind: u8) -> Option<()> {
        if matches!(kind, TRUE | FALSE) { Some(()) } else { self.pass(kind, 0) }
    }

    /// The type of a list's elements, and how many follow.
    pub(super) fn list(&mut self) -> Option<(u8, usize)> {
        let header = self.byte()?;
        let length = if header >> 4 == 15 { self.unsigned()? } else { u64::from(header >> 4) };
        Some((header & 0x0f, self.count(length)?))
    }

    /// Reads an element of a list that is of no interest.
    pub(super) fn skip_item(&mut self, kind: u8) -> Option<()> {
        self.pass(kind, 0)
    }

    /// Reads a value and keeps nothing of it.
    fn pass(&mut self, kind: u8, depth: usize) -> Option<()> {
        if depth > DEEPEST {
            return None;
        }
        match kind {
            BINARY => {
                let length = usize::try_from(self.unsigned()?).ok()?;
                self.bytes(length)?;
            }
            LIST | SET => {
                let (element, length) = self.list()?;
                for _ in 0..length {
                    self.pass(element, depth + 1)?;
                }
            }
            STRUCT => {
                let mut id = 0;
                while let Some((of, kind)) = self.field(id)? {
                    id = of;
                    if !matches!(kind, TRUE | FALSE) {
                        self.pass(kind, depth + 1)?;
                    }
                }
            }
            _ => _ = self.value(kind, depth)?,
        }
        Some(())
    }

    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.rest.split_first()?;
        self.rest = rest;
        Some(*first)
    }

    fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        Some(bytes)
    }

    fn unsigned(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    pub(super) fn signed(&mut self) -> Option<i64> {
        let value = self.unsigned()?;
        Some((value >> 1) as i64 ^ -((value & 1) as i64))
    }

    /// How many elements there are: each takes a byte at least.
    fn count(&self, count: u64) -> Option<usize> {
        usize::try_from(count).ok().filter(|count| *count <= self.rest.len())
    }

    fn fields(&mut self, depth: usize) -> Option<Struct<'a>> {
        let mut fields: Vec<(i16, Value)> = Vec::new();
        let mut id = 0_i16;
        while let Some((of, kind)) = self.field(id)? {
            id = of;
            let value = match kind {
                TRUE | FALSE => Value::Bool(kind == TRUE),
                _ => self.value(kind, depth)?,
            };
            fields.push((id, value));
        }
        fields.sort_by_key(|(id, _)| *id);
        Some(Struct(fields))
    }

    fn value(&mut self, kind: u8, depth: usize) -> Option<Value<'a>> {
        if depth > DEEPEST {
            return None;
        }
        Some(match kind {
            // In a list; older writers have 0 for false.
            TRUE | FALSE => Value::Bool(self.byte()? == TRUE),
            BYTE => Value::Byte(self.byte()?),
            4..=I64 => Value::Int(kind, self.signed()?),
            DOUBLE => Value::Double(self.bytes(8)?),
            BINARY => {
                let length = self.unsigned()?;
                Value::Binary(Cow::Borrowed(self.bytes(usize::try_from(length).ok()?)?))
            }
            LIST | SET => {
                let (element, length) = self.list()?;
                let items = (0..length).map(|_| self.value(element, depth + 1)).collect::<Option<_>>()?;
                Value::List(List { element, items })
            }
            MAP => {
                let length = self.unsigned()?;
                let length = self.count(length)?;
                let kinds = if length == 0 { 0 } else { self.byte()? };
                let mut items = Vec::with_capacity(2 * length);
                for _ in 0..length {
                    items.push(self.value(kinds >> 4, depth + 1)?);
                    items.push(self.value(kinds & 0x0f, depth + 1)?);
                }
                Value::Map(kinds, items)
            }
            STRUCT => Value::Struct(self.fields(depth + 1)?),
            _ => return None,
        })
    }
}

fn write_unsigned(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn write_signed(value: i64, out: &mut Vec<u8>) {
    write_unsigned(((value << 1) ^ (value >> 63)) as u64, out);
}

fn write_fields(fields: &Struct, out: &mut Vec<u8>) {
    let mut last = 0_i16;
    for (id, value) in &fields.0 {
        match id.checked_sub(last) {
            Some(delta @ 1..=15) => out.push((delta as u8) << 4 | value.kind()),
            _ => {
                out.push(value.kind());
                write_signed(i64::from(*id), out);
            }
        }
        last = *id;
        if !matches!(value, Value::Bool(_)) {
            write_value(value, out);
        }
    }
    out.push(STOP);
}

fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Bool(value) => out.push(if *value { TRUE } else { FALSE }),
        Value::Byte(value) => out.push(*value),
        Value::Int(_, value) => write_signed(*value, out),
        Value::Double(bytes) => out.extend_from_slice(bytes),
        Value::Binary(bytes) => {
            write_unsigned(bytes.len() as u64, out);
            out.extend_from_slice(bytes);
        }
        Value::List(List { element, items }) => {
            match u8::try_from(items.len()) {
                Ok(length @ 0..=14) => out.push(length << 4 | element),
                _ => {
                    out.push(0xf0 | element);
                    write_unsigned(items.len() as u64, out);
                }
            }
            items.iter().for_each(|item| write_value(item, out));
        }
        Value::Map(kinds, items) => {
            write_unsigned(items.len() as u64 / 2, out);
            if !items.is_empty() {
                out.push(*kinds);
            }
            items.iter().for_each(|item| write_value(item, out));
        }
        Value::Struct(fields) => write_fields(fields, out),
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path};

    use super::Struct;

    /// The footers of the fixtures.
    fn footers() -> Vec<Vec<u8>> {
        let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/fixtures");
        let files = fs::read_dir(fixtures).unwrap().map(|entry| fs::read(entry.unwrap().path()).unwrap());
        let footer = |file: Vec<u8>| {
            let rest = file.strip_suffix(b"PAR1")?;
            let (rest, length) = rest.split_last_chunk::<4>()?;
            let start = rest.len().checked_sub(u32::from_le_bytes(*length) as usize)?;
            Some(rest[start..].to_vec())
        };
        files.filter_map(footer).collect()
    }

    #[test]
    fn a_footer_that_is_written_again_reads_the_same() {
        let footers = footers();
        assert!(footers.len() > 20, "{}", footers.len());
        for footer in footers {
            let read = Struct::read(&footer).unwrap();
            assert_eq!(Struct::read(&read.write()).as_ref(), Some(&read));
        }
    }

    #[test]
    fn damaged_bytes_are_read_or_refused() {
        for footer in footers() {
            for end in (0..footer.len()).step_by(7) {
                let _ = Struct::read(&footer[..end]);
                let mut damaged = footer.clone();
                damaged[end] ^= 0xff;
                let _ = Struct::read(&damaged);
            }
        }
        // A list of 2^32 elements, and structs without end.
        assert_eq!(Struct::read(&[0x19, 0xfc, 0xff, 0xff, 0xff, 0xff, 0x0f]), None);
        assert_eq!(Struct::read(&[0x1c; 1 << 16]), None);
    }
}
