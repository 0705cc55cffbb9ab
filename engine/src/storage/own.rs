//! A store that the embedding program brings, counted as a store over HTTP is: each operation is one request, and what it returns is fetched. The
//! query's meter comes with the operation, from the store that the query sees ([`super::metered`]).

use std::{fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
    list::{PaginatedListOptions, PaginatedListResult, PaginatedListStore},
    path::Path,
};

use super::{
    builder::Backend,
    entity_tag,
    list::Pages,
    meter_tag::{MeterTag, current_tag},
    place::StorePlace,
    url::StoreKey,
};
use crate::accounting::RequestKind;

/// The store of a bucket, as all queries share it.
pub(super) fn backend(key: &StoreKey, store: Arc<dyn ObjectStore>) -> Backend {
    let store = Arc::new(OwnStore(store));
    Backend {
        store: Some(Arc::clone(&store) as Arc<dyn ObjectStore>),
        pages: Pages::Store(store),
        place: Arc::new(StorePlace::of(key.clone())),
    }
}

#[derive(Debug)]
struct OwnStore(Arc<dyn ObjectStore>);

fn count(tag: Option<&MeterTag>, kind: RequestKind) {
    if let Some(tag) = tag {
        tag.meter().add_request(kind);
    }
}

/// Counts a request of the operation that is being polled.
fn count_current(kind: RequestKind) {
    count(current_tag().as_ref(), kind);
}

impl fmt::Display for OwnStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

#[async_trait]
impl ObjectStore for OwnStore {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        count_current(RequestKind::Put);
        self.0.put_opts(location, payload, opts).await
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        count_current(RequestKind::Put);
        Ok(Box::new(OwnUpload(self.0.put_multipart_opts(location, opts).await?)))
    }

    async fn get_opts(&self, location: &Path, mut options: GetOptions) -> Result<GetResult> {
        let tag = options.extensions.get::<MeterTag>().cloned();
        let is_head = options.head;
        count(tag.as_ref(), if is_head { RequestKind::Head } else { RequestKind::Get });
        // The tag that is wanted has HTTP's form, which need not be the store's.
        let wanted = options.if_match.take();
        let result = self.0.get_opts(location, options).await?;
        let is_wanted = |wanted: &str| {
            let found = result.meta.e_tag.as_deref();
            wanted == "*" || found.is_some_and(|found| entity_tag::is_same_version(found, wanted))
        };
        if wanted.as_deref().is_some_and(|wanted| !is_wanted(wanted)) {
            let source = "the object has another entity tag".into();
            return Err(Error::Precondition { path: location.to_string(), source });
        }
        let (meta, range, attributes) = (result.meta.clone(), result.range.clone(), result.attributes.clone());
        let payload = if is_head {
            stream::empty().boxed()
        } else {
            // Not as a file either: its bytes would be read past the meter.
            let counted = move |bytes: &Bytes| {
                if let Some(tag) = &tag {
                    tag.meter().add_fetched(bytes.len() as u64);
                }
            };
            result.into_stream().inspect_ok(counted).boxed()
        };
        Ok(GetResult { payload: GetResultPayload::Stream(payload), meta, range, attributes })
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.0.delete_stream(locations.inspect_ok(|_| count_current(RequestKind::Delete)).boxed())
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.0.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.0.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        count_current(RequestKind::Put);
        self.0.copy_opts(from, to, options).await
    }
}

/// All that a request names as one page, in the order of keys: `ObjectStore` has no pages, and prefixes that are whole directories.
#[async_trait]
impl PaginatedListStore for OwnStore {
    async fn list_paginated(&self, prefix: Option<&str>, opts: PaginatedListOptions) -> Result<PaginatedListResult> {
        count(opts.extensions.get::<MeterTag>(), RequestKind::List);
        let prefix = prefix.unwrap_or_default();
        let folder = prefix.rfind('/').map(|slash| Path::parse(&prefix[..slash])).transpose()?;
        let mut result = match opts.delimiter {
            Some(_) => self.0.list_with_delimiter(folder.as_ref()).await?,
            None => ListResult { common_prefixes: Vec::new(), objects: self.0.list(folder.as_ref()).try_collect().await? },
        };
        let after = opts.offset.unwrap_or_default();
        result.objects.retain(|object| {
            let key = object.location.as_ref();
            key.starts_with(prefix) && key > after.as_str()
        });
        result.objects.sort_unstable_by(|one, other| one.location.cmp(&other.location));
        // A directory is left out if no later key can be in it.
        result.common_prefixes.retain(|folder| {
            let key = format!("{folder}/");
            key.starts_with(prefix) && (key > after || after.starts_with(&key))
        });
        result.common_prefixes.sort_by_cached_key(|folder| format!("{folder}/"));
        Ok(PaginatedListResult { result, page_token: None })
    }
}

/// An upload in parts, each of which counts as a request.
#[derive(Debug)]
struct OwnUpload(Box<dyn MultipartUpload>);

#[async_trait]
impl MultipartUpload for OwnUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let part = self.0.put_part(data);
        Box::pin(async move {
            count_current(RequestKind::Put);
            part.await
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        count_current(RequestKind::Put);
        self.0.complete().await
    }

    async fn abort(&mut self) -> Result<()> {
        count_current(RequestKind::Delete);
        self.0.abort().await
    }
}
