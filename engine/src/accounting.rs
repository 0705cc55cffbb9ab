//! The bill: what a query's `Meter` counts and its `Allowance` lets it scan, the `Usage` it reports, the `Tariff` that prices it, and the `Bill` that
//! this comes to. Pure: no IO; the day decides alone which version of a tariff holds.

mod allowance;
mod bill;
mod details;
mod in_flight;
mod listing;
mod meter;
mod money;
mod payer;
mod store_meter;
mod table_meter;
mod tariff;
mod tariff_options;
mod tariffs;
mod usage;

pub(crate) use allowance::{Allowance, Refusal, Reservation};
pub use bill::Bill;
pub use details::ScanDetails;
pub(crate) use details::{PrunedBy, ScanCounters};
pub(crate) use in_flight::InFlight;
pub(crate) use listing::ListingCounters;
pub use listing::ListingDetails;
pub use meter::Meter;
pub(crate) use meter::{FileMeter, ScanMeter};
pub use money::Usd;
pub(crate) use payer::Payer;
pub use payer::{BudgetSpent, Period};
pub(crate) use store_meter::StoreMeter;
pub(crate) use table_meter::TableMeter;
pub use tariff::{StorePrice, Tariff, Units};
pub use tariff_options::{StorePriceOptions, TariffOptions};
pub use tariffs::{DEFAULT_TARIFF, Tariffs};
pub use usage::{Requests, Scanned, StoreUsage, TableUsage, Timings, Usage, UsageDetail};

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
