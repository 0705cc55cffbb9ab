//! Who may send the next request: a fixed number at a time, one of each query's line after the other. A query with a thousand requests waiting
//! does not keep another one's first request behind them.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::sync::oneshot;

/// The turns of a process.
#[derive(Debug, Clone)]
pub(super) struct Turns(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    lines: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// Lines in which somebody waits; the first one is served next.
    lines: VecDeque<Line>,
}

#[derive(Debug)]
struct Line {
    id: u64,
    waiting: VecDeque<oneshot::Sender<Turn>>,
}

impl Turns {
    pub(super) fn new(limit: usize) -> Self {
        Self(Arc::new(Shared { lines: AtomicU64::new(0), state: Mutex::new(State { free: limit, lines: VecDeque::new() }) }))
    }

    /// A new line.
    pub(super) fn line(&self) -> u64 {
        self.0.lines.fetch_add(1, Relaxed)
    }

    /// Takes the last place in a line, now; the answer is ready when it is served.
    pub(super) fn take(&self, line: u64) -> impl Future<Output = Turn> + use<> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (ready, waiting) = if state.free > 0 {
            state.free -= 1;
            (Some(Turn(Some(Arc::clone(&self.0)))), None)
        } else {
            let (sender, receiver) = oneshot::channel();
            match state.lines.iter_mut().find(|waiting| waiting.id == line) {
                Some(found) => found.waiting.push_back(sender),
                None => state.lines.push_back(Line { id: line, waiting: VecDeque::from([sender]) }),
            }
            (None, Some(receiver))
        };
        async move {
            match (ready, waiting) {
                (Some(turn), _) => turn,
                // A place is given up only with the whole process.
                (None, Some(waiting)) => waiting.await.unwrap_or(Turn(None)),
                (None, None) => Turn(None),
            }
        }
    }
}

/// Leave to send one request, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Turn(Option<Arc<Shared>>);

impl Drop for Turn {
    fn drop(&mut self) {
        let Some(shared) = self.0.take() else { return };
        loop {
            let next = {
                let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
                match state.lines.pop_front() {
                    None => {
                        state.free += 1;
                        return;
                    }
                    Some(mut line) => {
                        let next = line.waiting.pop_front();
                        if !line.waiting.is_empty() {
                            state.lines.push_back(line);
                        }
                        next
                    }
                }
            };
            let Some(next) = next else { continue };
            match next.send(Self(Some(Arc::clone(&shared)))) {
                Ok(()) => return,
                // Whoever waited has gone: the next one's turn.
                Err(mut refused) => refused.0 = None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn lines_are_served_in_turn_and_those_who_left_are_passed_over() {
        let turns = Turns::new(2);
        let (many, few) = (turns.line(), turns.line());
        let mut first: Vec<_> = (0..2).map(|_| turns.take(many).now_or_never().unwrap()).collect();
        let mut waiting: Vec<_> = (0..5).map(|_| Box::pin(turns.take(many))).collect();
        let mut other = Box::pin(turns.take(few));
        assert!(waiting[0].as_mut().now_or_never().is_none());
        // One of the long line, then the short line's, then the long one's again.
        first.pop();
        let served = waiting[0].as_mut().now_or_never().unwrap();
        assert!(other.as_mut().now_or_never().is_none());
        drop(served);
        let of_other = other.as_mut().now_or_never().unwrap();
        waiting.drain(..3);
        drop(of_other);
        let left = waiting[0].as_mut().now_or_never().unwrap();
        drop((left, first, waiting));
        assert_eq!(turns.0.state.lock().unwrap().free, 2);
    }
}
