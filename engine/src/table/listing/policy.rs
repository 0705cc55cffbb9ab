//! When the files of a table are listed: for each query, after a time, or only on request.

use std::{fmt, str::FromStr, time::Duration};

use glaux_catalog::model::Table;

use crate::{
    error::{Error, Result},
    units::parse_duration,
};

/// The table property, and session setting, that names the policy.
pub(crate) const LISTING: &str = "listing";

/// When the files of a table are listed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ListingPolicy {
    /// At each query: a new file appears in the next one.
    #[default]
    Live,
    /// A listing is good that long, for queries of the same process.
    Ttl(Duration),
    /// At a repair or a `REFRESH TABLE`; queries go by what the catalog keeps of it.
    Snapshot,
}

impl ListingPolicy {
    /// What a table is listed by: the session's setting, or else the table's property, or else live.
    ///
    /// # Errors
    /// `Invalid` for a property that names no policy.
    pub fn of(table: &Table, session: Option<Self>) -> Result<Self> {
        match (session, table.properties.get(LISTING)) {
            (Some(policy), _) => Ok(policy),
            (None, None) => Ok(Self::Live),
            (None, Some(text)) => text.parse().map_err(|error: Error| error.with_context("table", table.name.to_string())),
        }
    }

    /// The policy without its duration.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Ttl(_) => "ttl",
            Self::Snapshot => "snapshot",
        }
    }
}

impl FromStr for ListingPolicy {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let text = text.trim();
        let unknown = || {
            Error::invalid(format!("unknown listing policy \"{text}\"")).with_hint("Use live, ttl=30s (or 5m, 1h), or snapshot")
        };
        if text.eq_ignore_ascii_case("live") {
            return Ok(Self::Live);
        }
        if text.eq_ignore_ascii_case("snapshot") {
            return Ok(Self::Snapshot);
        }
        let (name, duration) = text.split_once('=').ok_or_else(unknown)?;
        if !name.trim().eq_ignore_ascii_case("ttl") {
            return Err(unknown());
        }
        Ok(Self::Ttl(parse_duration(duration).map_err(|_| unknown())?))
    }
}

impl fmt::Display for ListingPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ttl(duration) => write!(f, "ttl={}s", duration.as_secs_f64()),
            other => f.write_str(other.name()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_written_and_read() {
        for (text, policy) in [
            ("live", ListingPolicy::Live),
            (" SNAPSHOT ", ListingPolicy::Snapshot),
            ("ttl=5m", ListingPolicy::Ttl(Duration::from_secs(300))),
            ("TTL = 250ms", ListingPolicy::Ttl(Duration::from_millis(250))),
        ] {
            let read: ListingPolicy = text.parse().unwrap();
            assert_eq!(read, policy);
            assert_eq!(policy.to_string().parse::<ListingPolicy>().unwrap(), policy);
        }
        for text in ["", "ttl", "ttl=", "ttl=soon", "never", "age=5m"] {
            let error = text.parse::<ListingPolicy>().unwrap_err();
            assert!(error.hint().unwrap().contains("snapshot"), "{text}");
        }
    }
}
