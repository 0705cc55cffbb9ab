//! Exact money.

use std::{
    fmt,
    iter::Sum,
    ops::{Add, AddAssign},
    str::FromStr,
};

use crate::error::{Error, Result};

/// One USD in 10^-18 USD.
const ONE: u128 = 10_u128.pow(18);

/// An amount of USD, exact to 10^-18 USD, never negative.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Usd(u128);

impl Usd {
    pub const ZERO: Self = Self(0);

    #[must_use]
    pub const fn from_atto(atto: u128) -> Self {
        Self(atto)
    }

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

    fn from_str(text: &str) -> Result<Self> {
        let refused = || Error::invalid(format!("\"{text}\" is not an amount of USD"));
        let (whole, fraction) = text.trim().split_once('.').unwrap_or((text.trim(), ""));
        let whole: u128 = whole.parse().map_err(|_| refused())?;
        let fraction: u128 = format!("{fraction:0<18}").parse().map_err(|_| refused())?;
        whole.checked_mul(ONE).and_then(|whole| whole.checked_add(fraction)).map(Self).ok_or_else(refused)
    }
}
