//! Pages of a listing, read as they arrive: S3 and Google write `ListBucketResult`, which `object_store` reads with a general deserializer, most of what a
//! long listing costs in CPU time. Requests, retries and signatures stay its own: the page travels beside its answer, in the request's extensions.
//!
//! What is not written as S3 writes it (or is no page at all) is left to `object_store` as it came.

use std::{
    borrow::Cow,
    sync::{Arc, Mutex, PoisonError},
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use object_store::{ListResult, ObjectMeta, list::PaginatedListResult, path::Path};
use quick_xml::{
    Reader,
    escape::unescape,
    events::{BytesStart, Event},
};

/// What `object_store` is given in place of a page that was read.
const NOTHING: &[u8] = b"<ListBucketResult></ListBucketResult>";

/// The place for the page of one request.
#[derive(Clone, Default)]
pub(in crate::storage) struct EarlyPage(Arc<Mutex<Option<PaginatedListResult>>>);

impl EarlyPage {
    /// Reads an answer's body, and gives what `object_store` is to read of it.
    pub(in crate::storage) fn read(&self, body: Bytes) -> Bytes {
        let page = std::str::from_utf8(&body).ok().and_then(read);
        let is_read = page.is_some();
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = page;
        if is_read { Bytes::from_static(NOTHING) } else { body }
    }

    pub(super) fn take(&self) -> Option<PaginatedListResult> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
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
        let slot = EarlyPage::default();
        assert_eq!(slot.read(Bytes::from(document)), NOTHING);
        let page = slot.take().unwrap();
        let locations: Vec<&str> = page.result.objects.iter().map(|object| object.location.as_ref()).collect();
        assert_eq!(locations, ["t/a&b ü/ü%3A<.parquet", "t"]);
        let first = &page.result.objects[0];
        assert_eq!(
            (first.size, first.e_tag.as_deref(), first.last_modified.timestamp_millis()),
            (7, Some("\"e\""), 1_706_933_106_789)
        );
        assert_eq!(page.result.common_prefixes, [Path::parse("t/dt=1/").unwrap()]);
        assert_eq!(page.page_token.as_deref(), Some("a&b=="));
        assert!(slot.take().is_none());
    }

    #[test]
    fn what_is_written_otherwise_is_left_as_it_came() {
        let documents = [
            "<Error><Code>NoSuchBucket</Code></Error>".to_owned(),
            "<EnumerationResults></EnumerationResults>".to_owned(),
            "not xml".to_owned(),
            String::new(),
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
            let slot = EarlyPage::default();
            assert_eq!(slot.read(Bytes::from(document.clone())), document.as_bytes(), "{document}");
            assert!(slot.take().is_none(), "{document}");
        }
    }
}
