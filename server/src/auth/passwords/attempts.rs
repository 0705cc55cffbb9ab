//! Failed logins, by user and address, and by address alone: after several, the next has to wait, longer each time. Known and unknown users
//! are treated alike. Who has logged in from an address lately does not wait for what others from there have guessed.

use std::{collections::HashMap, hash::Hash, net::IpAddr};

use chrono::{DateTime, TimeDelta, Utc};

use crate::transport::network;

/// Failures of one user from one address that cost nothing.
const FREE: u32 = 5;

/// Failures of all users from one address that cost nothing: a password that is tried on many names.
const FREE_OF_ADDRESS: u32 = 20;

/// In which time an address has one failure fewer: behind one there may be many people, some of whom mistype.
const ONE_FORGIVEN: TimeDelta = TimeDelta::seconds(30);

/// The longest wait.
const MAX_WAIT: TimeDelta = TimeDelta::seconds(30);

/// After how long without a failure all is forgotten.
const FORGOTTEN: TimeDelta = TimeDelta::minutes(15);

/// How long a user who has logged in from an address is known there.
const KNOWN: TimeDelta = TimeDelta::hours(24);

/// Users and addresses that are kept; each has cost its guesser a hash.
const MAX_KEPT: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Attempts {
    failed: Newest<(String, IpAddr), Failures>,
    failed_from: Newest<IpAddr, Failures>,
    /// When a user last logged in from an address.
    known: Newest<(String, IpAddr), DateTime<Utc>>,
}

#[derive(Debug, Clone, Copy)]
struct Failures {
    count: u32,
    last: DateTime<Utc>,
}

impl Failures {
    /// When the next attempt may come: a second after the last failure that is free, then 2 s, then 4 s.
    fn next(&self, free: u32) -> DateTime<Utc> {
        let wait = match self.count.checked_sub(free) {
            None => TimeDelta::zero(),
            Some(more) => TimeDelta::seconds(1_i64 << more.min(10)).min(MAX_WAIT),
        };
        self.last + wait
    }
}

/// Something with a time, of which the oldest is forgotten.
trait Timed {
    fn time(&self) -> DateTime<Utc>;
}

impl Timed for Failures {
    fn time(&self) -> DateTime<Utc> {
        self.last
    }
}

impl Timed for DateTime<Utc> {
    fn time(&self) -> DateTime<Utc> {
        *self
    }
}

/// The newest so many.
#[derive(Debug)]
struct Newest<K, V>(HashMap<K, V>);

impl<K, V> Default for Newest<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash + Clone, V: Timed> Newest<K, V> {
    fn insert(&mut self, key: K, value: V, kept_for: TimeDelta) {
        if self.0.len() >= MAX_KEPT && !self.0.contains_key(&key) {
            let now = value.time();
            self.0.retain(|_, kept| now - kept.time() < kept_for);
            let oldest = self.0.iter().min_by_key(|(_, kept)| kept.time()).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest.filter(|_| self.0.len() >= MAX_KEPT) {
                self.0.remove(&oldest);
            }
        }
        self.0.insert(key, value);
    }
}

impl<K: Eq + Hash + Clone> Newest<K, Failures> {
    /// One more, after some that are `forgiven` by the time since the last.
    fn failed(&mut self, key: K, now: DateTime<Utc>, forgiven: impl Fn(TimeDelta) -> u32) {
        let before = self.0.get(&key).filter(|failures| now - failures.last < FORGOTTEN);
        let before = before.map_or(0, |failures| failures.count.saturating_sub(forgiven(now - failures.last)));
        self.insert(key, Failures { count: before.saturating_add(1), last: now }, FORGOTTEN);
    }

    fn wait(&self, key: &K, free: u32, now: DateTime<Utc>) -> Option<TimeDelta> {
        let next = self.0.get(key)?.next(free);
        (now < next).then(|| next - now)
    }
}

impl Attempts {
    /// How long the next attempt has to wait, if it has to.
    pub(super) fn wait(&self, user: &str, from: IpAddr, now: DateTime<Utc>) -> Option<TimeDelta> {
        let from = network(from);
        let of_user = self.failed.wait(&(user.to_owned(), from), FREE, now);
        if self.is_known(user, from, now) {
            return of_user;
        }
        of_user.max(self.failed_from.wait(&from, FREE_OF_ADDRESS, now))
    }

    /// Whether the user has logged in from the address lately.
    pub(super) fn is_known(&self, user: &str, from: IpAddr, now: DateTime<Utc>) -> bool {
        self.known.0.get(&(user.to_owned(), network(from))).is_some_and(|at| now - *at < KNOWN)
    }

    pub(super) fn failed(&mut self, user: &str, from: IpAddr, now: DateTime<Utc>) {
        let from = network(from);
        self.failed.failed((user.to_owned(), from), now, |_| 0);
        self.failed_from.failed(from, now, |since| {
            u32::try_from(since.num_milliseconds() / ONE_FORGIVEN.num_milliseconds()).unwrap_or_default()
        });
    }

    /// A login that succeeds ends the user's waits, and not those of the address: guessers may have an account too.
    pub(super) fn succeeded(&mut self, user: &str, from: IpAddr, now: DateTime<Utc>) {
        let key = (user.to_owned(), network(from));
        self.failed.0.remove(&key);
        self.known.insert(key, now, KNOWN);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn waits_double_up_to_their_limit_and_are_forgotten() {
        let (mut attempts, mut now) = (Attempts::default(), DateTime::<Utc>::UNIX_EPOCH);
        let mut waits = Vec::new();
        for _ in 0..12 {
            attempts.failed("ada", FROM, now);
            let wait = attempts.wait("ada", FROM, now).unwrap_or_default();
            waits.push(wait.num_seconds());
            now += wait;
        }
        assert_eq!(waits, [0, 0, 0, 0, 1, 2, 4, 8, 16, 30, 30, 30]);
        now += FORGOTTEN;
        attempts.failed("ada", FROM, now);
        assert_eq!(attempts.wait("ada", FROM, now), None);
    }

    #[test]
    fn a_password_that_is_tried_on_many_names_is_slowed_and_those_who_are_known_are_not() {
        let (mut attempts, mut now) = (Attempts::default(), DateTime::<Utc>::UNIX_EPOCH);
        attempts.succeeded("ada", FROM, now);
        let mut waits = Vec::new();
        for number in 0..24 {
            let name = format!("user {number}");
            attempts.failed(&name, FROM, now);
            let wait = attempts.wait(&format!("user {}", number + 1), FROM, now).unwrap_or_default();
            waits.push(wait.num_seconds());
            now += wait;
        }
        assert_eq!(waits[18..], [0, 1, 2, 4, 8, 16]);
        attempts.failed("user 24", FROM, now);
        assert!(attempts.wait("bea", FROM, now).is_some());
        assert_eq!(attempts.wait("ada", FROM, now), None);
        assert_eq!(attempts.wait("bea", "10.0.0.1".parse().unwrap(), now), None);
        // One that guesses right now and then guesses no faster.
        attempts.succeeded("mallory", FROM, now);
        assert!(attempts.wait("bea", FROM, now).is_some());
        // Now and then somebody mistypes: nobody waits for that.
        now += FORGOTTEN;
        for number in 0..100 {
            attempts.failed(&format!("office {number}"), FROM, now);
            assert_eq!(attempts.wait("bea", FROM, now), None);
            now += ONE_FORGIVEN;
        }
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let (mut attempts, now) = (Attempts::default(), DateTime::<Utc>::UNIX_EPOCH);
        for number in 0..20 {
            attempts.failed(&format!("user {number}"), format!("2001:db8:0:7::{number}").parse().unwrap(), now);
        }
        assert!(attempts.wait("bea", "2001:db8:0:7:1::9".parse().unwrap(), now).is_some());
        assert_eq!(attempts.wait("bea", "2001:db8:0:8::9".parse().unwrap(), now), None);
        assert_eq!(network("::ffff:10.0.0.1".parse().unwrap()), "10.0.0.1".parse::<IpAddr>().unwrap());
    }

    #[test]
    fn no_more_than_so_many_are_kept_and_the_oldest_goes() {
        let (mut attempts, mut now) = (Attempts::default(), DateTime::<Utc>::UNIX_EPOCH);
        for number in 0..=MAX_KEPT {
            attempts.failed(&number.to_string(), FROM, now);
            now += TimeDelta::milliseconds(1);
        }
        assert_eq!(attempts.failed.0.len(), MAX_KEPT);
        let is_kept = |user: &str| attempts.failed.0.contains_key(&(user.to_owned(), FROM));
        assert!(!is_kept("0") && is_kept("1"));
    }
}
