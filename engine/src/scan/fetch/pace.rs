//! How fast a store answers, as observed: what a request costs apart from its bytes, and when one is late. It decides what is fetched together
//! and what is requested twice, never what a query is billed for.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Until something has been observed, and at least: what every store gives in the time of a request.
pub(super) const LEAST_GAP: u64 = 16 << 10;

/// Bodies from which a bandwidth can be told.
const TELLING_BODY: u64 = 64 << 10;

/// Answers that are remembered.
const REMEMBERED: usize = 256;

/// Answers from which on lateness can be told.
const TELLING_ANSWERS: usize = 40;

/// One of this many requests may be sent twice.
const HEDGED_OF: u64 = 20;

/// The pace of one store.
#[derive(Debug, Default)]
pub(super) struct Pace(Mutex<Observed>);

#[derive(Debug, Default)]
struct Observed {
    /// Seconds until a body begins, smoothed.
    latency: Option<f64>,
    /// Bytes a second of one body, smoothed.
    bandwidth: Option<f64>,
    /// Seconds of whole requests, the newest in a ring.
    whole: Vec<f64>,
    next: usize,
    requests: u64,
    hedged: u64,
}

fn smooth(average: &mut Option<f64>, value: f64) {
    *average = Some(average.map_or(value, |average| average * 0.9 + value * 0.1));
}

impl Pace {
    /// An answer: how long its beginning took, and then its body.
    pub(super) fn observe(&self, latency: Duration, body: Duration, bytes: u64) {
        let mut observed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        smooth(&mut observed.latency, latency.as_secs_f64());
        if bytes >= TELLING_BODY && !body.is_zero() {
            smooth(&mut observed.bandwidth, bytes as f64 / body.as_secs_f64());
        }
        let whole = (latency + body).as_secs_f64();
        let at = observed.next;
        match observed.whole.get_mut(at) {
            Some(oldest) => *oldest = whole,
            None => observed.whole.push(whole),
        }
        observed.next = (at + 1) % REMEMBERED;
        observed.requests += 1;
    }

    /// The gap between two ranges that is cheaper to read than a request of its own, of which `parallel` wait for the store at a time.
    pub(super) fn worthwhile_gap(&self, parallel: usize) -> u64 {
        let observed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes = match (observed.latency, observed.bandwidth) {
            (Some(latency), Some(bandwidth)) => latency * bandwidth / parallel as f64,
            _ => 0.0,
        };
        (bytes as u64).max(LEAST_GAP)
    }

    /// How long to wait for an answer before asking again: 95 of 100 take less. `None` as long as that is not known, or too many were asked
    /// for twice already.
    pub(super) fn patience(&self) -> Option<Duration> {
        let observed = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if observed.whole.len() < TELLING_ANSWERS || (observed.hedged + 1) * HEDGED_OF > observed.requests {
            return None;
        }
        let mut sorted = observed.whole.clone();
        sorted.sort_unstable_by(f64::total_cmp);
        Some(Duration::from_secs_f64(sorted[sorted.len() * 95 / 100]))
    }

    /// A request was sent twice.
    pub(super) fn hedge(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).hedged += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slow_store_makes_wider_gaps_worth_reading() {
        let pace = Pace::default();
        assert_eq!(pace.worthwhile_gap(64), LEAST_GAP);
        for _ in 0..100 {
            pace.observe(Duration::from_millis(30), Duration::from_millis(1), 1 << 20);
        }
        let wide = pace.worthwhile_gap(64);
        assert!((400_000..600_000).contains(&wide), "{wide}");
        assert!(pace.worthwhile_gap(1) > wide);
    }

    #[test]
    fn one_of_twenty_is_asked_for_twice_and_only_when_lateness_is_known() {
        let pace = Pace::default();
        assert_eq!(pace.patience(), None);
        for at in 0..100 {
            pace.observe(Duration::from_millis(at), Duration::ZERO, 1);
        }
        assert_eq!(pace.patience(), Some(Duration::from_millis(95)));
        for _ in 0..5 {
            pace.hedge();
        }
        assert_eq!(pace.patience(), None);
    }
}
