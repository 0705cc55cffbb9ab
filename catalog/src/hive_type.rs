//! Hive's types: parsed from DDL, printed as Hive prints them, and mapped to Arrow.

use serde::{Deserialize, Serialize};

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
    Timestamp,
    Array(Box<HiveType>),
    Map(Box<HiveType>, Box<HiveType>),
    /// Field names are lower case.
    Struct(Vec<(String, HiveType)>),
}
