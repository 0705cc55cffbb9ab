//! What a request asks for: its parts decoded, and its kind as a store's bill tells them apart.

use std::collections::HashMap;

use bytes::Bytes;
use glaux_engine::accounting::RequestKind;
use http::{HeaderMap, Method, Uri, request::Parts};
use percent_encoding::percent_decode_str;

/// A request, decoded.
#[derive(Debug)]
pub(super) struct Operation {
    pub(super) method: Method,
    pub(super) bucket: String,
    pub(super) key: String,
    pub(super) query: HashMap<String, String>,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Operation {
    pub(super) fn new(parts: Parts, body: Bytes) -> Self {
        let path = parts.uri.path().trim_start_matches('/');
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        let query = query(&parts.uri);
        Self { bucket: decode(bucket), key: decode(key), query, method: parts.method, headers: parts.headers, body }
    }

    pub(super) fn kind(&self) -> RequestKind {
        match self.method.as_str() {
            "HEAD" => RequestKind::Head,
            "GET" if self.key.is_empty() => RequestKind::List,
            "GET" => RequestKind::Get,
            "DELETE" => RequestKind::Delete,
            "POST" if self.query.contains_key("delete") => RequestKind::Delete,
            _ => RequestKind::Put,
        }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn parameter(&self, name: &str) -> Option<&str> {
        self.query.get(name).map(String::as_str)
    }

    /// The access key that signed the request.
    pub(super) fn access_key(&self) -> Option<&str> {
        let (_, rest) = self.header("authorization")?.split_once("Credential=")?;
        rest.split('/').next()
    }
}

pub(super) fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn query(uri: &Uri) -> HashMap<String, String> {
    let pairs = uri.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    let decoded = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
    decoded.map(|(name, value)| (decode(&name.replace('+', " ")), decode(&value.replace('+', " ")))).collect()
}
