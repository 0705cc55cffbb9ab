//! The types of projection, by which the values of one key are computed: `enum`, `integer`, `date` and `injected`.

use std::collections::BTreeSet;

use chrono::{NaiveDate, NaiveDateTime, NaiveTime};

use super::{
    date::{Bound, DateRange},
    filter::KeyFilter,
    format::DatePattern,
    unit::Unit,
};
use crate::{
    error::{Error, ErrorKind, Result},
    hive_type::HiveType,
    model::{Column, Properties},
};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Rule {
    /// In the order in which they are written.
    Enum(Vec<String>),
    Integer {
        low: i64,
        high: i64,
        interval: i64,
        digits: usize,
    },
    Date(DateRange),
    /// Those that the query's filters name.
    Injected,
}

impl Rule {
    /// # Errors
    /// `Invalid` for a property that is missing or not valid, naming it.
    pub(super) fn of(key: &Column, properties: &Properties) -> Result<Self> {
        let name = |what: &str| format!("projection.{}.{what}", key.name);
        let property = |what: &str| properties.get(&name(what)).map(String::as_str);
        let needed = |what: &str| {
            property(what).ok_or_else(|| {
                Error::invalid(format!("property \"{}\" is missing", name(what)))
                    .with_hint("Set it with ALTER TABLE ... SET TBLPROPERTIES")
            })
        };
        let invalid = |what: &str, hint: &str| {
            Error::invalid(format!("\"{}\" is not valid for \"{}\"", property(what).unwrap_or_default(), name(what)))
                .with_hint(hint)
        };
        let interval = || match property("interval").map(str::trim) {
            None => Ok(None),
            Some(text) => match text.parse::<i64>().ok().filter(|interval| *interval > 0) {
                Some(interval) => Ok(Some(interval)),
                None => Err(invalid("interval", "Use a whole number from 1")),
            },
        };
        match needed("type")?.trim().to_ascii_lowercase().as_str() {
            "enum" => Ok(Self::Enum(needed("values")?.split(',').map(str::to_owned).collect())),
            "integer" => {
                let range = needed("range")?
                    .split_once(',')
                    .and_then(|(low, high)| Some((low.trim().parse::<i64>().ok()?, high.trim().parse::<i64>().ok()?)));
                let (low, high) = range.ok_or_else(|| invalid("range", "Use two whole numbers, such as \"1,12\""))?;
                let digits = match property("digits") {
                    None => 0,
                    Some(digits) => {
                        digits.trim().parse().map_err(|_| invalid("digits", "Use the minimum number of digits of each value"))?
                    }
                };
                Ok(Self::Integer { low, high, interval: interval()?.unwrap_or(1), digits })
            }
            "date" => {
                let format = DatePattern::parse(needed("format")?)?;
                let range = needed("range")?.split_once(',');
                let ends = range.and_then(|(low, high)| Some((Bound::parse(low, &format)?, Bound::parse(high, &format)?)));
                let (low, high) = ends.ok_or_else(|| {
                    invalid("range", "Use two dates in the format, or NOW with an offset, such as \"2020-01-01,NOW+1DAY\"")
                })?;
                let unit = match property("interval.unit") {
                    Some(text) => Unit::parse(text)
                        .ok_or_else(|| invalid("interval.unit", "Use one of YEARS, MONTHS, WEEKS, DAYS, HOURS, ..."))?,
                    None => match format.precision() {
                        unit @ (Unit::Days | Unit::Months) => unit,
                        _ => {
                            needed("interval.unit")?;
                            Unit::Days
                        }
                    },
                };
                Ok(Self::Date(DateRange { format, low, high, interval: interval()?.unwrap_or(1), unit }))
            }
            "injected" if !is_text(key) => {
                Err(Error::invalid(format!("partition key \"{}\" of type \"{}\" cannot be injected", key.name, key.hive_type))
                    .with_hint("Injected keys have the type string"))
            }
            "injected" => Ok(Self::Injected),
            _ => Err(invalid("type", "Use one of enum, integer, date and injected")),
        }
    }

    /// The values that satisfy a filter, at most `most`.
    ///
    /// # Errors
    /// `LimitExceeded` beyond that; `Invalid` where a filter is needed.
    pub(super) fn values(&self, key: &Column, filter: &KeyFilter, now: NaiveDateTime, most: usize) -> Result<Vec<String>> {
        match self {
            Self::Enum(values) => Ok(match &filter.values {
                Some(wanted) if is_text(key) => values.iter().filter(|value| wanted.contains(value)).cloned().collect(),
                _ => values.clone(),
            }),
            Self::Integer { low, high, interval, digits } => {
                let number = |text: &String| text.trim().parse::<i64>().ok();
                // Texts do not compare as numbers do.
                let bound = |text: &Option<String>| text.as_ref().filter(|_| !is_text(key)).and_then(number);
                let write = |number: i64| write(number, *digits);
                let is_member = |number: &i64| {
                    let distance = i128::from(*number) - i128::from(*low);
                    (*low..=*high).contains(number) && distance % i128::from(*interval) == 0
                };
                if let Some(wanted) = &filter.values {
                    // "6" and "06" are the same number.
                    let numbers: BTreeSet<i64> = wanted.iter().filter_map(number).filter(is_member).collect();
                    return Ok(numbers.into_iter().map(write).filter(|text| !is_text(key) || wanted.contains(text)).collect());
                }
                let last = bound(&filter.high).map_or(*high, |bound| bound.min(*high));
                let skipped = bound(&filter.low).filter(|bound| bound > low).map_or(0, |bound| {
                    let distance = i128::from(bound) - i128::from(*low);
                    (distance + i128::from(*interval) - 1) / i128::from(*interval)
                });
                let first = i128::from(*low) + skipped * i128::from(*interval);
                let count = (i128::from(last) - first).div_euclid(i128::from(*interval)) + 1;
                if count > most as i128 {
                    return Err(Error::new(
                        ErrorKind::LimitExceeded,
                        format!("partition projection results in {count} values of key \"{}\"", key.name),
                    )
                    .with_hint("Add a filter on the partition key, or make its range shorter"));
                }
                let at = |step: i128| i64::try_from(first + step * i128::from(*interval)).ok();
                Ok((0..count).map_while(at).map(write).collect())
            }
            Self::Date(range) => {
                let moment = |text: &String| match &key.hive_type {
                    HiveType::Date | HiveType::Timestamp => typed_moment(text),
                    // Bounds on texts apply only if the texts sort as their times do.
                    _ => range.format.read(text).filter(|_| range.format.is_sorted()),
                };
                if let Some(wanted) = &filter.values {
                    let text = |value: &String| match &key.hive_type {
                        HiveType::Date | HiveType::Timestamp => typed_moment(value).map(|moment| range.format.format(moment)),
                        _ => Some(value.clone()),
                    };
                    return Ok(wanted.iter().filter_map(text).filter(|text| range.holds(now, text)).collect());
                }
                let (low, high) = (filter.low.as_ref().and_then(moment), filter.high.as_ref().and_then(moment));
                range.between(now, low, high, most)
            }
            Self::Injected => injected(key, filter),
        }
    }
}

/// The values in a query's filter. They become part of a path, and must not lead out of it.
fn injected(key: &Column, filter: &KeyFilter) -> Result<Vec<String>> {
    let values = filter.values.clone().ok_or_else(|| {
        Error::invalid(format!(
            "for the injected projected partition column {}, the WHERE clause must contain only static equality conditions, and at \
             least one such condition must be present",
            key.name
        ))
        .with_hint(format!("Add {} = '...' or {} IN (...)", key.name, key.name))
    })?;
    match values.iter().find(|value| value.split('/').any(|segment| matches!(segment, "." | ".."))) {
        Some(value) => {
            Err(Error::invalid(format!("\"{value}\" cannot be a value of the injected partition column \"{}\"", key.name))
                .with_hint("A value must have no \".\" or \"..\" between slashes"))
        }
        None => Ok(values),
    }
}

/// A number with at least this many digits, not counting its sign.
fn write(number: i64, digits: usize) -> String {
    let sign = if number < 0 { "-" } else { "" };
    format!("{sign}{:0digits$}", number.unsigned_abs())
}

fn is_text(key: &Column) -> bool {
    matches!(key.hive_type, HiveType::String | HiveType::Varchar(_) | HiveType::Char(_))
}

/// A date, or a date and a time, as catalogs write them.
fn typed_moment(text: &str) -> Option<NaiveDateTime> {
    let midnight = || Some(text.parse::<NaiveDate>().ok()?.and_time(NaiveTime::MIN));
    NaiveDateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S%.f").ok().or_else(midnight)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(key: &Column, properties: &[(&str, &str)]) -> Result<Rule> {
        let properties = properties.iter().map(|(name, value)| (format!("projection.{}.{name}", key.name), (*value).to_owned()));
        Rule::of(key, &properties.collect())
    }

    fn now() -> NaiveDateTime {
        "2024-03-10T15:20:00".parse().unwrap()
    }

    fn only(values: &[&str]) -> KeyFilter {
        KeyFilter { values: Some(values.iter().map(|value| (*value).to_owned()).collect()), ..KeyFilter::default() }
    }

    #[test]
    fn integers_step_and_are_padded() {
        let key = Column::new("h", HiveType::String);
        let hours = rule(&key, &[("type", "integer"), ("range", "00,23"), ("interval", "6"), ("digits", "2")]).unwrap();
        assert_eq!(hours.values(&key, &KeyFilter::default(), now(), 9).unwrap(), ["00", "06", "12", "18"]);
        assert_eq!(hours.values(&key, &only(&["06", "07", "6"]), now(), 9).unwrap(), ["06"]);
    }

    #[test]
    fn a_long_range_of_integers_is_not_walked() {
        let key = Column::new("n", HiveType::BigInt);
        let numbers =
            rule(&key, &[("type", "integer"), ("range", "-9000000000000000000,9000000000000000000"), ("interval", "7")]);
        let numbers = numbers.unwrap();
        let between = KeyFilter { low: Some("10".to_owned()), high: Some("30".to_owned()), ..KeyFilter::default() };
        let found = numbers.values(&key, &between, now(), 9).unwrap();
        assert_eq!(found.len(), 3);
        for value in &found {
            assert_eq!(numbers.values(&key, &only(&[value]), now(), 9).unwrap(), std::slice::from_ref(value));
        }
        assert_eq!(numbers.values(&key, &KeyFilter::default(), now(), 9).unwrap_err().kind(), ErrorKind::LimitExceeded);
        let beyond = KeyFilter { low: Some("9100000000000000000".to_owned()), ..KeyFilter::default() };
        assert!(numbers.values(&key, &beyond, now(), 9).unwrap().is_empty());
    }

    #[test]
    fn dates_are_found_by_their_texts_and_by_their_type() {
        let dates = [("type", "date"), ("format", "yyyy-MM-dd"), ("range", "2024-01-01,NOW")];
        for hive_type in [HiveType::String, HiveType::Date] {
            let key = Column::new("dt", hive_type);
            let rule = rule(&key, &dates).unwrap();
            let from = KeyFilter { low: Some("2024-03-09".to_owned()), ..KeyFilter::default() };
            assert_eq!(rule.values(&key, &from, now(), 100).unwrap(), ["2024-03-09", "2024-03-10"]);
            assert_eq!(rule.values(&key, &only(&["2024-02-30", "2024-02-29", "2023-12-31"]), now(), 9).unwrap(), ["2024-02-29"]);
        }
    }

    #[test]
    fn texts_that_do_not_sort_as_dates_bound_nothing() {
        let key = Column::new("dt", HiveType::String);
        let rule = rule(&key, &[("type", "date"), ("format", "dd.MM.yyyy"), ("range", "30.12.2023,02.01.2024")]).unwrap();
        let from = KeyFilter { low: Some("30.12.2023".to_owned()), ..KeyFilter::default() };
        assert_eq!(rule.values(&key, &from, now(), 9).unwrap().len(), 4);
    }

    #[test]
    fn hours_need_their_unit() {
        let key = Column::new("hour", HiveType::String);
        let hours = [("type", "date"), ("format", "yyyy/MM/dd/HH"), ("range", "2024/03/10/13,NOW")];
        assert!(rule(&key, &hours).unwrap_err().to_string().contains("projection.hour.interval.unit"));
        let hours = rule(&key, &[&hours[..], &[("interval.unit", "HOURS")]].concat()).unwrap();
        assert_eq!(
            hours.values(&key, &KeyFilter::default(), now(), 9).unwrap(),
            ["2024/03/10/13", "2024/03/10/14", "2024/03/10/15"]
        );
    }

    #[test]
    fn injected_values_are_what_is_asked_for() {
        let key = Column::new("id", HiveType::String);
        let injected = rule(&key, &[("type", "injected")]).unwrap();
        assert_eq!(injected.values(&key, &only(&["a", "b"]), now(), 9).unwrap(), ["a", "b"]);
        let error = injected.values(&key, &KeyFilter::default(), now(), 9).unwrap_err();
        assert!(error.to_string().contains("only static equality conditions"), "{error}");
        assert!(rule(&Column::new("id", HiveType::Int), &[("type", "injected")]).is_err());
    }
}
