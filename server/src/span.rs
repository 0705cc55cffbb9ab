//! A length of time as people write it in the configuration: `30s`, `5m`, `24h`, or a number of seconds.

use std::{fmt, time::Duration};

use glaux_engine::session::parse_duration;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A length of time that is text in files and variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Span(pub(crate) Duration);

impl Span {
    pub(crate) const fn seconds(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }

    pub(crate) const fn hours(hours: u64) -> Self {
        Self::seconds(hours * 3600)
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        match (self.0.subsec_millis(), seconds) {
            (0, 0) => f.write_str("0s"),
            (0, _) if seconds.is_multiple_of(3600) => write!(f, "{}h", seconds / 3600),
            (0, _) if seconds.is_multiple_of(60) => write!(f, "{}m", seconds / 60),
            (0, _) => write!(f, "{seconds}s"),
            _ => write!(f, "{}ms", self.0.as_millis()),
        }
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Written {
            Seconds(u64),
            Text(String),
        }
        match Written::deserialize(deserializer)? {
            Written::Seconds(seconds) => Ok(Self::seconds(seconds)),
            Written::Text(text) => parse_duration(&text)
                .map(Self)
                .map_err(|error| de::Error::custom(format!("{error}; {}", error.hint().unwrap_or_default()))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for (text, seconds) in [("24h", 86_400), ("90s", 90), ("5m", 300), ("0s", 0)] {
            let span: Span = serde_json::from_value(serde_json::json!(text)).unwrap();
            assert_eq!((span, span.to_string().as_str()), (Span::seconds(seconds), text));
        }
        assert_eq!(serde_json::from_str::<Span>("7").unwrap(), Span::seconds(7));
        assert_eq!(Span(Duration::from_millis(1500)).to_string(), "1500ms");
        assert!(serde_json::from_str::<Span>("\"soon\"").unwrap_err().to_string().contains("soon"));
    }
}
