//! The bill: what a query's `Meter` counts and its `Allowance` lets it scan, the `Usage` it reports, and the `Tariff` that prices it. Pure: no IO,
//! no clock.

mod allowance;
mod details;
mod in_flight;
mod listing;
mod meter;
mod money;
mod payer;
mod tariff;
mod usage;

pub use allowance::{Allowance, Refusal, Reservation};
pub use details::{PrunedBy, ScanCounters, ScanDetails};
pub use in_flight::{Flight, InFlight};
pub use listing::{ListingCounters, ListingDetails};
pub use meter::{FileMeter, Meter, ScanMeter};
pub use money::Usd;
pub use payer::{BudgetSpent, Payer, Period};
pub use tariff::{Bill, Tariff};
pub use usage::{Requests, Scanned, Timings, Usage};

/// A kind of request to a store, as the store's bill tells them apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RequestKind {
    Get,
    Head,
    /// One page of a listing.
    List,
    Put,
    Delete,
}
