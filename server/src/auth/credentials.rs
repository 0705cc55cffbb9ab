//! The header `authorization`, as clients write it: `Basic` with or without padding and in either alphabet, `Bearer`, or nothing.

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use glaux_engine::Result;
use http::{HeaderMap, header::AUTHORIZATION};

use super::refusal::unauthenticated;

/// Clients differ in padding, and some leave bits behind in the last character.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true).with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a caller shows.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Credentials {
    Nothing,
    Password { user: String, password: String },
    Token(String),
}

impl Credentials {
    /// Reads the header's text.
    ///
    /// # Errors
    /// Unauthenticated, for what cannot be read.
    pub(super) fn read(authorization: Option<&str>) -> Result<Self> {
        let Some(text) = authorization.map(str::trim).filter(|text| !text.is_empty()) else { return Ok(Self::Nothing) };
        let (scheme, rest) = text.split_once(|c: char| c.is_ascii_whitespace()).unwrap_or((text, ""));
        let rest = rest.trim();
        if scheme.eq_ignore_ascii_case("bearer") && !rest.is_empty() {
            Ok(Self::Token(rest.to_owned()))
        } else if scheme.eq_ignore_ascii_case("basic") {
            basic(rest).ok_or_else(|| unauthenticated("the user and password in the header \"authorization\" cannot be read"))
        } else {
            Err(unauthenticated("the header \"authorization\" is neither \"Basic\" nor \"Bearer\""))
        }
    }
}

/// The first `authorization` of a request: clients that got a new token may send the old one behind it.
///
/// # Errors
/// Unauthenticated, if it is no text.
pub(super) fn authorization(headers: &HeaderMap) -> Result<Option<&str>> {
    let text = headers.get(AUTHORIZATION).map(http::HeaderValue::to_str).transpose();
    text.map_err(|_| unauthenticated("the header \"authorization\" is not text"))
}

fn basic(text: &str) -> Option<Credentials> {
    let standard: String = text
        .chars()
        .map(|c| match c {
            '-' => '+',
            '_' => '/',
            other => other,
        })
        .collect();
    let decoded = String::from_utf8(LENIENT.decode(standard).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    Some(Credentials::Password { user: user.to_owned(), password: password.to_owned() })
}

#[cfg(test)]
mod tests {
    use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};

    use super::*;

    fn read(text: &str) -> Option<(String, String)> {
        match Credentials::read(Some(text)) {
            Ok(Credentials::Password { user, password }) => Some((user, password)),
            _ => None,
        }
    }

    #[test]
    fn basic_is_read_in_every_length_padding_and_alphabet() {
        // The last characters use what differs between the alphabets.
        for password in ["", "x", "xy", "xyz", "p:w", "\u{3ff}\u{fff}?>", "ab\u{fb}\u{ff}~~~", "\u{20ac}\u{20ac}\u{20ac}"] {
            let plain = format!("ada:{password}");
            for engine in [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD] {
                for scheme in ["Basic", "basic", "BASIC "] {
                    let found = read(&format!("{scheme} {}", engine.encode(&plain)));
                    assert_eq!(found, Some(("ada".to_owned(), password.to_owned())));
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        for bad in ["Basic", "Basic !!!!", "Basic YWRh", "Basic /w==", "Bearer", "Digest x", "ada:secret"] {
            assert!(Credentials::read(Some(bad)).is_err(), "{bad}");
        }
        for nothing in [None, Some(""), Some("  ")] {
            assert!(Credentials::read(nothing).is_ok_and(|found| found == Credentials::Nothing));
        }
        assert!(Credentials::read(Some("bearer  a.b")).is_ok_and(|found| found == Credentials::Token("a.b".to_owned())));
    }

    #[test]
    fn of_several_headers_the_first_counts() {
        let mut headers = HeaderMap::new();
        assert_eq!(authorization(&headers).unwrap(), None);
        headers.append(AUTHORIZATION, "Bearer new".parse().unwrap());
        headers.append(AUTHORIZATION, "Bearer old".parse().unwrap());
        assert_eq!(authorization(&headers).unwrap(), Some("Bearer new"));
        headers.insert(AUTHORIZATION, http::HeaderValue::from_bytes(b"Bearer \xff").unwrap());
        assert!(authorization(&headers).is_err());
    }
}
