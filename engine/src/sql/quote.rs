//! Quoted names and strings, as each of the two grammars writes them.

use std::fmt::Write as _;

/// A name in backticks.
pub(super) fn hive_name(name: &str) -> String {
    format!("`{}`", name.replace('`', "``"))
}

/// A string in single quotes, with Hive's escapes.
pub(super) fn hive_string(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('\'');
    for c in text.chars() {
        match c {
            '\\' => quoted.push_str("\\\\"),
            '\'' => quoted.push_str("\\'"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('\'');
    quoted
}

/// A name in double quotes.
pub(super) fn trino_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// A string in single quotes, as standard SQL has it.
pub(super) fn trino_string(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}
