//! A clock that tests move by hand.

use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, TimeDelta, Utc};
use glaux_engine::clock::Clock;

/// When tests begin.
pub(super) const HAND_CLOCK_START: DateTime<Utc> = DateTime::from_timestamp_nanos(1_750_000_000_000_000_000);

#[derive(Debug)]
pub(super) struct HandClock(pub(super) Mutex<DateTime<Utc>>);

impl Default for HandClock {
    fn default() -> Self {
        Self(Mutex::new(HAND_CLOCK_START))
    }
}

impl HandClock {
    pub(super) fn pass(&self, seconds: i64) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) += TimeDelta::seconds(seconds);
    }
}

impl Clock for HandClock {
    fn now(&self) -> DateTime<Utc> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
