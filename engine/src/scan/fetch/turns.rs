//! Which request is sent next: a fixed number at a time, one from each query's queue in turn. A query with a thousand waiting requests does not
//! delay another query's first one.
//!
//! A few requests of each line are sent whatever others do, beyond the number: requests that hang, all of one store say, must not keep
//! queries of other stores from going on.

use std::{
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
};

use tokio::sync::oneshot;

/// Requests of a line that wait for nobody.
const GUARANTEED: usize = 4;

/// The turns of a process.
#[derive(Debug, Clone)]
pub(super) struct Turns(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    limit: usize,
    lines: AtomicU64,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    in_flight: usize,
    /// By line; lines with none are not here.
    of_line: HashMap<u64, usize>,
    /// Lines in which somebody waits; the first one is served next.
    lines: VecDeque<Line>,
}

#[derive(Debug)]
struct Line {
    id: u64,
    waiting: VecDeque<oneshot::Sender<Turn>>,
}

impl State {
    fn begin(&mut self, line: u64) {
        self.in_flight += 1;
        *self.of_line.entry(line).or_default() += 1;
    }

    fn end(&mut self, line: u64) {
        self.in_flight -= 1;
        if let Some(held) = self.of_line.get_mut(&line) {
            *held -= 1;
            if *held == 0 {
                self.of_line.remove(&line);
            }
        }
    }

    fn is_guaranteed(&self, line: u64) -> bool {
        self.of_line.get(&line).copied().unwrap_or_default() < GUARANTEED
    }

    /// Takes out who is served next, if somebody may be.
    fn next(&mut self, limit: usize) -> Option<(u64, oneshot::Sender<Turn>)> {
        let at = match self.in_flight < limit {
            true => 0,
            false => self.lines.iter().position(|line| self.is_guaranteed(line.id))?,
        };
        let mut line = self.lines.remove(at)?;
        let next = line.waiting.pop_front();
        let id = line.id;
        if !line.waiting.is_empty() {
            self.lines.push_back(line);
        }
        Some((id, next?))
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Turns {
    pub(super) fn new(limit: usize) -> Self {
        Self(Arc::new(Shared { limit, lines: AtomicU64::new(0), state: Mutex::default() }))
    }

    /// A new line.
    pub(super) fn line(&self) -> u64 {
        self.0.lines.fetch_add(1, Relaxed)
    }

    /// Takes the last place in a line, now; the answer is ready when it is served.
    pub(super) fn take(&self, line: u64) -> impl Future<Output = Turn> + use<> {
        let mut state = self.0.lock();
        // Whoever waits waits because they may not be served.
        let (ready, waiting) = if state.in_flight < self.0.limit || state.is_guaranteed(line) {
            state.begin(line);
            (Some(Turn(Some((Arc::clone(&self.0), line)))), None)
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
pub(super) struct Turn(Option<(Arc<Shared>, u64)>);

impl Drop for Turn {
    fn drop(&mut self) {
        let Some((shared, line)) = self.0.take() else { return };
        let mut ended = line;
        loop {
            let (line, next) = {
                let mut state = shared.lock();
                state.end(ended);
                let Some((line, next)) = state.next(shared.limit) else { return };
                state.begin(line);
                (line, next)
            };
            match next.send(Self(Some((Arc::clone(&shared), line)))) {
                Ok(()) => return,
                // Whoever waited has gone: the next one's turn.
                Err(mut refused) => refused.0 = None,
            }
            ended = line;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn served(turn: &mut std::pin::Pin<Box<impl Future<Output = Turn>>>) -> Option<Turn> {
        turn.as_mut().now_or_never()
    }

    #[test]
    fn lines_are_served_in_turn_and_those_who_left_are_passed_over() {
        let turns = Turns::new(2 * GUARANTEED);
        let (many, few) = (turns.line(), turns.line());
        let mut first: Vec<_> = (0..2 * GUARANTEED).map(|_| turns.take(many).now_or_never().unwrap()).collect();
        let mut waiting: Vec<_> = (0..5).map(|_| Box::pin(turns.take(many))).collect();
        // What is guaranteed is beyond the number; the next waits.
        let guaranteed: Vec<_> = (0..GUARANTEED).map(|_| turns.take(few).now_or_never().unwrap()).collect();
        let mut other = Box::pin(turns.take(few));
        assert!(served(&mut waiting[0]).is_none() && served(&mut other).is_none());
        drop(guaranteed);
        // The short line had more than was its own, and has it back first.
        let of_other = served(&mut other).unwrap();
        drop(of_other);
        assert!(served(&mut waiting[0]).is_none());
        first.pop();
        let of_many = served(&mut waiting[0]).unwrap();
        waiting.drain(..3);
        drop(of_many);
        let left = served(&mut waiting[0]).unwrap();
        drop((left, first, waiting));
        let state = turns.0.lock();
        assert_eq!((state.in_flight, state.of_line.len(), state.lines.len()), (0, 0, 0));
    }

    #[test]
    fn each_line_goes_on_whatever_others_hold() {
        let turns = Turns::new(1);
        let (hangs, goes_on) = (turns.line(), turns.line());
        let held: Vec<_> = (0..GUARANTEED).map(|_| turns.take(hangs).now_or_never().unwrap()).collect();
        let mut behind = Box::pin(turns.take(hangs));
        for _ in 0..3 {
            let mut own: Vec<_> = (0..GUARANTEED).map(|_| turns.take(goes_on).now_or_never().unwrap()).collect();
            let mut next = Box::pin(turns.take(goes_on));
            assert!(served(&mut next).is_none());
            own.pop();
            assert!(served(&mut next).is_some(), "its own place goes to the next of its line");
        }
        assert!(served(&mut behind).is_none());
        drop(held);
        assert!(served(&mut behind).is_some());
    }
}
