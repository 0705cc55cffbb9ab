//! Limits on what the server keeps for clients: for each session, each user, and in total. Beyond a limit, the new entry is accepted and an
//! older, unused one is dropped: of the same session or user, or of those that have the most. So nobody can lock out others, or themselves.

use std::{
    cmp::Reverse,
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Instant,
};

use uuid::Uuid;

use crate::transport::ConnectionHandle;

/// What is displaced is remembered, so that the error can say why it is gone; the oldest are forgotten.
const REMEMBERED: usize = 10_000;

/// Those who have less than this part of a share count as equal: the oldest goes.
const SMALL: usize = 8;

/// A number, and the setting that says it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) most: usize,
    pub(crate) setting: &'static str,
}

impl Limit {
    fn at_least_one(self) -> Self {
        Self { most: self.most.max(1), ..self }
    }
}

/// How many there may be; at least one of each.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shares {
    pub(crate) session: Limit,
    pub(crate) user: Limit,
    pub(crate) all: Limit,
}

/// Which share it was that was used up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Share {
    Session,
    User,
    All,
}

impl Shares {
    pub(super) const fn limit(&self, share: Share) -> Limit {
        match share {
            Share::Session => self.session,
            Share::User => self.user,
            Share::All => self.all,
        }
    }
}

/// What a thing is kept for: a session that its client keeps, or else the connection that it came by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Holder {
    Session(Uuid),
    Connection(u64),
}

/// Whose something is that is kept.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) user: String,
    pub(super) holder: Holder,
    /// The connection that it came by, if connections are counted.
    pub(super) connection: Option<Arc<ConnectionHandle>>,
}

impl Owner {
    /// Whether its connection is still open, as far as is known.
    pub(super) fn is_connected(&self) -> bool {
        self.connection.as_ref().is_none_or(|connection| connection.is_open())
    }
}

/// The order in which things go, the least first: those that are missed least, then the oldest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Precedence {
    pub(super) missed: u8,
    pub(super) since: Instant,
}

/// Something that is kept for a client.
pub(super) trait Kept {
    fn id(&self) -> Uuid;
    fn owner(&self) -> &Owner;
    /// When it goes; `None` while it is in use, which it neither goes nor counts by.
    fn precedence(self: &Arc<Self>) -> Option<Precedence>;

    /// Whose shares it counts by.
    fn whose(&self) -> (&str, Holder) {
        let owner = self.owner();
        (&owner.user, owner.holder)
    }
}

/// All things of one kind.
#[derive(Debug)]
pub(super) struct Shared<T> {
    /// What they are, for the metrics.
    what: &'static str,
    kept: HashMap<Uuid, Arc<T>>,
    shares: Shares,
    displaced: Displaced,
}

/// What went, in its order, and by which share.
#[derive(Debug, Default)]
struct Displaced {
    order: VecDeque<Uuid>,
    by: HashMap<Uuid, Share>,
}

impl Displaced {
    fn add(&mut self, id: Uuid, by: Share) {
        if self.by.insert(id, by).is_none() {
            self.order.push_back(id);
        }
        while self.order.len() > REMEMBERED {
            if let Some(oldest) = self.order.pop_front() {
                self.by.remove(&oldest);
            }
        }
    }

    fn forget(&mut self, id: &Uuid) {
        self.by.remove(id);
        // Usually it is the one that came last.
        if self.order.back() == Some(id) {
            self.order.pop_back();
        }
    }
}

impl<T: Kept> Shared<T> {
    pub(super) fn new(what: &'static str, shares: Shares) -> Self {
        let Shares { session, user, all } = shares;
        let shares = Shares { session: session.at_least_one(), user: user.at_least_one(), all: all.at_least_one() };
        Self { what, kept: HashMap::new(), shares, displaced: Displaced::default() }
    }

    pub(super) const fn shares(&self) -> Shares {
        self.shares
    }

    /// Keeps one more, and gives what had to go: drop it where nothing is locked.
    pub(super) fn insert(&mut self, new: Arc<T>) -> Vec<Arc<T>> {
        let mut gone = Vec::new();
        let Shares { session, user, all } = self.shares;
        // Usually there are so few that nobody need be counted.
        while self.kept.len() >= session.most.min(user.most).min(all.most) {
            let Some((id, share)) = self.excess(&new) else { break };
            self.displaced.add(id, share);
            gone.extend(self.kept.remove(&id));
        }
        self.kept.insert(new.id(), new);
        metrics::counter!("glaux_displaced_total", "what" => self.what).increment(gone.len() as u64);
        gone
    }

    /// What has to go before `new` may come, if anything.
    fn excess(&self, new: &T) -> Option<(Uuid, Share)> {
        let idle = || self.kept.values().filter_map(|one| Some((one, one.precedence()?)));
        let mut by_user: HashMap<&str, usize> = HashMap::new();
        let mut by_holder: HashMap<(&str, Holder), usize> = HashMap::new();
        for (one, _) in idle() {
            let (user, holder) = one.whose();
            *by_user.entry(user).or_default() += 1;
            *by_holder.entry((user, holder)).or_default() += 1;
        }
        let (user, holder) = new.whose();
        let of_user = by_user.get(user).copied().unwrap_or_default();
        let of_holder = by_holder.get(&(user, holder)).copied().unwrap_or_default();
        let (session_share, user_share, all_share) = (self.shares.session.most, self.shares.user.most, self.shares.all.most);
        let weight = |one: &T| {
            let (of_user, of_holder) = (by_user.get(one.whose().0), by_holder.get(&one.whose()));
            (of_user.copied().unwrap_or_default(), of_holder.copied().unwrap_or_default())
        };
        if of_holder >= session_share {
            let same = idle().filter(|(one, _)| one.whose() == (user, holder));
            let (least, _) = same.min_by_key(|(_, precedence)| *precedence)?;
            return Some((least.id(), Share::Session));
        }
        if of_user >= user_share {
            let same = idle().filter(|(one, _)| one.whose().0 == user);
            let (least, _) = same.min_by_key(|(one, precedence)| {
                let of_holder = weight(one).1.max(user_share / SMALL);
                (Reverse(precedence.missed == 0), Reverse(of_holder), *precedence)
            })?;
            return Some((least.id(), Share::User));
        }
        if by_user.values().sum::<usize>() >= all_share {
            let (least, _) = idle().min_by_key(|(one, precedence)| {
                let (of_user, of_holder) = weight(one);
                let of_user = of_user.max(all_share / SMALL);
                (Reverse(precedence.missed == 0), Reverse(of_user), Reverse(of_holder), *precedence)
            })?;
            return Some((least.id(), Share::All));
        }
        None
    }

    pub(super) fn get(&self, id: &Uuid) -> Option<&Arc<T>> {
        self.kept.get(id)
    }

    /// A user's own; another user's is not found.
    pub(super) fn of_user(&self, id: &Uuid, user: &str) -> Option<&Arc<T>> {
        self.get(id).filter(|one| one.owner().user == user)
    }

    pub(super) fn remove(&mut self, id: &Uuid) -> Option<Arc<T>> {
        self.kept.remove(id)
    }

    /// Takes out those that fit; drop them where nothing is locked.
    pub(super) fn extract(&mut self, mut fits: impl FnMut(&Arc<T>) -> bool) -> Vec<Arc<T>> {
        self.kept.extract_if(|_, one| fits(one)).map(|(_, one)| one).collect()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Arc<T>> {
        self.kept.values()
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// Nothing remembers that it was displaced.
    pub(super) fn forget_displaced(&mut self, id: &Uuid) {
        self.displaced.forget(id);
    }

    /// The share that something which is not here any more went by, if it went so lately.
    pub(super) fn displaced_by(&self, id: &Uuid) -> Option<Share> {
        self.displaced.by.get(id).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicBool, Ordering::Relaxed},
        time::Duration,
    };

    use super::*;

    #[derive(Debug)]
    struct One {
        id: u128,
        owner: Owner,
        missed: u8,
        used: AtomicBool,
        since: Instant,
    }

    impl Kept for One {
        fn id(&self) -> Uuid {
            Uuid::from_u128(self.id)
        }

        fn owner(&self) -> &Owner {
            &self.owner
        }

        fn precedence(self: &Arc<Self>) -> Option<Precedence> {
            (!self.used.load(Relaxed)).then_some(Precedence { missed: self.missed, since: self.since })
        }
    }

    struct Filling {
        all: Shared<One>,
        start: Instant,
        next: u128,
    }

    impl Filling {
        fn new(session: usize, user: usize, all: usize) -> Self {
            let limit = |most| Limit { most, setting: "test.limit" };
            let shares = Shares { session: limit(session), user: limit(user), all: limit(all) };
            Self { all: Shared::new("things", shares), start: Instant::now(), next: 0 }
        }

        /// One more; gives which one went, and by which share.
        fn add(&mut self, user: &'static str, session: u128, missed: u8) -> Option<(u128, Share)> {
            let (id, since) = (self.next, self.start + Duration::from_secs(self.next as u64));
            self.next += 1;
            let holder = Holder::Session(Uuid::from_u128(session));
            let owner = Owner { user: user.to_owned(), holder, connection: None };
            let one = One { id, owner, missed, used: AtomicBool::new(false), since };
            let gone = self.all.insert(Arc::new(one));
            assert!(gone.len() <= 1);
            gone.first().map(|one| (one.id, self.all.displaced_by(&one.id()).unwrap()))
        }
    }

    #[test]
    fn the_oldest_of_the_session_goes_then_of_the_user_then_of_all() {
        let mut filling = Filling::new(2, 3, 4);
        assert_eq!((0..2).filter_map(|_| filling.add("ada", 1, 1)).count(), 0);
        assert_eq!(filling.add("ada", 1, 1), Some((0, Share::Session)));
        assert_eq!(filling.add("ada", 2, 1), None);
        assert_eq!(filling.add("ada", 3, 1), Some((1, Share::User)));
        assert_eq!(filling.add("bea", 4, 1), None);
        assert_eq!(filling.add("cy", 5, 1), Some((2, Share::All)));
        assert_eq!(filling.all.len(), 4);
        assert_eq!(filling.all.displaced_by(&Uuid::from_u128(4)), None);
    }

    #[test]
    fn what_is_missed_least_goes_first_and_what_is_used_stays() {
        let mut filling = Filling::new(3, 10, 10);
        filling.add("ada", 1, 1);
        filling.add("ada", 1, 1);
        filling.add("ada", 1, 0);
        filling.all.get(&Uuid::from_u128(0)).unwrap().used.store(true, Relaxed);
        assert_eq!(filling.add("ada", 1, 1), None, "one is in use");
        assert_eq!(filling.add("ada", 1, 1), Some((2, Share::Session)));
        assert_eq!(filling.add("ada", 1, 1), Some((1, Share::Session)));
    }

    #[test]
    fn who_has_the_most_gives_way_to_others() {
        let mut filling = Filling::new(100, 100, 40);
        assert_eq!((0..3).filter_map(|_| filling.add("ada", 1, 1)).count(), 0);
        assert_eq!((0..37).filter_map(|_| filling.add("mallory", 2, 1)).count(), 0);
        // The oldest are not those of the most.
        assert_eq!(filling.add("bea", 3, 1), Some((3, Share::All)));
        assert_eq!(filling.add("mallory", 4, 1), Some((4, Share::All)));
        let mut filling = Filling::new(100, 40, 100);
        assert_eq!((0..3).filter_map(|_| filling.add("anonymous", 1, 1)).count(), 0);
        assert_eq!((0..37).filter_map(|_| filling.add("anonymous", 2, 1)).count(), 0);
        assert_eq!(filling.add("anonymous", 3, 1), Some((3, Share::User)));
    }
}
