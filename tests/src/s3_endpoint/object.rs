//! What is asked of objects: reading with ranges and conditions, writing whole or in parts, deleting.

use std::ops::Range;

use glaux_engine::accounting::RequestKind;
use http::{
    HeaderValue, Method, Response, StatusCode,
    header::{ACCEPT_RANGES, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, LAST_MODIFIED, LOCATION},
};

use super::{
    body::CountedBody,
    listing,
    operation::{Operation, decode},
    space::{Object, Space},
    xml::{Xml, texts},
};

type Answer = Response<CountedBody>;

/// Does what is asked.
pub(super) fn answer(space: &mut Space, operation: &Operation) -> Answer {
    if !space.has_bucket(&operation.bucket) {
        return error(operation, 404, "NoSuchBucket");
    }
    let has = |name: &str| operation.query.contains_key(name);
    match (operation.kind(), &operation.method) {
        (RequestKind::List, _) => document(200, listing::list(space, operation)),
        (RequestKind::Get | RequestKind::Head, _) => read(space, operation),
        (RequestKind::Delete, &Method::POST) => delete_many(space, operation),
        (RequestKind::Delete, _) if has("uploadId") => match space.abort_upload(&operation.query["uploadId"]) {
            true => status(StatusCode::NO_CONTENT),
            false => error(operation, 404, "NoSuchUpload"),
        },
        (RequestKind::Delete, _) => {
            space.remove(&operation.bucket, &operation.key);
            status(StatusCode::NO_CONTENT)
        }
        (RequestKind::Put, &Method::POST) if has("uploads") => {
            let id = space.begin_upload(&operation.bucket, &operation.key);
            document(200, Xml::new().element("InitiateMultipartUploadResult", |xml| xml.text("UploadId", id)).finish())
        }
        (RequestKind::Put, &Method::POST) if has("uploadId") => complete(space, operation),
        (RequestKind::Put, &Method::PUT) if has("uploadId") => {
            let number = operation.parameter("partNumber").and_then(|number| number.parse().ok()).unwrap_or(0);
            match space.put_part(&operation.query["uploadId"], number, operation.body.clone()) {
                Some(e_tag) => with_header(status(StatusCode::OK), ETAG, &e_tag),
                None => error(operation, 404, "NoSuchUpload"),
            }
        }
        (RequestKind::Put, &Method::PUT) => write(space, operation),
        _ => error(operation, 405, "MethodNotAllowed"),
    }
}

/// Where to ask instead.
pub(super) fn redirect(to: &str) -> Answer {
    with_header(status(StatusCode::FOUND), LOCATION, to)
}

/// An error as S3 tells it; without a document where the request was a HEAD.
pub(super) fn error(operation: &Operation, code_status: u16, code: &str) -> Answer {
    let resource = format!("/{}/{}", operation.bucket, operation.key);
    let xml = Xml::new().element("Error", |xml| {
        xml.text("Code", code).text("Message", format!("the answer is {code}")).text("Resource", resource).text("RequestId", "1")
    });
    match operation.method {
        Method::HEAD => status(StatusCode::from_u16(code_status).unwrap_or_default()),
        _ => document(code_status, xml.finish()),
    }
}

fn read(space: &Space, operation: &Operation) -> Answer {
    if operation.key.is_empty() {
        return status(StatusCode::OK);
    }
    let Some(object) = space.object(&operation.bucket, &operation.key) else {
        return error(operation, 404, "NoSuchKey");
    };
    let (e_tag, size) = (object.e_tag(), object.content.size());
    if operation.header("if-match").is_some_and(|wanted| wanted != "*" && wanted != e_tag) {
        return error(operation, 412, "PreconditionFailed");
    }
    if operation.header("if-none-match").is_some_and(|unwanted| unwanted == "*" || unwanted == e_tag) {
        return status(StatusCode::NOT_MODIFIED);
    }
    let (range, code) = match operation.header("range").and_then(|range| parse_range(range, size)) {
        None => (0..size, StatusCode::OK),
        Some(range) if range.start < range.end => (range, StatusCode::PARTIAL_CONTENT),
        Some(_) => return error(operation, 416, "InvalidRange"),
    };
    let body = match operation.method {
        Method::HEAD => CountedBody::empty(),
        _ => CountedBody::new(object.content.clone(), range.clone()),
    };
    let mut answer = described(Response::new(body), object, &space.spellings.1.of(&e_tag));
    *answer.status_mut() = code;
    answer = with_header(answer, CONTENT_LENGTH, &(range.end - range.start).to_string());
    if code == StatusCode::PARTIAL_CONTENT {
        answer = with_header(answer, CONTENT_RANGE, &format!("bytes {}-{}/{size}", range.start, range.end - 1));
    }
    answer
}

/// The range that a header asks for, cut short at the end; empty where there is nothing; `None` where it is to be ignored.
fn parse_range(header: &str, size: u64) -> Option<Range<u64>> {
    let (start, end) = header.strip_prefix("bytes=")?.split_once('-')?;
    if start.is_empty() {
        let suffix: u64 = end.parse().ok()?;
        return Some(size.saturating_sub(suffix)..size);
    }
    let start: u64 = start.parse().ok()?;
    let end = if end.is_empty() { size } else { end.parse::<u64>().ok()?.saturating_add(1).min(size) };
    Some(start.min(end)..end)
}

fn write(space: &mut Space, operation: &Operation) -> Answer {
    let (bucket, key) = (&operation.bucket, &operation.key);
    let old = space.object(bucket, key);
    if operation.header("if-none-match") == Some("*") && old.is_some() {
        return error(operation, 412, "PreconditionFailed");
    }
    if let Some(wanted) = operation.header("if-match") {
        match old {
            None => return error(operation, 404, "NoSuchKey"),
            Some(old) if old.e_tag() != wanted => return error(operation, 412, "PreconditionFailed"),
            Some(_) => {}
        }
    }
    let source = operation.header("x-amz-copy-source").map(|source| decode(source.trim_start_matches('/')));
    let content = match source.as_deref().map(|source| source.split_once('/').unwrap_or((source, ""))) {
        None => operation.body.clone().into(),
        Some((bucket, key)) => match space.object(bucket, key) {
            Some(object) => object.content.clone(),
            None => return error(operation, 404, "NoSuchKey"),
        },
    };
    space.put(bucket, key.clone(), content);
    let e_tag = space.object(bucket, key).map(Object::e_tag).unwrap_or_default();
    let answer = match source {
        Some(_) => document(200, Xml::new().element("CopyObjectResult", |xml| xml.text("ETag", &e_tag)).finish()),
        None => status(StatusCode::OK),
    };
    with_header(answer, ETAG, &e_tag)
}

fn complete(space: &mut Space, operation: &Operation) -> Answer {
    if operation.header("if-none-match") == Some("*") && space.object(&operation.bucket, &operation.key).is_some() {
        return error(operation, 412, "PreconditionFailed");
    }
    let body = String::from_utf8_lossy(&operation.body);
    let numbers: Vec<u32> = texts(&body, "PartNumber").iter().filter_map(|number| number.parse().ok()).collect();
    match space.complete_upload(&operation.query["uploadId"], &numbers) {
        None => error(operation, 400, "InvalidPart"),
        Some(()) => {
            let e_tag = space.object(&operation.bucket, &operation.key).map(Object::e_tag).unwrap_or_default();
            document(200, Xml::new().element("CompleteMultipartUploadResult", |xml| xml.text("ETag", e_tag)).finish())
        }
    }
}

fn delete_many(space: &mut Space, operation: &Operation) -> Answer {
    let keys = texts(&String::from_utf8_lossy(&operation.body), "Key");
    keys.iter().for_each(|key| space.remove(&operation.bucket, key));
    let xml = Xml::new()
        .element("DeleteResult", |xml| keys.iter().fold(xml, |xml, key| xml.element("Deleted", |xml| xml.text("Key", key))));
    document(200, xml.finish())
}

fn described(answer: Answer, object: &Object, e_tag: &str) -> Answer {
    let modified = object.modified().format("%a, %d %b %Y %H:%M:%S GMT").to_string();
    let answer = with_header(answer, ETAG, e_tag);
    let answer = with_header(answer, LAST_MODIFIED, &modified);
    with_header(with_header(answer, ACCEPT_RANGES, "bytes"), CONTENT_TYPE, "application/octet-stream")
}

fn status(status: StatusCode) -> Answer {
    let mut answer = Response::new(CountedBody::empty());
    *answer.status_mut() = status;
    answer
}

pub(super) fn document(status: u16, document: String) -> Answer {
    let size = document.len() as u64;
    let mut answer = Response::new(CountedBody::new(document.into(), 0..size));
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or_default();
    with_header(answer, CONTENT_TYPE, "application/xml")
}

fn with_header(mut answer: Answer, name: http::HeaderName, value: &str) -> Answer {
    if let Ok(value) = HeaderValue::from_str(value) {
        answer.headers_mut().insert(name, value);
    }
    answer
}
