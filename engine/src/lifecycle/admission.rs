//! Admission: how many queries run at the same time, and whose turn is next. No user's queries can keep those of others waiting for ever.
//!
//! A query runs in a slot. A free slot goes to the user with the fewest queries running, and among equals to the query that has waited longest. An
//! eighth of the slots is reserved for users who have none running, so that one user's queries that hang leave room for those of others. A running
//! query is never stopped for another.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

/// With fewer slots than these, none is reserved.
const RESERVED_FROM: usize = 4;

/// The slots of an engine.
#[derive(Debug)]
pub(crate) struct Slots {
    /// How many are reserved for users who have no query running.
    reserve: usize,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// By user, how many slots they hold; users without any are absent.
    held: HashMap<Arc<str>, usize>,
    /// In the order in which they came in.
    waiting: Vec<Waiter>,
}

#[derive(Debug)]
struct Waiter {
    user: Arc<str>,
    sender: oneshot::Sender<Permit>,
}

/// The right to run in one slot, given back when it is dropped.
#[derive(Debug)]
struct Permit {
    slots: Arc<Slots>,
    user: Arc<str>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let granted = {
            let mut state = self.slots.lock();
            state.free += 1;
            if let Some(held) = state.held.get_mut(&self.user) {
                *held -= 1;
                if *held == 0 {
                    state.held.remove(&self.user);
                }
            }
            self.slots.grant(&mut state)
        };
        for waiter in granted {
            let permit = Self { slots: Arc::clone(&self.slots), user: Arc::clone(&waiter.user) };
            // If nobody waits for it any more, dropping it gives it back.
            drop(waiter.sender.send(permit));
        }
    }
}

impl Slots {
    /// At least one slot.
    pub(crate) fn new(slots: usize) -> Arc<Self> {
        let slots = slots.max(1);
        let reserve = if slots < RESERVED_FROM { 0 } else { slots.div_ceil(8) };
        let state = State { free: slots, held: HashMap::new(), waiting: Vec::new() };
        Arc::new(Self { reserve, state: Mutex::new(state) })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How many slots are free.
    #[cfg(test)]
    pub(crate) fn free(&self) -> usize {
        self.lock().free
    }

    /// Waits for a slot.
    pub(crate) async fn acquire(self: &Arc<Self>, user: &str) -> Slot {
        let mut slot = Slot { slots: Arc::clone(self), user: user.into(), permit: None };
        slot.take().await;
        slot
    }

    /// Removes the waiters that get a slot now, and records that they have it.
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
        let reserved = if state.held_by(user) == 0 { 0 } else { self.reserve };
        state.free > reserved
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

/// A query's slot among those that run, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    user: Arc<str>,
    permit: Option<Permit>,
}

impl Slot {
    /// Gives the slot back for now.
    pub(crate) fn release(&mut self) {
        self.permit = None;
    }

    /// Waits for a slot again.
    pub(crate) async fn take(&mut self) {
        if self.permit.is_some() {
            return;
        }
        let waits = {
            let mut state = self.slots.lock();
            // Whoever waits and may have a slot has been given it; those who still wait may not.
            if self.slots.may_take(&state, &self.user) {
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
            None => Some(Permit { slots: Arc::clone(&self.slots), user: Arc::clone(&self.user) }),
            // The sender is kept with the slots, which this holds.
            Some(receiver) => receiver.await.ok(),
        };
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    fn now(slots: &Arc<Slots>, user: &str) -> Option<Slot> {
        slots.acquire(user).now_or_never()
    }

    #[tokio::test]
    async fn one_user_leaves_slots_for_those_who_have_none() {
        let slots = Slots::new(16);
        let mut held: Vec<Slot> = std::iter::from_fn(|| now(&slots, "ada")).collect();
        assert_eq!((held.len(), slots.free()), (14, 2));
        let bob = now(&slots, "bob").unwrap();
        assert!(now(&slots, "bob").is_none(), "the last is for somebody who has none");
        let eve = now(&slots, "eve").unwrap();
        assert!(now(&slots, "guest").is_none(), "there are no more");
        drop((bob, eve));
        assert!(now(&slots, "ada").is_none());
        held.pop();
        assert!(now(&slots, "ada").is_some());
    }

    #[tokio::test]
    async fn who_has_fewest_comes_first_and_then_who_waits_longest() {
        let slots = Slots::new(2);
        let (first, second) = (now(&slots, "ada").unwrap(), now(&slots, "ada").unwrap());
        let mut waiting: Vec<_> = ["ada", "bob", "eve", "bob"].map(|user| Box::pin(slots.acquire(user))).into();
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
    async fn who_gives_up_waiting_takes_no_slot_with_them() {
        let slots = Slots::new(1);
        let first = now(&slots, "ada").unwrap();
        let mut gone = Box::pin(slots.acquire("bob"));
        let mut granted = Box::pin(slots.acquire("bob"));
        assert!(gone.as_mut().now_or_never().is_none() && granted.as_mut().now_or_never().is_none());
        drop(gone);
        drop(first);
        assert_eq!(slots.free(), 0, "it is the second one's");
        // Granted, and given up before it was looked at.
        drop(granted);
        assert_eq!(slots.free(), 1);
    }

    #[tokio::test]
    async fn a_slot_that_was_left_is_taken_again() {
        let slots = Slots::new(1);
        let mut slot = now(&slots, "ada").unwrap();
        slot.release();
        let other = now(&slots, "bob").unwrap();
        assert!(slot.take().now_or_never().is_none());
        drop(other);
        slot.take().now_or_never().unwrap();
        assert_eq!(slots.free(), 0);
        drop(slot);
        assert_eq!(slots.free(), 1);
    }
}
