//! A tariff in one line, as `glaux config show` and `glaux doctor` print it.

use glaux_engine::accounting::{Tariff, Units};

use crate::figures;

/// The name, the version and the prices of a tariff.
pub(super) fn describe(tariff: &Tariff) -> String {
    let (terabyte, megabyte) = match tariff.units {
        Units::Decimal => ("TB", "MB"),
        Units::Binary => ("TiB", "MiB"),
    };
    let bytes = |bytes: u64| match bytes % tariff.units.megabyte() {
        0 => format!("{} {megabyte}", bytes / tariff.units.megabyte()),
        _ => figures::bytes(bytes),
    };
    let mut text = format!("tariff {}: {} USD per {terabyte}", tariff.id(), tariff.price_per_tb);
    if tariff.increment_bytes > 1 {
        text.push_str(&format!(", in steps of {}", bytes(tariff.increment_bytes)));
    }
    if tariff.minimum_bytes > 0 {
        text.push_str(&format!(", at least {}", bytes(tariff.minimum_bytes)));
    }
    if !tariff.stores.is_empty() {
        let stores: Vec<&str> = tariff.stores.iter().map(|store| store.prefix.as_str()).collect();
        text.push_str(&format!(", and prices of requests to {}", stores.join(", ")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tariff_is_one_line() {
        assert_eq!(
            describe(&Tariff::athena_s3()),
            "tariff athena+s3@2026-11-01: 5 USD per TB, in steps of 1 MB, at least 10 MB, and prices of requests to s3://"
        );
        assert_eq!(describe(&Tariff::free()), "tariff free@2026-11-01: 0 USD per TB");
        let binary = Tariff { units: Units::Binary, increment_bytes: 1 << 20, minimum_bytes: 10 << 20, ..Tariff::athena() };
        assert_eq!(describe(&binary), "tariff athena@2026-11-01: 5 USD per TiB, in steps of 1 MiB, at least 10 MiB");
    }
}
