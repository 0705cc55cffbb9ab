//! Listing page by page: one [`Lister`] over stores that list in pages, the disk, and stores that cannot list.
//!
//! Prefixes are raw and mean what they mean to S3: they need not end with `/`, and a prefix without keys is an empty page.

mod disk;
mod early;

use std::sync::Arc;

use async_trait::async_trait;
use futures::{StreamExt, TryStreamExt, stream, stream::BoxStream};
use glaux_catalog::discovery::{ListPage, ListRequest, Lister};
use object_store::{
    ListResult, ObjectMeta,
    list::{PaginatedListOptions, PaginatedListStore},
    path::Path,
};

pub(super) use disk::Disk;
pub(super) use early::EarlyPage;

use super::{entity_tag, failure, meter_tag::MeterTag, place::StorePlace};
use crate::{
    accounting::{RequestKind, StoreMeter},
    error::{Error, Result},
};

/// How a store lists. Shared by all queries.
#[derive(Clone)]
pub(super) enum Pages {
    /// S3, Google and Azure.
    Store(Arc<dyn PaginatedListStore>),
    Disk(Arc<Disk>),
    /// Plain HTTP servers have no listing.
    None,
}

/// Lists one store for one query.
#[derive(Clone)]
pub(super) struct StoreLister {
    pages: Pages,
    meter: Arc<StoreMeter>,
    place: Arc<StorePlace>,
}

impl std::fmt::Debug for StoreLister {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StoreLister").field("place", &self.place).finish_non_exhaustive()
    }
}

impl StoreLister {
    pub(super) fn new(pages: Pages, meter: Arc<StoreMeter>, place: Arc<StorePlace>) -> Self {
        Self { pages, meter, place }
    }

    /// Everything below a directory, as `ObjectStore::list` gives it.
    pub(super) fn objects(
        self: &Arc<Self>,
        prefix: Option<&Path>,
        offset: Option<&Path>,
    ) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        let request = ListRequest {
            prefix: directory(prefix),
            start_after: offset.map(|offset| offset.as_ref().to_owned()),
            ..ListRequest::default()
        };
        let start = Some((Arc::clone(self), request));
        stream::try_unfold(start, |next| async move {
            let Some((lister, mut request)) = next else { return Ok::<_, object_store::Error>(None) };
            let page = lister.page(request.clone()).await.map_err(|error| failure::to_store(error, &request.prefix))?;
            request.token = page.next_token;
            let next = request.token.is_some().then_some((lister, request));
            Ok(Some((stream::iter(page.objects.into_iter().map(Ok)), next)))
        })
        .try_flatten()
        .boxed()
    }

    /// The children of a directory, as `ObjectStore::list_with_delimiter` gives them.
    pub(super) async fn children(&self, prefix: Option<&Path>) -> object_store::Result<ListResult> {
        let mut request = ListRequest { prefix: directory(prefix), delimited: true, ..ListRequest::default() };
        let mut children = ListResult { common_prefixes: Vec::new(), objects: Vec::new() };
        loop {
            let page = self.page(request.clone()).await.map_err(|error| failure::to_store(error, &request.prefix))?;
            children.objects.extend(page.objects);
            for prefix in page.prefixes {
                children.common_prefixes.push(Path::parse(prefix)?);
            }
            match page.next_token {
                Some(token) => request.token = Some(token),
                None => return Ok(children),
            }
        }
    }
}

fn directory(prefix: Option<&Path>) -> String {
    match prefix {
        Some(prefix) if !prefix.is_root() => format!("{prefix}/"),
        _ => String::new(),
    }
}

#[async_trait]
impl Lister for StoreLister {
    async fn page(&self, request: ListRequest) -> Result<ListPage> {
        match &self.pages {
            Pages::Store(store) => self.store_page(store.as_ref(), request).await,
            Pages::Disk(disk) => {
                self.meter.add_request(RequestKind::List);
                disk.page(request).await
            }
            Pages::None => Err(Error::unsupported(format!("\"{}\" cannot be listed", self.place.key(&request.prefix)))
                .with_hint("Plain HTTP servers have no listings: name a single file, or use an object store such as S3")),
        }
    }

    fn seeks(&self) -> bool {
        self.begins_anywhere()
    }
}

impl StoreLister {
    /// The disk has no keys, only directories; Azure's emulators and older services pass over where to begin, and S3's directory buckets have no order.
    fn begins_anywhere(&self) -> bool {
        matches!(self.pages, Pages::Store(_)) && self.place.lists_in_order()
    }

    async fn store_page(&self, store: &dyn PaginatedListStore, request: ListRequest) -> Result<ListPage> {
        let mut options = PaginatedListOptions {
            // S3 ignores the key to start after once there is a token; Azure filters by it, and must not.
            offset: request.start_after.filter(|_| request.token.is_none()),
            delimiter: request.delimited.then_some("/".into()),
            page_token: request.token,
            ..PaginatedListOptions::default()
        };
        let token = options.page_token.clone();
        let early = EarlyPage::new(self.place.listing_element());
        options.extensions.insert(MeterTag::new(Arc::clone(&self.meter)));
        options.extensions.insert(early.clone());
        let prefix = Some(request.prefix.as_str()).filter(|prefix| !prefix.is_empty());
        let place = self.place.at(&request.prefix);
        let page = place.contained(store.list_paginated(prefix, options)).await;
        let page = page.map_err(|error| failure::error(&error, &place))?;
        let seen = early.take();
        let page = seen.page.unwrap_or(page);
        let next_token = page.page_token.filter(|token| !token.is_empty());
        if (seen.is_truncated && next_token.is_none()) || (next_token.is_some() && next_token == token) {
            return Err(place.endless_listing());
        }
        let mut objects = page.result.objects;
        // `object_store` loses the slash of `t/`, the empty object by which consoles mark a directory, and would tell of a file `t`.
        objects.retain(|object| object.location.as_ref().starts_with(&request.prefix));
        objects.iter_mut().for_each(|object| entity_tag::normalise(&mut object.e_tag));
        Ok(ListPage {
            objects,
            prefixes: page.result.common_prefixes.iter().map(|prefix| format!("{prefix}/")).collect(),
            unnameable: Vec::new(),
            next_token,
        })
    }
}

#[cfg(test)]
mod tests {
    use object_store::list::PaginatedListResult;

    use super::*;
    use crate::error::ErrorKind;

    /// Gives empty pages, with these tokens.
    struct Tokens(&'static [&'static str]);

    #[async_trait]
    impl PaginatedListStore for Tokens {
        async fn list_paginated(
            &self,
            _prefix: Option<&str>,
            options: PaginatedListOptions,
        ) -> object_store::Result<PaginatedListResult> {
            let at = options.page_token.and_then(|token| self.0.iter().rposition(|other| *other == token));
            let page_token = self.0.get(at.map_or(0, |at| at + 1)).or_else(|| self.0.last()).map(|token| (*token).to_owned());
            Ok(PaginatedListResult { result: ListResult { common_prefixes: Vec::new(), objects: Vec::new() }, page_token })
        }
    }

    #[tokio::test]
    async fn a_listing_that_does_not_advance_ends() {
        let place = Arc::new(StorePlace::of(crate::storage::url::parse("s3://lake").unwrap().store));
        let lister = StoreLister::new(Pages::Store(Arc::new(Tokens(&["a", "b", "b"]))), Arc::default(), place);
        let mut request = ListRequest { prefix: "t/".to_owned(), ..ListRequest::default() };
        for _ in 0..2 {
            request.token = lister.page(request.clone()).await.unwrap().next_token;
        }
        let error = lister.page(request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        assert!(error.message().contains("s3://lake/t/"), "{error}");
    }
}
