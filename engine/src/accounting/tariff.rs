//! A tariff: prices, and the one function from a statement's whole usage to its bill. Who pays at all is decided in `lifecycle`.
//!
//! Every product of a figure and a price is rounded up to 10^-18 USD, where it has more places than that.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{Bill, Requests, StoreUsage, UsageDetail, Usd};

/// How many bytes a megabyte, a gigabyte and a terabyte have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Units {
    /// 10^6, 10^9, 10^12.
    #[default]
    Decimal,
    /// 2^20, 2^30, 2^40.
    Binary,
}

impl Units {
    #[must_use]
    pub const fn megabyte(self) -> u64 {
        match self {
            Self::Decimal => 1_000_000,
            Self::Binary => 1 << 20,
        }
    }

    #[must_use]
    pub const fn gigabyte(self) -> u64 {
        match self {
            Self::Decimal => 1_000_000_000,
            Self::Binary => 1 << 30,
        }
    }

    #[must_use]
    pub const fn terabyte(self) -> u64 {
        match self {
            Self::Decimal => 1_000_000_000_000,
            Self::Binary => 1 << 40,
        }
    }
}

/// What a store's requests cost, and the bytes that leave it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct StorePrice {
    /// The beginning of the store's URL: `s3://`, or `s3://lake/` for that bucket alone.
    pub prefix: String,
    /// Of 1,000 GET or HEAD requests.
    pub get_per_1000: Usd,
    /// Of 1,000 pages of listings.
    pub list_per_1000: Usd,
    /// Of 1,000 PUT, POST or copy requests.
    pub put_per_1000: Usd,
    /// Of 1,000 DELETE requests.
    pub delete_per_1000: Usd,
    /// Of a gigabyte that is fetched from the store.
    pub transfer_per_gb: Usd,
}

impl StorePrice {
    /// Whether the store is one of those that the prefix names.
    fn is_of(&self, store: &str) -> bool {
        store.starts_with(&self.prefix) || self.prefix.strip_suffix('/') == Some(store)
    }

    fn of_requests(&self, requests: &Requests) -> Usd {
        let Requests { get, head, list, put, delete } = *requests;
        [
            (self.get_per_1000, get.saturating_add(head)),
            (self.list_per_1000, list),
            (self.put_per_1000, put),
            (self.delete_per_1000, delete),
        ]
        .into_iter()
        .map(|(price, count)| price.of(count, 1_000))
        .sum()
    }
}

/// The prices of statements, in one version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tariff {
    pub name: String,
    pub version: String,
    /// The first day (UTC) on which a query that comes in is billed by it.
    pub effective_from: NaiveDate,
    pub units: Units,
    pub price_per_tb: Usd,
    /// Scanned bytes are rounded up to a multiple of this; at least 1.
    pub increment_bytes: u64,
    /// A statement that scans anything is billed for at least this.
    pub minimum_bytes: u64,
    /// Whether bytes of footers, page indexes and bloom filters are billed as scanned data is. They are free otherwise.
    pub bills_metadata: bool,
    /// Requests to stores that none of these names are free, and so are the bytes that leave them.
    pub stores: Vec<StorePrice>,
}

/// The version of the built-in prices.
const PUBLISHED: NaiveDate = match NaiveDate::from_ymd_opt(2026, 11, 1) {
    Some(day) => day,
    None => NaiveDate::MIN,
};

/// 10^-6 USD.
const fn micro_usd(count: u128) -> Usd {
    Usd::from_atto(count * 1_000_000_000_000)
}

impl Default for Tariff {
    fn default() -> Self {
        Self::athena()
    }
}

impl Tariff {
    /// Athena's price: 5 USD per TB of data scanned, each query rounded up to the next megabyte, and at least 10 MB
    /// (<https://aws.amazon.com/athena/pricing/>). The page does not say what a megabyte is: it is taken as 10^6 bytes, as in Athena's API,
    /// whose least cut-off of 10 MB is 10000000.
    #[must_use]
    pub fn athena() -> Self {
        Self {
            name: "athena".to_owned(),
            version: PUBLISHED.to_string(),
            effective_from: PUBLISHED,
            units: Units::Decimal,
            price_per_tb: micro_usd(5_000_000),
            increment_bytes: Units::Decimal.megabyte(),
            minimum_bytes: 10 * Units::Decimal.megabyte(),
            bills_metadata: false,
            stores: Vec::new(),
        }
    }

    /// Athena's price and S3's, of S3 Standard in us-east-1 (<https://aws.amazon.com/s3/pricing/>): GET and all other requests 0.0004 USD
    /// per 1,000; PUT, COPY, POST and LIST 0.005 USD per 1,000; DELETE free. Transfer within the region is free, as it is for Athena. Out to
    /// the internet it is 0.09 USD per GB for the first 10 TB a month, which is for the configuration to say.
    #[must_use]
    pub fn athena_s3() -> Self {
        let s3 = StorePrice {
            prefix: "s3://".to_owned(),
            get_per_1000: micro_usd(400),
            list_per_1000: micro_usd(5_000),
            put_per_1000: micro_usd(5_000),
            delete_per_1000: Usd::ZERO,
            transfer_per_gb: Usd::ZERO,
        };
        Self { name: "athena+s3".to_owned(), stores: vec![s3], ..Self::athena() }
    }

    /// Everything at 0 USD, for a lake of one's own.
    #[must_use]
    pub fn free() -> Self {
        Self { name: "free".to_owned(), price_per_tb: Usd::ZERO, increment_bytes: 1, minimum_bytes: 0, ..Self::athena() }
    }

    /// `name@version`, which stands with every bill that was made by it.
    #[must_use]
    pub fn id(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// The bytes that are billed for so many; 0 for 0.
    #[must_use]
    pub fn billed_bytes(&self, bytes: u64) -> u64 {
        if bytes == 0 {
            return 0;
        }
        let increment = self.increment_bytes.max(1);
        bytes.div_ceil(increment).saturating_mul(increment).max(self.minimum_bytes)
    }

    /// Prices a statement that pays. No figure that grows makes it cheaper.
    #[must_use]
    pub fn bill(&self, usage: &UsageDetail) -> Bill {
        let metadata = if self.bills_metadata { usage.total.metadata_bytes } else { 0 };
        let billed_bytes = self.billed_bytes(usage.total.data_scanned_bytes.saturating_add(metadata));
        let scan = self.price_per_tb.of(billed_bytes, self.units.terabyte());
        let mut bill = Bill { billed_bytes, scan, ..Bill::default() };
        for StoreUsage { store, requests, fetched_bytes } in &usage.stores {
            if let Some(price) = self.price_of(store) {
                bill.requests += price.of_requests(requests);
                bill.transfer += price.transfer_per_gb.of(*fetched_bytes, self.units.gigabyte());
            }
        }
        bill
    }

    /// What a store's requests cost: by the longest prefix of its URL.
    fn price_of(&self, store: &str) -> Option<&StorePrice> {
        self.stores.iter().filter(|price| price.is_of(store)).max_by_key(|price| price.prefix.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::accounting::Usage;

    fn usd(text: &str) -> Usd {
        text.parse().unwrap()
    }

    fn store(store: &str, requests: Requests, fetched_bytes: u64) -> StoreUsage {
        StoreUsage { store: store.to_owned(), requests, fetched_bytes }
    }

    #[test]
    fn scans_are_priced_like_athenas() {
        let tariff = Tariff::athena();
        for (scanned, billed, cost) in [
            (0, 0, "0"),
            (1, 10_000_000, "0.00005"),
            (10_000_000, 10_000_000, "0.00005"),
            (10_000_001, 11_000_000, "0.000055"),
            (1_000_000_000_000, 1_000_000_000_000, "5"),
            (u64::MAX, u64::MAX, "92233720.368547758075"),
        ] {
            let bill = tariff.bill(&UsageDetail::of_scan(scanned));
            assert_eq!((bill.billed_bytes, bill.cost_usd().as_str()), (billed, cost), "{scanned} bytes");
            assert_eq!((bill.requests, bill.transfer), (Usd::ZERO, Usd::ZERO));
        }
    }

    #[test]
    fn binary_units_are_larger() {
        let binary = Units::Binary;
        let tariff = Tariff {
            units: binary,
            increment_bytes: binary.megabyte(),
            minimum_bytes: 10 * binary.megabyte(),
            ..Tariff::athena()
        };
        for (scanned, billed, cost) in [
            // 10 * 2^20 * 5 / 2^40 = 50 / 2^20 = 0.00004768371582031250.
            (1, 10_485_760, "0.000047683715820313"),
            (10_485_761, 11_534_336, "0.000052452087402344"),
            (1 << 40, 1 << 40, "5"),
        ] {
            let bill = tariff.bill(&UsageDetail::of_scan(scanned));
            assert_eq!((bill.billed_bytes, bill.cost_usd().as_str()), (billed, cost), "{scanned} bytes");
        }
    }

    /// A scan of many small files: the requests cost more than the data.
    #[test]
    fn requests_are_priced_like_s3s() {
        let requests = Requests { get: 40_000, head: 1_000, list: 20, put: 3, delete: 1_000_000 };
        let usage = UsageDetail { stores: vec![store("s3://lake", requests, 7_000_000_000)], ..UsageDetail::of_scan(1) };
        let bill = Tariff::athena_s3().bill(&usage);
        // 41 * 0.0004 + 0.023 * 0.005 = 0.0164 + 0.000115.
        assert_eq!((bill.scan, bill.requests, bill.transfer), (usd("0.00005"), usd("0.016515"), Usd::ZERO));
        assert_eq!((bill.total(), bill.cost_usd().as_str()), (usd("0.016565"), "0.016565"));
        assert_eq!(Tariff::athena().bill(&usage).total(), usd("0.00005"));
        assert_eq!(Tariff::free().bill(&usage), Bill { billed_bytes: 1, ..Bill::default() });
    }

    #[test]
    fn one_request_costs_a_part_of_a_millionth() {
        let one = |requests| UsageDetail { stores: vec![store("s3://b", requests, 0)], ..UsageDetail::default() };
        let cost = |requests| Tariff::athena_s3().bill(&one(requests)).cost_usd();
        assert_eq!(cost(Requests { get: 1, ..Requests::default() }), "0.0000004");
        assert_eq!(cost(Requests { head: 1, ..Requests::default() }), "0.0000004");
        assert_eq!(cost(Requests { list: 1, ..Requests::default() }), "0.000005");
        assert_eq!(cost(Requests { put: 1, ..Requests::default() }), "0.000005");
        assert_eq!(cost(Requests { delete: 1, ..Requests::default() }), "0");
    }

    #[test]
    fn a_store_has_the_price_of_its_longest_prefix() {
        let price = |prefix: &str, get: &str, transfer: &str| StorePrice {
            prefix: prefix.to_owned(),
            get_per_1000: usd(get),
            transfer_per_gb: usd(transfer),
            ..StorePrice::default()
        };
        let stores = vec![price("s3://", "1", "0.09"), price("s3://lake/", "2", "0"), price("s3://lake-of-", "3", "0")];
        let tariff = Tariff { stores, ..Tariff::athena() };
        let gets = Requests { get: 1_000, ..Requests::default() };
        for (url, requests, transfer) in [
            ("s3://other", "1", "0.045"),
            ("s3://lake", "2", "0"),
            ("s3://lakes", "1", "0.045"),
            ("s3://lake-of-a", "3", "0"),
            ("file://", "0", "0"),
            ("gs://lake", "0", "0"),
        ] {
            let usage = UsageDetail { stores: vec![store(url, gets, 500_000_000)], ..UsageDetail::default() };
            let bill = tariff.bill(&usage);
            assert_eq!((bill.requests, bill.transfer), (usd(requests), usd(transfer)), "{url}");
        }
    }

    #[test]
    fn metadata_is_free_unless_the_tariff_bills_it() {
        let total = Usage { data_scanned_bytes: 9_000_000, metadata_bytes: 2_000_000, ..Usage::default() };
        let usage = UsageDetail { total, ..UsageDetail::default() };
        assert_eq!(Tariff::athena().bill(&usage).billed_bytes, 10_000_000);
        let tariff = Tariff { bills_metadata: true, ..Tariff::athena() };
        assert_eq!(tariff.bill(&usage).billed_bytes, 11_000_000);
    }

    prop_compose! {
        fn prices()(
            prices in prop::array::uniform6(0..1_000_000_000_000_000_000_000_000_u128),
            increment_bytes in 1..1_u64 << 40,
            minimum_bytes in 0..1_u64 << 40,
            bills_metadata in any::<bool>(),
            is_binary in any::<bool>(),
        ) -> Tariff {
            let [price_per_tb, get, list, put, delete, transfer] = prices.map(Usd::from_atto);
            let price = StorePrice {
                prefix: "s3://".to_owned(),
                get_per_1000: get,
                list_per_1000: list,
                put_per_1000: put,
                delete_per_1000: delete,
                transfer_per_gb: transfer,
            };
            let units = if is_binary { Units::Binary } else { Units::Decimal };
            let stores = vec![price];
            Tariff { price_per_tb, increment_bytes, minimum_bytes, bills_metadata, units, stores, ..Tariff::athena() }
        }
    }

    /// The figures that have a price, one after the other.
    fn usage_of(figures: [u64; 8]) -> UsageDetail {
        let [data_scanned_bytes, metadata_bytes, get, head, list, put, delete, fetched_bytes] = figures;
        let requests = Requests { get, head, list, put, delete };
        UsageDetail {
            total: Usage { data_scanned_bytes, metadata_bytes, requests, fetched_bytes, ..Usage::default() },
            stores: vec![store("s3://lake", requests, fetched_bytes)],
            tables: Vec::new(),
        }
    }

    proptest! {
        #[test]
        fn a_figure_that_grows_makes_nothing_cheaper(
            tariff in prices(),
            figures in prop::array::uniform8(any::<u64>()),
            grows in 0..8_usize,
            by in any::<u64>(),
        ) {
            let mut more = figures;
            more[grows] = more[grows].saturating_add(by);
            let (less, more) = (tariff.bill(&usage_of(figures)), tariff.bill(&usage_of(more)));
            prop_assert!(less.billed_bytes <= more.billed_bytes);
            prop_assert!(less.scan <= more.scan && less.requests <= more.requests && less.transfer <= more.transfer);
            prop_assert!(less.total() <= more.total());
        }
    }
}
