//! Numbers with units, as settings and properties are written: sizes in bytes and durations.

use std::time::Duration;

use crate::error::{Error, Result};

/// Parses a number of bytes: `10000000`, `10MB` (10^6), `10MiB` (2^20).
///
/// # Errors
/// `Invalid`.
pub fn parse_bytes(text: &str) -> Result<u64> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let unit: u64 = match text[digits..].trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" => 1_000,
        "m" | "mb" => 1_000_000,
        "g" | "gb" => 1_000_000_000,
        "t" | "tb" => 1_000_000_000_000,
        "ki" | "kib" => 1 << 10,
        "mi" | "mib" => 1 << 20,
        "gi" | "gib" => 1 << 30,
        "ti" | "tib" => 1 << 40,
        _ => 0,
    };
    text[..digits].parse::<u64>().ok().filter(|_| unit > 0).and_then(|number| number.checked_mul(unit)).ok_or_else(|| {
        Error::invalid(format!("\"{text}\" is not a number of bytes"))
            .with_hint("Write it as 10000000, 10MB (10^6) or 10MiB (2^20)")
    })
}

/// Parses a duration: `250ms`, `30s` (or `30`), `5m`, `1h`.
///
/// # Errors
/// `Invalid`.
pub fn parse_duration(text: &str) -> Result<Duration> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let seconds = match text[digits..].trim() {
        "ms" => 0.001,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        _ => 0.0,
    };
    let number = text[..digits].parse::<f64>().ok().filter(|_| seconds > 0.0);
    number
        .and_then(|number| Duration::try_from_secs_f64(number * seconds).ok())
        .ok_or_else(|| Error::invalid(format!("\"{text}\" is not a duration")).with_hint("Write it as 250ms, 30s, 5m or 1h"))
}
