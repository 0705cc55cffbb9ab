//! The error type of the catalog and of every crate above it.
//!
//! A kind says what the caller should do; the message says what happened, in lower case, with the name of the object in double
//! quotes; the hint says what to try. `Display` never repeats the source: the outermost boundary prints the chain of `source()`.
//!
//! A hint about a setting only names it ([`Error::setting`]), as how to set it depends on the front end, which adds that.

use std::{borrow::Cow, fmt, sync::Arc};

pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The kind of an error, by what the caller should do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorKind {
    /// The text of a statement does not parse: correct the statement.
    Syntax,
    /// The request is not valid: correct the argument, type or setting.
    Invalid,
    /// Understood, but not supported: do it another way.
    Unsupported,
    /// The named object does not exist.
    NotFound,
    /// The named object already exists.
    AlreadyExists,
    /// Someone else changed the object in the meantime: read it again and retry.
    Conflict,
    /// The caller may not do this: obtain the permission or credentials.
    Denied,
    /// A configured limit was reached: raise the limit or request less.
    LimitExceeded,
    /// The other side is overloaded: retry later.
    Throttled,
    /// The other side does not answer: check the connection, retry later.
    Unavailable,
    /// Stored data is damaged, or is not what it claims to be: repair or replace it.
    CorruptData,
    /// The caller cancelled it, or closed the connection.
    Cancelled,
    /// Someone else ended it: a KILL, or a server that shuts down. Retry, if that was not intended.
    Aborted,
    /// It exceeded a timeout: raise the timeout or request less.
    TimedOut,
    /// A bug of Glaux.
    Internal,
}

impl ErrorKind {
    /// Every kind, in the order of declaration.
    pub const ALL: [Self; 15] = [
        Self::Syntax,
        Self::Invalid,
        Self::Unsupported,
        Self::NotFound,
        Self::AlreadyExists,
        Self::Conflict,
        Self::Denied,
        Self::LimitExceeded,
        Self::Throttled,
        Self::Unavailable,
        Self::CorruptData,
        Self::Cancelled,
        Self::Aborted,
        Self::TimedOut,
        Self::Internal,
    ];

    /// The stable name, as printed, logged and stored in the history: `NOT_FOUND`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Syntax => "SYNTAX",
            Self::Invalid => "INVALID",
            Self::Unsupported => "UNSUPPORTED",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::Conflict => "CONFLICT",
            Self::Denied => "DENIED",
            Self::LimitExceeded => "LIMIT_EXCEEDED",
            Self::Throttled => "THROTTLED",
            Self::Unavailable => "UNAVAILABLE",
            Self::CorruptData => "CORRUPT_DATA",
            Self::Cancelled => "CANCELLED",
            Self::Aborted => "ABORTED",
            Self::TimedOut => "TIMED_OUT",
            Self::Internal => "INTERNAL",
        }
    }

    /// The kind of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error with its kind, message, optional hint, context and source.
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    setting: Option<&'static str>,
    context: Vec<(&'static str, String)>,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), hint: None, setting: None, context: Vec::new(), source: None }))
    }

    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, message)
    }

    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Unsupported, message)
    }

    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::NotFound, message)
    }

    pub fn already_exists(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::AlreadyExists, message)
    }

    pub fn conflict(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Conflict, message)
    }

    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::CorruptData, message)
    }

    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Internal, message)
    }

    /// Replaces the message and keeps everything else.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = message.into();
        self
    }

    /// Adds what the user should do, as a full sentence without a full stop at the end.
    #[must_use]
    pub fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds the setting that the hint is about, by its key in the configuration, such as `session.max_scan`.
    #[must_use]
    pub fn with_setting(mut self, setting: &'static str) -> Self {
        self.0.setting = Some(setting);
        self
    }

    /// Adds a named detail, such as the path or the table.
    #[must_use]
    pub fn with_context(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.0.context.push((key, value.into()));
        self
    }

    /// Adds the error underneath, which the boundary prints after this one.
    #[must_use]
    pub fn with_source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(Arc::from(source.into()));
        self
    }

    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }

    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The setting that the hint is about.
    #[must_use]
    pub fn setting(&self) -> Option<&'static str> {
        self.0.setting
    }

    #[must_use]
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.0.context
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&printable(&self.0.message))?;
        for (key, value) in &self.0.context {
            write!(f, ", {key} \"{}\"", printable(value))?;
        }
        Ok(())
    }
}

/// A text with control characters escaped, except for newlines and tabs: names in a lake may contain them, and a terminal would execute them.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    let is_plain = |c: char| !c.is_control() || matches!(c, '\n' | '\t');
    if text.chars().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut printable = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        if is_plain(c) { printable.push(c) } else { printable.extend(c.escape_default()) }
    }
    Cow::Owned(printable)
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {self}", self.0.kind)?;
        if let Some(hint) = &self.0.hint {
            write!(f, "\nhint: {hint}")?;
        }
        if let Some(setting) = self.0.setting {
            write!(f, "\nsetting: {setting}")?;
        }
        if let Some(source) = &self.0.source {
            write!(f, "\ncaused by: {source:?}")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_escaped() {
        let error = Error::invalid("no \"a\u{1b}[2J\"").with_context("file", "b\u{7f}\u{9b}");
        assert_eq!(error.to_string(), "no \"a\\u{1b}[2J\", file \"b\\u{7f}\\u{9b}\"");
        assert_eq!(printable("é\tlines\n\"\\"), "é\tlines\n\"\\");
    }
}
