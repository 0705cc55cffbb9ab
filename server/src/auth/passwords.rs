//! Passwords: hashing, and checking them a few at a time. Hashing takes long and much memory on purpose, so that it runs beside the queries' threads,
//! what was checked lately is remembered, and who guesses has to wait.

mod attempts;

use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    sync::{Arc, Mutex},
};

use argon2::{
    Argon2, PasswordVerifier,
    password_hash::{PasswordHash, PasswordHasher, SaltString, rand_core::OsRng},
};
use chrono::{DateTime, TimeDelta, Utc};
use glaux_engine::{Error, ErrorKind, Result, clock::Clock};
use serde::Serialize;
use tokio::sync::Semaphore;

use self::attempts::Attempts;
use super::signer::Signer;
use crate::{lock::lock, transport::network};

/// Characters of the shortest password that `glaux user` takes.
const MIN_PASSWORD: usize = 8;

/// Bytes of the longest one.
const MAX_PASSWORD: usize = 1024;

/// Checks that may wait for their turn; more are turned away. Those of users who are known where they come from wait apart from all others.
const MAX_WAITING: usize = 1024;

/// Of one address. Those who are known there do not count.
const MAX_WAITING_FROM: usize = 128;

/// How long a password that was right need not be hashed again.
const REMEMBERED: TimeDelta = TimeDelta::minutes(5);

/// Passwords that are remembered at a time.
const MAX_REMEMBERED: usize = 4096;

/// What an unknown user's password is compared with, so that it takes as long: the usual costs, and no password's hash.
const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5IGlzIGhlcmU$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// A password's hash, which is never shown.
#[derive(Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(crate) struct PasswordText(pub(super) String);

impl fmt::Debug for PasswordText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// The hash of a new password.
///
/// # Errors
/// `Invalid` for one that is too short or too long.
pub(crate) fn hash(password: &str) -> Result<PasswordText> {
    if password.chars().count() < MIN_PASSWORD {
        return Err(
            Error::invalid(format!("the password has fewer than {MIN_PASSWORD} characters")).with_hint("Choose a longer one")
        );
    }
    if password.len() > MAX_PASSWORD {
        return Err(Error::invalid(format!("the password has more than {MAX_PASSWORD} bytes")).with_hint("Choose a shorter one"));
    }
    let salt = SaltString::generate(&mut OsRng);
    let hash = Argon2::default()
        .hash_password(password.as_bytes(), &salt)
        .map_err(|error| Error::internal("cannot hash a password").with_source(error))?;
    Ok(PasswordText(hash.to_string()))
}

/// A hash that costs nothing, for tests.
#[cfg(test)]
pub(super) fn hash_cheaply(password: &str) -> String {
    let params = argon2::Params::new(8, 1, 1, None).unwrap();
    let argon2 = Argon2::new(argon2::Algorithm::Argon2id, argon2::Version::V0x13, params);
    argon2.hash_password(password.as_bytes(), &SaltString::generate(&mut OsRng)).unwrap().to_string()
}

/// Whether a hash is one that passwords can be compared with.
pub(super) fn is_usable(hash: &PasswordHash<'_>) -> bool {
    let parameters = argon2::Params::try_from(hash).is_ok() && argon2::Algorithm::try_from(hash.algorithm).is_ok();
    parameters && hash.hash.is_some() && hash.salt.is_some()
}

/// Checks passwords.
pub(super) struct Passwords {
    clock: Arc<dyn Clock>,
    /// Makes keys of credentials that are of no use outside this process.
    signer: Signer,
    /// Those that are checked at a time: each takes a thread, and as much memory as its hash says.
    running: Arc<Semaphore>,
    /// Turns for users who are not known yet: as many, so that no more of them than that are before somebody who is known.
    strangers: Semaphore,
    waiting: Semaphore,
    waiting_known: Semaphore,
    /// Those of users who are not known yet, by address.
    waiting_from: Mutex<HashMap<IpAddr, usize>>,
    remembered: Mutex<HashMap<[u8; 32], Remembered>>,
    attempts: Mutex<Attempts>,
}

struct Remembered {
    /// Of the hash that the password was right for.
    fingerprint: u64,
    until: DateTime<Utc>,
}

impl fmt::Debug for Passwords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passwords(..)")
    }
}

impl Passwords {
    pub(super) fn new(clock: Arc<dyn Clock>) -> Self {
        // Half of the cores at most, so that queries go on.
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZeroUsize::get);
        let running = (cores / 2).clamp(1, 4);
        Self {
            clock,
            signer: Signer::random(),
            running: Arc::new(Semaphore::new(running)),
            strangers: Semaphore::new(running),
            waiting: Semaphore::new(MAX_WAITING),
            waiting_known: Semaphore::new(MAX_WAITING),
            waiting_from: Mutex::default(),
            remembered: Mutex::default(),
            attempts: Mutex::default(),
        }
    }

    /// Whether the password is the user's. `hash` is `None` for a user who has no password or does not exist: that takes as long.
    ///
    /// # Errors
    /// `Throttled` if too many wait, or if too many passwords were guessed wrong from this address, of this user or of all.
    pub(super) async fn check(&self, user: &str, password: &str, hash: Option<&PasswordText>, from: IpAddr) -> Result<bool> {
        let name_bytes = (user.len() as u64).to_be_bytes();
        let key = self.signer.mac("credentials", &[&name_bytes, user.as_bytes(), password.as_bytes()].concat());
        let fingerprint = hash.map(|hash| self.fingerprint(hash));
        if fingerprint.is_some_and(|fingerprint| self.remembers(&key, fingerprint)) {
            return Ok(true);
        }
        self.refuse_early(user, from)?;
        let busy = || Error::new(ErrorKind::Throttled, "too many logins at once").with_hint("Try again in a few seconds");
        let place_from = self.wait_from(user, from).ok_or_else(busy)?;
        let is_known = place_from.from.is_none();
        let waiting = if is_known { &self.waiting_known } else { &self.waiting };
        let _place = waiting.try_acquire().map_err(|_| busy())?;
        let _stranger = match is_known {
            true => None,
            false => Some(self.strangers.acquire().await.map_err(|_| busy())?),
        };
        let turn = Arc::clone(&self.running).acquire_owned().await.map_err(|_| busy())?;
        // Somebody before us in the queue may have had the same password checked.
        if fingerprint.is_some_and(|fingerprint| self.remembers(&key, fingerprint)) {
            return Ok(true);
        }
        // Guesses that came at the same time have failed by now.
        self.refuse_early(user, from)?;
        let (password, against) = (password.to_owned(), hash.map_or_else(|| NOBODY.to_owned(), |hash| hash.0.clone()));
        let matches = tokio::task::spawn_blocking(move || {
            // Held by the thread: one that nobody waits for any more still takes its place.
            let _turn = turn;
            PasswordHash::new(&against).is_ok_and(|hash| Argon2::default().verify_password(password.as_bytes(), &hash).is_ok())
        })
        .await
        .map_err(|error| Error::internal("a password could not be checked").with_source(error))?;
        let right = matches && hash.is_some();
        let now = self.clock.now();
        match fingerprint {
            Some(fingerprint) if right => {
                lock(&self.attempts).succeeded(user, from, now);
                self.remember(key, Remembered { fingerprint, until: now + REMEMBERED });
            }
            _ => lock(&self.attempts).failed(user, from, now),
        }
        Ok(right)
    }

    fn refuse_early(&self, user: &str, from: IpAddr) -> Result<()> {
        match lock(&self.attempts).wait(user, from, self.clock.now()) {
            None => Ok(()),
            Some(wait) => {
                let seconds = (wait.num_milliseconds() + 999) / 1000;
                Err(Error::new(ErrorKind::Throttled, "too many failed logins of this user or from this address")
                    .with_hint(format!("Try again in {seconds} seconds")))
            }
        }
    }

    /// A place among those who wait at an address; `None` if there are too many, and the user is not known there.
    fn wait_from(&self, user: &str, from: IpAddr) -> Option<WaitingFrom<'_>> {
        let from = network(from);
        if lock(&self.attempts).is_known(user, from, self.clock.now()) {
            return Some(WaitingFrom { passwords: self, from: None });
        }
        let mut waiting = lock(&self.waiting_from);
        let count = waiting.entry(from).or_default();
        if *count >= MAX_WAITING_FROM {
            return None;
        }
        *count += 1;
        Some(WaitingFrom { passwords: self, from: Some(from) })
    }

    /// Identifies a hash within this process.
    fn fingerprint(&self, hash: &PasswordText) -> u64 {
        fingerprint(&self.signer, hash)
    }

    fn remembers(&self, key: &[u8; 32], fingerprint: u64) -> bool {
        let now = self.clock.now();
        lock(&self.remembered).get(key).is_some_and(|known| known.fingerprint == fingerprint && now < known.until)
    }

    fn remember(&self, key: [u8; 32], right: Remembered) {
        let mut remembered = lock(&self.remembered);
        if remembered.len() >= MAX_REMEMBERED {
            let now = self.clock.now();
            remembered.retain(|_, known| now < known.until);
        }
        if remembered.len() >= MAX_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(key, right);
    }
}

/// One that waits; `None` if it is not counted.
struct WaitingFrom<'a> {
    passwords: &'a Passwords,
    from: Option<IpAddr>,
}

impl Drop for WaitingFrom<'_> {
    fn drop(&mut self) {
        let Some(from) = self.from else { return };
        let mut waiting = lock(&self.passwords.waiting_from);
        if let Some(count) = waiting.get_mut(&from) {
            *count -= 1;
            if *count == 0 {
                waiting.remove(&from);
            }
        }
    }
}

/// Identifies a hash, without revealing anything of it.
pub(super) fn fingerprint(signer: &Signer, hash: &PasswordText) -> u64 {
    let mac = signer.mac("password", hash.0.as_bytes());
    mac.iter().take(8).fold(0, |number, byte| number << 8 | u64::from(*byte))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::testing::HandClock;

    const FROM: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn nobody_has_a_hash_of_the_usual_costs() {
        let nobody = PasswordHash::new(NOBODY).unwrap();
        assert!(is_usable(&nobody));
        let costs = |params: &argon2::Params| (params.m_cost(), params.t_cost(), params.p_cost());
        assert_eq!(costs(&argon2::Params::try_from(&nobody).unwrap()), costs(&argon2::Params::default()));
    }

    #[test]
    fn new_passwords_are_hashed_by_argon2id_unless_they_are_too_short() {
        assert!(hash("7 chars").is_err() && hash("").is_err() && hash(&"x".repeat(1025)).is_err());
        let (one, two) = (hash("8 chars!").unwrap(), hash("8 chars!").unwrap());
        assert!(one.0.starts_with("$argon2id$v=19$") && one.0 != two.0);
        assert_eq!(format!("{one:?}"), "***");
    }

    #[tokio::test]
    async fn what_was_right_is_remembered_until_the_hash_changes() {
        let clock = Arc::new(HandClock::default());
        let passwords = Passwords::new(Arc::<HandClock>::clone(&clock));
        let (old, new) = (PasswordText(hash_cheaply("right one")), PasswordText(hash_cheaply("another")));
        assert!(passwords.check("ada", "right one", Some(&old), FROM).await.unwrap());
        assert!(!passwords.check("ada", "wrong one", Some(&old), FROM).await.unwrap());
        assert!(!passwords.check("ada", "right one", None, FROM).await.unwrap());
        // Without a turn to be had, only what is remembered is answered.
        passwords.running.close();
        assert!(passwords.check("ada", "right one", Some(&old), FROM).await.unwrap());
        assert!(passwords.check("ad", "aright one", Some(&old), FROM).await.is_err());
        assert!(passwords.check("ada", "right one", Some(&new), FROM).await.is_err());
        clock.pass(301);
        assert!(passwords.check("ada", "right one", Some(&old), FROM).await.is_err());
    }

    #[tokio::test]
    async fn those_beyond_the_queue_are_turned_away() {
        let passwords = Passwords::new(Arc::new(HandClock::default()));
        let hash = PasswordText(hash_cheaply("right one"));
        assert!(passwords.check("ada", "right one", Some(&hash), FROM).await.unwrap());
        let all = Arc::clone(&passwords.running).acquire_many_owned(passwords.running.available_permits() as u32).await.unwrap();
        let check = |number: usize| {
            let (passwords, hash) = (&passwords, &hash);
            let from = IpAddr::from([10, 0, 0, (number / MAX_WAITING_FROM) as u8]);
            async move { passwords.check(&format!("user {number}"), "right one", Some(hash), from).await }
        };
        let mut waiting: Vec<_> = (0..MAX_WAITING).map(|number| Box::pin(check(number))).collect();
        for waiting in &mut waiting {
            assert!(futures::poll!(waiting).is_pending());
        }
        assert_eq!(check(MAX_WAITING).await.unwrap_err().kind(), ErrorKind::Throttled);
        // Who is known here is before those who wait for a turn among strangers.
        let mut known = Box::pin(passwords.check("ada", "a guess", Some(&hash), FROM));
        assert!(futures::poll!(&mut known).is_pending());
        drop(all);
        let (known, waited) = futures::join!(known, futures::future::join_all(waiting));
        assert!(!known.unwrap() && waited.into_iter().all(|right| right.unwrap()));
        assert!(check(MAX_WAITING).await.unwrap());
    }

    #[tokio::test]
    async fn one_address_does_not_fill_the_queue_and_who_is_known_there_gets_in() {
        let passwords = Passwords::new(Arc::new(HandClock::default()));
        let hash = PasswordText(hash_cheaply("right one"));
        assert!(passwords.check("ada", "right one", Some(&hash), FROM).await.unwrap());
        let all = Arc::clone(&passwords.running).acquire_many_owned(passwords.running.available_permits() as u32).await.unwrap();
        let check = |user: String, from: IpAddr| {
            let (passwords, hash) = (&passwords, &hash);
            async move { passwords.check(&user, "guess", Some(hash), from).await }
        };
        let mut flood: Vec<_> = (0..MAX_WAITING_FROM).map(|number| Box::pin(check(format!("user {number}"), FROM))).collect();
        for waiting in &mut flood {
            assert!(futures::poll!(waiting).is_pending());
        }
        let refused = check("one more".to_owned(), FROM).await.unwrap_err();
        assert_eq!((refused.kind(), refused.hint()), (ErrorKind::Throttled, Some("Try again in a few seconds")));
        let mut elsewhere = Box::pin(check("bea".to_owned(), "10.0.0.1".parse().unwrap()));
        let mut known = Box::pin(check("ada".to_owned(), FROM));
        assert!(futures::poll!(&mut elsewhere).is_pending() && futures::poll!(&mut known).is_pending());
        drop(all);
        let (elsewhere, known, ended) = futures::join!(elsewhere, known, futures::future::join_all(flood));
        assert!(!elsewhere.unwrap() && !known.unwrap());
        // All but the first of the flood have to wait by now.
        assert!(ended.iter().filter(|ended| ended.is_err()).count() >= MAX_WAITING_FROM / 2);
        assert!(passwords.waiting_from.lock().unwrap().is_empty());
    }

    #[tokio::test]
    async fn who_guesses_has_to_wait_and_others_do_not() {
        let clock = Arc::new(HandClock::default());
        let passwords = Passwords::new(Arc::<HandClock>::clone(&clock));
        let hash = PasswordText(hash_cheaply("right one"));
        for _ in 0..5 {
            assert!(!passwords.check("ada", "guess", Some(&hash), FROM).await.unwrap());
        }
        let error = passwords.check("ada", "right one", Some(&hash), FROM).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Throttled);
        assert!(passwords.check("ada", "right one", Some(&hash), "10.0.0.1".parse().unwrap()).await.unwrap());
        assert!(passwords.check("bea", "right one", Some(&hash), FROM).await.unwrap());
        clock.pass(2);
        assert!(passwords.check("ada", "right one", Some(&hash), FROM).await.unwrap());
        assert!(!passwords.check("ada", "guess", Some(&hash), FROM).await.unwrap(), "begins anew");
    }
}
