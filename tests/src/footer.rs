//! Footers as writers leave them that are older, careless or broken: those of a file that our writer has made, with some of it changed.
//!
//! An edit is a word, and edits are separated by spaces; `COLUMN` is a top-level column's name or `*`:
//!
//! ```text
//! by=parquet-mr_version_1.7.0        who wrote it (`_` for spaces); by= for nobody
//! total=0                            the rows of the file
//! rows=GROUP:N                       the rows of a row group
//! values=COLUMN:N                    the values of each chunk
//! nulls=COLUMN:N, nulls=COLUMN:none  the count of NULLs of each chunk; pages' as well with none
//! min=COLUMN:VALUE, max=...          a bound of each chunk, and of all its pages: a number, `nan`, `-0.0`, or text
//! bounds=COLUMN:none|old             no bounds, or in the deprecated fields
//! exact=COLUMN:none|false            what it says of whether bounds are values
//! orders=none                        by which order bounds are
//! pages=none                         no page indexes
//! first=COLUMN:PAGE:N                the first row of a page
//! ```

mod thrift;

use thrift::{BINARY, Fields, I32, I64, Value, decode, encode};

/// The file with its footer edited.
///
/// # Errors
/// If it is no Parquet file, or an edit is none.
pub fn edited(file: &[u8], edits: &str) -> Result<Vec<u8>, String> {
    let mut file = File::open(file)?;
    for edit in edits.split_whitespace() {
        let (name, value) = edit.split_once('=').ok_or_else(|| format!("{edit} is no edit"))?;
        file.edit(name, value).ok_or_else(|| format!("edit {edit} cannot be made"))?;
    }
    Ok(file.close())
}

/// Fields of `FileMetaData`, `RowGroup`, `ColumnChunk`, `ColumnMetaData`, `Statistics`, `ColumnIndex` and `PageLocation`, by their numbers.
mod field {
    pub(super) const TOTAL: i64 = 3;
    pub(super) const GROUPS: i64 = 4;
    pub(super) const CREATED_BY: i64 = 6;
    pub(super) const ORDERS: i64 = 7;
    pub(super) const CHUNKS: i64 = 1;
    pub(super) const ROWS: i64 = 3;
    pub(super) const CHUNK: i64 = 3;
    pub(super) const OFFSETS_AT: i64 = 4;
    pub(super) const OFFSETS_LENGTH: i64 = 5;
    pub(super) const INDEX_AT: i64 = 6;
    pub(super) const INDEX_LENGTH: i64 = 7;
    pub(super) const TYPE: i64 = 1;
    pub(super) const PATH: i64 = 3;
    pub(super) const VALUES: i64 = 5;
    pub(super) const STATISTICS: i64 = 12;
    pub(super) const SIZES: i64 = 16;
    pub(super) const OLD_MAX: i64 = 1;
    pub(super) const OLD_MIN: i64 = 2;
    pub(super) const NULLS: i64 = 3;
    pub(super) const MAX: i64 = 5;
    pub(super) const MIN: i64 = 6;
    pub(super) const MAX_IS_EXACT: i64 = 7;
    pub(super) const MIN_IS_EXACT: i64 = 8;
    pub(super) const PAGE_MINS: i64 = 2;
    pub(super) const PAGE_MAXES: i64 = 3;
    pub(super) const PAGE_NULLS: i64 = 5;
    pub(super) const PAGE_LEVELS: i64 = 7;
    pub(super) const PAGES: i64 = 1;
    pub(super) const FIRST_ROW: i64 = 3;
}

struct File {
    /// What lies before the footer.
    data: Vec<u8>,
    footer: Fields,
}

impl File {
    fn open(file: &[u8]) -> Result<Self, String> {
        let (rest, tail) = file.split_last_chunk::<8>().ok_or("a file of less than 8 bytes")?;
        let length = u32::from_le_bytes([tail[0], tail[1], tail[2], tail[3]]) as usize;
        let at = rest.len().checked_sub(length).ok_or("a footer longer than the file")?;
        Ok(Self { data: rest[..at].to_vec(), footer: decode(&rest[at..])? })
    }

    fn close(self) -> Vec<u8> {
        let footer = encode(&self.footer);
        let length = u32::try_from(footer.len()).unwrap_or(u32::MAX).to_le_bytes();
        [self.data, footer, length.to_vec(), b"PAR1".to_vec()].concat()
    }

    fn edit(&mut self, name: &str, value: &str) -> Option<()> {
        let footer = &mut self.footer;
        match (name, value) {
            ("by", "") => _ = footer.remove(&field::CREATED_BY),
            ("by", name) => _ = footer.insert(field::CREATED_BY, Value::Binary(name.replace('_', " ").into_bytes())),
            ("total", rows) => _ = footer.insert(field::TOTAL, Value::Number(I64, rows.parse().ok()?)),
            ("orders", "none") => _ = footer.remove(&field::ORDERS),
            ("rows", group) => {
                let (at, rows) = group.split_once(':')?;
                let group = footer.get_mut(&field::GROUPS)?.list()?.get_mut(at.parse::<usize>().ok()?)?.fields()?;
                group.insert(field::ROWS, Value::Number(I64, rows.parse().ok()?));
            }
            ("pages", "none") => {
                for chunk in self.chunks("*")? {
                    for id in [field::OFFSETS_AT, field::OFFSETS_LENGTH, field::INDEX_AT, field::INDEX_LENGTH] {
                        chunk.remove(&id);
                    }
                }
            }
            (_, value) => {
                let (column, value) = value.split_once(':')?;
                self.of_columns(name, column, value)?;
            }
        }
        Some(())
    }

    /// The chunks of a column, or of all.
    fn chunks(&mut self, column: &str) -> Option<Vec<&mut Fields>> {
        let mut found = Vec::new();
        for group in self.footer.get_mut(&field::GROUPS)?.list()? {
            for chunk in group.fields()?.get_mut(&field::CHUNKS)?.list()? {
                let chunk = chunk.fields()?;
                let path = chunk.get_mut(&field::CHUNK)?.fields()?.get_mut(&field::PATH)?.list()?;
                if column == "*" || (path.len() == 1 && path[0].binary() == Some(column.as_bytes())) {
                    found.push(chunk);
                }
            }
        }
        Some(found)
    }

    fn of_columns(&mut self, name: &str, column: &str, value: &str) -> Option<()> {
        let mut indexes: Vec<(Fields, IndexEdit)> = Vec::new();
        for chunk in self.chunks(column)? {
            let whole = chunk.clone();
            let of_chunk = chunk.get_mut(&field::CHUNK)?.fields()?;
            let physical = of_chunk.get(&field::TYPE)?.number()?;
            if name == "values" {
                of_chunk.insert(field::VALUES, Value::Number(I64, value.parse().ok()?));
                continue;
            }
            let Some(statistics) = of_chunk.get_mut(&field::STATISTICS).and_then(Value::fields) else { continue };
            match (name, value) {
                ("nulls", "none") => {
                    statistics.remove(&field::NULLS);
                    indexes.push((whole, IndexEdit::NoNulls));
                }
                ("nulls", count) => _ = statistics.insert(field::NULLS, Value::Number(I64, count.parse().ok()?)),
                ("min" | "max", value) => {
                    let bound = Value::Binary(plain(physical, value)?);
                    let (old, new) = if name == "min" { (field::OLD_MIN, field::MIN) } else { (field::OLD_MAX, field::MAX) };
                    if statistics.contains_key(&new) || !statistics.contains_key(&old) {
                        statistics.insert(new, bound.clone());
                    }
                    if statistics.contains_key(&old) {
                        statistics.insert(old, bound.clone());
                    }
                    indexes.push((whole, IndexEdit::Bound { is_min: name == "min", bound }));
                }
                ("bounds", "none") => {
                    for id in [field::OLD_MIN, field::OLD_MAX, field::MIN, field::MAX] {
                        statistics.remove(&id);
                    }
                }
                ("bounds", "old") => {
                    for (old, new) in [(field::OLD_MIN, field::MIN), (field::OLD_MAX, field::MAX)] {
                        if let Some(bound) = statistics.remove(&new) {
                            statistics.insert(old, bound);
                        }
                    }
                }
                ("exact", "none") => {
                    statistics.remove(&field::MIN_IS_EXACT);
                    statistics.remove(&field::MAX_IS_EXACT);
                }
                ("exact", "false") => {
                    statistics.insert(field::MIN_IS_EXACT, Value::Bool(false));
                    statistics.insert(field::MAX_IS_EXACT, Value::Bool(false));
                }
                ("first", page) => {
                    let (page, row) = page.split_once(':')?;
                    indexes.push((whole, IndexEdit::FirstRow { page: page.parse().ok()?, row: row.parse().ok()? }));
                }
                _ => return None,
            }
            // Counts of levels would tell otherwise.
            of_chunk.remove(&field::SIZES);
        }
        for (chunk, edit) in indexes {
            self.edit_index(&chunk, &edit)?;
        }
        Some(())
    }

    /// Edits a chunk's index; the new one is put behind the data.
    fn edit_index(&mut self, chunk: &Fields, edit: &IndexEdit) -> Option<()> {
        let (at, length) = match edit {
            IndexEdit::FirstRow { .. } => (field::OFFSETS_AT, field::OFFSETS_LENGTH),
            _ => (field::INDEX_AT, field::INDEX_LENGTH),
        };
        let Some(place) = chunk.get(&at).and_then(Value::number) else { return Some(()) };
        let start = usize::try_from(place).ok()?;
        let mut index = decode(self.data.get(start..)?).ok()?;
        match edit {
            IndexEdit::NoNulls => {
                index.remove(&field::PAGE_NULLS);
                index.remove(&field::PAGE_LEVELS);
            }
            IndexEdit::Bound { is_min, bound } => {
                let bounds = index.get_mut(if *is_min { &field::PAGE_MINS } else { &field::PAGE_MAXES })?;
                *bounds = Value::List(BINARY, bounds.list()?.iter().map(|_| bound.clone()).collect());
            }
            IndexEdit::FirstRow { page, row } => {
                let page = index.get_mut(&field::PAGES)?.list()?.get_mut(*page)?.fields()?;
                page.insert(field::FIRST_ROW, Value::Number(I64, *row));
            }
        }
        let bytes = encode(&index);
        let new = (i64::try_from(self.data.len()).ok()?, i64::try_from(bytes.len()).ok()?);
        self.data.extend(bytes);
        for chunk in self.chunks("*")? {
            if chunk.get(&at).and_then(Value::number) == Some(place) {
                chunk.insert(at, Value::Number(I64, new.0));
                chunk.insert(length, Value::Number(I32, new.1));
            }
        }
        Some(())
    }
}

enum IndexEdit {
    NoNulls,
    Bound { is_min: bool, bound: Value },
    FirstRow { page: usize, row: i64 },
}

/// A value as statistics hold it, by the number of its physical type.
fn plain(physical: i64, value: &str) -> Option<Vec<u8>> {
    Some(match physical {
        0 => vec![u8::from(value == "true")],
        1 => value.parse::<i32>().ok()?.to_le_bytes().to_vec(),
        2 => value.parse::<i64>().ok()?.to_le_bytes().to_vec(),
        4 => value.parse::<f32>().ok()?.to_le_bytes().to_vec(),
        5 => value.parse::<f64>().ok()?.to_le_bytes().to_vec(),
        6 => value.as_bytes().to_vec(),
        _ => (0..value.len()).step_by(2).map(|at| u8::from_str_radix(value.get(at..at + 2)?, 16).ok()).collect::<Option<_>>()?,
    })
}
