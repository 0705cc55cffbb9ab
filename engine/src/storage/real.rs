//! The real location behind a name, so that two locations can be compared however they are written.
//!
//! It is parsed as for opening (`url`): the case of schemes and hosts, `s3a://`, default ports and percent-encoding in HTTP paths make no difference.
//! Symbolic links of local files are resolved. Nothing is opened.

use std::{
    fmt,
    path::{Path as FsPath, PathBuf},
};

use super::{
    closed::real_path,
    scheme::Scheme,
    url::{self, StoreKey},
};
use crate::error::{Error, Result};

/// A location by what it names, which is also how it shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RealLocation {
    store: StoreKey,
    /// Without a slash at either end.
    path: String,
}

impl fmt::Display for RealLocation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.store, self.path)
    }
}

impl RealLocation {
    /// # Errors
    /// As opening it: `Unsupported` for an unknown scheme, `Invalid` for what names no store and no key.
    pub(crate) fn of(location: &str) -> Result<Self> {
        let url::Parsed { store, path } = url::parse(location)?;
        let path = match store.scheme {
            Scheme::File => key_of(&real_path(&FsPath::new("/").join(path.as_ref())))?,
            _ => path.to_string(),
        };
        Ok(Self { store, path })
    }

    /// A folder of this machine.
    ///
    /// # Errors
    /// `Invalid` for a path that is not Unicode.
    pub(crate) fn of_folder(folder: &FsPath) -> Result<Self> {
        let store = StoreKey { scheme: Scheme::File, authority: String::new() };
        Ok(Self { store, path: key_of(&real_path(folder))? })
    }

    /// The path, if it is one of this machine.
    pub(crate) fn file(&self) -> Option<PathBuf> {
        self.is_file().then(|| FsPath::new("/").join(&self.path))
    }

    pub(crate) fn is_file(&self) -> bool {
        self.store.scheme == Scheme::File
    }

    pub(crate) fn is_http(&self) -> bool {
        matches!(self.store.scheme, Scheme::Http | Scheme::Https)
    }

    /// Whether it is `other` or below it.
    pub(crate) fn is_within(&self, other: &Self) -> bool {
        self.store == other.store && is_below(&self.path, &other.path)
    }

    /// The path below `other`, of what is within it.
    pub(crate) fn below(&self, other: &Self) -> Option<&str> {
        self.is_within(other).then(|| self.path[other.path.len()..].trim_start_matches('/'))
    }

    /// Whether one is the other or below it. Stores count as one if they may be one.
    pub(crate) fn overlaps(&self, other: &Self) -> bool {
        may_be_one(&self.store, &other.store) && (is_below(&self.path, &other.path) || is_below(&other.path, &self.path))
    }
}

fn key_of(path: &FsPath) -> Result<String> {
    let path = path.to_str().ok_or_else(|| Error::invalid(format!("the path \"{}\" is not valid Unicode", path.display())))?;
    Ok(path.trim_matches('/').to_owned())
}

/// By whole segments.
fn is_below(path: &str, folder: &str) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Names are compared loosely: services differ in what they take for the same bucket, and settings decide what an unnamed account is.
fn may_be_one(one: &StoreKey, other: &StoreKey) -> bool {
    let host = |key: &StoreKey| key.authority.to_lowercase().trim_end_matches('.').to_owned();
    let is_http = |scheme: Scheme| matches!(scheme, Scheme::Http | Scheme::Https);
    match (one.scheme, other.scheme) {
        (Scheme::Azure, Scheme::Azure) => {
            let parts = |key: &StoreKey| {
                let host = host(key);
                let (container, account) = host.split_once('@').unwrap_or((&host, ""));
                (container.to_owned(), account.split('.').next().unwrap_or_default().to_owned())
            };
            let ((container, account), (other_container, other_account)) = (parts(one), parts(other));
            container == other_container && (account == other_account || account.is_empty() || other_account.is_empty())
        }
        (one_scheme, other_scheme) if is_http(one_scheme) && is_http(other_scheme) => {
            let name = |key: &StoreKey| host(key).rsplit_once(':').map_or_else(|| host(key), |(name, _)| name.to_owned());
            name(one).trim_end_matches('.') == name(other).trim_end_matches('.')
        }
        (one_scheme, other_scheme) => one_scheme == other_scheme && host(one) == host(other),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn real(location: &str) -> RealLocation {
        RealLocation::of(location).unwrap()
    }

    #[test]
    fn one_place_has_one_name() {
        for (written, within) in [
            ("S3://lake/a/b/", "s3://lake/a"),
            ("s3n://lake/a", "s3a://lake/a//"),
            ("abfs://c@acc.dfs.core.windows.net/t", "ABFSS://c@acc.dfs.core.windows.net/"),
            ("HTTPS://Example.ORG:443/a%62c/x", "https://example.org/abc/"),
            ("http://0x7f.1:80/x", "http://127.0.0.1/"),
            ("/nowhere/./a//b/../c", "file:///nowhere/a/c/"),
            ("FILE://localhost/nowhere", "/nowhere"),
        ] {
            assert!(real(written).is_within(&real(within.trim_end_matches('/'))), "{written}");
            assert!(real(written).overlaps(&real(within.trim_end_matches('/'))), "{written}");
        }
        for (written, not_within) in [
            ("s3://lake/ab", "s3://lake/a"),
            ("s3://lake/a", "s3://lake/a/b"),
            ("s3://LAKE/a", "s3://lake/a"),
            ("gs://lake/a", "s3://lake/a"),
            ("s3://lake/%61", "s3://lake/a"),
        ] {
            assert!(!real(written).is_within(&real(not_within)), "{written}");
        }
    }

    #[test]
    fn what_may_be_one_store_overlaps() {
        for (one, other, overlap) in [
            ("s3://lake/a", "s3://lake/a/b", true),
            ("s3://LAKE/a", "s3://lake/a", true),
            ("s3://lake/a", "s3://lake/ab", false),
            ("abfss://c@acc.blob.core.windows.net/t", "abfss://C@ACC.dfs.core.windows.net/t", true),
            ("abfss://c/t", "abfss://c@acc.dfs.core.windows.net/t/x", true),
            ("abfss://d/t", "abfss://c@acc.dfs.core.windows.net/t", false),
            ("https://host:8443/t", "http://HOST./t", true),
        ] {
            assert_eq!(real(one).overlaps(&real(other)), overlap, "{one} {other}");
        }
    }
}
