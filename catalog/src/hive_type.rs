//! Hive's types: parsed from DDL (`parse`), printed as by Hive and Glue (`print`), and mapped to and from Arrow (`arrow`).

mod arrow;
mod parse;
mod print;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::error::{Error, ErrorKind, Result};

/// The type of a column, a partition key or a field.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum HiveType {
    Boolean,
    TinyInt,
    SmallInt,
    Int,
    BigInt,
    Float,
    Double,
    /// Precision 1 to 38, scale 0 to precision.
    Decimal(u8, i8),
    /// 1 to 255 characters.
    Char(u32),
    /// 1 to 65535 characters.
    Varchar(u32),
    String,
    Binary,
    Date,
    /// Milliseconds, without a zone, as Athena reads it.
    Timestamp,
    Array(Box<HiveType>),
    Map(Box<HiveType>, Box<HiveType>),
    /// Field names are lower case.
    Struct(Vec<(String, HiveType)>),
}

impl HiveType {
    /// Whether the type is an array, a map or a struct. Partition keys cannot have such a type.
    #[must_use]
    pub fn is_nested(&self) -> bool {
        matches!(self, Self::Array(_) | Self::Map(..) | Self::Struct(_))
    }

    /// The type as read back from a catalog: types are stored as text, so a type that Hive's grammar does not parse cannot be stored.
    ///
    /// # Errors
    /// `Invalid`, naming the type and what is wrong with it: a map whose key is not a scalar, a field without a name, duplicate fields, or a depth or
    /// length beyond the limit.
    pub fn checked(&self) -> Result<Self> {
        let text = self.to_string();
        text.parse::<Self>().map_err(|error| match error.kind() {
            ErrorKind::Syntax => Error::invalid(error.message()),
            _ => error,
        })
    }
}

impl TryFrom<String> for HiveType {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<HiveType> for String {
    fn from(hive_type: HiveType) -> Self {
        hive_type.to_string()
    }
}
