//! Rows and nodes as numbers and as places in a vector.

use std::ops::Range;

/// The number of a row or a node. Builders ensure that there are at most four billion.
pub(super) fn number(of: usize) -> u32 {
    u32::try_from(of).unwrap_or(u32::MAX)
}

/// Rows or nodes as places in a vector.
pub(super) fn places(nodes: &Range<u32>) -> Range<usize> {
    nodes.start as usize..nodes.end as usize
}
