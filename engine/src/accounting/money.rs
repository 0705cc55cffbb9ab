//! Exact money: USD as a whole number of 10^-18 USD, so that prices, bills and their sums are not rounded on the way.

use std::{
    fmt,
    iter::Sum,
    ops::{Add, AddAssign},
    str::FromStr,
};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, Visitor},
};

use crate::error::{Error, Result};

/// Decimal places of an amount.
const PLACES: usize = 18;

/// One USD in 10^-18 USD.
const ONE: u128 = 10_u128.pow(18);

/// An amount of USD, exact to 10^-18 USD, never negative. Sums and products end at the largest amount instead of overflowing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Usd(u128);

impl Usd {
    pub const ZERO: Self = Self(0);

    /// An amount in 10^-18 USD.
    #[must_use]
    pub const fn from_atto(atto: u128) -> Self {
        Self(atto)
    }

    /// The amount in 10^-18 USD.
    #[must_use]
    pub const fn atto(self) -> u128 {
        self.0
    }

    #[must_use]
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    #[must_use]
    pub fn saturating_mul(self, count: u64) -> Self {
        Self(self.0.saturating_mul(u128::from(count)))
    }

    /// What `count` cost if `unit` of them cost this amount, rounded up to 10^-18 USD.
    #[must_use]
    pub fn of(self, count: u64, unit: u64) -> Self {
        let unit = unit.max(1);
        let rest = self.saturating_mul(count % unit);
        self.saturating_mul(count / unit) + Self(rest.0.div_ceil(u128::from(unit)))
    }
}

impl Add for Usd {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl AddAssign for Usd {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl Sum for Usd {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

impl fmt::Display for Usd {
    /// A decimal without trailing zeros: `0.00005`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, fraction) = (self.0 / ONE, self.0 % ONE);
        if fraction == 0 {
            return write!(f, "{whole}");
        }
        let digits = format!("{fraction:018}");
        write!(f, "{whole}.{}", digits.trim_end_matches('0'))
    }
}

impl FromStr for Usd {
    type Err = Error;

    /// # Errors
    /// `Invalid` for what is no decimal, is negative, has more than 18 places, or is too large.
    fn from_str(text: &str) -> Result<Self> {
        let refused = |fault: &str| {
            let error = Error::invalid(format!("the amount of USD \"{text}\" {fault}"));
            error.with_hint("Write a decimal such as 5 or 0.0004, with at most 18 places")
        };
        let is_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        let trimmed = text.trim();
        if trimmed.strip_prefix('-').is_some_and(|rest| rest.starts_with(|first: char| first.is_ascii_digit())) {
            return Err(refused("is negative"));
        }
        let (whole, fraction) = match trimmed.split_once('.') {
            Some((whole, fraction)) if is_digits(fraction) => (whole, fraction.trim_end_matches('0')),
            Some(_) => return Err(refused("is not a decimal")),
            None => (trimmed, ""),
        };
        if !is_digits(whole) {
            return Err(refused("is not a decimal"));
        }
        if fraction.len() > PLACES {
            return Err(refused("has more than 18 decimal places"));
        }
        // Both are digits only: what does not parse is too large.
        let atto = || whole.parse::<u128>().ok()?.checked_mul(ONE)?.checked_add(format!("{fraction:0<PLACES$}").parse().ok()?);
        atto().map(Self).ok_or_else(|| refused("is too large"))
    }
}

impl Serialize for Usd {
    /// As text: JSON's and TOML's numbers are not exact.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Usd {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AmountVisitor)
    }
}

/// Reads an amount from text, or from a number as it is written.
struct AmountVisitor;

impl Visitor<'_> for AmountVisitor {
    type Value = Usd;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount of USD, such as \"0.0004\"")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Usd, E> {
        text.parse().map_err(|error: Error| E::custom(error.message()))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Usd, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Usd, E> {
        self.visit_str(&number.to_string())
    }

    /// A float is printed with the fewest digits that mean it: those that were written.
    fn visit_f64<E: de::Error>(self, number: f64) -> Result<Usd, E> {
        self.visit_str(&number.to_string())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usd(text: &str) -> Usd {
        text.parse().unwrap()
    }

    #[test]
    fn amounts_are_written_as_they_are_read() {
        for (text, atto, written) in [
            ("0", 0, "0"),
            ("5", 5 * ONE, "5"),
            ("0.00005", 50_000_000_000_000, "0.00005"),
            (" 12.340 ", 12_340_000_000_000_000_000, "12.34"),
            ("0.000000000000000001", 1, "0.000000000000000001"),
            ("1.0000000000000000000000", ONE, "1"),
            ("340282366920938463463.374607431768211455", u128::MAX, "340282366920938463463.374607431768211455"),
        ] {
            assert_eq!((usd(text).atto(), usd(text).to_string().as_str()), (atto, written), "{text}");
        }
    }

    #[test]
    fn what_is_no_amount_says_why() {
        for (text, fault) in [
            ("-5", "is negative"),
            ("-0.5", "is negative"),
            ("", "is not a decimal"),
            ("-", "is not a decimal"),
            ("+5", "is not a decimal"),
            ("5.", "is not a decimal"),
            (".5", "is not a decimal"),
            ("1e3", "is not a decimal"),
            ("5 USD", "is not a decimal"),
            ("1,5", "is not a decimal"),
            ("NaN", "is not a decimal"),
            ("0.0000000000000000001", "more than 18 decimal places"),
            ("340282366920938463463.374607431768211456", "is too large"),
            ("999999999999999999999999999999999999999999", "is too large"),
        ] {
            let error = text.parse::<Usd>().unwrap_err();
            assert!(error.message().contains(fault), "{text}: {error}");
        }
    }

    #[test]
    fn numbers_of_a_file_are_taken_as_written() {
        let read = |json: &str| serde_json::from_str::<Usd>(json);
        for (json, text) in [("\"0.0004\"", "0.0004"), ("5", "5"), ("0.0004", "0.0004"), ("6.25", "6.25")] {
            assert_eq!(read(json).unwrap(), usd(text), "{json}");
        }
        for json in ["-1", "-0.5", "true", "[]", "\"EUR\""] {
            assert!(read(json).is_err(), "{json}");
        }
        assert_eq!(serde_json::to_string(&usd("0.0004")).unwrap(), "\"0.0004\"");
    }

    #[test]
    fn a_part_of_a_unit_is_rounded_up_to_the_last_place() {
        assert_eq!(usd("5").of(10_000_000, 1_000_000_000_000), usd("0.00005"));
        assert_eq!(usd("0.0004").of(1, 1_000), usd("0.0000004"));
        // 5 / 2^40 per byte: 0.000000000004547473508864641189575195312500.
        assert_eq!(usd("5").of(1, 1 << 40), usd("0.000000000004547474"));
        assert_eq!(usd("5").of(u64::MAX, 1_000_000_000_000), usd("92233720.368547758075"));
        assert_eq!(usd("5").of(7, 0), usd("35"));
    }

    proptest! {
        #[test]
        fn every_amount_is_read_back(atto in any::<u128>()) {
            prop_assert_eq!(usd(&Usd::from_atto(atto).to_string()).atto(), atto);
        }

        #[test]
        fn more_costs_no_less(price in 0..1_000_000 * ONE, one in any::<u64>(), other in any::<u64>(), unit in 1..u64::MAX) {
            let (less, more) = (one.min(other), one.max(other));
            prop_assert!(Usd::from_atto(price).of(less, unit) <= Usd::from_atto(price).of(more, unit));
        }
    }
}
