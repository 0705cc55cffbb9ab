//! Tariffs as a configuration writes them, and what they come to: each `[[tariffs.NAME]]` says what differs from its base.

use chrono::NaiveDate;
use serde::{Deserialize, Serialize};

use super::{StorePrice, Tariff, Units, Usd};
use crate::error::{Error, Result};

/// One version of a tariff. What it does not say is as in its base.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TariffOptions {
    /// The first day (UTC) of the version: `2027-01-01`. Required.
    pub effective_from: Option<String>,
    /// How the version is called in bills; the first day if not set.
    pub version: Option<String>,
    /// A built-in tariff. If not set, the version before this one; for the first, `athena`.
    pub base: Option<String>,
    /// `USD`.
    pub currency: Option<String>,
    pub units: Option<Units>,
    pub usd_per_tb: Option<Usd>,
    pub increment_bytes: Option<u64>,
    pub minimum_bytes: Option<u64>,
    pub bill_metadata: Option<bool>,
    pub stores: Vec<StorePriceOptions>,
}

/// What the requests of some stores cost. What is not set is as in the base, for the same prefix, or free.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct StorePriceOptions {
    /// The beginning of the URL of buckets or roots. Required.
    pub prefix: String,
    pub get_usd_per_1000: Option<Usd>,
    pub list_usd_per_1000: Option<Usd>,
    pub put_usd_per_1000: Option<Usd>,
    pub delete_usd_per_1000: Option<Usd>,
    pub transfer_usd_per_gb: Option<Usd>,
}

/// The highest price: above it a slip is likelier.
const HIGHEST: Usd = Usd::from_atto(1_000_000 * 1_000_000_000_000_000_000);

/// The most characters of a name, and of a version.
const LONGEST: usize = 64;

/// The beginnings of stores' URLs.
const SCHEMES: [&str; 6] = ["s3://", "gs://", "abfss://", "file://", "http://", "https://"];

/// Checks the name of a tariff or of a version. It becomes a part of `name@version`.
///
/// # Errors
/// `Invalid`, naming the key.
pub(super) fn check_name(name: &str, key: &str) -> Result<()> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_' | '+' | '.');
    if (1..=LONGEST).contains(&name.len()) && name.chars().all(is_plain) {
        return Ok(());
    }
    Err(Error::invalid(format!("\"{}\" is not a name for \"{key}\"", name.escape_debug()))
        .with_hint("Use up to 64 lower-case letters, digits, -, _, + and ."))
}

impl TariffOptions {
    /// The first day of the version; `key` is where it stands, such as `tariffs.mine.0`.
    ///
    /// # Errors
    /// `Invalid`, naming the key, if there is none, or it is no date.
    pub(super) fn first_day(&self, key: &str) -> Result<NaiveDate> {
        let refused = |fault: String| {
            Err(Error::invalid(fault).with_hint("Write the first day on which these prices hold, such as \"2027-01-01\""))
        };
        let Some(text) = &self.effective_from else {
            return refused(format!("\"{key}.effective_from\" is not set"));
        };
        let day = NaiveDate::parse_from_str(text.trim(), "%Y-%m-%d");
        day.or_else(|_| refused(format!("\"{key}.effective_from\" is \"{}\", which is not a date", text.escape_debug())))
    }

    /// The tariff that this version comes to.
    ///
    /// # Errors
    /// `Invalid`, naming the key, for what does not fit.
    pub(super) fn over(&self, base: &Tariff, name: &str, first_day: NaiveDate, key: &str) -> Result<Tariff> {
        if let Some(currency) = self.currency.as_deref().filter(|currency| !currency.eq_ignore_ascii_case("USD")) {
            let currency = currency.escape_debug();
            return Err(Error::unsupported(format!("\"{key}.currency\" is \"{currency}\": prices are in USD only"))
                .with_hint("Convert the prices to USD, and leave the currency out"));
        }
        let version = self.version.clone().unwrap_or_else(|| first_day.to_string());
        check_name(&version, &format!("{key}.version"))?;
        let units = self.units.unwrap_or(base.units);
        // So many megabytes of the base are as many of these.
        let converted = |bytes: u64| match bytes % base.units.megabyte() {
            0 => (bytes / base.units.megabyte()).saturating_mul(units.megabyte()),
            _ => bytes,
        };
        let increment_bytes = self.increment_bytes.unwrap_or_else(|| converted(base.increment_bytes));
        let minimum_bytes = self.minimum_bytes.unwrap_or_else(|| converted(base.minimum_bytes));
        if increment_bytes == 0 {
            return Err(Error::invalid(format!("\"{key}.increment_bytes\" is 0"))
                .with_hint("Bytes are rounded up to a multiple of it: 1 bills exactly what is scanned"));
        }
        if minimum_bytes > 0 && minimum_bytes < increment_bytes {
            let text = format!("\"{key}.minimum_bytes\" is {minimum_bytes}, less than the increment of {increment_bytes}");
            return Err(Error::invalid(text).with_hint("Set it to a multiple of increment_bytes, or to 0 for no minimum"));
        }
        Ok(Tariff {
            name: name.to_owned(),
            version,
            effective_from: first_day,
            units,
            price_per_tb: price(self.usd_per_tb, base.price_per_tb, key, "usd_per_tb")?,
            increment_bytes,
            minimum_bytes,
            bills_metadata: self.bill_metadata.unwrap_or(base.bills_metadata),
            stores: self.stores_over(&base.stores, key)?,
        })
    }

    fn stores_over(&self, base: &[StorePrice], key: &str) -> Result<Vec<StorePrice>> {
        let mut stores: Vec<StorePrice> = Vec::new();
        for (position, options) in self.stores.iter().enumerate() {
            let key = format!("{key}.stores.{position}");
            let prefix = options.prefix.trim();
            check_prefix(prefix, &key)?;
            if stores.iter().any(|store| store.prefix == prefix) {
                return Err(Error::invalid(format!("\"{key}.prefix\" is \"{prefix}\" a second time"))
                    .with_hint("Write all prices of a prefix in one section"));
            }
            let free = StorePrice { prefix: prefix.to_owned(), ..StorePrice::default() };
            let base = base.iter().find(|store| store.prefix == prefix).unwrap_or(&free);
            stores.push(StorePrice {
                prefix: prefix.to_owned(),
                get_per_1000: price(options.get_usd_per_1000, base.get_per_1000, &key, "get_usd_per_1000")?,
                list_per_1000: price(options.list_usd_per_1000, base.list_per_1000, &key, "list_usd_per_1000")?,
                put_per_1000: price(options.put_usd_per_1000, base.put_per_1000, &key, "put_usd_per_1000")?,
                delete_per_1000: price(options.delete_usd_per_1000, base.delete_per_1000, &key, "delete_usd_per_1000")?,
                transfer_per_gb: price(options.transfer_usd_per_gb, base.transfer_per_gb, &key, "transfer_usd_per_gb")?,
            });
        }
        let is_other = |of_base: &&StorePrice| stores.iter().all(|store| store.prefix != of_base.prefix);
        let others: Vec<StorePrice> = base.iter().filter(is_other).cloned().collect();
        stores.extend(others);
        Ok(stores)
    }
}

/// A price that is set, or the base's.
fn price(set: Option<Usd>, base: Usd, key: &str, name: &str) -> Result<Usd> {
    match set {
        Some(price) if price > HIGHEST => Err(Error::invalid(format!("\"{key}.{name}\" is {price} USD, more than {HIGHEST}"))
            .with_hint("Check the unit that the price is for")),
        set => Ok(set.unwrap_or(base)),
    }
}

/// Checks that a prefix can name stores: they are whole buckets, not folders in them.
fn check_prefix(prefix: &str, key: &str) -> Result<()> {
    let refused = |fault: &str| {
        Err(Error::invalid(format!("\"{key}.prefix\" is \"{}\", {fault}", prefix.escape_debug()))
            .with_hint("Write s3:// for every bucket, or s3://bucket/ for one"))
    };
    let Some(rest) = SCHEMES.iter().find_map(|scheme| prefix.strip_prefix(*scheme)) else {
        return refused("which is not the beginning of a store's URL");
    };
    match rest.split_once('/') {
        Some((_, folder)) if !folder.is_empty() => refused("which is a folder: requests are counted by bucket"),
        _ => Ok(()),
    }
}
