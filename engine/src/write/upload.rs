//! One object, uploaded while it is produced. It appears whole when [`Upload::finish`] returns, or not at all: small ones go in one
//! PUT, larger ones in parts that the store puts together at the end (a local store renames a temporary file).

use std::sync::Arc;

use bytes::Bytes;
use futures::future::BoxFuture;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload, PutPayloadMut, path::Path};
use parquet::{
    arrow::async_writer::AsyncFileWriter,
    errors::{ParquetError, Result as ParquetResult},
};
use tokio::task::JoinSet;

/// Bytes of a part; S3 asks for at least 5 MiB, and R2 for equal parts.
const PART_BYTES: usize = 8 << 20;

/// Parts of one object on their way.
const PARTS_IN_FLIGHT: usize = 4;

/// An object that is being written.
#[derive(Debug)]
pub(super) struct Upload {
    store: Arc<dyn ObjectStore>,
    path: Path,
    /// What does not make a part yet.
    pending: PutPayloadMut,
    parts: Option<Parts>,
}

#[derive(Debug)]
struct Parts {
    upload: Box<dyn MultipartUpload>,
    in_flight: JoinSet<object_store::Result<()>>,
}

impl Upload {
    pub(super) fn new(store: Arc<dyn ObjectStore>, path: Path) -> Self {
        Self { store, path, pending: PutPayloadMut::new(), parts: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    async fn push(&mut self, mut bytes: Bytes) -> object_store::Result<()> {
        while self.pending.content_length() + bytes.len() >= PART_BYTES {
            self.pending.push(bytes.split_to(PART_BYTES - self.pending.content_length()));
            let part = std::mem::take(&mut self.pending).freeze();
            self.send(part).await?;
        }
        self.pending.push(bytes);
        Ok(())
    }

    async fn send(&mut self, part: PutPayload) -> object_store::Result<()> {
        let parts = match &mut self.parts {
            Some(parts) => parts,
            None => {
                let upload = self.store.put_multipart(&self.path).await?;
                self.parts.insert(Parts { upload, in_flight: JoinSet::new() })
            }
        };
        while parts.in_flight.len() >= PARTS_IN_FLIGHT {
            parts.wait_for_one().await?;
        }
        parts.in_flight.spawn(parts.upload.put_part(part));
        Ok(())
    }

    async fn finish(&mut self) -> object_store::Result<()> {
        let rest = std::mem::take(&mut self.pending).freeze();
        if self.parts.is_none() {
            return self.store.put(&self.path, rest).await.map(drop);
        }
        if rest.content_length() > 0 {
            self.send(rest).await?;
        }
        if let Some(parts) = &mut self.parts {
            while !parts.in_flight.is_empty() {
                parts.wait_for_one().await?;
            }
            parts.upload.complete().await?;
            self.parts = None;
        }
        Ok(())
    }

    /// Gives the object up: what was sent of it is removed.
    pub(super) async fn abort(&mut self) -> object_store::Result<()> {
        match self.parts.take() {
            Some(mut parts) => {
                // A part that arrives after the end of its upload would stay, and cost.
                parts.in_flight.shutdown().await;
                parts.upload.abort().await
            }
            None => Ok(()),
        }
    }
}

impl Parts {
    async fn wait_for_one(&mut self) -> object_store::Result<()> {
        match self.in_flight.join_next().await {
            Some(Ok(sent)) => sent,
            Some(Err(source)) => Err(object_store::Error::JoinError { source }),
            None => Ok(()),
        }
    }
}

impl AsyncFileWriter for Upload {
    fn write(&mut self, bytes: Bytes) -> BoxFuture<'_, ParquetResult<()>> {
        Box::pin(async { self.push(bytes).await.map_err(external) })
    }

    fn complete(&mut self) -> BoxFuture<'_, ParquetResult<()>> {
        Box::pin(async { self.finish().await.map_err(external) })
    }
}

fn external(error: object_store::Error) -> ParquetError {
    ParquetError::External(Box::new(error))
}
