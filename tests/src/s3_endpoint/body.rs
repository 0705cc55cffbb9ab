//! The bodies of answers: sent piece by piece and counted, and, where the script says so, slowly or not to their end.

use std::{
    future::Future,
    io,
    ops::Range,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    task::{Context, Poll},
    time::Duration,
};

use bytes::Bytes;
use hyper::body::{Body, Frame, SizeHint};
use tokio::time::Sleep;

use super::{log::Underway, space::Content};

/// Bytes handed to the connection at a time.
const PIECE_BYTES: u64 = 64 * 1024;
/// How often the connection is given the chance to send what it has before it is broken off.
const FLUSHES: u32 = 16;

/// A range of an object's bytes, or a document.
#[derive(Debug)]
pub(super) struct CountedBody {
    content: Content,
    left: Range<u64>,
    sent: Arc<AtomicU64>,
    piece: u64,
    pause: Option<Duration>,
    sleep: Option<Pin<Box<Sleep>>>,
    /// Where to break off.
    break_at: Option<u64>,
    flushes: u32,
    /// Where nothing comes any more.
    stall_at: Option<u64>,
    underway: Option<Underway>,
}

impl CountedBody {
    pub(super) fn new(content: Content, range: Range<u64>) -> Self {
        let sent = Arc::default();
        let piece = PIECE_BYTES;
        Self {
            content,
            left: range,
            sent,
            piece,
            pause: None,
            sleep: None,
            break_at: None,
            flushes: 0,
            stall_at: None,
            underway: None,
        }
    }

    pub(super) fn empty() -> Self {
        Self::new(Bytes::new().into(), 0..0)
    }

    pub(super) fn count_in(&mut self, sent: &Arc<AtomicU64>) {
        self.sent = Arc::clone(sent);
    }

    pub(super) fn until_sent(&mut self, underway: Underway) {
        self.underway = Some(underway);
    }

    pub(super) fn break_after(&mut self, bytes: u64) {
        self.break_at = Some(self.left.start.saturating_add(bytes));
    }

    pub(super) fn stall_after(&mut self, bytes: u64) {
        self.stall_at = Some(self.left.start.saturating_add(bytes));
    }

    /// Ends after so many bytes; tells how many there are then.
    pub(super) fn shorten(&mut self, bytes: u64) -> u64 {
        self.left.end = self.left.end.min(self.left.start.saturating_add(bytes));
        self.left.end - self.left.start
    }

    pub(super) fn slow(&mut self, piece: usize, pause: Duration) {
        self.piece = (piece as u64).max(1);
        self.pause = Some(pause);
    }
}

impl Body for CountedBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        let end = self.break_at.unwrap_or(u64::MAX).min(self.left.end);
        if self.left.start >= end {
            if end == self.left.end {
                return Poll::Ready(None);
            }
            if self.flushes < FLUSHES {
                self.flushes += 1;
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            return Poll::Ready(Some(Err(io::Error::from(io::ErrorKind::BrokenPipe))));
        }
        if self.stall_at.is_some_and(|at| self.left.start >= at) {
            // Nobody wakes this: it ends when the client hangs up.
            return Poll::Pending;
        }
        let end = self.stall_at.unwrap_or(u64::MAX).min(end);
        if let Some(pause) = self.pause {
            let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep(pause)));
            if sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            self.sleep = None;
        }
        let start = self.left.start;
        let piece = self.content.read(start..end.min(start + self.piece));
        self.left.start += piece.len() as u64;
        self.sent.fetch_add(piece.len() as u64, SeqCst);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.end - self.left.start)
    }
}
