//! Which bounds a footer says to be no values of their column. Parquet's decoder loses that of all types but bytes.

use std::collections::HashMap;

use parquet::{
    errors::ParquetError,
    file::{metadata::RowGroupMetaData, statistics::Statistics},
};

use super::thrift::{FALSE, LIST, Reader, STRUCT};
use crate::formats::parquet::belief::marked;

/// Fields on the way from `FileMetaData` to what is said of bounds.
const ROW_GROUPS: i16 = 4;
const COLUMNS: i16 = 1;
const METADATA: i16 = 3;
const STATISTICS: i16 = 12;
const MAX_IS_EXACT: i16 = 7;
const MIN_IS_EXACT: i16 = 8;

/// Bounds that are not exact.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Inexact {
    min: bool,
    max: bool,
}

/// What a footer says of bounds, by row group and column.
#[derive(Debug, Default)]
pub(super) struct Marks(HashMap<(usize, usize), Inexact>);

impl Marks {
    /// Of a footer's bytes; of what is no footer, as much as can be read.
    pub(super) fn read(thrift: &[u8]) -> Self {
        let mut marks = Self::default();
        let _ = marks.of_file(&mut Reader::new(thrift));
        marks
    }

    fn of_file(&mut self, reader: &mut Reader<'_>) -> Option<()> {
        let mut last = 0;
        while let Some((id, kind)) = reader.field(last)? {
            last = id;
            if (id, kind) != (ROW_GROUPS, LIST) {
                reader.skip(kind)?;
                continue;
            }
            let (element, groups) = reader.list()?;
            for group in 0..groups {
                if element == STRUCT { self.of_group(reader, group)? } else { reader.skip_item(element)? }
            }
        }
        Some(())
    }

    fn of_group(&mut self, reader: &mut Reader<'_>, group: usize) -> Option<()> {
        let mut last = 0;
        while let Some((id, kind)) = reader.field(last)? {
            last = id;
            if (id, kind) != (COLUMNS, LIST) {
                reader.skip(kind)?;
                continue;
            }
            let (element, columns) = reader.list()?;
            for column in 0..columns {
                if element != STRUCT {
                    reader.skip_item(element)?;
                    continue;
                }
                let mut inexact = Inexact::default();
                of_chunk(reader, &[METADATA, STATISTICS], &mut inexact)?;
                if inexact != Inexact::default() {
                    self.0.insert((group, column), inexact);
                }
            }
        }
        Some(())
    }

    /// The row group at that place, with what is said of its bounds. Bounds of a fixed length are never shortened: they are exact where nothing is said.
    pub(super) fn apply(&self, at: usize, group: RowGroupMetaData) -> Result<RowGroupMetaData, ParquetError> {
        let of_chunk = |leaf: usize| {
            let recorded = group.column(leaf).statistics()?;
            let inexact = self.0.get(&(at, leaf)).copied();
            let is_other = inexact.is_some() || matches!(recorded, Statistics::FixedLenByteArray(_));
            let Inexact { min, max } = inexact.unwrap_or_default();
            is_other.then(|| marked(recorded.clone(), !min, !max))
        };
        let changed: Vec<_> = (0..group.num_columns()).map(of_chunk).collect();
        if changed.iter().all(Option::is_none) {
            return Ok(group);
        }
        let columns = group.columns().iter().zip(changed).map(|(chunk, changed)| match changed {
            Some(statistics) => chunk.clone().into_builder().set_statistics(statistics).build(),
            None => Ok(chunk.clone()),
        });
        let columns = columns.collect::<Result<_, ParquetError>>()?;
        group.clone().into_builder().set_column_metadata(columns).build()
    }
}

/// Goes down the way to a chunk's statistics, and reads what they say.
fn of_chunk(reader: &mut Reader<'_>, way: &[i16], inexact: &mut Inexact) -> Option<()> {
    let mut last = 0;
    while let Some((id, kind)) = reader.field(last)? {
        last = id;
        match way {
            [next, rest @ ..] if (*next, STRUCT) == (id, kind) => of_chunk(reader, rest, inexact)?,
            [] if kind == FALSE && id == MAX_IS_EXACT => inexact.max = true,
            [] if kind == FALSE && id == MIN_IS_EXACT => inexact.min = true,
            _ => reader.skip(kind)?,
        }
    }
    Some(())
}
