//! The store that a query uses over HTTP. It attaches the query's meter of the store to each request and adds the place to errors. Requests are
//! counted below, in [`super::wire`].

use std::{
    fmt,
    ops::Range,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{Stream, StreamExt, TryStreamExt, stream::BoxStream};
use object_store::{
    CopyOptions, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore, ObjectStoreExt,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, RenameOptions, Result, UploadPart, path::Path,
};

use super::{
    entity_tag,
    list::StoreLister,
    meter_tag::{MeterTag, TAG},
    place::StorePlace,
    ranges::RangePolicy,
};
use crate::accounting::StoreMeter;

/// A store over HTTP, as one query sees it.
#[derive(Debug, Clone)]
pub(super) struct TaggedStore {
    inner: Arc<dyn ObjectStore>,
    lister: Arc<StoreLister>,
    meter: Arc<StoreMeter>,
    place: Arc<StorePlace>,
    policy: RangePolicy,
}

impl TaggedStore {
    pub(super) fn new(
        inner: Arc<dyn ObjectStore>,
        lister: Arc<StoreLister>,
        meter: Arc<StoreMeter>,
        place: Arc<StorePlace>,
        policy: RangePolicy,
    ) -> Self {
        Self { inner, lister, meter, place, policy }
    }

    fn tag(&self) -> MeterTag {
        MeterTag::new(Arc::clone(&self.meter))
    }

    async fn explain<T>(&self, location: &Path, request: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let place = self.place.at(location.as_ref());
        place.contained(request).await.map_err(|error| place.annotate(error))
    }
}

impl fmt::Display for TaggedStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.inner)
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl ObjectStore for TaggedStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, mut opts: PutOptions) -> Result<PutResult> {
        let tag = self.tag();
        opts.extensions.insert(tag.clone());
        self.explain(location, TAG.scope(tag, self.inner.put_opts(location, payload, opts))).await
    }

    async fn put_multipart_opts(&self, location: &Path, mut opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let tag = self.tag();
        opts.extensions.insert(tag.clone());
        let upload = self.explain(location, TAG.scope(tag, self.inner.put_multipart_opts(location, opts))).await?;
        Ok(Box::new(TaggedUpload { upload, store: self.clone(), location: location.clone() }))
    }

    async fn get_opts(&self, location: &Path, mut options: GetOptions) -> Result<GetResult> {
        options.extensions.insert(self.tag());
        options.if_match = options.if_match.as_deref().and_then(entity_tag::condition);
        let mut result = self.explain(location, self.inner.get_opts(location, options)).await?;
        entity_tag::normalise(&mut result.meta.e_tag);
        if let GetResultPayload::Stream(stream) = result.payload {
            let place = self.place.at(location.as_ref());
            result.payload = GetResultPayload::Stream(stream.map_err(move |error| place.annotate(error)).boxed());
        }
        Ok(result)
    }

    async fn get_ranges(&self, location: &Path, ranges: &[Range<u64>]) -> Result<Vec<Bytes>> {
        self.policy.fetch(ranges, |range| self.get_range(location, range)).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        let place = Arc::clone(&self.place);
        let deleted = Scoped { tag: self.tag(), stream: self.inner.delete_stream(locations) };
        deleted.map_err(move |error| place.annotate(error)).boxed()
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
        self.explain(from, TAG.scope(self.tag(), self.inner.copy_opts(from, to, options))).await
    }

    async fn rename_opts(&self, from: &Path, to: &Path, options: RenameOptions) -> Result<()> {
        self.explain(from, TAG.scope(self.tag(), self.inner.rename_opts(from, to, options))).await
    }
}

/// A stream whose requests are made in the name of a query.
struct Scoped {
    tag: MeterTag,
    stream: BoxStream<'static, Result<Path>>,
}

impl Stream for Scoped {
    type Item = Result<Path>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let tag = self.tag.clone();
        TAG.sync_scope(tag, || self.stream.poll_next_unpin(cx))
    }
}

/// An upload in parts, each of which is a request of the query.
#[derive(Debug)]
struct TaggedUpload {
    upload: Box<dyn MultipartUpload>,
    store: TaggedStore,
    location: Path,
}

#[async_trait]
impl MultipartUpload for TaggedUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (part, store, location) = (self.upload.put_part(data), self.store.clone(), self.location.clone());
        Box::pin(async move { store.explain(&location, TAG.scope(store.tag(), part)).await })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        let tag = self.store.tag();
        self.store.explain(&self.location, TAG.scope(tag, self.upload.complete())).await
    }

    async fn abort(&mut self) -> Result<()> {
        let tag = self.store.tag();
        self.store.explain(&self.location, TAG.scope(tag, self.upload.abort())).await
    }
}
