//! `ListObjectsV2` and its predecessor: prefixes that need not end at a delimiter, roll-ups, pages.

use std::{borrow::Cow, ops::Bound};

use chrono::SecondsFormat;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::{
    operation::Operation,
    space::{Object, Space},
    xml::Xml,
};

const MAX_KEYS: usize = 1000;
const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');

enum Found<'a> {
    Object(&'a str, &'a Object),
    Prefix(String),
}

impl Found<'_> {
    fn name(&self) -> &str {
        match self {
            Self::Object(key, _) => key,
            Self::Prefix(prefix) => prefix,
        }
    }
}

fn encoded(text: &str, is_encoded: bool) -> Cow<'_, str> {
    if is_encoded { utf8_percent_encode(text, UNRESERVED).into() } else { Cow::Borrowed(text) }
}

/// The document that answers a listing.
pub(super) fn list(space: &Space, operation: &Operation) -> String {
    let is_v2 = operation.parameter("list-type") == Some("2");
    let prefix = operation.parameter("prefix").unwrap_or_default();
    let delimiter = operation.parameter("delimiter").filter(|delimiter| !delimiter.is_empty());
    let max_keys = operation.parameter("max-keys").and_then(|max| max.parse().ok()).unwrap_or(MAX_KEYS).min(MAX_KEYS);
    let start_after = operation.parameter(if is_v2 { "start-after" } else { "marker" }).filter(|key| !key.is_empty());
    let token = operation.parameter("continuation-token").and_then(|token| token.strip_prefix("after:"));
    let mut found = find(space, &operation.bucket, prefix, delimiter, token.or(start_after), max_keys + 1);
    let is_truncated = found.len() > max_keys;
    found.truncate(max_keys);
    let last = found.last().map(|last| last.name().to_owned()).filter(|_| is_truncated);

    let is_encoded = operation.parameter("encoding-type") == Some("url");
    let document = Xml::new().element("ListBucketResult", |mut xml| {
        xml =
            xml.text("Name", &operation.bucket).text("Prefix", encoded(prefix, is_encoded)).text("MaxKeys", max_keys.to_string());
        xml = xml.text("KeyCount", found.len().to_string()).text("IsTruncated", is_truncated.to_string());
        if let Some(delimiter) = delimiter {
            xml = xml.text("Delimiter", encoded(delimiter, is_encoded));
        }
        if let Some(last) = last {
            let name = if is_v2 { "NextContinuationToken" } else { "NextMarker" };
            xml = xml.text(name, if is_v2 { Cow::Owned(format!("after:{last}")) } else { encoded(&last, is_encoded) });
        }
        for found in &found {
            xml = match found {
                Found::Object(key, object) => xml.element("Contents", |xml| {
                    let modified = object.modified().to_rfc3339_opts(SecondsFormat::Millis, true);
                    xml.text("Key", encoded(key, is_encoded))
                        .text("LastModified", modified)
                        .text("ETag", space.spellings.0.of(&object.e_tag()))
                        .text("Size", object.content.size().to_string())
                        .text("StorageClass", "STANDARD")
                }),
                Found::Prefix(prefix) => xml.element("CommonPrefixes", |xml| xml.text("Prefix", encoded(prefix, is_encoded))),
            };
        }
        xml
    });
    document.finish()
}

fn find<'a>(
    space: &'a Space,
    bucket: &str,
    prefix: &str,
    delimiter: Option<&str>,
    after: Option<&str>,
    limit: usize,
) -> Vec<Found<'a>> {
    let mut found = Vec::new();
    // A page that ended with a rolled-up prefix goes on behind all of its keys.
    let rolled_up = |after: &str| delimiter.is_some_and(|delimiter| after.len() > prefix.len() && after.ends_with(delimiter));
    let mut from: Bound<String> = match after {
        Some(after) if rolled_up(after) => behind(after),
        Some(after) if after >= prefix => Bound::Excluded(after.to_owned()),
        _ => Bound::Included(prefix.to_owned()),
    };
    while found.len() < limit {
        let bound = match &from {
            Bound::Included(key) => Bound::Included(key.as_str()),
            Bound::Excluded(key) => Bound::Excluded(key.as_str()),
            Bound::Unbounded => Bound::Unbounded,
        };
        let mut skip_to = None;
        for (key, object) in space.objects_from(bucket, bound) {
            let Some(rest) = key.strip_prefix(prefix) else { break };
            match delimiter.and_then(|delimiter| Some((rest.find(delimiter)?, delimiter))) {
                Some((index, delimiter)) => {
                    let rolled = &key[..prefix.len() + index + delimiter.len()];
                    found.push(Found::Prefix(rolled.to_owned()));
                    skip_to = Some(behind(rolled));
                    break;
                }
                None => found.push(Found::Object(key, object)),
            }
            if found.len() >= limit {
                break;
            }
        }
        match skip_to {
            Some(next) => from = next,
            None => break,
        }
    }
    found
}

/// Where the keys with this prefix end. The delimiters in use end in ASCII, so that the next character exists.
fn behind(prefix: &str) -> Bound<String> {
    let mut next = prefix.to_owned();
    match next.pop().and_then(|last| char::from_u32(last as u32 + 1)) {
        Some(last) => {
            next.push(last);
            Bound::Included(next)
        }
        None => Bound::Excluded(prefix.to_owned()),
    }
}
