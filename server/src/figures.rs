//! Numbers as people read them: bytes in powers of ten (as the bill counts them), times, and counts with their nouns.

use std::time::Duration;

/// Bytes with three significant digits: `999 B`, `1.24 MB`, `10 MB`. Powers of ten, because the tariff counts in them.
pub(crate) fn bytes(bytes: u64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut unit = 0;
    #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
    let mut value = bytes as f64;
    // 999.5 kB would print as 1000 kB, so it is 1 MB; whole bytes are never rounded.
    while unit + 1 < UNITS.len() && value >= if unit == 0 { 1000.0 } else { 999.5 } {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 {
        return format!("{bytes} B");
    }
    let digits = if value >= 99.95 {
        format!("{value:.0}")
    } else if value >= 9.995 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    };
    format!("{} {}", trim_zeros(&digits), UNITS[unit])
}

fn trim_zeros(digits: &str) -> &str {
    if digits.contains('.') { digits.trim_end_matches('0').trim_end_matches('.') } else { digits }
}

/// A duration: `41 ms`, `1.3 s`, `2 min 5 s`.
pub(crate) fn duration(time: Duration) -> String {
    millis(u64::try_from(time.as_millis()).unwrap_or(u64::MAX))
}

/// A duration in milliseconds: `41 ms`, `1.3 s`, `2 min 5 s`.
pub(crate) fn millis(millis: u64) -> String {
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{} s", millis / 1_000, millis % 1_000 / 100),
        _ => format!("{} min {} s", millis / 60_000, millis % 60_000 / 1_000),
    }
}

/// A time that is a guess, to the second: `7 s`, `1 min 30 s`, `2 h 5 min`.
pub(crate) fn rough(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..60 => format!("{} s", seconds.max(1)),
        seconds @ 60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        seconds => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
    }
}

/// A number with its noun in singular or plural: `1 row`, `6,001,215 rows`.
pub(crate) fn count(number: u64, noun: &str) -> String {
    let plural = match noun.as_bytes() {
        [.., b'y'] => format!("{}ies", &noun[..noun.len() - 1]),
        _ => format!("{noun}s"),
    };
    format!("{} {}", grouped(number), if number == 1 { noun } else { &plural })
}

/// A number with its digits in groups of three: `6,001,215`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_have_three_significant_digits() {
        for (number, text) in [
            (0, "0 B"),
            (999, "999 B"),
            (1000, "1 kB"),
            (1240, "1.24 kB"),
            (99_940, "99.9 kB"),
            (999_499, "999 kB"),
            (999_500, "1 MB"),
            (10_000_000, "10 MB"),
            (123_456_789, "123 MB"),
            (5_000_000_000_000, "5 TB"),
            (u64::MAX, "18447 PB"),
        ] {
            assert_eq!(bytes(number), text);
        }
    }

    #[test]
    fn times_and_counts_read_naturally() {
        assert_eq!([millis(41), millis(1_349), millis(125_000)], ["41 ms", "1.3 s", "2 min 5 s"]);
        assert_eq!(duration(Duration::from_micros(41_900)), "41 ms");
        assert_eq!(
            [0, 7, 90, 7_500].map(|seconds| rough(Duration::from_secs(seconds))),
            ["1 s", "7 s", "1 min 30 s", "2 h 5 min"]
        );
        assert_eq!([count(1, "row"), count(6_001_215, "row"), count(0, "query")], ["1 row", "6,001,215 rows", "0 queries"]);
    }
}
