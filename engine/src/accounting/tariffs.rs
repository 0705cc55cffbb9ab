//! The tariffs of an engine by their names, each in one or more versions: those that are built in and those of the configuration.

use std::{collections::BTreeMap, sync::Arc};

use chrono::{DateTime, NaiveDate, Utc};

use super::{
    Tariff,
    tariff_options::{TariffOptions, check_name},
};
use crate::{
    clock::{Clock, system_clock},
    error::{Error, Result},
};

/// The name of the tariff that holds where no other is named.
pub const DEFAULT_TARIFF: &str = "athena";

/// Tariffs by name.
#[derive(Debug)]
pub struct Tariffs {
    by_name: BTreeMap<String, Versions>,
    /// The one that holds where no other is named.
    default: Versions,
    clock: Arc<dyn Clock>,
}

/// The versions of one tariff, in the order of their first days.
#[derive(Debug, Clone)]
struct Versions {
    first: Arc<Tariff>,
    later: Vec<Arc<Tariff>>,
}

impl Versions {
    fn of(tariff: Tariff) -> Self {
        Self { first: Arc::new(tariff), later: Vec::new() }
    }

    /// The version of a day. The first one holds for all that was before it, too.
    fn on(&self, day: NaiveDate) -> &Arc<Tariff> {
        self.later.iter().rev().find(|tariff| tariff.effective_from <= day).unwrap_or(&self.first)
    }

    /// The last version that begins before a day.
    fn before(&self, day: NaiveDate) -> Option<&Arc<Tariff>> {
        let mut all = self.later.iter().rev().chain([&self.first]);
        all.find(|tariff| tariff.effective_from < day)
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Tariff>> {
        [&self.first].into_iter().chain(&self.later)
    }

    fn insert(&mut self, tariff: Tariff) {
        let tariff = Arc::new(tariff);
        if tariff.effective_from < self.first.effective_from {
            self.later.insert(0, std::mem::replace(&mut self.first, tariff));
            return;
        }
        let at = self.later.partition_point(|other| other.effective_from < tariff.effective_from);
        self.later.insert(at, tariff);
    }
}

/// The tariffs that every engine has.
fn built_in() -> [Tariff; 3] {
    [Tariff::athena(), Tariff::athena_s3(), Tariff::free()]
}

impl Default for Tariffs {
    /// Those that are built in, with `athena` as the default.
    fn default() -> Self {
        let by_name = built_in().map(|tariff| (tariff.name.clone(), Versions::of(tariff))).into();
        Self { by_name, default: Versions::of(Tariff::athena()), clock: system_clock() }
    }
}

impl Tariffs {
    /// Those that are built in, and these. `default` names the one that holds where no other is named.
    ///
    /// # Errors
    /// `Invalid` and `Unsupported` for prices and versions that do not fit, naming the key; `NotFound` for a default that does not
    /// exist.
    pub fn new(default: &str, options: &BTreeMap<String, Vec<TariffOptions>>, clock: Arc<dyn Clock>) -> Result<Self> {
        let mut tariffs = Self { clock, ..Self::default() };
        for (name, versions) in options {
            tariffs.add(name, versions)?;
        }
        tariffs.default = tariffs.versions(default).map_err(|error| error.with_setting("engine.tariff"))?.clone();
        Ok(tariffs)
    }

    /// Adds the versions of one tariff.
    fn add(&mut self, name: &str, versions: &[TariffOptions]) -> Result<()> {
        check_name(name, "tariffs")?;
        if versions.is_empty() {
            let error = Error::invalid(format!("\"tariffs.{name}\" has no version"));
            return Err(error.with_hint(format!("Write its prices in a section [[tariffs.{name}]]")));
        }
        let mut dated = Vec::with_capacity(versions.len());
        for (position, options) in versions.iter().enumerate() {
            let key = format!("tariffs.{name}.{position}");
            dated.push((options.first_day(&key)?, key, options));
        }
        dated.sort_by_key(|(first_day, ..)| *first_day);
        for (first_day, key, options) in dated {
            let known = self.by_name.get(name);
            let base = match &options.base {
                Some(base) => named_base(base, &key)?,
                None => match known.and_then(|known| known.before(first_day)) {
                    Some(before) => Tariff::clone(before),
                    None => Tariff::athena(),
                },
            };
            let tariff = options.over(&base, name, first_day, &key)?;
            let is_same = |other: &&Arc<Tariff>| other.effective_from == first_day || other.version == tariff.version;
            if let Some(other) = known.into_iter().flat_map(Versions::all).find(is_same) {
                let version = &tariff.version;
                let text = format!("\"{key}\" is version {version} from {first_day}, but {} already exists", other.id());
                return Err(Error::invalid(text).with_hint("Give each version of a tariff a first day and a name of its own"));
            }
            match self.by_name.get_mut(name) {
                Some(known) => known.insert(tariff),
                None => _ = self.by_name.insert(name.to_owned(), Versions::of(tariff)),
            }
        }
        Ok(())
    }

    fn versions(&self, name: &str) -> Result<&Versions> {
        self.by_name.get(name).ok_or_else(|| {
            let names: Vec<&str> = self.names().collect();
            Error::not_found(format!("tariff \"{}\" does not exist", name.escape_debug()))
                .with_hint(format!("Name one of these: {}", names.join(", ")))
        })
    }

    /// The names of all tariffs, in order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.by_name.keys().map(String::as_str)
    }

    /// The version of a tariff that holds now.
    ///
    /// # Errors
    /// `NotFound`, with the names that there are.
    pub fn get(&self, name: &str) -> Result<Arc<Tariff>> {
        self.at(name, self.clock.now())
    }

    /// The version of a tariff that holds for a query that came in at a time: the newest that had begun, or the first.
    ///
    /// # Errors
    /// As [`Tariffs::get`].
    pub fn at(&self, name: &str, time: DateTime<Utc>) -> Result<Arc<Tariff>> {
        self.versions(name).map(|versions| Arc::clone(versions.on(time.date_naive())))
    }

    /// The tariff that holds now where no other is named.
    #[must_use]
    pub fn default_tariff(&self) -> Arc<Tariff> {
        Arc::clone(self.default.on(self.clock.now().date_naive()))
    }
}

/// A built-in tariff as a base.
fn named_base(name: &str, key: &str) -> Result<Tariff> {
    built_in().into_iter().find(|tariff| tariff.name == name).ok_or_else(|| {
        let names = built_in().map(|tariff| tariff.name).join(", ");
        Error::invalid(format!("\"{key}.base\" is \"{}\", which is not a built-in tariff", name.escape_debug()))
            .with_hint(format!("Name one of these: {names}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        accounting::{Requests, StoreUsage, Units, UsageDetail, Usd},
        clock::FixedClock,
        error::ErrorKind,
    };

    /// The tariffs of a configuration, as JSON, on a day.
    fn read(default: &str, json: &str, day: &str) -> Result<Tariffs> {
        let options: BTreeMap<String, Vec<TariffOptions>> =
            serde_json::from_str(json).map_err(|error| Error::invalid(error.to_string()))?;
        Tariffs::new(default, &options, Arc::new(FixedClock(noon(day))))
    }

    fn noon(day: &str) -> DateTime<Utc> {
        format!("{day}T12:00:00Z").parse().unwrap()
    }

    fn usd(text: &str) -> Usd {
        text.parse().unwrap()
    }

    #[test]
    fn every_engine_has_three_tariffs() {
        let tariffs = Tariffs::default();
        assert_eq!(tariffs.names().collect::<Vec<_>>(), ["athena", "athena+s3", "free"]);
        assert_eq!(tariffs.default_tariff().id(), "athena@2026-11-01");
        assert_eq!(tariffs.get("athena+s3").unwrap().id(), "athena+s3@2026-11-01");
        let error = tariffs.get("bigquery").unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::NotFound, "tariff \"bigquery\" does not exist"));
        assert!(error.hint().unwrap().contains("athena, athena+s3, free"), "{error:?}");
        let error = read("athene", "{}", "2026-12-01").unwrap_err();
        assert_eq!((error.kind(), error.setting()), (ErrorKind::NotFound, Some("engine.tariff")));
    }

    #[test]
    fn the_newest_version_that_has_begun_holds() {
        let json = r#"{"mine": [
            {"effective_from": "2027-03-01", "usd_per_tb": "7"},
            {"effective_from": "2027-01-01", "version": "first", "usd_per_tb": "6", "minimum_bytes": 0}
        ]}"#;
        let tariffs = read("mine", json, "2027-02-28").unwrap();
        assert_eq!(tariffs.default_tariff().id(), "mine@first");
        for (day, id, price) in [
            ("2026-12-31", "mine@first", "6"),
            ("2027-01-01", "mine@first", "6"),
            ("2027-03-01", "mine@2027-03-01", "7"),
            ("2099-01-01", "mine@2027-03-01", "7"),
        ] {
            let tariff = tariffs.at("mine", noon(day)).unwrap();
            assert_eq!((tariff.id().as_str(), tariff.price_per_tb), (id, usd(price)), "{day}");
            // What the later version does not say is as before.
            assert_eq!((tariff.minimum_bytes, tariff.increment_bytes), (0, 1_000_000));
        }
    }

    #[test]
    fn a_built_in_tariff_gets_a_new_version() {
        let json = r#"{"athena+s3": [{"effective_from": "2027-06-01", "usd_per_tb": 6,
            "stores": [{"prefix": "s3://", "transfer_usd_per_gb": 0.09}, {"prefix": "s3://minio/"}]}]}"#;
        let tariffs = read("athena", json, "2027-06-01").unwrap();
        let requests = Requests { get: 1_000, list: 1_000, ..Requests::default() };
        let used = |store: &str| StoreUsage { store: store.to_owned(), requests, fetched_bytes: 10_000_000_000 };
        let stores = vec![used("s3://lake"), used("s3://minio")];
        let usage = UsageDetail { stores, ..UsageDetail::of_scan(1_000_000_000_000) };
        let on = |day| tariffs.at("athena+s3", noon(day)).unwrap().bill(&usage);
        let (before, after) = (on("2027-05-31"), on("2027-06-01"));
        assert_eq!((before.scan, before.requests, before.transfer), (usd("5"), usd("0.0108"), Usd::ZERO));
        assert_eq!((after.scan, after.requests, after.transfer), (usd("6"), usd("0.0054"), usd("0.9")));
    }

    #[test]
    fn units_and_bases_are_chosen() {
        let json = r#"{
            "binary": [{"effective_from": "2027-01-01", "units": "binary"}],
            "home": [{"effective_from": "2027-01-01", "base": "free", "usd_per_tb": "0.1", "bill_metadata": true}]
        }"#;
        let tariffs = read("home", json, "2027-01-01").unwrap();
        let binary = tariffs.get("binary").unwrap();
        assert_eq!((binary.units, binary.increment_bytes, binary.minimum_bytes), (Units::Binary, 1 << 20, 10 << 20));
        let home = tariffs.default_tariff();
        assert_eq!((home.price_per_tb, home.increment_bytes, home.minimum_bytes), (usd("0.1"), 1, 0));
        assert!(home.bills_metadata && home.stores.is_empty());
    }

    #[test]
    fn what_does_not_fit_is_named_by_its_key() {
        let dated = |more: &str| format!(r#"{{"mine": [{{"effective_from": "2027-01-01"{more}}}]}}"#);
        for (json, told) in [
            (r#"{"mine": []}"#.to_owned(), "\"tariffs.mine\" has no version"),
            (r#"{"mine": [{"usd_per_tb": "5"}]}"#.to_owned(), "\"tariffs.mine.0.effective_from\" is not set"),
            (r#"{"mine": [{"effective_from": "soon"}]}"#.to_owned(), "\"tariffs.mine.0.effective_from\" is \"soon\""),
            (r#"{"Mine@1": [{"effective_from": "2027-01-01"}]}"#.to_owned(), "\"Mine@1\" is not a name"),
            (dated(r#", "usd_per_tb": "-5""#), "is negative"),
            (dated(r#", "usd_per_tb": "1000001""#), "\"tariffs.mine.0.usd_per_tb\" is 1000001 USD"),
            (dated(r#", "currency": "EUR""#), "\"tariffs.mine.0.currency\" is \"EUR\": prices are in USD only"),
            (dated(r#", "increment_bytes": 0"#), "\"tariffs.mine.0.increment_bytes\" is 0"),
            (dated(r#", "minimum_bytes": 999999"#), "\"tariffs.mine.0.minimum_bytes\" is 999999, less than the increment"),
            (dated(r#", "base": "mine""#), "\"tariffs.mine.0.base\" is \"mine\""),
            (dated(r#", "version": "a@b""#), "\"tariffs.mine.0.version\""),
            (dated(r#"}, {"effective_from": "2027-01-01""#), "\"tariffs.mine.1\" is version 2027-01-01"),
            (dated(r#", "stores": [{"prefix": "lake"}]"#), "\"tariffs.mine.0.stores.0.prefix\" is \"lake\""),
            (dated(r#", "stores": [{"get_usd_per_1000": "1"}]"#), "\"tariffs.mine.0.stores.0.prefix\" is \"\""),
            (dated(r#", "stores": [{"prefix": "s3://lake/t"}]"#), "which is a folder"),
            (dated(r#", "stores": [{"prefix": "s3://"}, {"prefix": "s3://"}]"#), "\"tariffs.mine.0.stores.1.prefix\""),
            (dated(r#", "price": "5""#), "unknown field `price`"),
        ] {
            let error = read("athena", &json, "2027-01-01").unwrap_err();
            assert!(error.message().contains(told), "{json}: {error}");
            assert!(matches!(error.kind(), ErrorKind::Invalid | ErrorKind::Unsupported), "{json}: {error:?}");
        }
        for json in [dated(r#", "currency": "usd", "usd_per_tb": "0""#), dated(r#", "minimum_bytes": 0"#)] {
            read("mine", &json, "2027-01-01").unwrap();
        }
    }
}
