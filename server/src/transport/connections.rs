//! The connections of a listener: how many there are, and which one is closed for a new one when there are too many.
//!
//! A connection is idle while no call of an identified caller is under way on it. What a stranger leaves half done (a handshake, a request,
//! a health watch) is no use of a connection, so that it keeps nobody out. Of the idle ones, the longest idle goes, of whoever has the most.

use std::{
    cmp::Reverse,
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    task::{Context, Poll},
    time::Instant,
};

use futures::FutureExt;
use glaux_engine::{Error, ErrorKind, Result};
use tokio::sync::oneshot;

use super::limits::Limits;

/// Strangers that may be beginning, as a part of all connections, before they give way to each other: a client's first call takes a moment,
/// and must not be displaced by the next stranger before that.
const STRANGERS: usize = 4;

/// All connections of a listener.
#[derive(Debug)]
pub(super) struct Connections {
    limits: Limits,
    open: Mutex<Open>,
}

#[derive(Debug, Default)]
struct Open {
    next: u64,
    entries: HashMap<u64, Entry>,
    by_address: HashMap<IpAddr, usize>,
    /// Connections with calls, by user.
    in_use: HashMap<Arc<str>, usize>,
}

#[derive(Debug)]
struct Entry {
    address: IpAddr,
    /// Who called last; nobody yet on a stranger's connection.
    user: Option<Arc<str>>,
    /// Calls of identified callers that are under way.
    calls: usize,
    /// When it was opened, or when the last call ended.
    idle_since: Instant,
    displace: oneshot::Sender<()>,
}

impl Connections {
    pub(super) fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, open: Mutex::default() })
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place for a new connection, taken from an idle one if there are too many; `None` if all of them are in use.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Place> {
        let address = address.to_canonical();
        let mut open = self.lock();
        let of_address = open.by_address.get(&address).copied().unwrap_or_default();
        if of_address >= self.limits.max_connections_per_address {
            open.displace(|entry| entry.address == address, self.limits.max_connections)?;
        } else if open.entries.len() >= self.limits.max_connections {
            open.displace(|_| true, self.limits.max_connections)?;
        }
        let id = open.next;
        open.next += 1;
        let (displace, displaced) = oneshot::channel();
        open.entries.insert(id, Entry { address, user: None, calls: 0, idle_since: Instant::now(), displace });
        *open.by_address.entry(address).or_default() += 1;
        let connection = Arc::new(ConnectionHandle { id, open: AtomicBool::new(true), all: Arc::clone(self) });
        Some(Place { connection, displaced: Some(displaced) })
    }

    /// A call of `user` begins.
    ///
    /// # Errors
    /// `LimitExceeded` if the user's calls are on too many connections already.
    fn begin_call(&self, id: u64, user: &str) -> Result<()> {
        let mut open = self.lock();
        let Open { entries, in_use, .. } = &mut *open;
        // One that was displaced a moment ago ends by itself.
        let Some(entry) = entries.get_mut(&id) else { return Ok(()) };
        if entry.calls == 0 {
            let limit = self.limits.max_connections_per_user;
            let (user, count) = match in_use.get_key_value(user) {
                Some((user, count)) => (Arc::clone(user), *count),
                None => (Arc::from(user), 0),
            };
            if count >= limit {
                return Err(Error::new(ErrorKind::LimitExceeded, format!("\"{user}\" has calls on {limit} connections"))
                    .with_hint(
                        "Use fewer connections: one carries many calls; the setting flight.max_connections_per_user is the limit",
                    ));
            }
            in_use.insert(Arc::clone(&user), count + 1);
            entry.user = Some(user);
        }
        entry.calls += 1;
        Ok(())
    }

    fn end_call(&self, id: u64) {
        let mut open = self.lock();
        let Open { entries, in_use, .. } = &mut *open;
        let Some(entry) = entries.get_mut(&id) else { return };
        entry.calls = entry.calls.saturating_sub(1);
        if entry.calls == 0 {
            entry.idle_since = Instant::now();
            if let Some(user) = &entry.user {
                decrement(in_use, user);
            }
        }
    }

    fn remove(&self, id: u64) {
        self.lock().remove(id);
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.lock().entries.len()
    }
}

impl Open {
    fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.entries.remove(&id)?;
        decrement(&mut self.by_address, &entry.address);
        if let Some(user) = entry.user.as_ref().filter(|_| entry.calls > 0) {
            decrement(&mut self.in_use, user);
        }
        Some(entry)
    }

    /// Ends the idle connection that has the least right to stay, of those that qualify; `None` if there is none.
    fn displace(&mut self, qualifies: impl Fn(&Entry) -> bool, max: usize) -> Option<()> {
        let idle = || self.entries.iter().filter(|(_, entry)| entry.calls == 0 && qualifies(entry));
        let (mut of_address, mut of_user) = (HashMap::<IpAddr, usize>::new(), HashMap::<&Arc<str>, usize>::new());
        for (_, entry) in idle() {
            match &entry.user {
                None => *of_address.entry(entry.address).or_default() += 1,
                Some(user) => *of_user.entry(user).or_default() += 1,
            }
        }
        let strangers: usize = of_address.values().sum();
        let strangers_go = of_user.is_empty() || strangers > (max / STRANGERS).max(1);
        let least = |(_, entry): &(&u64, &Entry)| {
            let share = match &entry.user {
                None => of_address.get(&entry.address),
                Some(user) => of_user.get(user),
            };
            (Reverse(share.copied().unwrap_or_default()), entry.idle_since)
        };
        let id = idle().filter(|(_, entry)| entry.user.is_none() == strangers_go).min_by_key(least).map(|(id, _)| *id)?;
        let displaced = self.remove(id)?;
        metrics::counter!("glaux_connections_displaced_total").increment(1);
        // Nobody hears it if the connection has just ended by itself.
        let _ = displaced.displace.send(());
        Some(())
    }
}

fn decrement<K: std::hash::Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

/// A connection's place among the others, until this is dropped or displaced.
#[derive(Debug)]
pub(super) struct Place {
    connection: Arc<ConnectionHandle>,
    /// `None` once it has said so.
    displaced: Option<oneshot::Receiver<()>>,
}

impl Place {
    pub(super) fn connection(&self) -> &Arc<ConnectionHandle> {
        &self.connection
    }

    /// Ready once another connection has taken the place.
    pub(super) fn poll_displaced(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(displaced) = &mut self.displaced else { return Poll::Ready(()) };
        if displaced.poll_unpin(context).is_pending() {
            return Poll::Pending;
        }
        self.displaced = None;
        Poll::Ready(())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connection.open.store(false, Relaxed);
        self.connection.all.remove(self.connection.id);
    }
}

/// A connection as those see it who answer its calls; it may have ended.
pub(crate) struct ConnectionHandle {
    id: u64,
    open: AtomicBool,
    all: Arc<Connections>,
}

impl fmt::Debug for ConnectionHandle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectionHandle").field("id", &self.id).field("open", &self.open).finish_non_exhaustive()
    }
}

impl ConnectionHandle {
    /// Different for each connection of a listener.
    pub(crate) const fn id(&self) -> u64 {
        self.id
    }

    /// Whether the client is still there, as far as is known.
    pub(crate) fn is_open(&self) -> bool {
        self.open.load(Relaxed)
    }
}

/// One call, in its request's extensions. It uses its connection from when its caller is known until the last clone is dropped.
#[derive(Debug, Clone, Default)]
pub(crate) struct Call(Arc<OnceLock<InUse>>);

#[derive(Debug)]
struct InUse {
    connection: Arc<ConnectionHandle>,
    user: Arc<str>,
}

impl Call {
    /// One of somebody who is known already.
    #[cfg(test)]
    pub(crate) fn of(user: &str) -> Self {
        let place = Connections::new(Limits::default()).admit(IpAddr::from([127, 0, 0, 1])).unwrap();
        let call = Self::default();
        call.identified(place.connection(), user).unwrap();
        call
    }

    /// The caller is known.
    ///
    /// # Errors
    /// `LimitExceeded` if calls of the same user are on too many connections.
    pub(crate) fn identified(&self, connection: &Arc<ConnectionHandle>, user: &str) -> Result<()> {
        if self.0.get().is_none() {
            connection.all.begin_call(connection.id, user)?;
            // A second one that came at the same time is dropped, and so ended.
            let _ = self.0.set(InUse { connection: Arc::clone(connection), user: user.into() });
        }
        Ok(())
    }

    /// Who calls, once that is known.
    pub(crate) fn user(&self) -> Option<&Arc<str>> {
        self.0.get().map(|in_use| &in_use.user)
    }
}

impl Drop for InUse {
    fn drop(&mut self) {
        self.connection.all.end_call(self.connection.id);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn there() -> IpAddr {
        "10.0.0.7".parse().unwrap()
    }

    fn connections(max: usize, per_address: usize, per_user: usize) -> Arc<Connections> {
        Connections::new(Limits {
            max_connections: max,
            max_connections_per_address: per_address,
            max_connections_per_user: per_user,
            ..Limits::default()
        })
    }

    fn called(place: &Place, user: &str) -> Call {
        let call = Call::default();
        assert_eq!(call.user(), None);
        call.identified(place.connection(), user).unwrap();
        assert_eq!(call.user().map(|known| &**known), Some(user));
        call
    }

    fn is_displaced(place: &mut Place) -> bool {
        place.poll_displaced(&mut Context::from_waker(std::task::Waker::noop())).is_ready()
    }

    #[test]
    fn the_longest_idle_stranger_gives_way_and_those_in_use_stay() {
        let all = connections(3, 3, 3);
        let mut used = all.admit(HERE).unwrap();
        let call = called(&used, "ada");
        let (mut first, mut second) = (all.admit(HERE).unwrap(), all.admit(HERE).unwrap());
        let mut third = all.admit(HERE).unwrap();
        assert!(is_displaced(&mut first) && !is_displaced(&mut second) && !is_displaced(&mut used));
        // It has lost its place already when it ends.
        drop(first);
        assert_eq!(all.len(), 3);
        let calls = [called(&second, "bea"), called(&third, "bea")];
        assert!(all.admit(HERE).is_none());
        drop(calls);
        let _fourth = all.admit(HERE).unwrap();
        assert!(is_displaced(&mut second) && !is_displaced(&mut third) && !is_displaced(&mut used));
        drop(call);
        assert!(used.connection().is_open());
    }

    #[test]
    fn whoever_has_the_most_gives_way() {
        let all = connections(4, 4, 4);
        let mut one: Place = all.admit(HERE).unwrap();
        drop(called(&one, "ada"));
        let mut many: Vec<Place> = (0..3).map(|_| all.admit(HERE).unwrap()).collect();
        many.iter().for_each(|place| drop(called(place, "mallory")));
        let _next = all.admit(HERE).unwrap();
        assert!(!is_displaced(&mut one) && is_displaced(&mut many[0]));
        // A single stranger is not displaced by the next one, as long as there is somebody else.
        let _after = all.admit(there()).unwrap();
        assert!(!is_displaced(&mut one) && is_displaced(&mut many[1]) && !is_displaced(&mut many[2]));
    }

    #[test]
    fn no_address_and_no_user_has_all_of_them() {
        let all = connections(4, 2, 1);
        let (first, _second) = (all.admit(HERE).unwrap(), all.admit(HERE).unwrap());
        let call = called(&first, "ada");
        let mapped = "::ffff:127.0.0.1".parse().unwrap();
        let third = all.admit(mapped).unwrap();
        assert_eq!(all.len(), 2);
        let error = Call::default().identified(third.connection(), "ada").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::LimitExceeded);
        let _again = called(&first, "ada");
        let _other = called(&third, "bea");
        assert!(all.admit(HERE).is_none(), "both are in use");
        assert!(all.admit(there()).is_some());
        drop((first, call));
        assert!(all.admit(HERE).is_some());
    }
}
