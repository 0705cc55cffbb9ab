//! Admission: how many queries run at the same time, and whose turn is next. No workgroup and no user can keep others waiting for ever.
//!
//! A query runs in a slot. Those that find none wait in the queue of their workgroup, which is bounded: a query that comes when it is full is refused.
//! A free slot goes to the workgroup with the fewest queries running, within it to the user with the fewest, and among equals to the query that has
//! waited longest. A workgroup may have a number of slots that it never exceeds. An eighth of all slots is reserved for users who have none running, so
//! that one user's queries that hang leave room for those of others. A running query is never stopped for another.

#[cfg(test)]
mod tests;

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tokio::sync::oneshot;

use super::report::QueryId;
use crate::error::{Error, ErrorKind, Result};

/// With fewer slots than these, none is reserved.
const RESERVED_FROM: usize = 4;

/// The slots of an engine.
#[derive(Debug)]
pub(crate) struct Slots {
    /// How many are reserved for users who have no query running.
    reserve: usize,
    state: Mutex<State>,
}

/// Who asks for a slot.
#[derive(Debug, Clone)]
pub(crate) struct Claim {
    pub(crate) query: Option<QueryId>,
    pub(crate) workgroup: Arc<str>,
    pub(crate) user: Arc<str>,
    /// Slots that the workgroup may have.
    pub(crate) max_running: usize,
    /// Queries of the workgroup that may wait.
    pub(crate) max_waiting: usize,
}

#[derive(Debug)]
struct State {
    free: usize,
    /// How many slots are held by user, by workgroup, and by user of a workgroup.
    users: Counts<Arc<str>>,
    workgroups: Counts<Arc<str>>,
    members: Counts<(Arc<str>, Arc<str>)>,
    /// In the order in which they came in.
    waiting: Vec<Waiter>,
}

/// Numbers by key; a key with none is absent.
#[derive(Debug)]
struct Counts<K>(HashMap<K, usize>);

#[derive(Debug)]
struct Waiter {
    claim: Arc<Claim>,
    sender: oneshot::Sender<Permit>,
}

/// The right to run in one slot, given back when it is dropped.
#[derive(Debug)]
struct Permit {
    slots: Arc<Slots>,
    claim: Arc<Claim>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let granted = {
            let mut state = self.slots.lock();
            state.give_back(&self.claim);
            self.slots.grant(&mut state)
        };
        for waiter in granted {
            let permit = Self { slots: Arc::clone(&self.slots), claim: waiter.claim };
            // If nobody waits for it any more, dropping it gives it back.
            drop(waiter.sender.send(permit));
        }
    }
}

/// What a claim comes to.
enum Turn {
    Now(Permit),
    Later(oneshot::Receiver<Permit>),
}

impl Turn {
    async fn come(self) -> Option<Permit> {
        match self {
            Self::Now(permit) => Some(permit),
            // The sender is kept with the slots, which whoever waits holds.
            Self::Later(receiver) => receiver.await.ok(),
        }
    }
}

impl Slots {
    /// At least one slot.
    pub(crate) fn new(slots: usize) -> Arc<Self> {
        let slots = slots.max(1);
        let reserve = if slots < RESERVED_FROM { 0 } else { slots.div_ceil(8) };
        let state = State {
            free: slots,
            users: Counts::default(),
            workgroups: Counts::default(),
            members: Counts::default(),
            waiting: Vec::new(),
        };
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

    /// Waits for a slot that is shared among users alone.
    pub(crate) async fn acquire(self: &Arc<Self>, user: &str) -> Slot {
        let claim =
            Claim { query: None, workgroup: "".into(), user: user.into(), max_running: usize::MAX, max_waiting: usize::MAX };
        let mut slot = Slot { slots: Arc::clone(self), claim: Arc::new(claim), permit: None };
        slot.take().await;
        slot
    }

    /// Waits for a slot in the queue of a workgroup.
    ///
    /// # Errors
    /// `LimitExceeded` if the queue is full.
    pub(crate) async fn enter(self: &Arc<Self>, claim: Claim) -> Result<Slot> {
        let claim = Arc::new(claim);
        let turn = self.claim(&claim, claim.max_waiting).map_err(|waiting| full(&claim.workgroup, waiting))?;
        Ok(Slot { slots: Arc::clone(self), permit: turn.come().await, claim })
    }

    /// The place of each query that waits in the queue of its workgroup, from 1 on.
    pub(crate) fn places(&self) -> HashMap<QueryId, u64> {
        let state = self.lock();
        let mut waiting: HashMap<&str, u64> = HashMap::new();
        let mut places = HashMap::new();
        for claim in state.waiting.iter().filter(|waiter| !waiter.sender.is_closed()).map(|waiter| &waiter.claim) {
            let place = waiting.entry(&claim.workgroup).or_default();
            *place += 1;
            if let Some(query) = claim.query {
                places.insert(query, *place);
            }
        }
        places
    }

    /// Takes a slot, or a place in the queue; how many wait, if these are as many as may.
    fn claim(self: &Arc<Self>, claim: &Arc<Claim>, max_waiting: usize) -> Result<Turn, usize> {
        let mut state = self.lock();
        // Whoever waits and may have a slot has been given it; those who still wait may not.
        if self.may_take(&state, claim) {
            state.take(claim);
            return Ok(Turn::Now(Permit { slots: Arc::clone(self), claim: Arc::clone(claim) }));
        }
        state.waiting.retain(|waiter| !waiter.sender.is_closed());
        let waiting = state.waiting.iter().filter(|waiter| waiter.claim.workgroup == claim.workgroup).count();
        if waiting >= max_waiting {
            return Err(waiting);
        }
        let (sender, receiver) = oneshot::channel();
        state.waiting.push(Waiter { claim: Arc::clone(claim), sender });
        Ok(Turn::Later(receiver))
    }

    /// Removes the waiters that get a slot now, and records that they have it.
    fn grant(&self, state: &mut State) -> Vec<Waiter> {
        let mut granted = Vec::new();
        loop {
            let next = state.waiting.iter().enumerate().filter(|(_, waiter)| self.may_take(state, &waiter.claim));
            // The first of those who have the fewest.
            let Some((next, _)) = next.min_by_key(|(_, waiter)| state.share_of(&waiter.claim)) else { return granted };
            let waiter = state.waiting.remove(next);
            if !waiter.sender.is_closed() {
                state.take(&waiter.claim);
                granted.push(waiter);
            }
        }
    }

    fn may_take(&self, state: &State, claim: &Claim) -> bool {
        let reserved = if state.users.of(&claim.user) == 0 { 0 } else { self.reserve };
        state.free > reserved && state.workgroups.of(&claim.workgroup) < claim.max_running
    }
}

fn full(workgroup: &str, waiting: usize) -> Error {
    let message = format!("the queue of workgroup \"{workgroup}\" is full: {waiting} queries wait in it");
    Error::new(ErrorKind::LimitExceeded, message).with_hint(
        "Run the query later, or ask an administrator: ALTER WORKGROUP sets max_concurrent_queries and max_queued_queries",
    )
}

impl State {
    /// What a claim's workgroup has, and its user in that.
    fn share_of(&self, claim: &Claim) -> (usize, usize) {
        (self.workgroups.of(&claim.workgroup), self.members.of(&claim.member()))
    }

    fn take(&mut self, claim: &Claim) {
        self.free -= 1;
        self.users.add(Arc::clone(&claim.user));
        self.workgroups.add(Arc::clone(&claim.workgroup));
        self.members.add(claim.member());
    }

    fn give_back(&mut self, claim: &Claim) {
        self.free += 1;
        self.users.remove(&claim.user);
        self.workgroups.remove(&claim.workgroup);
        self.members.remove(&claim.member());
    }
}

impl Claim {
    fn member(&self) -> (Arc<str>, Arc<str>) {
        (Arc::clone(&self.workgroup), Arc::clone(&self.user))
    }
}

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash> Counts<K> {
    fn of(&self, key: &K) -> usize {
        self.0.get(key).copied().unwrap_or_default()
    }

    fn add(&mut self, key: K) {
        *self.0.entry(key).or_default() += 1;
    }

    fn remove(&mut self, key: &K) {
        if let Some(count) = self.0.get_mut(key) {
            *count -= 1;
            if *count == 0 {
                self.0.remove(key);
            }
        }
    }
}

/// A query's slot among those that run, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Slot {
    slots: Arc<Slots>,
    claim: Arc<Claim>,
    permit: Option<Permit>,
}

impl Slot {
    /// Gives the slot back for now.
    pub(crate) fn release(&mut self) {
        self.permit = None;
    }

    /// Waits for a slot again. What runs already is not refused.
    pub(crate) async fn take(&mut self) {
        if self.permit.is_none()
            && let Ok(turn) = self.slots.claim(&self.claim, usize::MAX)
        {
            self.permit = turn.come().await;
        }
    }
}
