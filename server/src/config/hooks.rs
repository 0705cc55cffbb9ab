//! The sections `[hooks.NAME]`: what the engine calls when a budget is used. What a hook can be is the engine's to say.

use glaux_engine::config::HookOptions;
use serde::{Deserialize, Serialize};

use crate::span::Span;

/// A section `[hooks.NAME]` of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HookSection {
    /// What a document is posted to.
    url: Option<String>,
    /// What gets it on standard input: a program and its arguments.
    command: Vec<String>,
    /// How long a call may take.
    timeout: Span,
}

impl Default for HookSection {
    fn default() -> Self {
        Self { url: None, command: Vec::new(), timeout: Span(HookOptions::TIMEOUT) }
    }
}

impl HookSection {
    pub(super) fn options(self) -> HookOptions {
        let Self { url, command, timeout } = self;
        HookOptions { url: url.filter(|url| !url.is_empty()), command, timeout: timeout.0 }
    }
}
