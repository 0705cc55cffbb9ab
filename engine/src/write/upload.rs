//! One object, uploaded while it is produced, in two steps: [`Upload::seal`] makes its bytes durable, [`Upload::publish`] makes it visible,
//! whole. Until then, [`Upload::discard`] removes all of it.
//!
//! Small objects go in one PUT, larger ones in parts that the store puts together at the end. On a disk, where an upload in parts holds
//! a file open, a sealed object waits under a name that readers pass over.
//!
//! A request that was begun is never lost from sight: it runs on a task of its own, and `discard` waits for how it ended. So giving up at
//! any moment, by dropping a future of this file too, leaves nothing that `discard` would not find.

use std::sync::Arc;

use bytes::Bytes;
use object_store::{MultipartUpload, ObjectStore, ObjectStoreExt, PutPayload, PutPayloadMut, Result, path::Path};
use tokio::{
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
};

/// Bytes of a part; S3 asks for at least 5 MiB, and R2 for equal parts.
const PART_BYTES: usize = 8 << 20;

/// How an object comes to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Publishing {
    /// By its PUT, or by the request that ends its parts: the store shows nothing before.
    Completion,
    /// By a rename; until then its name begins with a dot.
    Rename,
}

/// Where an object goes, and how.
#[derive(Debug, Clone)]
pub(super) struct Destination {
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) path: Path,
    pub(super) publishing: Publishing,
    /// Parts on their way, of all objects that share this.
    pub(super) slots: Arc<Semaphore>,
}

/// An object that is being written.
#[derive(Debug)]
pub(super) struct Upload {
    to: Destination,
    /// Where the bytes go until the object is published.
    staged: Path,
    stage: Stage,
    /// What does not make a part yet.
    pending: PutPayloadMut,
    parts: Option<Parts>,
    /// The request that makes something come or go, while it is under way.
    request: Option<JoinHandle<Result<Begun>>>,
}

/// The upload in parts that a request has begun, if it was one of that kind.
type Begun = Option<Box<dyn MultipartUpload>>;

/// How far an object is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Open,
    /// A request was sent after which it may be there under its staged name.
    Sealing,
    Sealed,
    /// A request was sent after which it may be visible.
    Publishing,
    Published,
}

#[derive(Debug)]
struct Parts {
    upload: Box<dyn MultipartUpload>,
    in_flight: JoinSet<Result<()>>,
}

impl Upload {
    pub(super) fn new(to: Destination) -> Self {
        let staged = match to.publishing {
            Publishing::Completion => to.path.clone(),
            Publishing::Rename => hidden(&to.path),
        };
        Self { to, staged, stage: Stage::Open, pending: PutPayloadMut::new(), parts: None, request: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.to.path
    }

    /// Bytes of a sealed object that wait in memory to be sent when it is published.
    pub(super) fn held_bytes(&self) -> usize {
        if self.stage == Stage::Sealed { self.pending.content_length() } else { 0 }
    }

    /// Bytes that do not make a part yet.
    pub(super) fn pending_bytes(&self) -> usize {
        self.pending.content_length()
    }

    /// Adds bytes at the end.
    pub(super) async fn push(&mut self, mut bytes: Bytes) -> Result<()> {
        while self.pending.content_length() + bytes.len() >= PART_BYTES {
            self.pending.push(bytes.split_to(PART_BYTES - self.pending.content_length()));
            let part = std::mem::take(&mut self.pending).freeze();
            self.send(part).await?;
        }
        self.pending.push(bytes);
        Ok(())
    }

    async fn send(&mut self, part: PutPayload) -> Result<()> {
        if self.parts.is_none() {
            let (store, staged) = (Arc::clone(&self.to.store), self.staged.clone());
            let begun = self.ask(async move { store.put_multipart(&staged).await.map(Some) }).await?;
            self.parts = begun.map(|upload| Parts { upload, in_flight: JoinSet::new() });
        }
        let Some(parts) = &mut self.parts else { return Ok(()) };
        let slot = Arc::clone(&self.to.slots).acquire_owned().await;
        while let Some(sent) = parts.in_flight.try_join_next() {
            joined(sent)?;
        }
        let sending = parts.upload.put_part(part);
        parts.in_flight.spawn(async move {
            let sent = sending.await;
            drop(slot);
            sent
        });
        Ok(())
    }

    /// Sends what does not make a whole part, and waits until all parts have arrived.
    async fn send_rest(&mut self) -> Result<()> {
        let rest = std::mem::take(&mut self.pending).freeze();
        if rest.content_length() > 0 {
            self.send(rest).await?;
        }
        if let Some(parts) = &mut self.parts {
            while let Some(sent) = parts.in_flight.join_next().await {
                joined(sent)?;
            }
        }
        Ok(())
    }

    /// All bytes are written. They are with the store now, but for those of a small object that appears by its PUT.
    pub(super) async fn seal(&mut self) -> Result<()> {
        match self.to.publishing {
            Publishing::Completion if self.parts.is_some() => self.send_rest().await?,
            Publishing::Completion => {}
            Publishing::Rename => {
                self.stage = Stage::Sealing;
                self.complete().await?;
            }
        }
        self.stage = Stage::Sealed;
        Ok(())
    }

    /// Sends a small object that waits in memory, as the only part of an upload in parts.
    pub(super) async fn spill(&mut self) -> Result<()> {
        if self.held_bytes() > 0 { self.send_rest().await } else { Ok(()) }
    }

    /// Lets readers see a sealed object.
    pub(super) async fn publish(&mut self) -> Result<()> {
        self.stage = Stage::Publishing;
        match self.to.publishing {
            Publishing::Completion => self.complete().await?,
            Publishing::Rename => {
                let (store, from, to) = (Arc::clone(&self.to.store), self.staged.clone(), self.to.path.clone());
                self.ask(async move { store.rename(&from, &to).await.map(|()| None) }).await?;
            }
        }
        self.stage = Stage::Published;
        Ok(())
    }

    /// Makes the object appear under its staged name.
    async fn complete(&mut self) -> Result<()> {
        if self.parts.is_some() {
            self.send_rest().await?;
        }
        let (store, staged) = (Arc::clone(&self.to.store), self.staged.clone());
        match self.parts.take() {
            None => {
                let bytes = std::mem::take(&mut self.pending).freeze();
                self.ask(async move { store.put(&staged, bytes).await.map(|_| None) }).await?;
            }
            Some(mut parts) => {
                let completed = self.ask(async move {
                    let completed = parts.upload.complete().await;
                    if completed.is_err()
                        && let Err(error) = parts.upload.abort().await
                    {
                        tracing::debug!(path = %staged, %error, "an upload that did not complete cannot be aborted");
                    }
                    completed.map(|_| None)
                });
                completed.await?;
            }
        }
        Ok(())
    }

    /// Does a request on a task of its own, and remembers it as long as it is under way.
    async fn ask(&mut self, request: impl Future<Output = Result<Begun>> + Send + 'static) -> Result<Begun> {
        let answered = joined(self.request.insert(tokio::spawn(request)).await);
        self.request = None;
        answered
    }

    /// Gives the object up: whatever there is of it is removed, published or not.
    pub(super) async fn discard(&mut self) -> Result<()> {
        let begun = match self.request.take() {
            Some(request) => joined(request.await).ok().flatten(),
            None => None,
        };
        let parts = self.parts.take();
        let mut given_up = Ok(());
        if let Some(mut parts) = parts.or_else(|| begun.map(|upload| Parts { upload, in_flight: JoinSet::new() })) {
            // A part that arrives after the end of its upload would stay, and cost.
            parts.in_flight.shutdown().await;
            given_up = parts.upload.abort().await;
        }
        if self.to.publishing == Publishing::Rename && self.stage >= Stage::Sealing {
            let may_be_gone = self.stage != Stage::Sealed;
            given_up = given_up.and(delete(&self.to.store, &self.staged, may_be_gone).await);
        }
        if self.stage >= Stage::Publishing {
            let may_be_gone = self.stage == Stage::Publishing;
            given_up = given_up.and(delete(&self.to.store, &self.to.path, may_be_gone).await);
        }
        given_up
    }
}

async fn delete(store: &Arc<dyn ObjectStore>, path: &Path, may_be_gone: bool) -> Result<()> {
    match store.delete(path).await {
        Err(object_store::Error::NotFound { .. }) if may_be_gone => Ok(()),
        done => done,
    }
}

/// The name beside a file's that readers pass over.
pub(super) fn hidden(path: &Path) -> Path {
    let text = path.as_ref();
    let (directory, name) = text.rsplit_once('/').unwrap_or(("", text));
    // What was a path stays one with a dot before a name.
    Path::parse(if directory.is_empty() { format!(".{name}") } else { format!("{directory}/.{name}") })
        .unwrap_or_else(|_| path.clone())
}

fn joined<T>(ended: Result<Result<T>, tokio::task::JoinError>) -> Result<T> {
    ended.unwrap_or_else(|source| Err(object_store::Error::JoinError { source }))
}
