//! Rewrites Arrow's types and DataFusion's literals in messages with their names in Trino.

use arrow::datatypes::DataType;

/// The text with the types and literals in it written as Trino writes them. What is in quotes stays.
pub(super) fn translated(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut within = false;
    while let Some(first) = rest.chars().next() {
        if !within
            && first.is_ascii_uppercase()
            && let Some((name, length)) = literal(rest).or_else(|| parsed(rest))
        {
            out.push_str(&name);
            rest = &rest[length..];
            continue;
        }
        let quoted = if !within && first == '\'' { rest[1..].find('\'').map(|end| end + 2) } else { None };
        let length = quoted.unwrap_or_else(|| first.len_utf8());
        within = quoted.is_none() && (first.is_alphanumeric() || first == '_');
        out.push_str(&rest[..length]);
        rest = &rest[length..];
    }
    out
}

/// A type's name, if the whole text is one.
pub(super) fn type_name(text: &str) -> Option<String> {
    parsed(text).filter(|(_, length)| *length == text.len()).map(|(name, _)| name)
}

/// The type that a text begins with, and its length.
fn parsed(text: &str) -> Option<(String, usize)> {
    let end = text.find(|character: char| !character.is_ascii_alphanumeric()).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    if let Some(name) = plain(word) {
        return Some((name.to_owned(), end));
    }
    let length = closing(rest)?;
    let inner = &rest[1..length];
    let whole = end + length + 1;
    let name = match word {
        "Decimal32" | "Decimal64" | "Decimal128" | "Decimal256" => {
            let (precision, scale) = inner.split_once(',')?;
            format!("decimal({},{})", precision.trim().parse::<u8>().ok()?, scale.trim().parse::<i8>().ok()?)
        }
        "Timestamp" => match inner.split_once(',') {
            Some(_) => format!("timestamp({}) with time zone", digits(inner.split(',').next()?)?),
            None => format!("timestamp({})", digits(inner)?),
        },
        "Time32" | "Time64" => format!("time({})", digits(inner)?),
        "Interval" if inner == "YearMonth" => "interval year to month".to_owned(),
        "Interval" | "Duration" => "interval day to second".to_owned(),
        "List" | "LargeList" | "ListView" | "FixedSizeList" => format!("array({})", element(inner)?),
        "Struct" => format!("row({})", members(inner)?.join(", ")),
        "Map" => {
            let entries = inner.split_once("Struct(")?.1;
            let types = members(&entries[..entries.rfind(')')?])?;
            let types: Vec<&str> = types.iter().filter_map(|member| member.split_once(' ')).map(|(_, name)| name).collect();
            format!("map({})", types.join(", "))
        }
        "Dictionary" => parsed(inner.split_once(", ")?.1)?.0,
        _ => return None,
    };
    Some((name, whole))
}

fn plain(word: &str) -> Option<&'static str> {
    Some(match word {
        "Boolean" => "boolean",
        "Int8" => "tinyint",
        "Int16" | "UInt8" => "smallint",
        "Int32" | "UInt16" => "integer",
        "Int64" | "UInt32" | "UInt64" => "bigint",
        "Float16" | "Float32" => "real",
        "Float64" => "double",
        "Utf8" | "LargeUtf8" | "Utf8View" => "varchar",
        "LargeBinary" | "BinaryView" | "FixedSizeBinary" => "varbinary",
        "Date32" | "Date64" => "date",
        _ => return None,
    })
}

/// The digits of a second in a unit's short name.
fn digits(unit: &str) -> Option<u8> {
    Some(match unit.trim() {
        "s" | "Second" => 0,
        "ms" | "Millisecond" => 3,
        "µs" | "us" | "Microsecond" => 6,
        "ns" | "Nanosecond" => 9,
        _ => return None,
    })
}

/// The element of a list, which may say that it is never NULL and what it is called.
fn element(text: &str) -> Option<String> {
    let text = text.strip_prefix("non-null ").unwrap_or(text);
    let text = match text {
        "Binary" => return Some("varbinary".to_owned()),
        "Null" => return Some("unknown".to_owned()),
        text => text,
    };
    parsed(text).map(|(name, _)| name)
}

/// The members of a struct: `"a": Int64, "b": non-null Utf8`.
fn members(text: &str) -> Option<Vec<String>> {
    let (mut members, mut rest) = (Vec::new(), text);
    while let Some((name, after)) = rest.strip_prefix('"').and_then(|rest| rest.split_once("\": ")) {
        let after = after.strip_prefix("non-null ").unwrap_or(after);
        let (member, length) = match after {
            after if after.starts_with("Binary") => ("varbinary".to_owned(), 6),
            after if after.starts_with("Null") => ("unknown".to_owned(), 4),
            after => parsed(after)?,
        };
        members.push(format!("{name} {member}"));
        rest = after[length..].trim_start_matches([',', ' ']);
    }
    Some(members)
}

/// A literal as DataFusion shows it: `Int64(1)`, `Utf8("a")`.
fn literal(text: &str) -> Option<(String, usize)> {
    let end = text.find('(')?;
    let (word, rest) = text.split_at(end);
    plain(word)?;
    let length = closing(rest)?;
    let inner = &rest[1..length];
    let is_value = inner == "NULL"
        || inner.starts_with('"')
        || inner.parse::<f64>().is_ok()
        || matches!(inner, "true" | "false")
        || DataType::Date32.to_string() == word;
    is_value.then(|| (inner.replace('"', "'"), end + length + 1))
}

/// Where the parenthesis that a text begins with is closed.
fn closing(text: &str) -> Option<usize> {
    let (mut open, mut quoted) = (0_usize, false);
    for (at, character) in text.char_indices() {
        match character {
            '"' => quoted = !quoted,
            '(' if !quoted => open += 1,
            ')' if !quoted => {
                open = open.checked_sub(1)?;
                if open == 0 {
                    return Some(at);
                }
            }
            _ if open == 0 => return None,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_have_trinos_names() {
        for (arrow, trino) in [
            ("Int64 + Utf8", "bigint + varchar"),
            ("Timestamp(ms) + Timestamp(ns, \"UTC\")", "timestamp(3) + timestamp(9) with time zone"),
            ("Decimal128(10, 2), Time64(µs)", "decimal(10,2), time(6)"),
            ("List(Struct(\"a\": Int64, \"b c\": non-null List(Utf8)))", "array(row(a bigint, b c array(varchar)))"),
            ("Map(\"entries\": non-null Struct(\"key\": non-null Utf8, \"value\": Int64), unsorted)", "map(varchar, bigint)"),
            ("t.a + Int64(1) = Utf8(\"x (y\")", "t.a + 1 = 'x (y'"),
            ("a column called MyInt64 or Int64s", "a column called MyInt64 or Int64s"),
            ("'Int64' isn't Int64", "'Int64' isn't bigint"),
            ("neither Struct, Map, or Null", "neither Struct, Map, or Null"),
            ("Dictionary(Int32, Utf8)", "varchar"),
        ] {
            assert_eq!(translated(arrow), trino);
        }
    }
}
