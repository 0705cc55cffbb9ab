//! What reading a text file takes at most: all of it, since nothing is known of text before it is read.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;

use super::{
    lines::LONGEST_LINE,
    unit::{PIECE, Pieces},
};
use crate::{
    error::Result,
    scan::{FetchBound, FileQuote, QuotedScan, Quoter, Split},
};

/// Tells what the files of one scan take.
#[derive(Debug)]
pub(super) struct TextQuoter(pub(super) Arc<QuotedScan>);

#[async_trait]
impl Quoter for TextQuoter {
    async fn file(&self, splits: &[Arc<Split>]) -> Result<FileQuote> {
        let Some(first) = splits.first() else { return Ok(FileQuote::nothing()) };
        let (scan, size) = (&self.0, first.file.file.meta.size);
        let fetcher = scan.io.fetch.fetcher();
        let mut fetch = FetchBound::default();
        for split in splits {
            let mut pieces = Pieces::new(&split.range, size, scan.spec.is_limited);
            while pieces.is_within() {
                let Some(piece) = pieces.next() else { break };
                fetch += fetcher.at_most(std::slice::from_ref(&piece));
            }
        }
        let is_read_once = fetcher.shares_splits() || splits.len() == 1;
        let data_bytes = if is_read_once { size } else { of_streams(splits, size) };
        Ok(FileQuote { data_bytes, fetch, is_exact: is_read_once && !scan.may_stop(), ..FileQuote::default() })
    }
}

/// What streams read that do not share their work: each counts for itself the line that begins in a split of its own and ends in another's.
fn of_streams(splits: &[Arc<Split>], size: u64) -> u64 {
    let mut of_stream: BTreeMap<usize, u64> = BTreeMap::new();
    for split in splits {
        let longest = split.range.end - split.range.start + 1 + LONGEST_LINE as u64 + PIECE;
        *of_stream.entry(split.stream).or_default() += longest;
    }
    of_stream.into_values().map(|bytes| bytes.min(size)).sum()
}
