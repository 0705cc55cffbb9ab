//! Which pages to request so that as few as possible cover the files of some partitions: one for each partition, or one for several that are near
//! each other, with everything in between. Numbers only.

/// Keys of a page; a little less, as partitions differ.
const PAGE: f64 = 960.0;

/// A listing that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Of one partition alone.
    One(u32),
    /// Of everything from the first of these to the last.
    Span(Vec<u32>),
}

/// Listings that tell the files of all `rows`, which are those of partitions in the order of their names, ascending. `files` is how many keys a partition
/// holds, as far as that is known. There are never more than rows.
pub(super) fn parts(rows: &[u32], files: f64) -> Vec<Part> {
    // Partitions that a page tells of.
    let reach = (PAGE / files.max(1.0)) as u32;
    let mut parts = Vec::new();
    let mut rest = rows;
    while let Some(first) = rest.first() {
        let within = rest.iter().take_while(|row| **row - first < reach.max(1)).count();
        let (near, far) = rest.split_at(within);
        parts.push(match near {
            [row] => Part::One(*row),
            several => Part::Span(several.to_vec()),
        });
        rest = far;
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_share_a_page() {
        let all: Vec<u32> = (0..10_000).collect();
        assert_eq!(parts(&all, 1.0).len(), 11);
        assert_eq!(parts(&all, 10.0).len(), 105);
        assert_eq!(parts(&all, 2000.0).len(), 10_000);
        let every_24th: Vec<u32> = (0..10_000).step_by(24).collect();
        assert_eq!(parts(&every_24th, 1.0).len(), 11);
        let far: Vec<u32> = (0..10_000).step_by(2000).collect();
        assert_eq!(parts(&far, 1.0), far.iter().map(|row| Part::One(*row)).collect::<Vec<_>>());
        assert_eq!(parts(&[], 1.0), []);
        assert_eq!(parts(&[3, 7], 1.0), [Part::Span(vec![3, 7])]);
    }
}
