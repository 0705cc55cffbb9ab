//! Locations as statements write them, in the one form in which the catalog keeps them.
//!
//! A location is a prefix, an absolute URL with one `/` at its end. Keys and paths are taken as they are: nothing is percent-decoded.

use std::path::{Component, Path, PathBuf};

use crate::{
    error::{Error, Result},
    storage::wording,
};

/// Brings a location to the form in which the catalog keeps it: `s3://bucket/prefix/`, `file:///folder/`. Plain paths are made absolute,
/// from the current directory if they are relative.
///
/// # Errors
/// `Invalid`, with a hint, for what Athena refuses too: patterns, empty path segments, the `s3a` and `s3n` schemes; and for URLs that
/// do not name a bucket.
pub(crate) fn normalise_location(location: &str) -> Result<String> {
    let location = location.trim();
    let refuse =
        |what: &str, hint: &str| Err(Error::invalid(format!("location \"{location}\" {what}")).with_hint(hint.to_owned()));
    if location.is_empty() {
        return refuse("is empty", "Name a folder, such as s3://bucket/prefix/ or /data/lake/table");
    }
    if location.contains(['*', '?', '[', ']', '{', '}']) {
        return refuse("contains a pattern", "Name the folder that holds the files: all files below it belong to the table");
    }
    if location.chars().any(char::is_control) {
        return refuse("contains a control character", "Name a folder, such as s3://bucket/prefix/ or /data/lake/table");
    }
    let Some((scheme, rest)) = location.split_once("://") else {
        if let Some(path) = location.strip_prefix("file:") {
            return file(Path::new(path));
        }
        return file(
            &std::path::absolute(location)
                .map_err(|error| Error::invalid(format!("location \"{location}\" cannot be made absolute")).with_source(error))?,
        );
    };
    let scheme = scheme.to_ascii_lowercase();
    match scheme.as_str() {
        "s3a" | "s3n" => return refuse("has a scheme of Hadoop's S3 clients", &format!("Write s3://{rest}")),
        "file" => {
            if !rest.starts_with('/') {
                return refuse("names a host", "A file's URL has three slashes, as in file:///data/lake/table");
            }
            return file(Path::new(rest));
        }
        _ => {}
    }
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    if host.is_empty() {
        let (noun, example) = wording(&scheme);
        return refuse(&format!("does not name a {noun}"), &format!("Name a folder in a {noun}, as in {example}"));
    }
    let path = path.strip_suffix('/').unwrap_or(path);
    if path.starts_with('/') || path.ends_with('/') || path.contains("//") {
        return refuse("has an empty path segment (//)", "Write one / between the parts; Athena refuses // too");
    }
    Ok(if path.is_empty() { format!("{scheme}://{host}/") } else { format!("{scheme}://{host}/{path}/") })
}

/// A folder as a URL, without `.` and `..`.
fn file(path: &Path) -> Result<String> {
    let mut folder = PathBuf::new();
    for component in path.components() {
        match component {
            Component::ParentDir => {
                folder.pop();
            }
            Component::Normal(name) => folder.push(name),
            Component::CurDir | Component::RootDir | Component::Prefix(_) => {}
        }
    }
    match folder.to_str() {
        Some("") => Ok("file:///".to_owned()),
        Some(folder) => Ok(format!("file:///{folder}/")),
        None => Err(Error::invalid(format!("location \"{}\" is not UTF-8", path.display()))),
    }
}

#[cfg(test)]
mod tests {
    use super::normalise_location;

    #[test]
    fn locations_have_one_form() {
        for (written, kept) in [
            ("s3://Bucket", "s3://Bucket/"),
            ("S3://b/a b/dt=%3A", "s3://b/a b/dt=%3A/"),
            (" s3://b/x/ ", "s3://b/x/"),
            ("/data//lake/./x/../t", "file:///data/lake/t/"),
            ("file:/data/t", "file:///data/t/"),
            ("file:///data/t/", "file:///data/t/"),
            ("/", "file:///"),
        ] {
            assert_eq!(normalise_location(written).unwrap(), kept);
        }
        let relative = normalise_location("lake/t").unwrap();
        assert!(relative.starts_with("file:///") && relative.ends_with("/lake/t/"), "{relative}");
        for (written, hint) in [
            ("", "Name a folder"),
            ("s3://b/x/*.parquet", "all files below it"),
            ("s3://b/x//y/", "one /"),
            ("s3a://b/x/", "Write s3://b/x/"),
            ("s3:///x/", "Name a folder in a bucket, as in s3://bucket/path/"),
            ("abfss:///x/", "Name a folder in a container, as in abfss://container@account"),
            ("gs:///x/", "gs://bucket/path/"),
            ("file://host/x", "three slashes"),
        ] {
            let error = normalise_location(written).unwrap_err();
            assert!(error.hint().unwrap().contains(hint), "{error:?}");
        }
    }
}
