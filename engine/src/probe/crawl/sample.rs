//! Columns from single files: footers of Parquet, first lines of text.

use std::{io::Read, sync::Arc};

use flate2::read::MultiGzDecoder;
use futures::{StreamExt, TryStreamExt, stream};
use glaux_catalog::{
    HiveType,
    format::{Compression, FileFormat, kind_of_bytes, kind_of_name},
};
use object_store::{ObjectMeta, ObjectStore};

use super::{
    format::Delimited,
    text::{self, Text},
};
use crate::{
    error::{ErrorKind, Result},
    formats::parquet::{self, file_schema, meaning},
    scan::DataFile,
    table::ScanContext,
};

/// How much is read of a text file.
const HEAD: u64 = 64 << 10;

/// What one file tells.
#[derive(Debug, Clone, Default)]
pub(super) struct Sampled {
    pub url: String,
    pub format: Option<FileFormat>,
    pub compression: Option<Compression>,
    pub text: Option<Delimited>,
    pub columns: Vec<(String, HiveType)>,
    /// Columns of types that the catalog has not, with the reason.
    pub left_out: Vec<(String, String)>,
    /// Why nothing could be learned of it.
    pub fault: Option<String>,
}

/// Reads samples of the files below one URL.
#[derive(Debug)]
pub(super) struct Sampler<'a> {
    pub scan: &'a ScanContext,
    pub store: Arc<dyn ObjectStore>,
    pub store_url: Arc<str>,
    /// The URL, under which lengths of footers are learned.
    pub root: String,
    pub concurrency: usize,
}

impl Sampler<'_> {
    /// Reads these files, several at once; the answers are in their order.
    ///
    /// # Errors
    /// Those of the store. A file that cannot be understood is an answer.
    pub(super) async fn read(&self, files: Vec<&ObjectMeta>) -> Result<Vec<Sampled>> {
        let files: Vec<DataFile> = files.into_iter().map(|meta| self.file(meta)).collect();
        stream::iter(files).map(|file| self.one(file)).buffered(self.concurrency.max(1)).try_collect().await
    }

    fn file(&self, meta: &ObjectMeta) -> DataFile {
        DataFile { store: Arc::clone(&self.store), store_url: Arc::clone(&self.store_url), meta: meta.clone(), partition: 0 }
    }

    async fn one(&self, file: DataFile) -> Result<Sampled> {
        let mut sampled = Sampled { url: file.url(), ..Sampled::default() };
        match self.learn(&file, &mut sampled).await {
            Err(error) if is_of_the_file(error.kind()) => sampled.fault = Some(error.to_string()),
            Err(error) => return Err(error),
            Ok(()) => {}
        }
        Ok(sampled)
    }

    async fn learn(&self, file: &DataFile, sampled: &mut Sampled) -> Result<()> {
        let mut kind = kind_of_name(file.meta.location.filename().unwrap_or_default());
        let mut head = None;
        if kind.format.is_none() {
            let bytes = self.scan.head(file, HEAD).await?;
            kind = kind_of_bytes(&bytes);
            head = Some(bytes);
        }
        sampled.format = kind.format;
        sampled.compression = Some(kind.compression);
        match kind.format {
            Some(FileFormat::Parquet) => self.parquet(file, sampled).await,
            Some(
                format @ (FileFormat::Orc | FileFormat::Avro | FileFormat::SequenceFile | FileFormat::RcFile | FileFormat::Ion),
            ) => {
                sampled.fault = Some(format!("columns of {format} files are not read"));
                Ok(())
            }
            Some(FileFormat::Text | FileFormat::Csv | FileFormat::Json | FileFormat::OpenXJson) | None => {
                let bytes = match head {
                    Some(bytes) => bytes,
                    None => self.scan.head(file, HEAD).await?,
                };
                let is_whole = bytes.len() as u64 == file.meta.size;
                let found = lines(&bytes, kind.compression, is_whole);
                let found = found.as_deref().ok_or("its compression is not supported, or it is not text");
                match found.and_then(|text| {
                    understand(kind.format, text).ok_or("its lines are neither JSON objects nor values between delimiters")
                }) {
                    Ok(Text::Json(columns)) => {
                        (sampled.format, sampled.columns) = (Some(FileFormat::OpenXJson), columns);
                    }
                    Ok(Text::Delimited(layout, columns)) => {
                        (sampled.format, sampled.text, sampled.columns) = (Some(FileFormat::Csv), Some(layout), columns);
                    }
                    Err(why) => sampled.fault = Some(why.to_owned()),
                }
                Ok(())
            }
        }
    }

    async fn parquet(&self, file: &DataFile, sampled: &mut Sampled) -> Result<()> {
        let footer = parquet::footer(&self.scan.footers, &self.scan.io_of_no_table(), &self.root, file).await?;
        let schema =
            file_schema(&footer).map_err(|error| crate::error::Error::unsupported(format!("unsupported schema: {error}")))?;
        for field in schema.fields() {
            if is_twin(field.name()) {
                continue;
            }
            match HiveType::from_arrow(&meaning(field)) {
                Ok(hive_type) => sampled.columns.push((field.name().to_lowercase(), hive_type)),
                Err(error) => sampled.left_out.push((field.name().to_lowercase(), error.to_string())),
            }
        }
        Ok(())
    }
}

/// Whether this is the second column or field of one name but for its case: it has its position for a name.
fn is_twin(name: &str) -> bool {
    name.strip_prefix('/').is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Whether an error says something of this file, and not of its store.
fn is_of_the_file(kind: ErrorKind) -> bool {
    use ErrorKind::{Conflict, CorruptData, Denied, Invalid, NotFound, Unsupported};
    matches!(kind, CorruptData | Unsupported | Invalid | NotFound | Conflict | Denied)
}

fn understand(format: Option<FileFormat>, text: &str) -> Option<Text> {
    match format {
        Some(FileFormat::Text | FileFormat::Csv) => text::delimited(text),
        Some(FileFormat::Json | FileFormat::OpenXJson) => text::json(text),
        _ => text::json(text).or_else(|| text::delimited(text)),
    }
}

/// The whole lines of a text file's beginning; `None` for what is no text.
fn lines(bytes: &[u8], compression: Compression, is_whole: bool) -> Option<String> {
    let (bytes, is_whole) = match compression {
        Compression::None => (bytes.to_vec(), is_whole),
        Compression::Gzip => {
            let mut unpacked = Vec::new();
            let mut decoder = MultiGzDecoder::new(bytes).take(HEAD * 4);
            // It ends in the middle where the file was cut off.
            let read = decoder.read_to_end(&mut unpacked);
            (unpacked, is_whole && read.is_ok())
        }
        Compression::Deflate | Compression::Zstd | Compression::Other => return None,
    };
    let end = if is_whole { bytes.len() } else { bytes.iter().rposition(|byte| *byte == b'\n')? + 1 };
    let text = std::str::from_utf8(&bytes[..end]).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    (!text.trim().is_empty() && !text.contains('\0')).then(|| text.to_owned())
}
