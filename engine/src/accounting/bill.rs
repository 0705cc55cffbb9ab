//! What one statement costs, and what for.

use std::{
    fmt,
    ops::{Add, AddAssign},
};

use serde::{Serialize, Serializer, ser::SerializeMap};

use super::Usd;

/// The price of one statement, exact. Its parts serialize as `{"scan_usd", "requests_usd", "transfer_usd"}`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bill {
    /// The bytes that the scan's price is for: rounded up, and at least the tariff's minimum.
    pub billed_bytes: u64,
    /// For the table data that was scanned.
    pub scan: Usd,
    /// For requests to stores.
    pub requests: Usd,
    /// For bytes that left stores.
    pub transfer: Usd,
}

impl Bill {
    /// A bill that was made before.
    #[must_use]
    pub const fn from_parts(billed_bytes: u64, scan: Usd, requests: Usd, transfer: Usd) -> Self {
        Self { billed_bytes, scan, requests, transfer }
    }

    #[must_use]
    pub fn total(&self) -> Usd {
        self.scan + self.requests + self.transfer
    }

    /// The total in USD as an exact decimal without trailing zeros: `0.00005`.
    #[must_use]
    pub fn cost_usd(&self) -> String {
        self.total().to_string()
    }
}

impl Add for Bill {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            billed_bytes: self.billed_bytes.saturating_add(other.billed_bytes),
            scan: self.scan + other.scan,
            requests: self.requests + other.requests,
            transfer: self.transfer + other.transfer,
        }
    }
}

impl AddAssign for Bill {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl fmt::Display for Bill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} USD", self.total())
    }
}

impl Serialize for Bill {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(3))?;
        map.serialize_entry("scan_usd", &self.scan)?;
        map.serialize_entry("requests_usd", &self.requests)?;
        map.serialize_entry("transfer_usd", &self.transfer)?;
        map.end()
    }
}
