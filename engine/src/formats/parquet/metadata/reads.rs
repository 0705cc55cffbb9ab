//! Reads of a file's metadata, which count as such.

use std::{ops::Range, sync::Arc};

use bytes::Bytes;
use tokio::sync::OnceCell;

use crate::{
    accounting::ScanMeter,
    error::{Error, Result},
    scan::{DataFile, QueryFetch},
};

/// Bytes of a file that were read together, and where they begin.
pub(crate) type Buffer = Arc<OnceCell<(u64, Bytes)>>;

/// How one query reads a file's metadata: its bytes count as such.
#[derive(Debug, Clone)]
pub(crate) struct MetadataReads {
    pub fetch: QueryFetch,
    pub scan: Arc<ScanMeter>,
    /// For a small file, which is read whole as soon as anything of it is.
    pub whole: Option<Buffer>,
}

impl MetadataReads {
    pub(super) async fn get(&self, file: &DataFile, range: Range<u64>) -> Result<Bytes> {
        self.scan.table().add_metadata(range.end - range.start);
        let fetch = async |range: Range<u64>| {
            Ok::<_, Error>(self.fetch.fetch(file, std::slice::from_ref(&range)).await?.pop().unwrap_or_default())
        };
        let Some(whole) = &self.whole else { return fetch(range).await };
        let (start, bytes) = whole.get_or_try_init(|| async { Ok::<_, Error>((0, fetch(0..file.meta.size).await?)) }).await?;
        let end = start + bytes.len() as u64;
        if *start <= range.start && range.end <= end {
            return Ok(bytes.slice((range.start - start) as usize..(range.end - start) as usize));
        }
        fetch(range).await
    }
}
