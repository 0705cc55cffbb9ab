//! One level of an index: the distinct values of a key, and the nodes that have them.

use std::{cmp::Ordering, ops::Range};

use arrow::array::{Array, ArrayRef, StringArray};

use super::number::number;

/// The nodes of a key in the order of names: those with the same parent are adjacent.
#[derive(Debug)]
pub struct Level {
    /// For each node, the place of its value.
    pub(super) codes: Vec<u32>,
    /// Where the children of each node begin in the next level, and where those of the last node end; empty in the last level.
    pub(super) children: Vec<u32>,
    /// The values as in names. After updates there may be duplicates.
    pub(super) texts: StringArray,
    /// The typed values, which may be null.
    pub(super) values: ArrayRef,
}

impl Level {
    /// The number of nodes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// For each node, the place of its value among the values.
    #[must_use]
    pub fn codes(&self) -> &[u32] {
        &self.codes
    }

    /// The typed values that nodes refer to.
    #[must_use]
    pub fn values(&self) -> &ArrayRef {
        &self.values
    }

    /// The values as in names, escaped as `%XX`, in the order of [`Level::values`].
    #[must_use]
    pub fn texts(&self) -> &StringArray {
        &self.texts
    }

    pub(super) fn text(&self, node: u32) -> &str {
        self.texts.value(self.codes[node as usize] as usize)
    }

    /// The children of a node, in the next level; none in the last level.
    #[must_use]
    pub fn children(&self, node: u32) -> Range<u32> {
        let node = node as usize;
        match self.children.get(node..node + 2) {
            Some(bounds) => bounds[0]..bounds[1],
            None => 0..0,
        }
    }

    /// The parent of a node of the next level.
    pub(super) fn parent_of(&self, child: u32) -> u32 {
        number(self.children.partition_point(|first| *first <= child)).saturating_sub(1)
    }

    /// The parents of ascending nodes of the next level.
    pub(super) fn parents(&self, nodes: &[u32]) -> Vec<u32> {
        let mut parents = Vec::with_capacity(nodes.len());
        let mut parent = nodes.first().map_or(0, |first| self.parent_of(*first));
        for node in nodes {
            let mut step = 1;
            // Mostly it is the same parent or the next; otherwise the search leaps ahead.
            while self.children(parent).end <= *node {
                let leap = parent.saturating_add(step);
                if step > 1 && self.children.get(leap as usize).is_none_or(|first| *first > *node) {
                    step = 1;
                    parent += 1;
                } else {
                    parent = leap;
                    step = step.saturating_mul(2);
                }
            }
            parents.push(parent);
        }
        parents
    }

    /// The one of these nodes that has this text. `goes_on` says whether names go on after it.
    pub(super) fn find(&self, among: Range<u32>, text: &str, goes_on: bool) -> Option<u32> {
        let (mut low, mut high) = (among.start, among.end);
        while low < high {
            let middle = low + (high - low) / 2;
            match in_names(self.text(middle), text, goes_on) {
                Ordering::Less => low = middle + 1,
                Ordering::Greater => high = middle,
                Ordering::Equal => return Some(middle),
            }
        }
        None
    }

    pub(super) fn memory_size(&self) -> usize {
        (self.codes.capacity() + self.children.capacity()) * size_of::<u32>()
            + self.texts.get_array_memory_size()
            + self.values.get_array_memory_size()
    }
}

/// The order of two values of a key in names, where both are followed by a `/`, or neither.
fn in_names(a: &str, b: &str, goes_on: bool) -> Ordering {
    let end = goes_on.then_some(b'/');
    a.bytes().chain(end).cmp(b.bytes().chain(end))
}

/// A selection of the nodes of a level: those that both masks keep.
#[derive(Debug, Clone, Default)]
pub struct LevelMask {
    /// Whether a value is kept, by its place.
    pub values: Option<Vec<bool>>,
    /// Whether a node is kept.
    pub nodes: Option<Vec<bool>>,
}

impl LevelMask {
    /// Whether it keeps all nodes.
    pub(super) fn is_open(&self) -> bool {
        self.values.is_none() && self.nodes.is_none()
    }

    pub(super) fn keeps(&self, level: &Level, node: u32) -> bool {
        let node = node as usize;
        self.values.as_ref().is_none_or(|values| values[level.codes[node] as usize])
            && self.nodes.as_ref().is_none_or(|nodes| nodes[node])
    }
}
