//! What scanned bytes cost. The default is Athena's price: 5 USD for 10^12 bytes, rounded up to the next megabyte (10^6 bytes), at least 10 MB.
//!
//! Money is exact: a count of 10^-18 USD in a `u128`. A price is a whole number of millionths of a USD for 10^12 bytes, so that a byte costs a whole
//! number of these units, and nothing is ever rounded.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How bytes become money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Tariff {
    /// Scanned bytes are rounded up to a multiple of this; at least 1.
    pub increment_bytes: u64,
    /// A query that scans anything is billed for at least this.
    pub minimum_bytes: u64,
    /// Millionths of a USD for 10^12 bytes.
    pub micro_usd_per_terabyte: u64,
}

impl Default for Tariff {
    fn default() -> Self {
        Self { increment_bytes: 1_000_000, minimum_bytes: 10_000_000, micro_usd_per_terabyte: 5_000_000 }
    }
}

impl Tariff {
    /// Prices a scan; 0 bytes bill 0.
    #[must_use]
    pub fn bill(&self, data_scanned_bytes: u64) -> Bill {
        if data_scanned_bytes == 0 {
            return Bill::default();
        }
        let increment = self.increment_bytes.max(1);
        let rounded = data_scanned_bytes.div_ceil(increment).saturating_mul(increment);
        let billed_bytes = rounded.max(self.minimum_bytes);
        // bytes * (micro USD / 10^12 bytes) = bytes * micro * 10^-18 USD
        Bill { billed_bytes, atto_usd: u128::from(billed_bytes) * u128::from(self.micro_usd_per_terabyte) }
    }
}

/// A price, exact to 10^-18 USD.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Bill {
    pub billed_bytes: u64,
    atto_usd: u128,
}

const ATTO: u128 = 1_000_000_000_000_000_000;

impl Bill {
    /// A price that was reckoned before, from its bytes and its cost in 10^-18 USD.
    #[must_use]
    pub const fn from_parts(billed_bytes: u64, atto_usd: u128) -> Self {
        Self { billed_bytes, atto_usd }
    }

    /// The cost in USD as an exact decimal without trailing zeros: `0.00005`.
    #[must_use]
    pub fn cost_usd(&self) -> String {
        let (whole, fraction) = (self.atto_usd / ATTO, self.atto_usd % ATTO);
        if fraction == 0 {
            return whole.to_string();
        }
        let digits = format!("{fraction:018}");
        format!("{whole}.{}", digits.trim_end_matches('0'))
    }

    #[must_use]
    pub fn total(&self) -> super::Usd {
        super::Usd::from_atto(self.atto_usd)
    }

    /// The cost in 10^-18 USD.
    #[must_use]
    pub fn atto_usd(&self) -> u128 {
        self.atto_usd
    }
}

impl std::ops::Add for Bill {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { billed_bytes: self.billed_bytes + other.billed_bytes, atto_usd: self.atto_usd + other.atto_usd }
    }
}

impl fmt::Display for Bill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} USD", self.cost_usd())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_like_athena() {
        let tariff = Tariff::default();
        for (scanned, billed, cost) in [
            (0, 0, "0"),
            (1, 10_000_000, "0.00005"),
            (10_000_000, 10_000_000, "0.00005"),
            (10_000_001, 11_000_000, "0.000055"),
            (1_000_000_000_000, 1_000_000_000_000, "5"),
            (u64::MAX, u64::MAX, "92233720.368547758075"),
        ] {
            let bill = tariff.bill(scanned);
            assert_eq!((bill.billed_bytes, bill.cost_usd().as_str()), (billed, cost), "{scanned} bytes");
        }
    }
}
