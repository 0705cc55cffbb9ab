//! Reads pages of a listing as they arrive. S3 and Google write `ListBucketResult`, which `object_store` reads with a general deserializer: most of the
//! CPU time of a long listing. Requests, retries and signatures stay `object_store`'s: the page travels beside its answer, in the request's extensions.
//!
//! A page that is not written as S3 writes it goes to `object_store` unchanged. An answer that is no page at all does not: `object_store` would read
//! a page without objects, and the caller would believe that all objects are gone.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use http::StatusCode;
use object_store::{ListResult, ObjectMeta, list::PaginatedListResult, path::Path};
use quick_xml::{
    Reader,
    escape::unescape,
    events::{BytesStart, Event},
};

use crate::storage::http_error::{BUSY, NoListing};

/// What `object_store` is given in place of a page that was read.
const NOTHING: &[u8] = b"<ListBucketResult></ListBucketResult>";

/// The place for the page of one request.
#[derive(Clone)]
pub(in crate::storage) struct EarlyPage {
    /// The element that a listing is.
    root: &'static str,
    seen: Arc<Mutex<Seen>>,
}

/// What was seen of an answer.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) page: Option<PaginatedListResult>,
    /// Whether the store says that another page follows.
    pub(super) is_truncated: bool,
}

impl EarlyPage {
    /// For S3 and Google `ListBucketResult`, for Azure `EnumerationResults`.
    pub(super) fn new(root: &'static str) -> Self {
        Self { root, seen: Arc::default() }
    }

    /// Reads the body of an answer whose status is success, and gives what `object_store` is to see of it. Some stores send errors as successes: they get the
    /// status that belongs to them.
    ///
    /// # Errors
    /// For a body that is neither a listing nor an error.
    pub(in crate::storage) fn read(&self, body: Bytes) -> Result<(StatusCode, Bytes), NoListing> {
        match root(&body) {
            Some(name) if name == self.root.as_bytes() => {}
            Some(name) if name == b"Error" => return Ok((status(&body), body)),
            _ => return Err(NoListing::of(&body)),
        }
        let document = std::str::from_utf8(&body).ok();
        let seen = Seen { page: document.and_then(read), is_truncated: document.is_some_and(is_truncated) };
        let is_read = seen.page.is_some();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = seen;
        Ok((StatusCode::OK, if is_read { Bytes::from_static(NOTHING) } else { body }))
    }

    pub(super) fn take(&self) -> Seen {
        std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The name of a document's outermost element, without its prefix.
fn root(document: &[u8]) -> Option<Vec<u8>> {
    let mut reader = Reader::from_reader(document);
    loop {
        match reader.read_event().ok()? {
            Event::Start(root) | Event::Empty(root) => return Some(root.local_name().as_ref().to_vec()),
            Event::Decl(_) | Event::Comment(_) | Event::PI(_) => {}
            Event::Text(text) if is_blank(&text) => {}
            _ => return None,
        }
    }
}

/// The status with which an error is sent as a rule. Those that pass are asked again.
fn status(error: &[u8]) -> StatusCode {
    let text = String::from_utf8_lossy(error);
    let code = text.split_once("<Code>").and_then(|(_, rest)| rest.split_once("</Code>")).map_or("", |(code, _)| code);
    match code {
        "InternalError" | "OperationTimedOut" => StatusCode::INTERNAL_SERVER_ERROR,
        code if BUSY.contains(&code) => StatusCode::SERVICE_UNAVAILABLE,
        _ => StatusCode::BAD_REQUEST,
    }
}

/// Whether a page of S3 says that it is not the last. It is said before, or behind, all keys, in which no `<` is written as such.
fn is_truncated(document: &str) -> bool {
    document.split_once("<IsTruncated>").is_some_and(|(_, rest)| rest.trim_start().starts_with("true"))
}

/// The page that a document is; nothing if anything in it is not as it usually is.
fn read(document: &str) -> Option<PaginatedListResult> {
    let mut reader = Reader::from_str(document);
    loop {
        match reader.read_event().ok()? {
            Event::Decl(_) => {}
            Event::Text(text) if is_blank(&text) => {}
            Event::Start(root) if root.name().as_ref() == b"ListBucketResult" => break,
            _ => return None,
        }
    }
    let mut page =
        PaginatedListResult { result: ListResult { common_prefixes: Vec::new(), objects: Vec::new() }, page_token: None };
    while let Some(element) = next(&mut reader)? {
        match element.name().as_ref() {
            b"Contents" => page.result.objects.push(contents(&mut reader)?),
            b"CommonPrefixes" => page.result.common_prefixes.push(prefix(&mut reader)?),
            b"NextContinuationToken" if page.page_token.is_none() => page.page_token = Some(text(&mut reader, &element)?.into()),
            b"NextContinuationToken" => return None,
            _ => skip(&mut reader, &element)?,
        }
    }
    Some(page)
}

fn contents(reader: &mut Reader<&[u8]>) -> Option<ObjectMeta> {
    let (mut location, mut last_modified, mut size, mut e_tag) = (None, None, None, None);
    while let Some(element) = next(reader)? {
        match element.name().as_ref() {
            b"Key" => set(&mut location, Path::parse(text(reader, &element)?).ok()?)?,
            b"LastModified" => set(&mut last_modified, DateTime::parse_from_rfc3339(&text(reader, &element)?).ok()?)?,
            b"Size" => set(&mut size, text(reader, &element)?.parse().ok()?)?,
            b"ETag" => set(&mut e_tag, text(reader, &element)?.into_owned())?,
            _ => skip(reader, &element)?,
        }
    }
    let last_modified: DateTime<Utc> = last_modified?.into();
    Some(ObjectMeta { location: location?, last_modified, size: size?, e_tag, version: None })
}

fn prefix(reader: &mut Reader<&[u8]>) -> Option<Path> {
    let mut prefix = None;
    while let Some(element) = next(reader)? {
        match element.name().as_ref() {
            b"Prefix" => set(&mut prefix, Path::parse(text(reader, &element)?).ok()?)?,
            _ => skip(reader, &element)?,
        }
    }
    prefix
}

/// Each element is there once.
fn set<T>(place: &mut Option<T>, value: T) -> Option<()> {
    place.replace(value).is_none().then_some(())
}

/// The next child, or `Some(None)` at the parent's end. Between children there may be blanks.
#[expect(clippy::option_option, reason = "the outer one gives up")]
fn next<'a>(reader: &mut Reader<&'a [u8]>) -> Option<Option<BytesStart<'a>>> {
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) => return Some(Some(element)),
            Event::End(_) => return Some(None),
            Event::Text(text) if is_blank(&text) => {}
            // Such as `<Prefix/>`, which tells nothing here.
            Event::Empty(element) if !matches!(element.name().as_ref(), b"Contents" | b"CommonPrefixes") => {}
            _ => return None,
        }
    }
}

/// The text of an element that holds nothing but text. Blanks at its edges are not read alike everywhere, nor are line ends.
fn text<'a>(reader: &mut Reader<&'a [u8]>, element: &BytesStart<'a>) -> Option<Cow<'a, str>> {
    let raw = reader.read_text(element.name()).ok()?;
    let is_plain = |raw: &str| {
        let (first, last) = (raw.as_bytes().first(), raw.as_bytes().last());
        !raw.bytes().any(|byte| byte < b' ' || byte == b'<') && first != Some(&b' ') && last != Some(&b' ')
    };
    match raw {
        _ if !is_plain(&raw) => None,
        Cow::Borrowed(raw) => unescape(raw).ok(),
        Cow::Owned(_) => None,
    }
}

fn skip<'a>(reader: &mut Reader<&'a [u8]>, element: &BytesStart<'a>) -> Option<()> {
    reader.read_to_end(element.name()).ok().map(drop)
}

fn is_blank(text: &[u8]) -> bool {
    text.iter().all(u8::is_ascii_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(inner: &str) -> String {
        format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">{inner}</ListBucketResult>"
        )
    }

    fn object(key: &str) -> String {
        format!(
            "<Contents><Key>{key}</Key><LastModified>2024-02-03T04:05:06.789Z</LastModified><ETag>&quot;e&quot;</ETag><Size>7</Size>\
             <Owner><ID>x</ID><DisplayName/></Owner><StorageClass>STANDARD</StorageClass></Contents>"
        )
    }

    #[test]
    fn pages_are_read_as_stores_write_them() {
        let document = page(&format!(
            "<Name>b</Name><Prefix/><KeyCount>3</KeyCount><IsTruncated>true</IsTruncated>{}\n  {}<CommonPrefixes><Prefix>t/dt=1/</Prefix></CommonPrefixes>\
             <NextContinuationToken>a&amp;b==</NextContinuationToken>",
            object("t/a&amp;b &#252;/ü%3A&lt;.parquet"),
            object("t/"),
        ));
        let slot = EarlyPage::new("ListBucketResult");
        assert_eq!(slot.read(Bytes::from(document)).unwrap(), (StatusCode::OK, Bytes::from_static(NOTHING)));
        let seen = slot.take();
        assert!(seen.is_truncated);
        let page = seen.page.unwrap();
        let locations: Vec<&str> = page.result.objects.iter().map(|object| object.location.as_ref()).collect();
        assert_eq!(locations, ["t/a&b ü/ü%3A<.parquet", "t"]);
        let first = &page.result.objects[0];
        assert_eq!(
            (first.size, first.e_tag.as_deref(), first.last_modified.timestamp_millis()),
            (7, Some("\"e\""), 1_706_933_106_789)
        );
        assert_eq!(page.result.common_prefixes, [Path::parse("t/dt=1/").unwrap()]);
        assert_eq!(page.page_token.as_deref(), Some("a&b=="));
        assert!(slot.take().page.is_none());
    }

    #[test]
    fn what_is_written_otherwise_is_left_as_it_came() {
        let documents = [
            "<ListBucketResult/>".to_owned(),
            page(&object("t/a b\n")),
            page(&object(" t/a")),
            page(&object("t/<![CDATA[a]]>")),
            page(&object("t/&unknown;")),
            page(&object("t//a")),
            page(&object("t/a").replace("<Size>7</Size>", "")),
            page(&object("t/a").replace("<Size>7</Size>", "<Size>-7</Size>")),
            page(&object("t/a").replace("2024-02-03", "yesterday")),
            page("<Contents/>"),
            page("<CommonPrefixes></CommonPrefixes>"),
            page(&object("t/a")).replace("</ListBucketResult>", ""),
        ];
        for document in documents {
            let slot = EarlyPage::new("ListBucketResult");
            assert_eq!(
                slot.read(Bytes::from(document.clone())).unwrap(),
                (StatusCode::OK, document.clone().into()),
                "{document}"
            );
            assert!(slot.take().page.is_none(), "{document}");
        }
    }

    #[test]
    fn what_is_no_listing_is_no_empty_page() {
        for document in [
            "",
            "not xml",
            "\0\u{1}PAR1",
            "<html><body/></html>",
            "<!DOCTYPE html>\n<html><body>Console</body></html>",
            "<?xml version=\"1.0\"?>\n<EnumerationResults></EnumerationResults>",
            "<ListAllMyBucketsResult/>",
            "{\"error\": \"login\"}",
        ] {
            let slot = EarlyPage::new("ListBucketResult");
            let error = slot.read(Bytes::from(document)).unwrap_err();
            assert!(!error.answer().contains(char::is_control), "{error:?}");
            assert!(EarlyPage::new("EnumerationResults").read(Bytes::from(document)).is_ok() == document.contains("Enumeration"));
        }
        let azure = "\u{feff}<?xml version=\"1.0\" encoding=\"utf-8\"?><EnumerationResults/>";
        let slot = EarlyPage::new("EnumerationResults");
        assert_eq!(slot.read(Bytes::from(azure)).unwrap(), (StatusCode::OK, azure.into()));
        for (code, expected) in [("AccessDenied", 400), ("SlowDown", 503), ("InternalError", 500), ("ServerBusy", 503)] {
            let document = format!("<?xml version=\"1.0\"?><Error><Code>{code}</Code></Error>");
            assert_eq!(
                slot.read(Bytes::from(document.clone())).unwrap(),
                (StatusCode::from_u16(expected).unwrap(), document.into())
            );
        }
    }
}
