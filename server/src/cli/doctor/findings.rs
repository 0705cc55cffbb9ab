//! The findings of an examination, one line each, and the exit status.

use glaux_engine::{Error, ErrorKind, Result};

use crate::{cli::say::say, diagnostic};

/// Prints findings and remembers the first failure.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) failed: Option<ErrorKind>,
    pub(super) failures: u64,
    pub(super) warnings: u64,
}

impl Findings {
    pub(super) fn ok(&mut self, text: &str) -> Result<()> {
        say(&format!("ok    {text}"))
    }

    /// What is worth knowing about the line before.
    pub(super) fn detail(&mut self, text: &str) -> Result<()> {
        say(&format!("      {text}"))
    }

    pub(super) fn warn(&mut self, text: &str, advice: &str) -> Result<()> {
        self.warnings += 1;
        say(&format!("warn  {text}\n      {advice}"))
    }

    pub(super) fn fail(&mut self, what: &str, error: &Error) -> Result<()> {
        self.failures += 1;
        self.failed.get_or_insert_with(|| error.kind());
        let text = diagnostic::render(error);
        say(&format!("fail  {what}\n      {}", text.trim_end().replace('\n', "\n      ")))
    }
}
