//! What goes wrong, and when: the nth request of a kind, of a key.

use std::{ops::Range, sync::Arc, time::Duration};

use glaux_engine::accounting::RequestKind;
use http::{HeaderMap, HeaderValue, header::RANGE};
use tokio::sync::Semaphore;

/// A line of the script: which requests, and what becomes of them.
#[derive(Debug, Clone)]
pub struct Fault {
    kind: Option<RequestKind>,
    key: Option<String>,
    skip: usize,
    times: usize,
    action: Action,
}

/// What becomes of a request.
#[derive(Debug, Clone)]
pub enum Action {
    /// An error document with this status and code.
    Status(u16, String),
    /// This document, as a success.
    Document(String),
    /// The answer is to be had at this URL.
    Redirect(String),
    /// The connection ends without an answer.
    Disconnect,
    /// The connection ends after so many bytes of the body.
    Truncate(u64),
    /// After so many bytes of the body nothing comes any more, and the connection stays open.
    Stall(u64),
    /// Nothing happens until the gate is released; then the request is answered.
    Hang(Gate),
    /// The body comes in pieces of this size, with a pause before each.
    SlowBody { piece: usize, pause: Duration },
    /// The body ends in good order after so many bytes, although `Content-Range` tells of more.
    Shorten(u64),
    /// The answer is of this range, and says so, whatever range was asked for.
    OtherRange(Range<u64>),
    /// The answer is the whole object, whatever range was asked for.
    IgnoreRange,
}

impl Fault {
    /// The first request of a kind.
    #[must_use]
    pub fn on(kind: RequestKind) -> Self {
        Self { kind: Some(kind), ..Self::any() }
    }

    /// The first request of all.
    #[must_use]
    pub fn any() -> Self {
        Self { kind: None, key: None, skip: 0, times: 1, action: Action::Disconnect }
    }

    /// Only requests whose key, or a listing's prefix, holds this text.
    #[must_use]
    pub fn key(mut self, part: &str) -> Self {
        self.key = Some(part.to_owned());
        self
    }

    /// Not the first that matches but the nth, counted from 1.
    #[must_use]
    pub fn nth(mut self, nth: usize) -> Self {
        self.skip = nth.saturating_sub(1);
        self
    }

    /// So many requests instead of one.
    #[must_use]
    pub fn times(mut self, times: usize) -> Self {
        self.times = times;
        self
    }

    /// All requests from the first that matches on.
    #[must_use]
    pub fn always(self) -> Self {
        self.times(usize::MAX)
    }

    #[must_use]
    pub fn action(mut self, action: Action) -> Self {
        self.action = action;
        self
    }

    /// [`Action::Status`].
    #[must_use]
    pub fn status(self, status: u16, code: &str) -> Self {
        self.action(Action::Status(status, code.to_owned()))
    }

    /// Whether this fault applies to a request; counts it if it matches.
    fn strikes(&mut self, kind: RequestKind, key: &str) -> bool {
        if self.kind.is_some_and(|wanted| wanted != kind) || self.key.as_ref().is_some_and(|part| !key.contains(part)) {
            return false;
        }
        if self.skip > 0 {
            self.skip -= 1;
            return false;
        }
        self.times = match self.times {
            0 => return false,
            usize::MAX => usize::MAX,
            times => times - 1,
        };
        true
    }
}

/// Makes a request into the one that a server with this fault answers.
pub(super) fn misread(action: &Action, headers: &mut HeaderMap) {
    match action {
        Action::OtherRange(range) => {
            let asked = format!("bytes={}-{}", range.start, range.end.saturating_sub(1));
            if let Ok(asked) = HeaderValue::from_str(&asked) {
                headers.insert(RANGE, asked);
            }
        }
        Action::IgnoreRange => _ = headers.remove(RANGE),
        _ => {}
    }
}

/// What the script has for a request.
pub(super) fn next(faults: &mut [Fault], kind: RequestKind, key: &str) -> Option<Action> {
    faults.iter_mut().find_map(|fault| fault.strikes(kind, key).then(|| fault.action.clone()))
}

/// Where hanging requests wait.
#[derive(Debug, Clone)]
pub struct Gate {
    arrived: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { arrived: Arc::new(Semaphore::new(0)), open: Arc::new(Semaphore::new(0)) }
    }
}

impl Gate {
    /// Waits until one more request has come to the gate.
    pub async fn arrived(&self) {
        if let Ok(permit) = self.arrived.acquire().await {
            permit.forget();
        }
    }

    /// Lets all that wait go on, and all that come.
    pub fn release(&self) {
        self.open.close();
    }

    pub(super) async fn pass(&self) {
        self.arrived.add_permits(1);
        // Closed is how the gate opens.
        _ = self.open.acquire().await;
    }
}
