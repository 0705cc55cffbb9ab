//! Numbers, booleans and binary values of text, as Trino's Hive formats read them. What is no value of its type is none: NULL, as a rule.

use std::{ops::Neg, str::FromStr};

use memchr::{memchr, memchr2};

/// A value that has no place in its column and is not read as NULL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct BadValue;

/// Without the spaces and control characters at both ends that Java's `trim` takes away.
pub(super) fn trimmed(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|byte| *byte > b' ').unwrap_or(text.len());
    let end = text.iter().rposition(|byte| *byte > b' ').map_or(start, |last| last + 1);
    &text[start..end]
}

/// `true` or `false` in any case; with `is_extended` also `t`, `f`, `1` and `0`.
pub(super) fn boolean(text: &[u8], is_extended: bool) -> Option<bool> {
    match text {
        [b't' | b'T' | b'1'] if is_extended => Some(true),
        [b'f' | b'F' | b'0'] if is_extended => Some(false),
        _ if text.eq_ignore_ascii_case(b"true") => Some(true),
        _ if text.eq_ignore_ascii_case(b"false") => Some(false),
        _ => None,
    }
}

/// An integer; digits after a decimal point are cut off. No spaces, no exponents.
pub(super) fn integer<T: TryFrom<i64>>(text: &[u8]) -> Option<T> {
    let (is_negative, digits) = signed(text);
    if digits.is_empty() {
        return None;
    }
    // Negative as it grows: there is one more number below zero than above.
    let mut value = 0_i64;
    let mut rest = digits.iter();
    while let Some(byte) = rest.next() {
        match byte {
            b'0'..=b'9' => value = value.checked_mul(10)?.checked_sub(i64::from(byte - b'0'))?,
            b'.' if rest.as_slice().iter().all(u8::is_ascii_digit) => break,
            _ => return None,
        }
    }
    T::try_from(if is_negative { value } else { value.checked_neg()? }).ok()
}

/// An integer as Java's `parseInt` and `parseLong` read it: digits alone, with a sign or without.
pub(super) fn whole<T: FromStr>(text: &[u8]) -> Option<T> {
    str::from_utf8(text).ok()?.parse().ok()
}

/// What [`float`] needs of a floating-point type.
pub(super) trait Float: FromStr + Copy + Neg<Output = Self> {
    const NAN: Self;
    const INFINITY: Self;

    /// `mantissa * 2^exponent`.
    fn of_binary(mantissa: u128, exponent: i32) -> Self;
}

impl Float for f64 {
    const NAN: Self = Self::NAN;
    const INFINITY: Self = Self::INFINITY;

    fn of_binary(mantissa: u128, exponent: i32) -> Self {
        scaled(mantissa as Self, exponent)
    }
}

impl Float for f32 {
    const NAN: Self = Self::NAN;
    const INFINITY: Self = Self::INFINITY;

    fn of_binary(mantissa: u128, exponent: i32) -> Self {
        scaled(f64::from(mantissa as Self), exponent) as Self
    }
}

/// In steps that are numbers themselves.
fn scaled(mut value: f64, mut exponent: i32) -> f64 {
    const STEP: i32 = 1000;
    while exponent.abs() > STEP {
        let step = STEP * exponent.signum();
        value *= 2_f64.powi(step);
        exponent -= step;
    }
    value * 2_f64.powi(exponent)
}

/// A number as Java's `Double.parseDouble` and `Float.parseFloat` read it: trimmed, with `NaN`, `Infinity`, hexadecimal forms and a final `f` or `d`.
pub(super) fn float<F: Float>(text: &[u8]) -> Option<F> {
    let (is_negative, number) = signed(trimmed(text));
    let value = match number {
        b"NaN" => return Some(F::NAN),
        b"Infinity" => F::INFINITY,
        [b'0', b'x' | b'X', rest @ ..] => {
            let (mantissa, exponent) = hexadecimal(without_suffix(rest))?;
            F::of_binary(mantissa, exponent)
        }
        // Rust reads words too, in any case: a number begins with a digit or a point.
        [b'0'..=b'9' | b'.', ..] => str::from_utf8(without_suffix(number)).ok()?.parse().ok()?,
        _ => return None,
    };
    Some(if is_negative { -value } else { value })
}

fn without_suffix(number: &[u8]) -> &[u8] {
    match number {
        [rest @ .., b'f' | b'F' | b'd' | b'D'] => rest,
        _ => number,
    }
}

/// The digits of `1.8p1` as a whole number, and the power of two that it is to be multiplied with.
fn hexadecimal(text: &[u8]) -> Option<(u128, i32)> {
    /// Digits up to here are kept whole; of those after it only that they are not all zero.
    const KEPT_BITS: u32 = 116;
    /// Beyond all that a double holds.
    const LIMIT: i64 = 5000;
    let at = memchr2(b'p', b'P', text)?;
    let exponent: i64 = whole(&text[at + 1..])?;
    let (mut mantissa, mut scale) = (0_u128, 0_i64);
    let (mut has_digit, mut is_fraction) = (false, false);
    for byte in &text[..at] {
        if *byte == b'.' && !is_fraction {
            is_fraction = true;
            continue;
        }
        let digit = char::from(*byte).to_digit(16)?;
        has_digit = true;
        if mantissa >> KEPT_BITS == 0 {
            mantissa = (mantissa << 4) | u128::from(digit);
            scale -= if is_fraction { 4 } else { 0 };
        } else {
            mantissa |= u128::from(digit != 0);
            scale += if is_fraction { 0 } else { 4 };
        }
    }
    let exponent = exponent.saturating_add(scale).clamp(-LIMIT, LIMIT);
    has_digit.then_some((mantissa, i32::try_from(exponent).ok()?))
}

/// A decimal's unscaled value, rounded half up; none if it has more digits than fit. No spaces; an exponent may follow.
pub(super) fn decimal(text: &[u8], precision: u8, scale: i8) -> Option<i128> {
    let (is_negative, number) = signed(text);
    let (digits, exponent) = match memchr2(b'e', b'E', number) {
        Some(at) => (&number[..at], whole::<i64>(&number[at + 1..])?),
        None => (number, 0),
    };
    // Java's decimals have exponents of 32 bits.
    i32::try_from(exponent.unsigned_abs()).ok()?;
    let point = memchr(b'.', digits).unwrap_or(digits.len());
    // The place of the next digit: 0 is the last that is kept, -1 decides how it is rounded.
    let mut place = point as i64 - 1 + exponent + i64::from(scale);
    let (mut value, mut has_digit, mut rounds_up) = (0_i128, false, false);
    for (at, byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' if place >= 0 => value = value.checked_mul(10)?.checked_add(i128::from(byte - b'0'))?,
            b'0'..=b'9' => rounds_up |= place == -1 && *byte >= b'5',
            b'.' if at == point => continue,
            _ => return None,
        }
        has_digit = true;
        place -= 1;
    }
    if !has_digit {
        return None;
    }
    if place >= 0 && value != 0 {
        let zeros = u32::try_from(place + 1).ok()?;
        value = value.checked_mul(10_i128.checked_pow(zeros)?)?;
    }
    value += i128::from(rounds_up);
    (value < 10_i128.checked_pow(u32::from(precision))?).then_some(if is_negative { -value } else { value })
}

fn signed(text: &[u8]) -> (bool, &[u8]) {
    match text {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, text),
    }
}

/// A binary value: Base64 of either alphabet, with padding or without, or else the bytes as they are.
pub(super) fn binary<'t>(text: &'t [u8], scratch: &'t mut Vec<u8>) -> &'t [u8] {
    if !text.iter().all(|byte| sextet(*byte).is_some() || matches!(byte, b'=' | b' ' | b'\t' | b'\r' | b'\n')) {
        return text;
    }
    scratch.clear();
    let (mut bits, mut count) = (0_u32, 0_u32);
    // What follows padding does not count.
    for value in text.iter().take_while(|byte| **byte != b'=').filter_map(|byte| sextet(*byte)) {
        bits = (bits << 6) | u32::from(value);
        count += 6;
        if count >= 8 {
            count -= 8;
            scratch.push((bits >> count) as u8);
        }
    }
    scratch
}

fn sextet(byte: u8) -> Option<u8> {
    match byte {
        b'A'..=b'Z' => Some(byte - b'A'),
        b'a'..=b'z' => Some(byte - b'a' + 26),
        b'0'..=b'9' => Some(byte - b'0' + 52),
        b'+' | b'-' => Some(62),
        b'/' | b'_' => Some(63),
        _ => None,
    }
}
