//! What is held of requests that have not arrived as a whole: so much for a connection, for a sender, and in all. What comes beyond a share is
//! taken in, and another request ends: of the same connection or sender, or of the sender who has the most. So nobody locks out others.

use std::{
    cmp::Reverse,
    collections::HashMap,
    hash::Hash,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use futures::task::AtomicWaker;

/// Those who have less than this part of a share count as equal: whoever has been silent for longest gives way.
const SMALL: usize = 8;

/// Bytes that may be held.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shares {
    pub(super) connection: usize,
    pub(super) sender: usize,
    pub(super) all: usize,
}

impl Shares {
    /// A connection has a quarter of all, and a sender three quarters: there is always room for somebody else.
    pub(super) const fn of_connection(bytes: usize) -> Self {
        Self { connection: bytes, sender: bytes.saturating_mul(3), all: bytes.saturating_mul(4) }
    }
}

/// Who sends, as far as is known.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Sender {
    Network(IpAddr),
    User(Arc<str>),
}

/// Everything of one kind that is held.
#[derive(Debug)]
pub(super) struct Held {
    shares: Shares,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Counts places, and what arrives.
    next: u64,
    bytes: usize,
    senders: HashMap<Sender, Part<u64, Part<u64, Request>>>,
}

/// What belongs together; never empty.
#[derive(Debug)]
struct Part<K, V> {
    bytes: usize,
    /// What of it arrived last: the lowest has been silent for longest.
    last: u64,
    parts: HashMap<K, V>,
}

#[derive(Debug)]
struct Request {
    bytes: usize,
    last: u64,
    end: Arc<End>,
}

/// Tells a request that it has to end.
#[derive(Debug, Default)]
struct End {
    said: AtomicBool,
    waker: AtomicWaker,
}

impl Held {
    pub(super) fn new(shares: Shares) -> Arc<Self> {
        Arc::new(Self { shares, state: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for one request, of which nothing is held yet.
    pub(super) fn place(self: &Arc<Self>, sender: Sender, connection: u64) -> Place {
        let id = self.lock().count();
        Place { held: Arc::clone(self), sender, connection, id, bytes: 0, end: Arc::default() }
    }

    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.lock().bytes
    }
}

/// One request's place. What is held for it is given back when this is dropped.
#[derive(Debug)]
pub(super) struct Place {
    held: Arc<Held>,
    sender: Sender,
    connection: u64,
    id: u64,
    bytes: usize,
    end: Arc<End>,
}

impl Place {
    /// So many bytes of the request are held from now on. Others end if that is too much, or this one does.
    pub(super) fn hold(&mut self, bytes: usize) {
        if bytes == self.bytes {
            return;
        }
        self.bytes = bytes;
        let mut state = self.held.lock();
        // One that has to end holds nothing any more.
        if self.end.said.load(Relaxed) {
            return;
        }
        match bytes {
            0 => drop(state.remove(&self.sender, self.connection, self.id)),
            _ => {
                state.insert(self);
                state.make_room(self.held.shares, &self.sender, self.connection);
            }
        }
    }

    /// Ready once the request has to end.
    pub(super) fn poll_end(&self, context: &Context<'_>) -> Poll<()> {
        self.end.waker.register(context.waker());
        if self.end.said.load(Relaxed) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.hold(0);
    }
}

impl<K: Eq + Hash, V> Part<K, V> {
    fn new() -> Self {
        Self { bytes: 0, last: 0, parts: HashMap::new() }
    }
}

impl State {
    fn count(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Notes what is held for a request, and that something of it has just arrived.
    fn insert(&mut self, place: &Place) {
        drop(self.remove(&place.sender, place.connection, place.id));
        let (bytes, last) = (place.bytes, self.count());
        let sender = self.senders.entry(place.sender.clone()).or_insert_with(Part::new);
        let connection = sender.parts.entry(place.connection).or_insert_with(Part::new);
        connection.parts.insert(place.id, Request { bytes, last, end: Arc::clone(&place.end) });
        (connection.bytes, connection.last) = (connection.bytes + bytes, last);
        (sender.bytes, sender.last) = (sender.bytes + bytes, last);
        self.bytes += bytes;
    }

    fn remove(&mut self, sender: &Sender, connection: u64, id: u64) -> Option<Request> {
        let of_sender = self.senders.get_mut(sender)?;
        let of_connection = of_sender.parts.get_mut(&connection)?;
        let request = of_connection.parts.remove(&id)?;
        of_connection.bytes -= request.bytes;
        of_sender.bytes -= request.bytes;
        self.bytes -= request.bytes;
        if of_connection.parts.is_empty() {
            of_sender.parts.remove(&connection);
        }
        if of_sender.parts.is_empty() {
            self.senders.remove(sender);
        }
        Some(request)
    }

    /// Ends requests until nobody has more than their share, once something came from this sender by this connection.
    fn make_room(&mut self, shares: Shares, sender: &Sender, connection: u64) {
        while let Some((sender, connection, id)) = self.excess(shares, sender, connection) {
            let Some(gone) = self.remove(&sender, connection, id) else { return };
            gone.end.said.store(true, Relaxed);
            gone.end.waker.wake();
        }
    }

    /// The request that has to end next, if any.
    fn excess(&self, shares: Shares, sender: &Sender, connection: u64) -> Option<(Sender, u64, u64)> {
        let (sender, of_sender) = self.senders.get_key_value(sender)?;
        let of_connection = of_sender.parts.get_key_value(&connection);
        let (sender, (connection, requests)) = match of_connection {
            Some(found) if found.1.bytes > shares.connection => (sender, found),
            _ if of_sender.bytes > shares.sender => (sender, largest(&of_sender.parts, shares.connection)?),
            _ if self.bytes > shares.all => {
                let (sender, of_sender) = largest(&self.senders, shares.all)?;
                (sender, largest(&of_sender.parts, shares.connection)?)
            }
            _ => return None,
        };
        // The one that has made no progress for longest.
        let (id, _) = requests.parts.iter().min_by_key(|(_, request)| request.last)?;
        Some((sender.clone(), *connection, *id))
    }
}

/// The part that gives way: the largest, and of those that are small beside a share, the one that has been silent for longest.
fn largest<A, K, V>(parts: &HashMap<A, Part<K, V>>, share: usize) -> Option<(&A, &Part<K, V>)> {
    parts.iter().max_by_key(|(_, part)| (part.bytes.max(share / SMALL), Reverse(part.last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(number: u8) -> Sender {
        Sender::Network([10, 0, 0, number].into())
    }

    fn holding(held: &Arc<Held>, sender: u8, connection: u64, bytes: usize) -> Place {
        let mut place = held.place(from(sender), connection);
        place.hold(bytes);
        place
    }

    fn ended(places: &[Place]) -> Vec<usize> {
        let context = Context::from_waker(std::task::Waker::noop());
        let is_over = |place: &Place| place.poll_end(&context).is_ready();
        places.iter().enumerate().filter(|(_, place)| is_over(place)).map(|(at, _)| at).collect()
    }

    #[test]
    fn a_connection_and_a_sender_have_a_part_and_who_was_silent_longest_ends() {
        let held = Held::new(Shares::of_connection(100));
        let mut places: Vec<Place> = (0..3).map(|_| holding(&held, 1, 1, 30)).collect();
        places[0].hold(40);
        assert_eq!((ended(&places), held.bytes()), (vec![], 100));
        // The second is the one that has made no progress for longest.
        places.push(holding(&held, 1, 1, 30));
        assert_eq!((ended(&places), held.bytes()), (vec![1], 100));
        places.extend([holding(&held, 1, 2, 100), holding(&held, 1, 3, 100)]);
        assert_eq!((ended(&places), held.bytes()), (vec![1], 300));
        let next = holding(&held, 1, 4, 10);
        assert_eq!((ended(&places), held.bytes()), (vec![1, 2], 280));
        assert!(ended(&[next]).is_empty());
        drop(places);
        assert_eq!(held.bytes(), 0);
    }

    #[test]
    fn one_that_is_too_large_by_itself_ends() {
        let held = Held::new(Shares::of_connection(100));
        let places = [holding(&held, 1, 1, 50), holding(&held, 2, 2, 101)];
        assert_eq!((ended(&places), held.bytes()), (vec![1], 50));
    }

    #[test]
    fn who_has_the_most_gives_way_to_others_and_never_who_comes_with_little() {
        let held = Held::new(Shares::of_connection(100));
        let first = [holding(&held, 1, 1, 10)];
        let flood: Vec<Place> = (0..5).map(|connection| holding(&held, 2, 10 + connection, 70)).collect();
        // Its own share ends it first.
        assert_eq!((ended(&flood), held.bytes()), (vec![0], 290));
        let more = [holding(&held, 3, 20, 100), holding(&held, 4, 21, 80)];
        let newest = [holding(&held, 5, 30, 20)];
        assert_eq!(ended(&flood), [0, 1, 2]);
        assert!(ended(&first).is_empty() && ended(&more).is_empty() && ended(&newest).is_empty());
        drop((first, flood, more, newest));
        assert_eq!(held.bytes(), 0);
    }

    #[test]
    fn among_many_who_have_little_who_was_silent_longest_gives_way() {
        let held = Held::new(Shares::of_connection(100));
        let many: Vec<Place> = (0..100).map(|sender| holding(&held, sender, sender.into(), 4)).collect();
        // More than any of them has, and yet little.
        let newest = [holding(&held, 200, 200, 20)];
        assert_eq!((ended(&many), ended(&newest)), (vec![0, 1, 2, 3, 4], vec![]));
    }
}
