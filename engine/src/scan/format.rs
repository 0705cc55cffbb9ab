//! File formats as DataFusion's `FileSource`s, one a file.

pub(super) mod parquet;
