//! Values as text, in the forms in which Trino's Hive formats write them: numbers in Java's, dates and times in the usual ones, bytes in Base64.

use std::{
    fmt::{Arguments, LowerExp},
    io::Write,
    iter::repeat_n,
};

use crate::formats::text::date::date_of;

const MICROS_PER_SECOND: i64 = 1_000_000;
const MICROS_PER_DAY: i64 = 86_400 * MICROS_PER_SECOND;

/// What is shown, at the end of a text.
pub(super) fn push(text: Arguments<'_>, out: &mut Vec<u8>) {
    // Writing to memory does not fail.
    _ = out.write_fmt(text);
}

/// A number as Java's `Double.toString` and `Float.toString` have it: the fewest digits that stand for it, but two at least; from 10^7 on, and below
/// 10^-3, with an exponent.
pub(super) fn float<F: LowerExp + Copy + Into<f64>>(value: F, out: &mut Vec<u8>) {
    const PLAIN: i32 = 7;
    const PLAIN_FRACTION: i32 = -3;
    let wide: f64 = value.into();
    if wide.is_nan() {
        out.extend_from_slice(b"NaN");
        return;
    }
    if wide.is_infinite() {
        out.extend_from_slice(if wide < 0.0 { b"-Infinity".as_slice() } else { b"Infinity" });
        return;
    }
    let mut shown = format!("{value:e}");
    if !shown.contains('.') {
        // Of numbers that one digit stands for, the second is the nearest, which need not be 0: 4.9E-324.
        shown = format!("{value:.1e}");
    }
    let (mantissa, exponent) = shown.split_once('e').unwrap_or((shown.as_str(), "0"));
    let exponent: i32 = exponent.parse().unwrap_or_default();
    if mantissa.starts_with('-') {
        out.push(b'-');
    }
    let digits: Vec<u8> = mantissa.bytes().filter(u8::is_ascii_digit).collect();
    let count = digits.iter().rposition(|digit| *digit != b'0').map_or(1, |last| last + 1);
    let (places, digits) = (exponent.unsigned_abs() as usize, &digits[..count]);
    // Digits before the point; where there are none, the zeros after it.
    let (whole, zeros) = match exponent {
        0..PLAIN => (places + 1, 0),
        PLAIN_FRACTION..0 => (0, places - 1),
        _ => (1, 0),
    };
    let (before, after) = digits.split_at(whole.min(count));
    out.extend_from_slice(if whole == 0 { b"0".as_slice() } else { before });
    out.extend(repeat_n(b'0', whole.saturating_sub(count)));
    out.push(b'.');
    out.extend(repeat_n(b'0', zeros));
    out.extend_from_slice(if after.is_empty() { b"0".as_slice() } else { after });
    if !(PLAIN_FRACTION..PLAIN).contains(&exponent) {
        push(format_args!("E{exponent}"), out);
    }
}

/// A day, from 1970-01-01 on; the year as it is, without zeros before it.
pub(super) fn date(days: i64, out: &mut Vec<u8>) {
    let (year, month, day) = date_of(days);
    push(format_args!("{year}-{month:02}-{day:02}"), out);
}

/// A time in microseconds from 1970-01-01 00:00:00 on, with as many digits of a second's fraction as it has.
pub(super) fn timestamp(micros: i64, out: &mut Vec<u8>) {
    date(micros.div_euclid(MICROS_PER_DAY), out);
    let of_day = micros.rem_euclid(MICROS_PER_DAY);
    let (seconds, fraction) = (of_day / MICROS_PER_SECOND, of_day % MICROS_PER_SECOND);
    push(format_args!(" {:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60), out);
    if fraction > 0 {
        push(format_args!(".{fraction:06}"), out);
        let end = out.iter().rposition(|digit| *digit != b'0').map_or(0, |last| last + 1);
        out.truncate(end);
    }
}

/// Bytes in Base64, with padding.
pub(super) fn base64(bytes: &[u8], out: &mut Vec<u8>) {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0_u32, |bits, at| (bits << 8) | u32::from(group.get(at).copied().unwrap_or_default()));
        // As many digits as there are bytes, and one more.
        for at in 0..4 {
            let digit = ALPHABET[(bits >> (18 - 6 * at)) as usize % ALPHABET.len()];
            out.push(if at <= group.len() { digit } else { b'=' });
        }
    }
}
