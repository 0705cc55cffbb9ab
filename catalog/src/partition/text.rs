//! The text forms of scalars in partition values, parsed and printed. `value` applies them to arrays and makes the errors.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, Timelike};

pub(super) fn parse_boolean(raw: &str) -> Option<bool> {
    if raw.eq_ignore_ascii_case("true") {
        Some(true)
    } else if raw.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}

/// Digits only: no sign, no spaces.
fn digits(text: &str) -> Option<u32> {
    (!text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())).then(|| text.parse().ok()).flatten()
}

fn naive_date(raw: &str) -> Option<NaiveDate> {
    let bytes = raw.as_bytes();
    if bytes.len() != 10 || bytes[4] != b'-' || bytes[7] != b'-' || !raw.is_ascii() {
        return None;
    }
    let year = i32::try_from(digits(&raw[..4])?).ok()?;
    NaiveDate::from_ymd_opt(year, digits(&raw[5..7])?, digits(&raw[8..])?)
}

/// `yyyy-MM-dd` as days since 1970-01-01.
pub(super) fn parse_date(raw: &str) -> Option<i32> {
    Some(naive_date(raw)?.to_epoch_days())
}

pub(super) fn print_date(days: i32) -> Option<String> {
    let date = NaiveDate::from_epoch_days(days)?;
    (0..=9999).contains(&date.year()).then(|| date.format("%Y-%m-%d").to_string())
}

/// `yyyy-MM-dd[ HH:mm:ss[.f...]]`, with up to nine digits, as milliseconds since 1970-01-01 00:00:00, half a millisecond rounded up.
pub(super) fn parse_timestamp(raw: &str) -> Option<i64> {
    let (date, time) = match raw.split_once(' ') {
        Some((date, time)) => (naive_date(date)?, Some(time)),
        None => (naive_date(raw)?, None),
    };
    let Some(time) = time else {
        return Some(date.and_time(NaiveTime::MIN).and_utc().timestamp_millis());
    };
    let (clock, fraction) = match time.split_once('.') {
        Some((clock, fraction)) => (clock, Some(fraction)),
        None => (time, None),
    };
    let bytes = clock.as_bytes();
    if bytes.len() != 8 || bytes[2] != b':' || bytes[5] != b':' || !clock.is_ascii() {
        return None;
    }
    let clock = NaiveTime::from_hms_opt(digits(&clock[..2])?, digits(&clock[3..5])?, digits(&clock[6..])?)?;
    let nanos = match fraction {
        None => 0,
        Some(fraction) if fraction.len() <= 9 => digits(fraction)? * 10u32.pow(9 - u32::try_from(fraction.len()).ok()?),
        Some(_) => return None,
    };
    let seconds = NaiveDateTime::new(date, clock).and_utc().timestamp();
    Some(seconds * 1000 + i64::from((nanos + 500_000) / 1_000_000))
}

pub(super) fn print_timestamp(millis: i64) -> Option<String> {
    let time = DateTime::from_timestamp_millis(millis)?.naive_utc();
    if !(0..=9999).contains(&time.year()) {
        return None;
    }
    let seconds = time.format("%Y-%m-%d %H:%M:%S").to_string();
    let fraction = time.nanosecond() / 1_000_000;
    if fraction == 0 {
        return Some(seconds);
    }
    Some(format!("{seconds}.{fraction:03}").trim_end_matches('0').to_owned())
}

/// A decimal number as an unscaled integer; `None` if it has digits that the type cannot hold.
pub(super) fn parse_decimal(raw: &str, precision: u8, scale: i8) -> Option<i128> {
    let scale = usize::try_from(scale).ok()?;
    let (negative, unsigned) = match raw.as_bytes().first()? {
        b'-' => (true, &raw[1..]),
        b'+' => (false, &raw[1..]),
        _ => (false, raw),
    };
    let (whole, fraction) = unsigned.split_once('.').unwrap_or((unsigned, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let kept = fraction.trim_end_matches('0');
    if kept.len() > scale || !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let mut unscaled: i128 = 0;
    let padding = std::iter::repeat_n(b'0', scale - kept.len());
    for digit in whole.bytes().chain(kept.bytes()).chain(padding) {
        unscaled = unscaled.checked_mul(10)?.checked_add(i128::from(digit - b'0'))?;
    }
    let limit = 10i128.checked_pow(u32::from(precision))?;
    (unscaled < limit).then_some(if negative { -unscaled } else { unscaled })
}

/// A floating-point number as Java's `toString` writes it: plain between 0.001 and 10,000,000, otherwise with `E`. Takes the shortest
/// digits in Rust's exponent form (`1.5e0`).
pub(super) fn java_float(exponent_form: &str, value: f64) -> String {
    if value.is_nan() {
        return "NaN".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    let Some((mantissa, exponent)) = exponent_form.split_once('e') else {
        return exponent_form.to_owned();
    };
    let (sign, mantissa) = mantissa.strip_prefix('-').map_or(("", mantissa), |rest| ("-", rest));
    let (first, rest) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if value == 0.0 {
        return format!("{sign}0.0");
    }
    if !(-3..7).contains(&exponent) {
        let rest = if rest.is_empty() { "0" } else { rest };
        return format!("{sign}{first}.{rest}E{exponent}");
    }
    let all = format!("{first}{rest}");
    match usize::try_from(exponent) {
        Ok(shift) => {
            let padded = format!("{all:0<width$}", width = shift + 2);
            let (whole, fraction) = padded.split_at(shift + 1);
            format!("{sign}{whole}.{fraction}")
        }
        Err(_) => {
            let zeros = "0".repeat(usize::try_from(-exponent - 1).unwrap_or(0));
            format!("{sign}0.{zeros}{all}")
        }
    }
}
