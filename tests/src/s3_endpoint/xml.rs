//! The little XML that S3 speaks: writing escaped text, and finding an element's text.

use std::borrow::Cow;

/// Builds a document element by element.
#[derive(Debug)]
pub(super) struct Xml(String);

impl Xml {
    pub(super) fn new() -> Self {
        Self("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned())
    }

    /// An element with a text. Listings have thousands, which benches would see: nothing is formatted, and nothing allocated.
    pub(super) fn text(mut self, name: &str, text: impl AsRef<str>) -> Self {
        self.tag(["<", name, ">"]);
        self.0.push_str(&escape(text.as_ref()));
        self.tag(["</", name, ">"]);
        self
    }

    pub(super) fn element(mut self, name: &str, content: impl FnOnce(Self) -> Self) -> Self {
        self.tag(["<", name, ">"]);
        self = content(self);
        self.tag(["</", name, ">"]);
        self
    }

    fn tag(&mut self, parts: [&str; 3]) {
        parts.iter().for_each(|part| self.0.push_str(part));
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
}

fn escape(text: &str) -> Cow<'_, str> {
    if !text.bytes().any(|byte| matches!(byte, b'&' | b'<' | b'>' | b'"')) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(escaped(text))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

fn unescape(text: &str) -> String {
    let entities = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
    entities.iter().fold(text.to_owned(), |text, (entity, character)| text.replace(entity, character))
}

/// The texts of all elements of a name.
pub(super) fn texts(document: &str, name: &str) -> Vec<String> {
    let (open, close) = (format!("<{name}>"), format!("</{name}>"));
    let after = document.split(open.as_str()).skip(1);
    after.filter_map(|rest| rest.split_once(close.as_str())).map(|(text, _)| unescape(text)).collect()
}
