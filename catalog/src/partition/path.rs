//! Names of partition directories, `key=value/key=value`, escaped and parsed as by Hive's `FileUtils`. Values are raw texts here.

use crate::{
    error::{Error, Result},
    model::Column,
};

/// The text for NULL in the name of a directory, and in partition values written as text.
pub const HIVE_DEFAULT_PARTITION: &str = "__HIVE_DEFAULT_PARTITION__";

/// Whether Hive's `FileUtils.escapePathName` writes this character as `%XX`: ASCII control characters, and characters with a meaning in
/// stores, shells and URLs. Characters beyond ASCII are not escaped.
fn is_escaped(c: char) -> bool {
    matches!(c, '"' | '#' | '%' | '\'' | '*' | '/' | ':' | '=' | '?' | '\\' | '{' | '[' | ']' | '^') || c.is_ascii_control()
}

/// Escapes a key or a value for the name of a directory, as Hive does.
#[must_use]
pub(crate) fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    escape_into(&mut escaped, text);
    escaped
}

fn escape_into(out: &mut String, text: &str) {
    const HEX: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F'];
    for c in text.chars() {
        if is_escaped(c) {
            let code = c as usize;
            out.push('%');
            out.push(HEX[(code >> 4) & 0xF]);
            out.push(HEX[code & 0xF]);
        } else {
            out.push(c);
        }
    }
}

/// Replaces `%XX` by the character with that code, as Hive's `FileUtils.unescapePathName` does: one character for each `%XX` (not a
/// byte of UTF-8). A `%` without two hexadecimal digits is kept.
#[must_use]
fn unescape(text: &str) -> String {
    let mut unescaped = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('%') {
        unescaped.push_str(&rest[..at]);
        let code = rest.as_bytes().get(at + 1..at + 3).and_then(|digits| Some(hex(digits[0])? << 4 | hex(digits[1])?));
        match code {
            Some(code) => {
                unescaped.push(char::from(code));
                rest = &rest[at + 3..];
            }
            None => {
                unescaped.push('%');
                rest = &rest[at + 1..];
            }
        }
    }
    unescaped.push_str(rest);
    unescaped
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok())
}

/// The Hive name of a partition, `key=value/key=value`: its directory below the table's root, without a `/` at either end. NULL and the empty
/// string are both [`HIVE_DEFAULT_PARTITION`], as in Hive.
#[must_use]
pub fn hive_name(keys: &[Column], values: &[Option<String>]) -> String {
    let mut name = String::new();
    for (key, value) in keys.iter().zip(values) {
        if !name.is_empty() {
            name.push('/');
        }
        escape_into(&mut name, &key.name);
        name.push('=');
        name.push_str(&in_name(value.as_deref()));
    }
    name
}

/// A value as in a name.
pub(super) fn in_name(value: Option<&str>) -> String {
    match value {
        None | Some("") => HIVE_DEFAULT_PARTITION.to_owned(),
        Some(value) => escape(value),
    }
}

/// One `key=value` segment of a path, unescaped; `None` if it does not have that form, or the key or the value is empty.
#[must_use]
pub fn parse_segment(segment: &str) -> Option<(String, Option<String>)> {
    let (key, value) = segment.split_once('=')?;
    if key.is_empty() || value.is_empty() || value.contains('/') {
        return None;
    }
    Some((unescape(key), parse_value(value)))
}

/// A value of a name, unescaped; `None` for NULL.
pub(super) fn parse_value(escaped: &str) -> Option<String> {
    (escaped != HIVE_DEFAULT_PARTITION).then(|| unescape(escaped))
}

/// The raw values in a name made by [`hive_name`] for these keys.
///
/// # Errors
/// `CorruptData` if the name has other keys.
pub fn parse_name(keys: &[Column], name: &str) -> Result<Vec<Option<String>>> {
    let mut segments = name.split('/');
    let mut values = Vec::with_capacity(keys.len());
    for key in keys {
        match segments.next().and_then(parse_segment) {
            Some((found, value)) if found == key.name => values.push(value),
            _ => return Err(foreign_name(keys, name)),
        }
    }
    match segments.next() {
        None => Ok(values),
        Some(_) => Err(foreign_name(keys, name)),
    }
}

pub(super) fn foreign_name(keys: &[Column], name: &str) -> Error {
    let keys: Vec<&str> = keys.iter().map(|key| key.name.as_str()).collect();
    Error::corrupt(format!("partition name \"{name}\" does not have the keys \"{}\"", keys.join("\", \"")))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hive_type::HiveType;

    fn keys(names: &[&str]) -> Vec<Column> {
        names.iter().map(|name| Column::new(*name, HiveType::String)).collect()
    }

    #[test]
    fn escapes_what_hive_escapes_and_nothing_else() {
        let ascii: String = (0u8..128).map(char::from).filter(|c| escape(&c.to_string()) != c.to_string()).collect();
        let mut expected: String = (0u8..32).map(char::from).collect();
        expected.push_str("\"#%'*/:=?[\\]^{\u{7f}");
        assert_eq!(ascii, expected);
        assert_eq!(escape("a b}é~<>|&+,;@"), "a b}é~<>|&+,;@");
        assert_eq!(escape("12:30/a=\u{1}"), "12%3A30%2Fa%3D%01");
    }

    #[test]
    fn unescapes_as_hive_does() {
        assert_eq!(unescape("12%3A30"), "12:30");
        assert_eq!(unescape("12%3a30"), "12:30");
        assert_eq!(unescape("100%"), "100%");
        assert_eq!(unescape("%4"), "%4");
        assert_eq!(unescape("%zz%41"), "%zzA");
        assert_eq!(unescape("%+1"), "%+1");
        assert_eq!(unescape("%é%20"), "%é ");
        assert_eq!(unescape("%E9"), "é", "a code, not a byte of UTF-8");
    }

    #[test]
    fn names_partitions() {
        let values = [Some("2024-01-01".to_owned()), None, Some("a/b".to_owned())];
        let name = hive_name(&keys(&["dt", "region", "p q"]), &values);
        assert_eq!(name, "dt=2024-01-01/region=__HIVE_DEFAULT_PARTITION__/p q=a%2Fb");
        assert_eq!(parse_name(&keys(&["dt", "region", "p q"]), &name).unwrap(), values);
        assert!(parse_name(&keys(&["dt", "region"]), &name).is_err());
        assert!(parse_name(&keys(&["dt", "region", "p q", "z"]), &name).is_err());
        assert!(parse_name(&keys(&["dt", "area", "p q"]), &name).is_err());
    }

    #[test]
    fn reads_segments() {
        assert_eq!(parse_segment("month=01"), Some(("month".to_owned(), Some("01".to_owned()))));
        assert_eq!(parse_segment("a=b=c"), Some(("a".to_owned(), Some("b=c".to_owned()))));
        assert_eq!(parse_segment("a=__HIVE_DEFAULT_PARTITION__"), Some(("a".to_owned(), None)));
        for other in ["", "month", "=1", "month=", "a=b/c"] {
            assert_eq!(parse_segment(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn every_value_comes_back(values in proptest::collection::vec(proptest::option::of("\\PC{1,12}|[\\x00-\\x7f]{1,6}"), 1..4)) {
            let keys = keys(&["a", "b=c", "d/e"][..values.len()]);
            let name = hive_name(&keys, &values);
            prop_assert_eq!(name.matches('/').count(), values.len() - 1);
            prop_assert_eq!(parse_name(&keys, &name).unwrap(), values);
        }

        #[test]
        fn unescaping_takes_any_text(text in "\\PC*") {
            let _ = unescape(&text);
            prop_assert_eq!(unescape(&escape(&text)), text);
        }
    }
}
