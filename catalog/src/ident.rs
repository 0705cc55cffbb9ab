//! Names of databases, tables and columns: folded to lower case, quoted or not, as Athena and Hive do.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The catalog's name in three-part names and in `information_schema`, as in Athena.
pub const CATALOG_NAME: &str = "awsdatacatalog";

/// The database that every catalog has.
pub const DEFAULT_DATABASE: &str = "default";

/// The longest name that Glue accepts, in bytes.
pub const MAX_NAME_BYTES: usize = 255;

/// Folds a name to its stored form.
#[must_use]
pub fn fold(name: &str) -> String {
    name.to_lowercase()
}

/// Folds a name and rejects what no catalog accepts: empty names, long ones, and those with control characters, `/` or a dot, or with whitespace at
/// either end. Otherwise a name is never changed, as it could not be found by the original.
///
/// # Errors
/// `Invalid`, naming the name and the `what` (`database`, `table`, `column`).
pub fn checked(what: &str, name: &str) -> Result<String> {
    let name = fold(name);
    let fault = if name.is_empty() {
        "is empty".to_owned()
    } else if name.trim() != name {
        "begins or ends with whitespace".to_owned()
    } else if name.len() > MAX_NAME_BYTES {
        format!("is longer than {MAX_NAME_BYTES} bytes")
    } else if name.chars().any(|c| c.is_control() || c == '/' || (c == '.' && what != "column")) {
        "contains a character that is not allowed in names".to_owned()
    } else {
        return Ok(name);
    };
    let shown = if name.chars().any(char::is_control) { name.escape_default().to_string() } else { name };
    Err(Error::invalid(format!("{what} name \"{shown}\" {fault}")).with_hint("Use lower-case letters, digits and underscores"))
}

/// A table or view by its full name, both parts folded.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TableName {
    pub database: String,
    pub table: String,
}

impl TableName {
    pub fn new(database: impl AsRef<str>, table: impl AsRef<str>) -> Self {
        Self { database: fold(database.as_ref()), table: fold(table.as_ref()) }
    }
}

impl fmt::Display for TableName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.database, self.table)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kept_or_rejected() {
        assert_eq!(checked("table", "A b").unwrap(), "a b");
        for name in ["", " ", "a ", " a", "a\u{a0}", "a\tb", "a/b", "a.b", &"a".repeat(256)] {
            assert!(checked("table", name).is_err(), "{name:?}");
        }
        assert_eq!(checked("column", "a.b").unwrap(), "a.b");
        let refused = checked("table", "A b ").unwrap_err();
        assert_eq!(refused.to_string(), "table name \"a b \" begins or ends with whitespace");
    }
}
