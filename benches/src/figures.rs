//! Figures on paper: samples and their percentiles, and a table with a goal beside each figure.

use std::{fmt::Display, time::Duration};

/// Measured times.
#[derive(Debug, Clone, Default)]
pub(crate) struct Samples(Vec<Duration>);

impl Samples {
    pub(crate) fn push(&mut self, sample: Duration) {
        self.0.push(sample);
    }

    pub(crate) fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The time that so many of a hundred samples do not exceed; zero without samples.
    pub(crate) fn percentile(&self, percent: usize) -> Duration {
        let mut sorted = self.0.clone();
        sorted.sort_unstable();
        let rank = (sorted.len() * percent).div_ceil(100).max(1);
        sorted.get(rank - 1).copied().unwrap_or_default()
    }

    pub(crate) fn median(&self) -> Duration {
        self.percentile(50)
    }

    pub(crate) fn max(&self) -> Duration {
        self.percentile(100)
    }
}

/// Prints a table of figures and remembers whether all goals were met.
#[derive(Debug)]
pub(crate) struct Figures {
    met: bool,
}

impl Figures {
    pub(crate) fn new(title: &str) -> Self {
        println!("\n{title}");
        Self { met: true }
    }

    /// A figure that has no goal.
    pub(crate) fn line(&self, name: &str, value: impl Display) {
        println!("  {name:<58} {value:>14}");
    }

    /// A time that should be no longer.
    pub(crate) fn time(&mut self, name: &str, value: Duration, goal: Duration) {
        self.goal(name, millis(value), format!("<= {}", millis(goal)), value <= goal);
    }

    /// Bytes that should be no more.
    pub(crate) fn bytes(&mut self, name: &str, value: u64, goal: u64) {
        self.goal(name, mebibytes(value), format!("<= {}", mebibytes(goal)), value <= goal);
    }

    /// A ratio that should be no larger.
    pub(crate) fn at_most(&mut self, name: &str, value: f64, goal: f64) {
        self.goal(name, format!("{value:.2}"), format!("<= {goal:.2}"), value <= goal);
    }

    /// A number that should be no smaller.
    pub(crate) fn at_least(&mut self, name: &str, value: f64, goal: f64) {
        self.goal(name, format!("{value:.2}"), format!(">= {goal:.2}"), value >= goal);
    }

    /// Any figure with its goal.
    pub(crate) fn goal(&mut self, name: &str, value: impl Display, goal: impl Display, met: bool) {
        let verdict = if met { "met" } else { "MISSED" };
        println!("  {name:<58} {value:>14}   goal {goal:<14} {verdict}");
        self.met &= met;
    }

    /// Whether all goals were met.
    pub(crate) fn met(&self) -> bool {
        self.met
    }
}

pub(crate) fn millis(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}

pub(crate) fn mebibytes(bytes: u64) -> String {
    format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_samples() {
        let mut samples = Samples::default();
        assert_eq!(samples.median(), Duration::ZERO);
        for at in (1..=200).rev() {
            samples.push(Duration::from_millis(at));
        }
        let [p50, p99, max] = [50, 99, 100].map(|percent| samples.percentile(percent).as_millis());
        assert_eq!((p50, p99, max), (100, 198, 200));
    }
}
