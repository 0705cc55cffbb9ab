//! The little XML that S3 speaks: writing escaped text, and finding an element's text.

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
        self.escaped(text.as_ref());
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

    fn escaped(&mut self, mut text: &str) {
        while let Some(at) = text.find(['&', '<', '>', '"']) {
            self.0.push_str(&text[..at]);
            self.0.push_str(match text.as_bytes()[at] {
                b'&' => "&amp;",
                b'<' => "&lt;",
                b'>' => "&gt;",
                _ => "&quot;",
            });
            text = &text[at + 1..];
        }
        self.0.push_str(text);
    }

    pub(super) fn finish(self) -> String {
        self.0
    }
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
