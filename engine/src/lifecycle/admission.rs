//! The places of queries that run at a time, and who gets the next one: nobody's queries keep those of others out.
//!
//! Whoever has the fewest queries running comes first, and among these who has waited longest. An eighth of the places is left to
//! users who have none running, so that one who fills all they may get, with queries that hang, leaves room for others. Queries that
//! run are never stopped for others.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// Fewer places than these are all for everybody: there is nothing to be left.
const SHARED_FROM: usize = 4;

/// The places of an engine.
#[derive(Debug)]
pub(crate) struct Places {
    /// Left to users who have no query running.
    reserve: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// By user, places that are held; users without any are not here.
    held: HashMap<Arc<str>, usize>,
    /// In the order they came in.
    waiting: Vec<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    user: Arc<str>,
    sender: oneshot::Sender<Permit>,
}

/// One place that is held. It is given back when it is dropped.
#[derive(Debug)]
struct Permit {
    places: Arc<Places>,
    user: Arc<str>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let granted = {
            let mut state = self.places.lock();
            state.free += 1;
            if let Some(held) = state.held.get_mut(&self.user) {
                *held -= 1;
                if *held == 0 {
                    state.held.remove(&self.user);
                }
            }
            self.places.grant(&mut state)
        };
        for waiter in granted {
            let permit = Self { places: Arc::clone(&self.places), user: Arc::clone(&waiter.user) };
            // One who does not wait any more gives it back by this.
            drop(waiter.sender.send(permit));
        }
    }
}

impl Places {
    /// At least one place.
    pub(crate) fn new(places: usize) -> Arc<Self> {
        let places = places.max(1);
        let reserve = if places < SHARED_FROM { 0 } else { places.div_ceil(8) };
        let state = State { free: places, held: HashMap::new(), waiting: Vec::new() };
        Arc::new(Self { reserve, state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Places that are free.
    #[cfg(test)]
    pub(crate) fn free(&self) -> usize {
        self.lock().free
    }

    /// Waits for a place.
    pub(crate) async fn acquire(self: &Arc<Self>, user: &str) -> Place {
        let mut place = Place { places: Arc::clone(self), user: user.into(), permit: None };
        place.take().await;
        place
    }

    /// Takes out those who get a place now, and notes that they have it.
    fn grant(&self, state: &mut State) -> Vec<Waiter> {
        let mut granted = Vec::new();
        loop {
            let next = state.waiting.iter().enumerate().filter(|(_, waiter)| self.may_take(state, &waiter.user));
            // The first of those who hold the fewest.
            let Some((next, _)) = next.min_by_key(|(_, waiter)| state.held_by(&waiter.user)) else { return granted };
            let waiter = state.waiting.remove(next);
            if !waiter.sender.is_closed() {
                state.take(&waiter.user);
                granted.push(waiter);
            }
        }
    }

    fn may_take(&self, state: &State, user: &str) -> bool {
        let left_to_others = if state.held_by(user) == 0 { 0 } else { self.reserve };
        state.free > left_to_others
    }
}

impl State {
    fn held_by(&self, user: &str) -> usize {
        self.held.get(user).copied().unwrap_or_default()
    }

    fn take(&mut self, user: &Arc<str>) {
        self.free -= 1;
        *self.held.entry(Arc::clone(user)).or_default() += 1;
    }
}

/// A query's place among those that run. It is given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Place {
    places: Arc<Places>,
    user: Arc<str>,
    permit: Option<Permit>,
}

impl Place {
    /// Gives the place back for now.
    pub(crate) fn leave(&mut self) {
        self.permit = None;
    }

    /// Waits for a place again.
    pub(crate) async fn take(&mut self) {
        if self.permit.is_some() {
            return;
        }
        let waits = {
            let mut state = self.places.lock();
            // Those who wait and may have a place have been given it; who waits now may not.
            if self.places.may_take(&state, &self.user) {
                state.take(&self.user);
                None
            } else {
                let (sender, receiver) = oneshot::channel();
                state.waiting.retain(|waiter| !waiter.sender.is_closed());
                state.waiting.push(Waiter { user: Arc::clone(&self.user), sender });
                Some(receiver)
            }
        };
        self.permit = match waits {
            None => Some(Permit { places: Arc::clone(&self.places), user: Arc::clone(&self.user) }),
            // The sender waits with the places, which this holds.
            Some(receiver) => receiver.await.ok(),
        };
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn now(places: &Arc<Places>, user: &str) -> Option<Place> {
        places.acquire(user).now_or_never()
    }

    #[tokio::test]
    async fn one_user_leaves_places_for_those_who_have_none() {
        let places = Places::new(16);
        let mut held: Vec<Place> = std::iter::from_fn(|| now(&places, "ada")).collect();
        assert_eq!((held.len(), places.free()), (14, 2));
        let bob = now(&places, "bob").unwrap();
        assert!(now(&places, "bob").is_none(), "the last is for somebody who has none");
        let eve = now(&places, "eve").unwrap();
        assert!(now(&places, "guest").is_none(), "there are no more");
        drop((bob, eve));
        assert!(now(&places, "ada").is_none());
        held.pop();
        assert!(now(&places, "ada").is_some());
    }

    #[tokio::test]
    async fn who_has_fewest_comes_first_and_then_who_waits_longest() {
        let places = Places::new(2);
        let (first, second) = (now(&places, "ada").unwrap(), now(&places, "ada").unwrap());
        let mut waiting: Vec<_> = ["ada", "bob", "eve", "bob"].map(|user| Box::pin(places.acquire(user))).into();
        assert!(waiting.iter_mut().all(|waiter| waiter.as_mut().now_or_never().is_none()));
        drop(first);
        let bob = waiting[1].as_mut().now_or_never().unwrap();
        drop(second);
        let ada = waiting[0].as_mut().now_or_never().unwrap();
        drop(bob);
        let eve = waiting[2].as_mut().now_or_never().unwrap();
        drop(ada);
        assert!(waiting[3].as_mut().now_or_never().is_some());
        drop(eve);
    }

    #[tokio::test]
    async fn who_gives_up_waiting_takes_no_place_with_them() {
        let places = Places::new(1);
        let first = now(&places, "ada").unwrap();
        let mut gone = Box::pin(places.acquire("bob"));
        let mut granted = Box::pin(places.acquire("bob"));
        assert!(gone.as_mut().now_or_never().is_none() && granted.as_mut().now_or_never().is_none());
        drop(gone);
        drop(first);
        assert_eq!(places.free(), 0, "it is the second one's");
        // Granted, and given up before it was looked at.
        drop(granted);
        assert_eq!(places.free(), 1);
    }

    #[tokio::test]
    async fn a_place_that_was_left_is_taken_again() {
        let places = Places::new(1);
        let mut place = now(&places, "ada").unwrap();
        place.leave();
        let other = now(&places, "bob").unwrap();
        assert!(place.take().now_or_never().is_none());
        drop(other);
        place.take().now_or_never().unwrap();
        assert_eq!(places.free(), 0);
        drop(place);
        assert_eq!(places.free(), 1);
    }
}
