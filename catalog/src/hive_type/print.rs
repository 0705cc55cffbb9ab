//! Prints a type as Hive and Glue do (`struct<a:int,b:array<string>>`), and as Trino does (`row(a integer, b array(varchar))`).

use std::fmt::{self, Write as _};

use super::HiveType;

impl fmt::Display for HiveType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean => f.write_str("boolean"),
            Self::TinyInt => f.write_str("tinyint"),
            Self::SmallInt => f.write_str("smallint"),
            Self::Int => f.write_str("int"),
            Self::BigInt => f.write_str("bigint"),
            Self::Float => f.write_str("float"),
            Self::Double => f.write_str("double"),
            Self::Decimal(precision, scale) => write!(f, "decimal({precision},{scale})"),
            Self::Char(length) => write!(f, "char({length})"),
            Self::Varchar(length) => write!(f, "varchar({length})"),
            Self::String => f.write_str("string"),
            Self::Binary => f.write_str("binary"),
            Self::Date => f.write_str("date"),
            Self::Timestamp => f.write_str("timestamp"),
            Self::Array(element) => write!(f, "array<{element}>"),
            Self::Map(key, value) => write!(f, "map<{key},{value}>"),
            Self::Struct(fields) => {
                f.write_str("struct<")?;
                for (index, (name, hive_type)) in fields.iter().enumerate() {
                    if index > 0 {
                        f.write_char(',')?;
                    }
                    if is_bare(name) {
                        write!(f, "{name}:{hive_type}")?;
                    } else {
                        write!(f, "`{}`:{hive_type}", name.replace('`', "``"))?;
                    }
                }
                f.write_char('>')
            }
        }
    }
}

impl HiveType {
    /// The type's name in Trino's SQL, as in `information_schema.columns` and `typeof`.
    #[must_use]
    pub fn trino_name(&self) -> String {
        match self {
            Self::Int => "integer".to_owned(),
            Self::Float => "real".to_owned(),
            Self::String => "varchar".to_owned(),
            Self::Binary => "varbinary".to_owned(),
            Self::Timestamp => "timestamp(3)".to_owned(),
            Self::Array(element) => format!("array({})", element.trino_name()),
            Self::Map(key, value) => format!("map({}, {})", key.trino_name(), value.trino_name()),
            Self::Struct(fields) => {
                let field = |(name, hive_type): &(String, Self)| {
                    let plain = !name.starts_with(|c: char| c.is_ascii_digit())
                        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
                    let name = if plain { name.clone() } else { format!("\"{}\"", name.replace('"', "\"\"")) };
                    format!("{name} {}", hive_type.trino_name())
                };
                format!("row({})", fields.iter().map(field).collect::<Vec<_>>().join(", "))
            }
            same => same.to_string(),
        }
    }
}

/// Whether a field's name can be parsed without backticks.
fn is_bare(name: &str) -> bool {
    !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '$' | '.' | '#' | '@' | '/'))
}
