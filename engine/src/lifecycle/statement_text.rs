//! What is recorded of a statement's text, and who decides it: whoever knows SQL. A lifecycle does not.

/// A statement's text as the history keeps it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct StatementText {
    /// The text without its literals; absent where it is kept as it is.
    pub redacted: Option<String>,
    /// In one form of writing, with `?` in place of literals; absent for what cannot be read.
    pub normalized: Option<String>,
    /// The hash of that form, or of the text.
    pub fingerprint: Option<u64>,
}

/// How texts are recorded.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TextRules {
    /// What is recorded of a statement.
    pub describe: fn(statement: &str) -> StatementText,
    /// What is recorded of the error that a statement ended with.
    pub error: fn(message: String, statement: &str) -> String,
}

impl Default for TextRules {
    /// Texts as they are, of which nothing is known.
    fn default() -> Self {
        Self { describe: |_| StatementText::default(), error: |message, _| message }
    }
}
