//! Local files as a store that is metered like an object store: each range read is a GET, and the bytes read are the bytes fetched. File handles
//! are never given out, so no byte is read past the meter.

#![expect(clippy::disallowed_types, reason = "this is where local files are metered")]

use std::{
    fmt,
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
    path::Path as FsPath,
    sync::Arc,
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use object_store::{
    Attributes, CopyOptions, Error, GetOptions, GetRange, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta,
    ObjectStore, PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart,
    local::LocalFileSystem, path::Path,
};

use super::{
    closed::{self, ClosedFiles, real_path},
    failure, file_version,
    list::StoreLister,
    place::StorePlace,
    ranges::RangePolicy,
};
use crate::accounting::{RequestKind, StoreMeter};

/// What a stream of a file's bytes reads at a time.
const CHUNK_BYTES: u64 = 1024 * 1024;

/// The files of this machine, as one query sees them.
#[derive(Debug, Clone)]
pub(super) struct LocalStore {
    files: LocalFileSystem,
    lister: Arc<StoreLister>,
    meter: Arc<StoreMeter>,
    place: Arc<StorePlace>,
    policy: RangePolicy,
    closed: Arc<ClosedFiles>,
}

impl LocalStore {
    pub(super) fn new(
        lister: Arc<StoreLister>,
        meter: Arc<StoreMeter>,
        place: Arc<StorePlace>,
        policy: RangePolicy,
        closed: Arc<ClosedFiles>,
    ) -> Self {
        Self { files: LocalFileSystem::new(), lister, meter, place, policy, closed }
    }

    /// Refuses what is closed to everybody.
    fn require_open(&self, location: &Path) -> Result<()> {
        let path = self.files.path_to_filesystem(location)?;
        if self.closed.is_empty() || !self.closed.holds(&real_path(&path)) {
            return Ok(());
        }
        Err(failure::to_store(closed::refused(&path.to_string_lossy()), location.as_ref()))
    }

    fn explain<T>(&self, location: &Path, result: Result<T>) -> Result<T> {
        result.map_err(|error| self.place.at(location.as_ref()).annotate(error))
    }

    /// A file's bytes, chunk by chunk, each read on a blocking thread and counted when it is.
    fn stream(&self, file: File, location: &Path, range: Range<u64>) -> BoxStream<'static, Result<Bytes>> {
        let (meter, place, location) = (Arc::clone(&self.meter), Arc::clone(&self.place), location.clone());
        stream::try_unfold((file, range), move |(mut file, range)| {
            let (meter, place, location) = (Arc::clone(&meter), Arc::clone(&place), location.clone());
            async move {
                if range.is_empty() {
                    return Ok(None);
                }
                let end = range.end.min(range.start + CHUNK_BYTES);
                let read = blocking(move || {
                    let chunk = read_range(&mut file, range.start..end)?;
                    meter.add_fetched(chunk.len() as u64);
                    if (chunk.len() as u64) < end - range.start {
                        return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
                    }
                    Ok((chunk, (file, end..range.end)))
                });
                read.await.map(Some).map_err(|source| place.at(location.as_ref()).annotate(failed(&location, source)))
            }
        })
        .boxed()
    }
}

/// A range of this many bytes or fewer is read on one visit to a blocking thread, with the file's version.
const AT_ONCE: u64 = 32 << 20;

impl LocalStore {
    /// Reads a bounded range of a file that is there, in the version that is wanted. `None` for all that is not as plain as that: then nothing was read.
    async fn read_at_once(&self, location: &Path, options: &GetOptions) -> Result<Option<GetResult>> {
        let Some(GetRange::Bounded(wanted)) = &options.range else { return Ok(None) };
        if options.head || wanted.end.saturating_sub(wanted.start) > AT_ONCE {
            return Ok(None);
        }
        let path = self.files.path_to_filesystem(location)?;
        let (store, place, options, range) = (self.clone(), location.clone(), options.clone(), wanted.clone());
        let read = tokio::task::spawn_blocking(move || {
            store.require_open(&place)?;
            let read = read_version(&path, &place, &options, range.clone());
            Ok(read.map(|(meta, bytes)| {
                store.meter.add_request(RequestKind::Get);
                store.meter.add_fetched(bytes.len() as u64);
                let payload = GetResultPayload::Stream(stream::once(std::future::ready(Ok(bytes))).boxed());
                GetResult { payload, meta, range, attributes: Attributes::default() }
            }))
        });
        read.await.map_err(|error| failed(location, io::Error::other(error)))?
    }
}

/// A file's version and a range of it; `None` if it is not there, is of another version than is asked for, or does not have the range.
fn read_version(path: &FsPath, location: &Path, options: &GetOptions, range: Range<u64>) -> Option<(ObjectMeta, Bytes)> {
    let mut file = open(path).ok()?;
    let meta = file_version::of(location.clone(), &file.metadata().ok()?).ok()?;
    options.check_preconditions(&meta).ok()?;
    if range.is_empty() || range.end > meta.size {
        return None;
    }
    let length = range.end - range.start;
    read_range(&mut file, range).ok().filter(|bytes| bytes.len() as u64 == length).map(|bytes| (meta, bytes))
}

impl fmt::Display for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("local files")
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for LocalStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        self.require_open(location)?;
        self.meter.add_request(RequestKind::Put);
        self.explain(location, self.files.put_opts(location, payload, opts).await)
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        self.require_open(location)?;
        self.meter.add_request(RequestKind::Put);
        let upload = self.explain(location, self.files.put_multipart_opts(location, opts).await)?;
        Ok(Box::new(LocalUpload { upload, store: self.clone(), location: location.clone() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        if let Some(answer) = self.read_at_once(location, &options).await? {
            return Ok(answer);
        }
        self.require_open(location)?;
        let head = options.head;
        self.meter.add_request(if head { RequestKind::Head } else { RequestKind::Get });
        let mut result = self.explain(location, self.files.get_opts(location, options).await)?;
        result.payload = match result.payload {
            _ if head => GetResultPayload::Stream(stream::empty().boxed()),
            GetResultPayload::File(file, _) => GetResultPayload::Stream(self.stream(file, location, result.range.clone())),
            GetResultPayload::Stream(bytes) => {
                let meter = Arc::clone(&self.meter);
                GetResultPayload::Stream(bytes.inspect_ok(move |bytes| meter.add_fetched(bytes.len() as u64)).boxed())
            }
        };
        Ok(result)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.require_open(location)?;
        let requests = self.policy.requests(ranges);
        let path = self.files.path_to_filesystem(location)?;
        let (meter, wanted) = (Arc::clone(&self.meter), requests.clone());
        let read = move || {
            if wanted.is_empty() {
                return Ok(Vec::new());
            }
            meter.add_request(RequestKind::Get);
            let mut file = open(&path)?;
            let mut pieces = Vec::with_capacity(wanted.len());
            for (index, range) in wanted.into_iter().enumerate() {
                if index > 0 {
                    meter.add_request(RequestKind::Get);
                }
                let piece = read_range(&mut file, range)?;
                meter.add_fetched(piece.len() as u64);
                if piece.is_empty() {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof));
                }
                pieces.push(piece);
            }
            Ok(pieces)
        };
        let pieces =
            blocking(read).await.map_err(|source| self.place.at(location.as_ref()).annotate(failed(location, source)))?;
        Ok(RangePolicy::assemble(ranges, &requests, &pieces))
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let (meter, place) = (Arc::clone(&self.meter), Arc::clone(&self.place));
        let store = self.clone();
        let counted = locations
            .and_then(move |location| std::future::ready(store.require_open(&location).map(|()| location)))
            .inspect_ok(move |_| meter.add_request(RequestKind::Delete))
            .boxed();
        self.files.delete_stream(counted).map_err(move |error| place.annotate(error)).boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.lister.objects(prefix, None)
    }

    fn list_with_offset(&self, prefix: Option<&Path>, offset: &Path) -> BoxStream<'static, Result<ObjectMeta>> {
        self.lister.objects(prefix, Some(offset))
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.lister.children(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.require_open(from)?;
        self.require_open(to)?;
        self.meter.add_request(RequestKind::Put);
        self.explain(from, self.files.copy_opts(from, to, options).await)
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.require_open(from)?;
        self.require_open(to)?;
        self.meter.add_request(RequestKind::Put);
        self.meter.add_request(RequestKind::Delete);
        self.explain(from, self.files.rename_opts(from, to, options).await)
    }
}

/// An upload in parts, each of which counts as a request.
#[derive(Debug)]
struct LocalUpload {
    upload: Box<dyn MultipartUpload>,
    store: LocalStore,
    location: Path,
}

#[async_trait]
impl MultipartUpload for LocalUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (part, store, location) = (self.upload.put_part(data), self.store.clone(), self.location.clone());
        Box::pin(async move {
            store.meter.add_request(RequestKind::Put);
            store.explain(&location, part.await)
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        self.store.meter.add_request(RequestKind::Put);
        self.store.explain(&self.location, self.upload.complete().await)
    }

    async fn abort(&mut self) -> Result<()> {
        self.store.meter.add_request(RequestKind::Delete);
        self.store.explain(&self.location, self.upload.abort().await)
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

fn open(path: &FsPath) -> io::Result<File> {
    let file = File::open(path)?;
    if file.metadata()?.is_dir() {
        return Err(io::Error::from(io::ErrorKind::NotFound));
    }
    Ok(file)
}

/// A range of a file, cut short where the file ends.
fn read_range(file: &mut File, range: Range<u64>) -> io::Result<Bytes> {
    let length = range.end - range.start;
    let mut bytes = Vec::with_capacity(usize::try_from(length).map_err(io::Error::other)?);
    file.seek(SeekFrom::Start(range.start))?;
    file.take(length).read_to_end(&mut bytes)?;
    Ok(bytes.into())
}

fn failed(location: &Path, source: io::Error) -> Error {
    match source.kind() {
        io::ErrorKind::NotFound => Error::NotFound { path: location.to_string(), source: source.into() },
        _ => Error::Generic { store: "local", source: source.into() },
    }
}
