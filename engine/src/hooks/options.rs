//! A hook as the configuration has it.

use std::time::Duration;

use url::Url;

use crate::error::{Error, Result};

/// A hook of the configuration: a URL that a JSON document is posted to, or a command that gets it on standard input.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HookOptions {
    pub url: Option<String>,
    /// The program and its arguments; no shell is involved.
    pub command: Vec<String>,
    /// How long a call may take.
    pub timeout: Duration,
}

impl HookOptions {
    /// How long a call may take where nobody says otherwise.
    pub const TIMEOUT: Duration = Duration::from_secs(10);

    /// Refuses what cannot be called.
    ///
    /// # Errors
    /// `Invalid`, naming the hook.
    pub fn check(&self, name: &str) -> Result<()> {
        let refused = |fault: &str| Error::invalid(format!("hook \"{name}\" {fault}"));
        let has_command = self.command.first().is_some_and(|program| !program.is_empty());
        match &self.url {
            Some(_) if !self.command.is_empty() => Err(refused("has a URL and a command").with_hint("Set one of them")),
            Some(url) if !is_web(url) => Err(refused("has no valid URL").with_hint("Write it with http:// or https://")),
            None if !has_command => {
                Err(refused("has neither a URL nor a command").with_hint("Set url, or command = [\"program\", \"argument\"]"))
            }
            _ if self.timeout.is_zero() => Err(refused("has a timeout of 0").with_hint("Give it a second or more")),
            _ => Ok(()),
        }
    }
}

fn is_web(url: &str) -> bool {
    Url::parse(url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"))
}
