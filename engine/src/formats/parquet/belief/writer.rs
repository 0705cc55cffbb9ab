//! Who wrote a file, as its footer says (`created_by`), and what its releases are known to have got wrong.

/// A library that writes Parquet, and its release.
#[derive(Debug)]
pub(super) struct Writer {
    /// In lower case; empty if the footer does not say.
    name: String,
    /// The first release if the footer does not say: what was wrong in any may be wrong in it.
    release: [u32; 3],
}

impl Writer {
    /// Out of `parquet-mr version 1.8.1 (build 4aba4da)`, `DuckDB version v1.1.3`, or a name alone.
    pub(super) fn of(created_by: Option<&str>) -> Self {
        let text = created_by.unwrap_or_default().trim().to_ascii_lowercase();
        let (name, release) = match text.split_once(" version ") {
            Some((name, release)) => (name.trim().to_owned(), release.trim().to_owned()),
            None => (text, String::new()),
        };
        let mut numbers = release.trim_start_matches('v').split('.').map(|part| {
            let digits = part.find(|letter: char| !letter.is_ascii_digit()).map_or(part, |end| &part[..end]);
            digits.parse().unwrap_or(0)
        });
        let release = std::array::from_fn(|_| numbers.next().unwrap_or(0));
        Self { name, release }
    }

    fn is_before(&self, name: &str, release: [u32; 3]) -> bool {
        self.name == name && self.release < release
    }

    /// Whether its counts of NULLs are those of the rows. Arrow's C++ library counted those of dictionaries before release 5, when it had also
    /// another name; Arrow2 did in releases that cannot be told from others.
    pub(super) fn counts_nulls(&self) -> bool {
        self.name != "parquet-cpp" && !self.is_before("parquet-cpp-arrow", [5, 0, 0]) && !self.name.starts_with("arrow2")
    }

    /// Whether what it gives as bounds are values of rows. Java's library kept buffers that were written to again before release 1.8 (PARQUET-251), and
    /// did not always say who it is.
    pub(super) fn copies_bounds(&self) -> bool {
        !self.name.is_empty() && !self.is_before("parquet-mr", [1, 8, 0])
    }

    /// Whether it compares text and unsigned numbers as such, in the fields that are meant for it.
    pub(super) fn compares_unsigned(&self) -> bool {
        !self.is_before("parquet-mr", [1, 10, 0]) && !self.is_before("parquet-cpp", [1, 3, 0])
    }

    /// Whether its bounds are by the order of the type although it does not say so: it had not learned to say it.
    pub(super) fn orders_without_a_word(&self) -> bool {
        self.name == "duckdb"
    }

    /// Whether it compares decimals of bytes as numbers. Many do not, or not where they join the bounds of pages.
    pub(super) fn compares_decimals(&self) -> bool {
        let are_numbers = ["parquet-mr", "parquet-java", "parquet-cpp-arrow", "parquet-rs", "duckdb", "impala"];
        are_numbers.iter().any(|name| self.name.starts_with(name)) && self.compares_unsigned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn writer(created_by: &str) -> (String, [u32; 3]) {
        let writer = Writer::of(Some(created_by));
        (writer.name, writer.release)
    }

    #[test]
    fn names_and_releases_are_read_as_writers_give_them() {
        assert_eq!(
            writer("parquet-mr version 1.8.1 (build 4aba4dae7bb0d4edbcf7923ae1339f28fd3f7fcf)"),
            ("parquet-mr".into(), [1, 8, 1])
        );
        assert_eq!(writer("parquet-cpp-arrow version 4.0.1"), ("parquet-cpp-arrow".into(), [4, 0, 1]));
        assert_eq!(writer("parquet-cpp version 1.5.1-SNAPSHOT"), ("parquet-cpp".into(), [1, 5, 1]));
        assert_eq!(writer("parquet-mr version 1.6.0rc3-SNAPSHOT"), ("parquet-mr".into(), [1, 6, 0]));
        assert_eq!(writer("DuckDB version v1.1.3 (build 19864453f7)"), ("duckdb".into(), [1, 1, 3]));
        assert_eq!(writer("parquet-mr"), ("parquet-mr".into(), [0, 0, 0]));
        assert_eq!(writer("Arrow2 - Native Rust implementation of Arrow").1, [0, 0, 0]);
        assert_eq!(writer("parquet-mr version 12"), ("parquet-mr".into(), [12, 0, 0]));
    }

    #[test]
    fn what_was_mended_is_believed_from_then_on() {
        let nulls = |created_by| Writer::of(Some(created_by)).counts_nulls();
        assert!(!nulls("parquet-cpp-arrow version 4.0.1") && nulls("parquet-cpp-arrow version 5.0.0"));
        assert!(nulls("parquet-cpp-arrow version 12.0.0") && !nulls("parquet-cpp version 1.5.1-SNAPSHOT"));
        let unsigned = |created_by| Writer::of(Some(created_by)).compares_unsigned();
        assert!(!unsigned("parquet-mr version 1.9.1") && unsigned("parquet-mr version 1.10.0"));
    }
}
