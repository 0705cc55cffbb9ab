//! A lake that a test makes for itself: in a folder of its own, or on the S3 endpoint.

use std::{str::FromStr, sync::Arc};

use arrow::{array::RecordBatch, datatypes::SchemaRef};
use glaux_engine::storage::StorageOptions;
use parquet::{
    arrow::ArrowWriter,
    basic::{BrotliLevel, Compression, GzipLevel, ZstdLevel},
    file::properties::{EnabledStatistics, WriterProperties},
};
use tempfile::TempDir;

use crate::{
    footer,
    s3_endpoint::{Request, S3Endpoint},
};

/// The bucket of lakes on S3.
pub const BUCKET: &str = "lake";

/// Where the files lie.
#[derive(Debug)]
pub enum Lake {
    Folder(TempDir),
    S3(S3Endpoint),
}

impl Lake {
    /// # Panics
    /// If no folder can be made.
    #[must_use]
    pub fn in_folder() -> Self {
        Self::Folder(tempfile::tempdir().expect("a folder can be made"))
    }

    pub async fn on_s3() -> Self {
        let endpoint = S3Endpoint::start().await;
        endpoint.create_bucket(BUCKET);
        Self::S3(endpoint)
    }

    /// The URL of the root, without a final `/`.
    #[must_use]
    pub fn url(&self) -> String {
        match self {
            Self::Folder(folder) => format!("file://{}", folder.path().display()),
            Self::S3(_) => format!("s3://{BUCKET}"),
        }
    }

    /// The URL of the same files over plain HTTP; empty for folders.
    #[must_use]
    pub fn http_url(&self) -> String {
        match self {
            Self::Folder(_) => String::new(),
            Self::S3(endpoint) => format!("{}/{BUCKET}", endpoint.url()),
        }
    }

    /// A statement with `{lake}` and `{http}` in it filled in.
    #[must_use]
    pub fn expand(&self, sql: &str) -> String {
        sql.replace("{lake}", &self.url()).replace("{http}", &self.http_url())
    }

    #[must_use]
    pub fn storage_options(&self) -> StorageOptions {
        match self {
            Self::Folder(_) => StorageOptions::default(),
            Self::S3(endpoint) => endpoint.storage_options(),
        }
    }

    /// Puts a file; a path that ends with `/` is a folder (or, on S3, a folder's marker).
    ///
    /// # Panics
    /// If it cannot be written.
    pub fn put(&self, path: &str, bytes: Vec<u8>) {
        match self {
            Self::Folder(folder) => {
                let file = folder.path().join(path);
                if path.ends_with('/') {
                    return std::fs::create_dir_all(file).expect("a folder can be made");
                }
                if let Some(parent) = file.parent() {
                    std::fs::create_dir_all(parent).expect("a folder can be made");
                }
                std::fs::write(file, bytes).expect("a file can be written");
            }
            Self::S3(endpoint) => endpoint.put(BUCKET, path, bytes),
        }
    }

    /// Gives a file another footer: see [`crate::footer`].
    ///
    /// # Errors
    /// If there is no such file, it is not Parquet, or an edit is none.
    pub fn edit_footer(&self, path: &str, edits: &str) -> Result<(), String> {
        let file = match self {
            Self::Folder(folder) => std::fs::read(folder.path().join(path)).map_err(|error| format!("{path}: {error}"))?,
            Self::S3(endpoint) => endpoint.get(BUCKET, path).ok_or_else(|| format!("{path} does not exist"))?.to_vec(),
        };
        self.put(path, footer::edited(&file, edits)?);
        Ok(())
    }

    /// Removes a file.
    ///
    /// # Panics
    /// If it does not exist.
    pub fn remove(&self, path: &str) {
        match self {
            Self::Folder(folder) => {
                let path = folder.path().join(path);
                let removed = if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) };
                removed.expect("it exists");
            }
            Self::S3(endpoint) => endpoint.remove(BUCKET, path),
        }
    }

    /// The requests since the last call, one a line; empty for folders.
    pub fn take_requests(&self) -> Vec<String> {
        match self {
            Self::Folder(_) => Vec::new(),
            Self::S3(endpoint) => endpoint.take_log().iter().map(line).collect(),
        }
    }

    /// Writes batches as one Parquet file.
    ///
    /// # Errors
    /// What the Parquet writer says.
    pub fn write(&self, path: &str, schema: &SchemaRef, batches: &[RecordBatch], options: &WriteOptions) -> Result<(), String> {
        let mut bytes = Vec::new();
        let mut writer = ArrowWriter::try_new(&mut bytes, Arc::clone(schema), Some(options.properties()))
            .map_err(|error| error.to_string())?;
        for batch in batches {
            writer.write(batch).map_err(|error| error.to_string())?;
        }
        writer.close().map_err(|error| error.to_string())?;
        self.put(path, bytes);
        Ok(())
    }
}

/// A request as one line: `LIST t/year=2024/`, `GET t/a.parquet bytes=0-99`.
fn line(request: &Request) -> String {
    let verb = format!("{:?}", request.kind).to_uppercase();
    let mut line = match &request.prefix {
        Some(prefix) => format!("{verb} {prefix}"),
        None => format!("{verb} {}", request.key),
    };
    if let Some(range) = &request.range {
        line += &format!(" {range}");
    }
    if request.status >= 400 {
        line += &format!(" -> {}", request.status);
    }
    line
}

/// How a test's Parquet file is written: `codec=zstd group=1000 page=100 bloom dictionary=false statistics=none`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WriteOptions {
    /// none, snappy, gzip, brotli, lz4, zstd.
    codec: Compression,
    /// Rows a row group.
    group: usize,
    /// Rows a page.
    page: usize,
    bloom: bool,
    dictionary: bool,
    statistics: EnabledStatistics,
}

impl Default for WriteOptions {
    fn default() -> Self {
        Self {
            codec: Compression::UNCOMPRESSED,
            group: 1 << 20,
            page: 20_000,
            bloom: false,
            dictionary: true,
            statistics: EnabledStatistics::Page,
        }
    }
}

impl FromStr for WriteOptions {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut options = Self::default();
        for option in text.split_whitespace() {
            let (name, value) = option.split_once('=').unwrap_or((option, "true"));
            let number = || value.parse::<usize>().map_err(|_| format!("{option} needs a number"));
            match name {
                "codec" => options.codec = codec(value)?,
                "group" => options.group = number()?,
                "page" => options.page = number()?,
                "bloom" => options.bloom = value == "true",
                "dictionary" => options.dictionary = value == "true",
                "statistics" => {
                    options.statistics = match value {
                        "none" => EnabledStatistics::None,
                        "chunk" => EnabledStatistics::Chunk,
                        "page" => EnabledStatistics::Page,
                        other => return Err(format!("statistics={other} is none, chunk or page")),
                    }
                }
                other => return Err(format!("option {other} is not known")),
            }
        }
        Ok(options)
    }
}

fn codec(name: &str) -> Result<Compression, String> {
    Ok(match name {
        "none" => Compression::UNCOMPRESSED,
        "snappy" => Compression::SNAPPY,
        "gzip" => Compression::GZIP(GzipLevel::default()),
        "brotli" => Compression::BROTLI(BrotliLevel::default()),
        "lz4" => Compression::LZ4_RAW,
        "lz4_hadoop" => Compression::LZ4,
        "zstd" => Compression::ZSTD(ZstdLevel::default()),
        other => return Err(format!("codec={other} is not known")),
    })
}

impl WriteOptions {
    fn properties(&self) -> WriterProperties {
        WriterProperties::builder()
            .set_compression(self.codec)
            .set_max_row_group_row_count(Some(self.group))
            .set_data_page_row_count_limit(self.page)
            .set_write_batch_size(self.page.min(1024))
            .set_bloom_filter_enabled(self.bloom)
            .set_dictionary_enabled(self.dictionary)
            .set_statistics_enabled(self.statistics)
            .build()
    }
}
