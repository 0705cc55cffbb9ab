//! One call of a hook: a POST, or a process, ended by its timeout.

use std::{io, process::Stdio, time::Duration};

use serde_json::Value;
use tokio::{io::AsyncWriteExt, process::Command};

use super::options::HookOptions;
use crate::error::{Error, ErrorKind, Result};

/// A hook that is to be called.
#[derive(Clone)]
pub(crate) struct HookCall {
    name: String,
    options: HookOptions,
}

impl HookCall {
    pub(super) fn new(name: &str, options: &HookOptions) -> Self {
        Self { name: name.to_owned(), options: options.clone() }
    }

    /// Calls it with a document.
    ///
    /// # Errors
    /// `TimedOut`; `Unavailable` if it cannot be reached or started, or does not succeed.
    pub(crate) async fn call(&self, document: &Value) -> Result<()> {
        let HookOptions { url, command, timeout } = &self.options;
        let called = async {
            match (url, command.split_first()) {
                (Some(url), _) => self.post(url, document, *timeout).await,
                (None, Some((program, arguments))) => self.run(program, arguments, document).await,
                (None, None) => Err(self.failed("has neither a URL nor a command")),
            }
        };
        tokio::time::timeout(*timeout, called).await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::TimedOut, format!("hook \"{}\" did not answer within {timeout:?}", self.name)))
        })
    }

    async fn post(&self, url: &str, document: &Value, timeout: Duration) -> Result<()> {
        let client = reqwest::Client::builder()
            .timeout(timeout)
            // A redirect could lead to where nobody has meant it to.
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("glaux/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| self.failed("cannot be called").with_source(error))?;
        // The URL may hold a secret.
        let answer = client.post(url).json(document).send().await.map_err(|error| match error.is_timeout() {
            true => Error::new(ErrorKind::TimedOut, format!("hook \"{}\" did not answer within {timeout:?}", self.name)),
            false => self.failed("cannot be reached").with_source(error.without_url()),
        })?;
        let status = answer.status();
        if status.is_success() { Ok(()) } else { Err(self.failed(&format!("answered {status}"))) }
    }

    async fn run(&self, program: &str, arguments: &[String], document: &Value) -> Result<()> {
        let mut child = Command::new(program)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| self.failed("could not be started").with_source(error))?;
        if let Some(mut input) = child.stdin.take() {
            match input.write_all(document.to_string().as_bytes()).await {
                // A command may not care what it is called for.
                Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                    return Err(self.failed("did not accept its input").with_source(error));
                }
                Ok(()) | Err(_) => {}
            }
        }
        let status = child.wait().await.map_err(|error| self.failed("ended without an exit status").with_source(error))?;
        if status.success() { Ok(()) } else { Err(self.failed(&format!("failed: {status}"))) }
    }

    fn failed(&self, fault: &str) -> Error {
        Error::new(ErrorKind::Unavailable, format!("hook \"{}\" {fault}", self.name))
    }
}

impl std::fmt::Debug for HookCall {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HookCall").field("name", &self.name).finish_non_exhaustive()
    }
}
