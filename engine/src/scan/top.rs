//! The bound of `ORDER BY ... LIMIT`, found from the sort keys alone: the best rows so far, over all files. A row that is not better than the
//! worst of them is not needed: its other columns are not read, and neither is a row group whose best key is worse.

use std::{
    collections::BinaryHeap,
    sync::{Arc, Mutex, PoisonError},
};

use arrow::{
    array::{ArrayRef, BooleanArray},
    compute::SortOptions,
    datatypes::DataType,
    error::ArrowError,
    row::{RowConverter, SortField},
};
use datafusion::physical_expr::PhysicalExpr;

use super::spec::ScanSpec;

/// The best rows so far.
#[derive(Debug)]
pub(crate) struct TopBound {
    fetch: usize,
    keys: RowConverter,
    leading: RowConverter,
    leading_options: SortOptions,
    /// Keys in the encoding in which bytes sort as rows do; the worst on top.
    best: Mutex<BinaryHeap<Box<[u8]>>>,
}

impl TopBound {
    /// The bound of a scan that is asked for the best rows only; `None` if it is not, or cannot tell which these are.
    pub(super) fn of(spec: &ScanSpec) -> Option<Self> {
        let top = spec.top.as_ref().filter(|top| top.tells_keys())?;
        let key = |(key, options): &(Arc<dyn PhysicalExpr>, SortOptions)| Some((key.data_type(&spec.output).ok()?, *options));
        Self::new(top.fetch, &top.keys.iter().map(key).collect::<Option<Vec<_>>>()?)
    }

    /// `None` for keys that cannot be compared.
    pub(crate) fn new(fetch: usize, keys: &[(DataType, SortOptions)]) -> Option<Self> {
        let field = |(data_type, options): &(DataType, SortOptions)| SortField::new_with_options(data_type.clone(), *options);
        let leading = keys.first()?;
        // Each bound costs memory, and a wide one excludes little.
        if fetch == 0 || fetch > 10_000 {
            return None;
        }
        Some(Self {
            fetch,
            keys: RowConverter::new(keys.iter().map(field).collect()).ok()?,
            leading: RowConverter::new(vec![field(leading)]).ok()?,
            leading_options: leading.1,
            best: Mutex::default(),
        })
    }

    pub(crate) fn leading_options(&self) -> SortOptions {
        self.leading_options
    }

    /// Whether as many rows as are wanted have been seen.
    pub(crate) fn is_full(&self) -> bool {
        self.best.lock().unwrap_or_else(PoisonError::into_inner).len() >= self.fetch
    }

    /// Which of these rows may be among the best, all rows so far considered. They count as seen: whoever asks gives them out.
    pub(crate) fn admit(&self, keys: &[ArrayRef]) -> Result<BooleanArray, ArrowError> {
        let rows = self.keys.convert_columns(keys)?;
        let mut best = self.best.lock().unwrap_or_else(PoisonError::into_inner);
        let mut admitted = vec![false; rows.num_rows()];
        for (at, row) in rows.iter().enumerate() {
            let row = row.data();
            if best.len() < self.fetch {
                best.push(row.into());
                admitted[at] = true;
            } else if best.peek().is_some_and(|worst| row < &**worst) {
                best.pop();
                best.push(row.into());
                admitted[at] = true;
            }
        }
        // Those that better rows of the same batch have pushed out.
        if let Some(worst) = best.peek().filter(|_| best.len() >= self.fetch) {
            for (at, row) in rows.iter().enumerate() {
                admitted[at] &= row.data() <= &**worst;
            }
        }
        Ok(admitted.into())
    }

    /// Single values of the leading key, as [`TopBound::excludes`] takes them.
    pub(crate) fn leading(&self, values: &ArrayRef) -> Result<Vec<Box<[u8]>>, ArrowError> {
        let rows = self.leading.convert_columns(std::slice::from_ref(values))?;
        Ok(rows.iter().map(|row| row.data().into()).collect())
    }

    /// Whether none of the rows whose leading key is this one at best is wanted. If they were seen (`is_seen`), the worst of the best may be among
    /// them; if not, rows that are as good as it are not needed.
    pub(crate) fn excludes(&self, leading: &[u8], is_seen: bool) -> bool {
        let best = self.best.lock().unwrap_or_else(PoisonError::into_inner);
        // The leading key's bytes begin a row's: if they are equal, other keys may decide.
        best.len() >= self.fetch
            && best.peek().is_some_and(|worst| match worst.starts_with(leading) {
                true => worst.len() == leading.len() && !is_seen,
                false => leading > &**worst,
            })
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::{Int64Array, StringArray};

    use super::*;

    fn bound(fetch: usize) -> TopBound {
        let descending = SortOptions { descending: true, nulls_first: false };
        TopBound::new(fetch, &[(DataType::Int64, descending), (DataType::Utf8, SortOptions::default())]).unwrap()
    }

    fn rows(numbers: &[Option<i64>], words: &[&str]) -> [ArrayRef; 2] {
        [Arc::new(Int64Array::from(numbers.to_vec())), Arc::new(StringArray::from(words.to_vec()))]
    }

    fn admitted(bound: &TopBound, numbers: &[Option<i64>], words: &[&str]) -> Vec<bool> {
        bound.admit(&rows(numbers, words)).unwrap().values().iter().collect()
    }

    #[test]
    fn only_rows_that_may_be_among_the_best_are_admitted() {
        let bound = bound(2);
        assert!(!bound.is_full());
        assert_eq!(admitted(&bound, &[Some(1), None, Some(5), Some(4)], &["a"; 4]), [false, false, true, true]);
        assert!(bound.is_full());
        // A tie is no better; a tie of the leading key is decided by the next one.
        assert_eq!(admitted(&bound, &[Some(4), Some(4), Some(3)], &["a", "A", "a"]), [false, true, false]);
    }

    #[test]
    fn a_tie_of_the_only_key_is_not_needed_unless_it_was_seen() {
        let bound = TopBound::new(1, &[(DataType::Int64, SortOptions::default())]).unwrap();
        let values: ArrayRef = Arc::new(Int64Array::from(vec![5]));
        let leading = bound.leading(&values).unwrap().remove(0);
        bound.admit(&[values]).unwrap();
        assert!(bound.excludes(&leading, false));
        assert!(!bound.excludes(&leading, true));
    }

    #[test]
    fn a_leading_key_excludes_only_what_is_worse() {
        let bound = bound(1);
        let leading = |value| bound.leading(&(Arc::new(Int64Array::from(vec![value])) as ArrayRef)).unwrap().remove(0);
        assert!(!bound.excludes(&leading(None), false));
        admitted(&bound, &[Some(7)], &["m"]);
        let excluded: Vec<_> = [Some(8), Some(7), Some(6), None].map(|value| bound.excludes(&leading(value), false)).into();
        assert_eq!(excluded, [false, false, true, true]);
    }
}
