//! Failed logins, by user and address: after several, the next has to wait, longer each time. Known and unknown users are treated alike.

use std::{collections::HashMap, net::IpAddr};

use chrono::{DateTime, TimeDelta, Utc};

/// Failures that cost nothing.
const FREE: u32 = 5;

/// The longest wait.
const MAX_WAIT: TimeDelta = TimeDelta::seconds(30);

/// After how long without a failure all is forgotten.
const FORGOTTEN: TimeDelta = TimeDelta::minutes(15);

/// Users and addresses that are kept; each has cost its guesser a hash.
const MAX_KEPT: usize = 10_000;

#[derive(Debug, Default)]
pub(super) struct Attempts(HashMap<(String, IpAddr), Failures>);

#[derive(Debug)]
struct Failures {
    count: u32,
    last: DateTime<Utc>,
}

impl Failures {
    /// When the next attempt may come: 1 s after the fifth failure, 2 s after the sixth, then 4 s.
    fn next(&self) -> DateTime<Utc> {
        let wait = match self.count.checked_sub(FREE) {
            None => TimeDelta::zero(),
            Some(more) => TimeDelta::seconds(1_i64 << more.min(10)).min(MAX_WAIT),
        };
        self.last + wait
    }
}

impl Attempts {
    /// How long the next attempt has to wait, if it has to.
    pub(super) fn wait(&self, user: &str, from: IpAddr, now: DateTime<Utc>) -> Option<TimeDelta> {
        let next = self.0.get(&(user.to_owned(), from))?.next();
        (now < next).then(|| next - now)
    }

    pub(super) fn failed(&mut self, user: &str, from: IpAddr, now: DateTime<Utc>) {
        let key = (user.to_owned(), from);
        if self.0.len() >= MAX_KEPT && !self.0.contains_key(&key) {
            self.0.retain(|_, failures| now - failures.last < FORGOTTEN);
            let oldest = self.0.iter().min_by_key(|(_, failures)| failures.last).map(|(key, _)| key.clone());
            if let Some(oldest) = oldest.filter(|_| self.0.len() >= MAX_KEPT) {
                self.0.remove(&oldest);
            }
        }
        let failures = self.0.entry(key).or_insert(Failures { count: 0, last: now });
        if now - failures.last >= FORGOTTEN {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }

    pub(super) fn forget(&mut self, user: &str, from: IpAddr) {
        self.0.remove(&(user.to_owned(), from));
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
    fn no_more_than_so_many_are_kept_and_the_oldest_goes() {
        let (mut attempts, mut now) = (Attempts::default(), DateTime::<Utc>::UNIX_EPOCH);
        for number in 0..=MAX_KEPT {
            attempts.failed(&number.to_string(), FROM, now);
            now += TimeDelta::milliseconds(1);
        }
        assert_eq!(attempts.0.len(), MAX_KEPT);
        assert!(!attempts.0.contains_key(&("0".to_owned(), FROM)) && attempts.0.contains_key(&("1".to_owned(), FROM)));
    }
}
