//! Where something failed: a store, and perhaps a key in it, as error messages describe it.

use super::{scheme::Scheme, url::StoreKey};

/// Where something failed: a store, and perhaps a key in it.
#[derive(Debug, Clone, Default)]
pub(super) struct StorePlace {
    store: Option<StoreKey>,
    key: Option<String>,
    /// The service's URL where it is not the provider's usual one.
    pub(super) endpoint: Option<String>,
    /// The file, variable or setting that the credentials come from.
    pub(super) credentials: Option<String>,
    /// What to say of credentials that were not found, where it is not the usual.
    pub(super) no_credentials: Option<String>,
}

impl StorePlace {
    pub(super) fn of(store: StoreKey) -> Self {
        Self { store: Some(store), ..Self::default() }
    }

    /// The same store, at a key.
    #[must_use]
    pub(super) fn at(&self, key: &str) -> Self {
        Self { key: Some(key.to_owned()), ..self.clone() }
    }

    /// The URL of a key of this store.
    #[must_use]
    pub(super) fn key(&self, key: &str) -> String {
        match &self.store {
            Some(store) if store.authority.is_empty() => format!("/{key}"),
            Some(store) => format!("{store}/{key}"),
            None => key.to_owned(),
        }
    }

    /// The URL of this place, or what the store calls it.
    pub(super) fn name(&self, path: Option<&str>) -> String {
        match path.or(self.key.as_deref()) {
            // A path that is absolute already, as local errors have it.
            Some(path) if path.starts_with('/') => path.to_owned(),
            Some(key) => self.key(key),
            None => self.store.as_ref().map_or_else(|| "the store".to_owned(), ToString::to_string),
        }
    }

    /// Whether the store's keys are listed in their order, and from any key on.
    pub(super) fn lists_in_order(&self) -> bool {
        self.scheme().is_some_and(|scheme| scheme != Scheme::Azure) && !self.bucket().ends_with("--x-s3")
    }

    /// The element that a page of the store's listings is.
    pub(super) fn listing_element(&self) -> &'static str {
        if self.scheme() == Some(Scheme::Azure) { "EnumerationResults" } else { "ListBucketResult" }
    }

    pub(super) fn bucket(&self) -> &str {
        self.store.as_ref().map_or("", StoreKey::bucket)
    }

    pub(super) fn scheme(&self) -> Option<Scheme> {
        self.store.as_ref().map(|store| store.scheme)
    }

    /// What the provider calls a bucket.
    pub(super) fn noun(&self) -> &'static str {
        self.scheme().map_or("bucket", Scheme::bucket_noun)
    }

    /// Where to look if the credentials are wrong.
    pub(super) fn check_credentials(&self) -> String {
        match &self.credentials {
            Some(origin) => format!("They come from {origin}"),
            None => self.scheme().unwrap_or(Scheme::S3).credentials_hint().to_owned(),
        }
    }

    /// Who does not answer: the endpoint, or the provider's for this bucket.
    pub(super) fn service(&self) -> String {
        self.endpoint.clone().or_else(|| self.store.as_ref().map(ToString::to_string)).unwrap_or_else(|| "the store".to_owned())
    }
}
