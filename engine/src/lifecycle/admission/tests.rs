//! Tests of admission: whose turn is next, and what becomes of those who give up.

use std::pin::Pin;

use futures::FutureExt;

use super::*;

fn now(slots: &Arc<Slots>, user: &str) -> Option<Slot> {
    slots.acquire(user).now_or_never()
}

/// A claim of a workgroup that may have `max_running` slots, and any number of queries that wait.
fn claim(workgroup: &str, user: &str, max_running: usize) -> Claim {
    Claim { query: Some(QueryId::next()), workgroup: workgroup.into(), user: user.into(), max_running, max_waiting: usize::MAX }
}

type Waiting<'a> = Pin<Box<dyn Future<Output = Result<Slot>> + 'a>>;

/// Those who wait in turn.
fn waiting<'a>(slots: &'a Arc<Slots>, claims: impl IntoIterator<Item = Claim>) -> Vec<Waiting<'a>> {
    let wait = |claim| -> Waiting<'a> { Box::pin(slots.enter(claim)) };
    let mut waiting: Vec<Waiting<'a>> = claims.into_iter().map(wait).collect();
    assert!(waiting.iter_mut().all(|waiter| waiter.as_mut().now_or_never().is_none()));
    waiting
}

fn served(waiter: &mut Waiting<'_>) -> Slot {
    waiter.as_mut().now_or_never().expect("it is its turn").unwrap()
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
async fn a_workgroup_with_few_running_comes_before_one_with_many_whoever_waits_longer() {
    let slots = Slots::new(3);
    let any = usize::MAX;
    let mut held: Vec<Slot> = Vec::new();
    for user in ["ada", "bob", "eve"] {
        held.push(slots.enter(claim("batch", user, any)).now_or_never().unwrap().unwrap());
    }
    // Of `batch`, two new users came first; of `bi` the same user twice, and another.
    let claims = [("batch", "fay"), ("batch", "gil"), ("bi", "ada"), ("bi", "ada"), ("bi", "bob")];
    let mut waiting = waiting(&slots, claims.map(|(workgroup, user)| claim(workgroup, user, any)));
    held.pop();
    // `batch` has 2, `bi` 0.
    let first = served(&mut waiting[2]);
    held.pop();
    // Both have 1: who waits longest.
    let second = served(&mut waiting[0]);
    held.pop();
    // `batch` has 1 again, `bi` 1; of `batch` gil has none, and waits longer than those of `bi`.
    let third = served(&mut waiting[1]);
    drop(second);
    // `batch` has 1, `bi` 1; within `bi` bob has none, and ada one.
    let fourth = served(&mut waiting[4]);
    drop((first, third, fourth));
    assert!(waiting[3].as_mut().now_or_never().is_some());
}

#[tokio::test]
async fn a_workgroup_has_no_more_slots_than_it_may() {
    let slots = Slots::new(8);
    let one = slots.enter(claim("bi", "ada", 2)).now_or_never().unwrap().unwrap();
    let two = slots.enter(claim("bi", "bob", 2)).now_or_never().unwrap().unwrap();
    let mut waiting = waiting(&slots, [claim("bi", "eve", 2), claim("bi", "fay", 2)]);
    // Others are not held up by those who wait, and give no slot to them.
    let other = slots.enter(claim("primary", "eve", usize::MAX)).now_or_never().unwrap().unwrap();
    drop(other);
    assert!(waiting[0].as_mut().now_or_never().is_none());
    assert_eq!(slots.free(), 6);
    drop(one);
    let three = served(&mut waiting[0]);
    assert!(waiting[1].as_mut().now_or_never().is_none());
    drop((two, three));
    served(&mut waiting[1]);
}

#[tokio::test]
async fn a_queue_that_is_full_refuses_and_others_do_not() {
    let slots = Slots::new(1);
    let running = now(&slots, "ada").unwrap();
    let bounded = |workgroup: &str| Claim { max_waiting: 2, ..claim(workgroup, "ada", usize::MAX) };
    let mut queue = waiting(&slots, [bounded("bi"), bounded("bi"), bounded("primary")]);
    let error = slots.enter(bounded("bi")).now_or_never().unwrap().unwrap_err();
    assert_eq!(
        (error.kind(), error.message()),
        (ErrorKind::LimitExceeded, "the queue of workgroup \"bi\" is full: 2 queries wait in it")
    );
    // One that gave up makes room.
    drop(queue.remove(0));
    queue.extend(waiting(&slots, [bounded("bi")]));
    assert!(slots.enter(bounded("bi")).now_or_never().unwrap().is_err());
    // Where nobody may wait, a free slot is taken all the same.
    let none = |workgroup: &str| Claim { max_waiting: 0, ..claim(workgroup, "ada", usize::MAX) };
    assert!(slots.enter(none("etl")).now_or_never().unwrap().is_err());
    drop((queue, running));
    assert!(slots.enter(none("etl")).now_or_never().unwrap().is_ok());
}

#[tokio::test]
async fn places_are_counted_within_a_workgroup() {
    let slots = Slots::new(1);
    let running = now(&slots, "ada").unwrap();
    let claims: Vec<Claim> = ["bi", "primary", "bi", "bi"].map(|workgroup| claim(workgroup, "ada", usize::MAX)).into();
    let ids: Vec<QueryId> = claims.iter().filter_map(|claim| claim.query).collect();
    let mut queue = waiting(&slots, claims);
    let places = |ids: &[QueryId]| ids.iter().map(|id| slots.places().get(id).copied()).collect::<Vec<_>>();
    assert_eq!(places(&ids), [Some(1), Some(1), Some(2), Some(3)]);
    // The second of `bi` gives up; then the first is served.
    drop(queue.remove(2));
    assert_eq!(places(&ids), [Some(1), Some(1), None, Some(2)]);
    drop(running);
    let first = served(&mut queue[0]);
    assert_eq!(places(&ids), [None, Some(1), None, Some(1)]);
    drop(first);
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

#[tokio::test]
async fn what_runs_already_is_not_refused_by_a_full_queue() {
    let slots = Slots::new(1);
    let bounded = || Claim { max_waiting: 1, ..claim("bi", "ada", usize::MAX) };
    let mut slot = slots.enter(bounded()).now_or_never().unwrap().unwrap();
    slot.release();
    let other = slots.enter(bounded()).now_or_never().unwrap().unwrap();
    let queue = waiting(&slots, [bounded()]);
    assert!(slots.enter(bounded()).now_or_never().unwrap().is_err());
    let mut again = Box::pin(slot.take());
    assert!(again.as_mut().now_or_never().is_none());
    drop((queue, other));
    assert!(again.as_mut().now_or_never().is_some());
}
