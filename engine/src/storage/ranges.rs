//! From wanted ranges to the requests that fetch them, and back. Pure, except for the function that fetches a piece.

use std::{future::Future, ops::Range};

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, TryStreamExt, stream};

/// Ranges further apart than this are not fetched together, however slow a store is.
pub(super) const MERGE_GAP_BYTES: u64 = 1024 * 1024;
/// No request asks for more than this.
pub(super) const MAX_REQUEST_BYTES: u64 = 16 * 1024 * 1024;
/// One byte of gaps is read for so many that are wanted.
const WANTED_PER_GAP: u64 = 64;
/// Gaps that are read however little is wanted.
const LEAST_SPARE: u64 = 2 * 1024;
/// Requests of one call in flight.
pub(super) const PARALLEL_REQUESTS: usize = 10;

/// How ranges become requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RangePolicy {
    /// Bytes between two ranges that are rather read than asked for apart.
    pub gap: u64,
    /// Bytes of a request at most; at least 1.
    pub max_request: u64,
    /// Requests in flight; at least 1.
    pub parallel: usize,
}

impl Default for RangePolicy {
    fn default() -> Self {
        Self { gap: MERGE_GAP_BYTES, max_request: MAX_REQUEST_BYTES, parallel: PARALLEL_REQUESTS }
    }
}

impl RangePolicy {
    /// Bytes of gaps that are read at most where so many are wanted.
    pub(crate) fn spare(wanted: u64) -> u64 {
        (wanted / WANTED_PER_GAP).max(LEAST_SPARE)
    }

    /// The requests that cover `ranges`: in order, apart from each other, none longer than allowed, none for empty ranges. All gaps that are read
    /// together are a small part of what is wanted; the smallest are closed first.
    #[must_use]
    pub(crate) fn requests(&self, ranges: &[Range<u64>]) -> Vec<Range<u64>> {
        let pieces = disjoint(ranges);
        let wanted: u64 = pieces.iter().map(|piece| piece.end - piece.start).sum();
        let mut gaps: Vec<(u64, usize)> =
            pieces.windows(2).enumerate().map(|(at, pair)| (pair[1].start - pair[0].end, at)).collect();
        gaps.sort_unstable();
        let mut spare = Self::spare(wanted).min(self.gap.saturating_mul(gaps.len() as u64));
        let mut closed = vec![false; pieces.len()];
        for (gap, at) in gaps {
            if gap > self.gap || gap > spare {
                break;
            }
            spare -= gap;
            closed[at] = true;
        }
        let mut requests: Vec<Range<u64>> = Vec::new();
        for (at, piece) in pieces.into_iter().enumerate() {
            if let Some(last) = requests.last_mut()
                && closed[at - 1]
                && piece.end - last.start <= self.max_request
            {
                last.end = piece.end;
                continue;
            }
            let mut start = piece.start;
            while start < piece.end {
                let end = piece.end.min(start.saturating_add(self.max_request));
                requests.push(start..end);
                start = end;
            }
        }
        requests
    }

    /// Fetches `ranges` by as few requests as the policy allows, and returns each one's bytes in the order asked.
    ///
    /// A range that reaches beyond the end of the object is cut short, as a single request's would be.
    ///
    /// # Errors
    /// The first error of `fetch`.
    pub(crate) async fn fetch<E, F, Fut>(&self, ranges: &[Range<u64>], fetch: F) -> Result<Vec<Bytes>, E>
    where
        F: Send + FnMut(Range<u64>) -> Fut,
        Fut: Future<Output = Result<Bytes, E>> + Send,
        E: Send,
    {
        let requests = self.requests(ranges);
        let pieces: Vec<Bytes> = stream::iter(requests.iter().cloned()).map(fetch).buffered(self.parallel).try_collect().await?;
        Ok(Self::assemble(ranges, &requests, &pieces))
    }

    /// The bytes of each of `ranges` out of the `pieces` that [`Self::requests`] of them brought.
    #[must_use]
    pub(crate) fn assemble(ranges: &[Range<u64>], requests: &[Range<u64>], pieces: &[Bytes]) -> Vec<Bytes> {
        ranges.iter().map(|range| assemble(range, requests, pieces)).collect()
    }
}

/// How many bytes ranges have, each byte once.
#[must_use]
pub(crate) fn covered(ranges: &[Range<u64>]) -> u64 {
    disjoint(ranges).iter().map(|piece| piece.end - piece.start).sum()
}

/// The same bytes as ranges in order, none of which touches the next.
fn disjoint(ranges: &[Range<u64>]) -> Vec<Range<u64>> {
    let mut wanted: Vec<_> = ranges.iter().filter(|range| range.start < range.end).cloned().collect();
    wanted.sort_unstable_by_key(|range| (range.start, range.end));
    let mut pieces: Vec<Range<u64>> = Vec::with_capacity(wanted.len());
    for range in wanted {
        match pieces.last_mut() {
            Some(last) if range.start <= last.end => last.end = last.end.max(range.end),
            _ => pieces.push(range),
        }
    }
    pieces
}

/// One wanted range out of the pieces; no copy where one piece has it all.
fn assemble(range: &Range<u64>, requests: &[Range<u64>], pieces: &[Bytes]) -> Bytes {
    let part = |index: usize| {
        let (request, piece) = (&requests[index], &pieces[index]);
        let offset = |position: u64| usize::try_from(position - request.start).unwrap_or(usize::MAX).min(piece.len());
        piece.slice(offset(range.start.max(request.start))..offset(range.end.min(request.end)))
    };
    let first = requests.partition_point(|request| request.end <= range.start);
    let end = requests.partition_point(|request| request.start < range.end);
    match end.saturating_sub(first) {
        _ if range.is_empty() => Bytes::new(),
        0 => Bytes::new(),
        1 => part(first),
        _ => {
            let mut whole = BytesMut::new();
            (first..end).for_each(|index| whole.extend_from_slice(&part(index)));
            whole.freeze()
        }
    }
}

#[cfg(test)]
#[expect(clippy::single_range_in_vec_init, reason = "one range is meant")]
mod tests {
    use futures::{executor::block_on, future::ready};
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn near_ranges_share_a_request() {
        let policy = RangePolicy { gap: 4, max_request: 20, parallel: 2 };
        for (ranges, requests) in [
            (vec![], vec![]),
            (vec![5..5], vec![]),
            (vec![10..12, 0..2], vec![0..2, 10..12]),
            (vec![0..2, 6..8], vec![0..8]),
            (vec![0..10, 12..25], vec![0..10, 12..25]),
            (vec![0..50], vec![0..20, 20..40, 40..50]),
            (vec![0..15, 10..30], vec![0..20, 20..30]),
        ] {
            assert_eq!(policy.requests(&ranges), requests, "{ranges:?}");
        }
    }

    #[test]
    fn bytes_of_ranges_that_overlap_count_once() {
        for (ranges, bytes) in [(vec![], 0), (vec![5..5], 0), (vec![4..9, 0..2], 7), (vec![0..6, 4..8, 8..9], 9)] {
            assert_eq!(covered(&ranges), bytes, "{ranges:?}");
        }
    }

    proptest! {
        #[test]
        fn each_range_gets_its_bytes(
            ranges in prop::collection::vec((0_u64..300, 0_u64..90), 0..12), gap in 0_u64..40, max_request in 1_u64..100,
        ) {
            let object: Vec<u8> = (0..=255).collect();
            let ranges: Vec<_> = ranges.into_iter().map(|(start, length)| start..start + length).collect();
            let read = |range: &Range<u64>| {
                let cut = |position: u64| (position as usize).min(object.len());
                Bytes::copy_from_slice(&object[cut(range.start)..cut(range.end)])
            };
            let policy = RangePolicy { gap, max_request, parallel: 3 };
            let fetched: Result<_, ()> = block_on(policy.fetch(&ranges, |range| ready(Ok(read(&range)))));
            prop_assert_eq!(fetched.unwrap(), ranges.iter().map(read).collect::<Vec<_>>());
            let requests = policy.requests(&ranges);
            prop_assert!(requests.iter().all(|request| request.end - request.start <= max_request));
            prop_assert!(requests.windows(2).all(|pair| pair[0].end <= pair[1].start));
        }
    }
}
