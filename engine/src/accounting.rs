//! The bill: what a query's `Meter` counts, the `Usage` it reports, the `Tariff` that prices it, and the `Bill` that this comes to. Pure: no IO; the
//! day decides alone which version of a tariff holds.

mod bill;
mod details;
mod in_flight;
mod listing;
mod meter;
mod money;
mod store_meter;
mod table_meter;
mod tariff;
mod tariff_options;
mod tariffs;
mod usage;

pub use bill::Bill;
pub use details::{PrunedBy, ScanCounters, ScanDetails};
pub use in_flight::{Flight, InFlight};
pub use listing::{ListingCounters, ListingDetails};
pub use meter::{FileMeter, Meter, ScanMeter};
pub use money::Usd;
pub use store_meter::StoreMeter;
pub use table_meter::TableMeter;
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
