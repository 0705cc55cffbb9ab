//! What reading a Parquet file takes at most: the row groups, pages and columns that its scan selects, as if all their rows passed. The ranges are those
//! that decoders ask for.

use std::{collections::BTreeMap, ops::Range, sync::Arc};

use arrow::array::Array;
use async_trait::async_trait;
use datafusion::physical_expr::utils::collect_columns;
use parquet::{
    DecodeResult,
    arrow::{
        ProjectionMask,
        arrow_reader::{ArrowReaderMetadata, statistics::StatisticsConverter},
    },
    errors::ParquetError,
    file::metadata::ParquetMetaData,
};

use super::{
    decode,
    evolve::EvolveFactory,
    fault,
    footer::{Known, is_small},
    known::KnownFooter,
    late,
    metadata::{FIRST_READ, MetadataReads, Noted},
    prune::Survivor,
    select::{Selected, Selector},
    shape::Shape,
};
use crate::{
    accounting::ScanCounters,
    error::Result,
    scan::{Basis, DataFile, FetchBound, FileQuote, PlannedFile, QuotedScan, Quoter, Reads, Split},
    storage::covered,
};

/// Tells what the files of one scan take.
#[derive(Debug)]
pub(super) struct ParquetQuoter {
    scan: Arc<QuotedScan>,
    known: Arc<Known>,
    selector: Selector,
}

#[async_trait]
impl Quoter for ParquetQuoter {
    async fn prepare(&self) -> Result<()> {
        match self.scan.basis {
            Basis::Footers => self.known.learn(&self.scan.spec, &self.scan.io, false).await,
            Basis::Known => Ok(()),
        }
    }

    async fn file(&self, splits: &[Arc<Split>]) -> Result<FileQuote> {
        let Some(first) = splits.first() else { return Ok(FileQuote::nothing()) };
        let planned = &first.file;
        let noted = Noted::new(self.scan.basis == Basis::Footers);
        let reads = MetadataReads::quoted(&self.scan.io, &noted);
        let Some(footer) = self.known.quoted(&planned.file, self.scan.basis, &reads).await? else {
            return Ok(self.of_unknown(&planned.file));
        };
        let total = footer.metadata().num_row_groups();
        let mut quote = FileQuote { is_exact: true, row_groups: Some((0, total as u64)), ..FileQuote::default() };
        if self.scan.reads != Reads::Metadata {
            // What the run counts by itself.
            let counters = ScanCounters::default();
            let mut filtered = Filtered::default();
            for split in splits {
                let selected = self.selector.select(split, Arc::clone(footer.metadata()), &reads, &counters).await?;
                self.add(planned, &selected, &mut quote)?;
                filtered.add(&selected);
            }
            quote.unpruned = filtered.unpruned(total);
            quote.is_exact &= !noted.is_lacking() && !self.scan.may_stop();
        }
        self.add_metadata(planned, &footer, &noted.ranges(), &mut quote);
        Ok(quote)
    }
}

impl ParquetQuoter {
    pub(super) fn new(scan: &Arc<QuotedScan>, known: &Arc<Known>, evolve: &EvolveFactory) -> Self {
        let selector = Selector::new(&scan.spec, scan.has_top, known, evolve);
        Self { scan: Arc::clone(scan), known: Arc::clone(known), selector }
    }

    fn needs_data(&self) -> bool {
        self.scan.reads != Reads::Metadata && self.scan.spec.needs_data()
    }

    /// The requests for some ranges.
    fn at_most(&self, ranges: &[Range<u64>]) -> FetchBound {
        self.scan.io.fetch.fetcher().at_most(ranges)
    }

    /// A file whose footer is not known, and is not read.
    fn of_unknown(&self, file: &DataFile) -> FileQuote {
        let size = file.meta.size;
        let needs_data = self.needs_data();
        let footer = size.min(FIRST_READ);
        let mut fetch = self.at_most(std::slice::from_ref(&(size - footer..size)));
        if needs_data {
            fetch = self.at_most(std::slice::from_ref(&(0..size)));
            // Its footer, and what that says of the place of its data.
            fetch.requests += if is_small(file) { 0 } else { 2 };
        }
        let data_bytes = if needs_data { size } else { 0 };
        FileQuote { data_bytes, metadata_bytes: footer, fetch, is_exact: !needs_data, is_guess: true, ..FileQuote::default() }
    }

    /// Adds the data that a split takes.
    fn add(&self, planned: &PlannedFile, selected: &Selected, quote: &mut FileQuote) -> Result<()> {
        let Selected { metadata, shape, survivors } = selected;
        if survivors.is_empty() {
            return Ok(());
        }
        let (spec, file) = (&self.scan.spec, &planned.file);
        let reader = shape.reader(metadata).map_err(|error| fault::named(error, file))?;
        let top = spec.top.as_ref().filter(|_| self.scan.has_top).map(|top| top.fetch);
        for survivor in survivors {
            let is_sieved = shape.filter(survivor.fixed_holds).is_some() || self.scan.has_top;
            let mask = shape.mask(is_sieved);
            let ranges = wanted(file, &reader, survivor, mask)?;
            let bytes = covered(&ranges);
            if bytes == 0 {
                continue;
            }
            quote.data_bytes += bytes;
            quote.row_groups = quote.row_groups.map(|(read, all)| (read + 1, all));
            columns_of(shape, metadata, survivor.group, mask, &mut quote.columns);
            let rows = survivor.rows.as_ref();
            let is_late = late::is_late(top, shape, metadata, survivor.group, survivor.fixed_holds, rows);
            quote.is_exact &= !is_late;
            if !is_small(file) {
                quote.fetch += match is_late {
                    true => self.in_two_rounds(file, &reader, selected, survivor)?,
                    false => self.at_most(&ranges),
                };
            }
        }
        Ok(())
    }

    /// The requests for a row group whose filter is read first: of its other columns, any of their pages may then be wanted, and others not.
    fn in_two_rounds(
        &self,
        file: &DataFile,
        reader: &ArrowReaderMetadata,
        selected: &Selected,
        survivor: &Survivor,
    ) -> Result<FetchBound> {
        let Selected { metadata, shape, .. } = selected;
        let mut bound = self.at_most(&wanted(file, reader, survivor, &shape.filter_mask)?);
        let is_rest = |leaf: &usize| shape.all_mask.leaf_included(*leaf) && !shape.filter_mask.leaf_included(*leaf);
        let rest: Vec<usize> = (0..shape.parquet.num_columns()).filter(is_rest).collect();
        let ranges = wanted(file, reader, survivor, &ProjectionMask::leaves(&shape.parquet, rest.iter().copied()))?;
        bound += match metadata.offset_index().and_then(|offsets| offsets.get(survivor.group)) {
            None => self.at_most(&ranges),
            Some(offsets) => {
                // No two pages that lie side by side are apart; a dictionary lies before the first.
                let pieces = |leaf: &usize| offsets.get(*leaf).map_or(1, |pages| (pages.page_locations().len() + 2) / 2);
                let pieces: usize = rest.iter().map(pieces).sum();
                self.scan.io.fetch.fetcher().at_most_in(covered(&ranges), pieces as u64)
            }
        };
        Ok(bound)
    }

    /// Adds the metadata that a file takes if nothing of it is known: its footer, and what else was asked for.
    fn add_metadata(&self, planned: &Arc<PlannedFile>, footer: &KnownFooter, others: &[Range<u64>], quote: &mut FileQuote) {
        let (file, size) = (&planned.file, planned.file.meta.size);
        let others_bytes: u64 = others.iter().map(|range| range.end - range.start).sum();
        if self.needs_data() && is_small(file) {
            // All that is wanted of it comes at once, with its footer if that was not asked for before.
            quote.fetch = self.at_most(std::slice::from_ref(&(0..size)));
            if self.scan.reads == Reads::Rows {
                quote.metadata_bytes = footer.length() + others_bytes;
                return;
            }
        }
        let mut first = self.known.table.first_bytes(size);
        // The first file tells how long the others' footers are.
        if self.scan.spec.files().next().is_some_and(|first| Arc::ptr_eq(first, planned)) {
            first = first.max(size.min(FIRST_READ));
        }
        quote.metadata_bytes = first.max(footer.length()) + others_bytes;
        quote.fetch += self.at_most(std::slice::from_ref(&(size - first..size)));
        if footer.length() > first {
            quote.fetch += self.at_most(std::slice::from_ref(&(size - footer.length()..size - first)));
        }
        for range in others {
            quote.fetch += self.at_most(std::slice::from_ref(range));
        }
    }
}

/// The ranges that a decoder of these columns of a row group asks for.
fn wanted(file: &DataFile, reader: &ArrowReaderMetadata, survivor: &Survivor, mask: &ProjectionMask) -> Result<Vec<Range<u64>>> {
    let asked = || {
        let mut decoder = decode::decoder(reader, survivor.group, mask, survivor.rows.as_ref()).build()?;
        Ok::<_, ParquetError>(match decoder.try_next_reader()? {
            DecodeResult::NeedsData(ranges) => ranges,
            DecodeResult::Data(_) | DecodeResult::Finished => Vec::new(),
        })
    };
    fault::decode(file, asked)
}

/// Adds the stored bytes of a row group's columns.
fn columns_of(
    shape: &Shape,
    metadata: &ParquetMetaData,
    group: usize,
    mask: &ProjectionMask,
    columns: &mut BTreeMap<String, u64>,
) {
    for (leaf, chunk) in metadata.row_group(group).columns().iter().enumerate().filter(|(leaf, _)| mask.leaf_included(*leaf)) {
        if let Some(root) = shape.parquet.column(leaf).path().parts().first() {
            *columns.entry(root.clone()).or_default() += chunk.byte_range().1;
        }
    }
}

/// How a filter fared over the splits of a file.
#[derive(Debug, Default)]
struct Filtered {
    /// Row groups that are left whole, and those of which not all rows are known to pass.
    left: usize,
    undecided: usize,
    /// The filter's columns, and whether the file has statistics of them; empty if statistics cannot tell of the filter.
    columns: BTreeMap<String, bool>,
}

impl Filtered {
    fn add(&mut self, selected: &Selected) {
        let Selected { metadata, shape, survivors } = selected;
        let whole = || survivors.iter().filter(|survivor| survivor.rows.is_none());
        self.left += whole().count();
        self.undecided += whole().filter(|survivor| !survivor.fixed_holds).count();
        if let Some(fixed) = shape.fixed.as_ref().filter(|_| shape.pruning.is_some()) {
            for column in collect_columns(fixed) {
                self.columns.entry(column.name().to_owned()).or_insert_with(|| has_statistics(shape, metadata, column.name()));
            }
        }
    }

    /// The filter's columns if it left out nothing of a file with so many row groups.
    fn unpruned(self, total: usize) -> BTreeMap<String, bool> {
        if total > 0 && self.left == total && self.undecided > 0 { self.columns } else { BTreeMap::new() }
    }
}

fn has_statistics(shape: &Shape, metadata: &ParquetMetaData, column: &str) -> bool {
    let converter = StatisticsConverter::try_new(column, &shape.file, &shape.parquet);
    let least = converter.and_then(|converter| converter.row_group_mins(metadata.row_groups()));
    least.is_ok_and(|least| least.null_count() < least.len())
}
