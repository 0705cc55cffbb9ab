//! What a location's URL names: a store, and a key in it. Nothing is opened here.
//!
//! Keys of `s3://`, `gs://` and `abfss://` and paths of `file://` are taken as they are, as Hadoop and Athena do: `%3A` in a location
//! means these three characters, which Hive writes itself. Only `http://` URLs are percent-decoded.

use std::{fmt, path::Path as FsPath};

use object_store::path::Path;

use super::scheme::Scheme;
use crate::error::{Error, Result};

/// What tells one store from another.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct StoreKey {
    pub(super) scheme: Scheme,
    /// The bucket, `container@account.host`, or `host:port`; empty for files.
    pub(super) authority: String,
}

impl fmt::Display for StoreKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}", self.scheme.as_str(), self.authority)
    }
}

impl StoreKey {
    /// The names that settings may use for this store, the most specific first.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names = vec![self.to_string(), self.authority.clone()];
        if let (Scheme::Azure, Some((container, _))) = (self.scheme, self.authority.split_once('@')) {
            names.push(container.to_owned());
        }
        names
    }

    /// The bucket or container, or the host.
    pub(super) fn bucket(&self) -> &str {
        match self.scheme {
            Scheme::Azure => self.authority.split_once('@').map_or(&self.authority, |(container, _)| container),
            _ => &self.authority,
        }
    }
}

/// A URL taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parsed {
    pub(super) store: StoreKey,
    pub(super) path: Path,
}

/// Takes a URL or a plain path apart. A relative path is below the current directory.
///
/// # Errors
/// `Unsupported` for an unknown scheme, `Invalid` for a URL that names no store or a key that no store could be asked for.
pub(super) fn parse(url: &str) -> Result<Parsed> {
    let url = url.trim();
    if url.is_empty() {
        return Err(Error::invalid("a location is empty").with_hint("Write a URL such as s3://bucket/path/ or a path"));
    }
    let (name, rest) = match url.split_once("://") {
        Some((name, rest)) if is_scheme(name) => (name, rest),
        _ => match url.strip_prefix("file:") {
            Some(path) if path.starts_with('/') => return file(url, path),
            _ => return file(url, url),
        },
    };
    let Some(scheme) = Scheme::parse(name) else {
        return Err(Error::unsupported(format!("unsupported scheme \"{name}\" in \"{url}\""))
            .with_hint("Use s3://, gs://, abfss://, file://, http://, https:// or a plain path"));
    };
    let (authority, key) = rest.split_once('/').unwrap_or((rest, ""));
    match scheme {
        Scheme::File if authority.is_empty() || authority == "localhost" => file(url, &format!("/{key}")),
        Scheme::File => Err(Error::invalid(format!("\"{url}\" names a host, but files are read from this machine only"))
            .with_hint("A file URL has three slashes, as in file:///data/lake")),
        Scheme::Http | Scheme::Https => http(url, scheme),
        Scheme::S3 | Scheme::Google | Scheme::Azure => {
            if authority.is_empty() {
                return Err(Error::invalid(format!("\"{url}\" does not name a {}", scheme.bucket_noun()))
                    .with_hint(format!("Write it as {}", scheme.example())));
            }
            check_authority(url, scheme, authority)?;
            let store = StoreKey { scheme, authority: authority.to_owned() };
            if let (Scheme::Azure, Some((container, host))) = (scheme, authority.split_once('@'))
                && (container.is_empty() || host.is_empty())
            {
                let lacking = if container.is_empty() { "container" } else { "storage account" };
                return Err(Error::invalid(format!("\"{url}\" does not name a {lacking}"))
                    .with_hint(format!("Write it as {}", scheme.example())));
            }
            Ok(Parsed { store, path: key_path(url, key)? })
        }
    }
}

fn is_scheme(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'))
}

/// A bucket's name becomes a part of requests' URLs, in which `..`, `/`, `?`, `#` and `%` would mean something else.
fn check_authority(url: &str, scheme: Scheme, authority: &str) -> Result<()> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.') || (c == '@' && scheme == Scheme::Azure);
    if authority.chars().all(is_plain) && authority.chars().any(|c| c.is_ascii_alphanumeric()) {
        return Ok(());
    }
    let (noun, named) = match scheme {
        Scheme::Azure => ("container", "containers and storage accounts"),
        _ => ("bucket", "buckets"),
    };
    // What stands before an @ may be a password.
    let shown = match authority.rsplit_once('@') {
        Some((before, host)) if before.contains(':') => url.replacen(authority, &format!("***@{host}"), 1),
        _ => url.to_owned(),
    };
    Err(Error::invalid(format!("\"{shown}\" does not name a {noun}"))
        .with_hint(format!("Names of {named} have letters, digits, -, _ and .: write the location as {}", scheme.example())))
}

/// A key as it is, less one slash at its end.
fn key_path(url: &str, key: &str) -> Result<Path> {
    Path::parse(key).map_err(|source| {
        Error::invalid(format!("\"{url}\" is not a location that can be read"))
            .with_hint("Double slashes, the segments . and .., and control characters cannot be part of a location")
            .with_source(source)
    })
}

fn http(url: &str, scheme: Scheme) -> Result<Parsed> {
    let invalid = |source: Box<dyn std::error::Error + Send + Sync>| {
        Error::invalid(format!("\"{url}\" is not a valid URL")).with_source(source)
    };
    let parsed = ::url::Url::parse(url).map_err(|source| invalid(source.into()))?;
    if parsed.query().is_some() || !parsed.username().is_empty() || parsed.password().is_some() {
        let plain =
            format!("{}://{}{}", scheme.as_str(), parsed.authority().rsplit('@').next().unwrap_or_default(), parsed.path());
        return Err(Error::unsupported(format!("\"{plain}\" has a query string or a password, which are not sent"))
            .with_hint("Use the plain URL of the file"));
    }
    let path = Path::from_url_path(parsed.path()).map_err(|source| invalid(source.into()))?;
    Ok(Parsed { store: StoreKey { scheme, authority: parsed.authority().to_owned() }, path })
}

/// A path of this machine, made absolute, without `.` and `..`; symbolic links stay as they are.
fn file(url: &str, path: &str) -> Result<Parsed> {
    let absolute = std::path::absolute(FsPath::new(path))
        .map_err(|source| Error::invalid(format!("\"{url}\" is not a path that can be read")).with_source(source))?;
    let mut parts: Vec<&str> = Vec::new();
    for component in absolute.components() {
        match component {
            std::path::Component::Normal(part) => parts.push(
                part.to_str()
                    .ok_or_else(|| Error::invalid(format!("the path \"{}\" is not valid Unicode", absolute.display())))?,
            ),
            std::path::Component::ParentDir => _ = parts.pop(),
            _ => {}
        }
    }
    let store = StoreKey { scheme: Scheme::File, authority: String::new() };
    Ok(Parsed { store, path: key_path(url, &parts.join("/"))? })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorKind;

    #[test]
    fn keys_are_taken_as_they_are() {
        for (url, store, path) in [
            ("s3://lake/t/dt=2024%3A01/a b.parquet", "s3://lake", "t/dt=2024%3A01/a b.parquet"),
            ("s3a://lake/t/é=1?x#y/", "s3://lake", "t/é=1?x#y"),
            ("S3://lake", "s3://lake", ""),
            ("gs://lake/t/", "gs://lake", "t"),
            ("abfss://c@acc.dfs.core.windows.net/t/x", "abfss://c@acc.dfs.core.windows.net", "t/x"),
            ("file:///data/a%20b/../c", "file://", "data/c"),
            ("file:/data/a%20b", "file://", "data/a%20b"),
            ("/data//x/./y", "file://", "data/x/y"),
            ("https://host:8443/a%20b/c.parquet", "https://host:8443", "a b/c.parquet"),
        ] {
            let parsed = parse(url).unwrap();
            assert_eq!((parsed.store.to_string().as_str(), parsed.path.as_ref()), (store, path), "{url}");
        }
        let relative = parse("some/where").unwrap();
        assert!(relative.path.as_ref().ends_with("some/where") && relative.path.as_ref().len() > "some/where".len());
    }

    #[test]
    fn refuses_what_names_no_store() {
        for (url, kind) in [
            ("", ErrorKind::Invalid),
            ("s3:///key", ErrorKind::Invalid),
            ("abfss://@account/t", ErrorKind::Invalid),
            ("abfss://container@/t", ErrorKind::Invalid),
            ("s3://lake/a//b", ErrorKind::Invalid),
            ("s3://./lake/a", ErrorKind::Invalid),
            ("s3://../a", ErrorKind::Invalid),
            ("s3://lake%2Fa/b", ErrorKind::Invalid),
            ("gs://lake?x=/b", ErrorKind::Invalid),
            ("s3://user:pw@lake/b", ErrorKind::Invalid),
            ("file://host/x", ErrorKind::Invalid),
            ("hdfs://nn/x", ErrorKind::Unsupported),
            ("https://user:secret@host/x", ErrorKind::Unsupported),
            ("https://host/x?sig=secret", ErrorKind::Unsupported),
        ] {
            let error = parse(url).unwrap_err();
            assert_eq!(error.kind(), kind, "{url}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn a_refusal_speaks_of_the_locations_own_provider() {
        for (url, message, hint) in [
            ("abfss://c@a b.dfs.core.windows.net/x/", "does not name a container", "abfss://container@account"),
            ("gs://a b/x/", "\"gs://a b/x/\" does not name a bucket", "gs://bucket/path/"),
            ("s3://a b/x/", "does not name a bucket", "s3://bucket/path/"),
            ("s3://user:hush@lake/x/", "\"s3://***@lake/x/\" does not name a bucket", "s3://bucket/path/"),
            ("gs://a@b/x/", "does not name a bucket", "gs://bucket/path/"),
        ] {
            let error = parse(url).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Invalid);
            assert!(error.message().contains(message) && error.hint().unwrap().contains(hint), "{error:?}");
        }
    }
}
