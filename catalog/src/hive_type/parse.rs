//! Parses a type from a DDL statement or a catalog: Hive's `colType` grammar, case-insensitive, with spaces.

use std::str::FromStr;

use super::HiveType;
use crate::error::{Error, ErrorKind, Result};

/// The nesting limit: above that of real data, below that of the stack.
pub(super) const MAX_DEPTH: usize = 64;

pub(super) fn too_deep() -> Error {
    Error::invalid(format!("a type nests deeper than {MAX_DEPTH} levels")).with_hint("Use a flatter type")
}

impl FromStr for HiveType {
    type Err = Error;

    /// # Errors
    /// `Syntax` or `Invalid`, naming the text and the position of the character, counted from 1.
    fn from_str(text: &str) -> Result<Self> {
        let mut parser = Parser { text, at: 0 };
        let hive_type = parser.hive_type(0)?;
        parser.space();
        if parser.at < text.len() {
            return Err(parser.unexpected("the end of the type"));
        }
        Ok(hive_type)
    }
}

struct Parser<'a> {
    text: &'a str,
    /// In bytes.
    at: usize,
}

impl Parser<'_> {
    fn hive_type(&mut self, depth: usize) -> Result<HiveType> {
        if depth > MAX_DEPTH {
            return Err(too_deep());
        }
        self.space();
        let start = self.at;
        let name = self.word().to_ascii_lowercase();
        Ok(match name.as_str() {
            "boolean" => HiveType::Boolean,
            "tinyint" => HiveType::TinyInt,
            "smallint" => HiveType::SmallInt,
            "int" | "integer" => HiveType::Int,
            "bigint" => HiveType::BigInt,
            "float" => HiveType::Float,
            "double" => {
                let end = self.at;
                self.space();
                if !self.word().eq_ignore_ascii_case("precision") {
                    self.at = end;
                }
                HiveType::Double
            }
            "decimal" | "dec" | "numeric" => self.decimal(start)?,
            "char" => HiveType::Char(self.length(start, "char", 255)?),
            "varchar" => HiveType::Varchar(self.length(start, "varchar", 65_535)?),
            "string" => HiveType::String,
            "binary" => HiveType::Binary,
            "date" => HiveType::Date,
            "timestamp" => HiveType::Timestamp,
            "array" => {
                self.expect('<')?;
                let element = self.hive_type(depth + 1)?;
                self.expect('>')?;
                HiveType::Array(Box::new(element))
            }
            "map" => {
                self.expect('<')?;
                let key_at = self.at;
                let key = self.hive_type(depth + 1)?;
                if key.is_nested() {
                    return Err(self.fault(key_at, "the key of a map must have a primitive type"));
                }
                self.expect(',')?;
                let value = self.hive_type(depth + 1)?;
                self.expect('>')?;
                HiveType::Map(Box::new(key), Box::new(value))
            }
            "struct" => HiveType::Struct(self.fields(depth)?),
            "" => return Err(self.unexpected("a type")),
            other => {
                let kind = if other == "uniontype" { ErrorKind::Unsupported } else { ErrorKind::Invalid };
                let error =
                    Error::new(kind, format!("type \"{}\": there is no type \"{other}\"{}", self.text, self.position(start)));
                return Err(error.with_hint(hint(other)));
            }
        })
    }

    /// `(p)`, `(p, s)` or nothing, which is Hive's `(10, 0)`.
    fn decimal(&mut self, start: usize) -> Result<HiveType> {
        let (precision, scale) = match self.numbers()?.as_slice() {
            [] => (10, 0),
            [precision] => (*precision, 0),
            [precision, scale] => (*precision, *scale),
            _ => return Err(self.fault(start, "decimal takes a precision and a scale")),
        };
        match (u8::try_from(precision), i8::try_from(scale)) {
            (Ok(p @ 1..=38), Ok(s)) if scale <= precision => Ok(HiveType::Decimal(p, s)),
            _ => Err(self.fault(start, "decimal takes a precision of 1 to 38 and a scale of 0 to the precision")),
        }
    }

    fn length(&mut self, start: usize, name: &str, most: u32) -> Result<u32> {
        match self.numbers()?.as_slice() {
            [length] if (1..=most).contains(length) => Ok(*length),
            _ => {
                let fault = self.fault(start, &format!("{name} takes a length of 1 to {most}"));
                Err(fault.with_hint(format!("Write {name}(n), or string for text of any length")))
            }
        }
    }

    fn fields(&mut self, depth: usize) -> Result<Vec<(String, HiveType)>> {
        self.expect('<')?;
        let mut fields: Vec<(String, HiveType)> = Vec::new();
        loop {
            self.space();
            let start = self.at;
            let name = self.field_name()?.to_lowercase();
            if fields.iter().any(|(other, _)| *other == name) {
                return Err(self.fault(start, &format!("field \"{name}\" is defined twice")));
            }
            self.expect(':')?;
            let hive_type = self.hive_type(depth + 1)?;
            self.comment()?;
            fields.push((name, hive_type));
            if !self.eat(',') {
                break;
            }
        }
        self.expect('>')?;
        Ok(fields)
    }

    /// Everything up to the colon, or a name in backticks.
    fn field_name(&mut self) -> Result<String> {
        let rest = &self.text[self.at..];
        if let Some(quoted) = rest.strip_prefix('`') {
            let mut name = String::new();
            let mut chars = quoted.char_indices().peekable();
            while let Some((index, c)) = chars.next() {
                if c != '`' {
                    name.push(c);
                } else if chars.next_if(|(_, next)| *next == '`').is_some() {
                    name.push('`');
                } else {
                    self.at += index + 2;
                    return if name.is_empty() { Err(self.unexpected("a field name")) } else { Ok(name) };
                }
            }
            return Err(self.unexpected("a closing backtick"));
        }
        let end = rest.find([':', ',', '<', '>', '(', ')', '`']).unwrap_or(rest.len());
        let name = rest[..end].trim_end();
        if name.is_empty() {
            return Err(self.unexpected("a field name"));
        }
        self.at += name.len();
        Ok(name.to_owned())
    }

    /// A field's `COMMENT '...'`, which Hive accepts but does not store in the type.
    fn comment(&mut self) -> Result<()> {
        let end = self.at;
        self.space();
        if !self.word().eq_ignore_ascii_case("comment") {
            self.at = end;
            return Ok(());
        }
        self.space();
        let rest = &self.text[self.at..];
        let quote = rest.chars().next().filter(|c| matches!(c, '\'' | '"')).ok_or_else(|| self.unexpected("a string"))?;
        let mut escaped = false;
        for (index, c) in rest.char_indices().skip(1) {
            if c == quote && !escaped {
                self.at += index + 1;
                return Ok(());
            }
            escaped = c == '\\' && !escaped;
        }
        Err(self.unexpected("a closed string"))
    }

    /// `(1, 2)`, or nothing.
    fn numbers(&mut self) -> Result<Vec<u32>> {
        let mut numbers = Vec::new();
        if !self.eat('(') {
            return Ok(numbers);
        }
        loop {
            self.space();
            let digits = self.text[self.at..].bytes().take_while(u8::is_ascii_digit).count();
            let number = self.text[self.at..self.at + digits].parse().map_err(|_| self.unexpected("a number"))?;
            numbers.push(number);
            self.at += digits;
            if !self.eat(',') {
                break;
            }
        }
        self.expect(')')?;
        Ok(numbers)
    }

    fn word(&mut self) -> &str {
        let rest = &self.text[self.at..];
        let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
        self.at += end;
        &rest[..end]
    }

    fn space(&mut self) {
        let rest = &self.text[self.at..];
        self.at += rest.len() - rest.trim_start().len();
    }

    fn eat(&mut self, c: char) -> bool {
        self.space();
        let found = self.text[self.at..].starts_with(c);
        if found {
            self.at += c.len_utf8();
        }
        found
    }

    fn expect(&mut self, c: char) -> Result<()> {
        if self.eat(c) { Ok(()) } else { Err(self.unexpected(&format!("\"{c}\""))) }
    }

    fn unexpected(&self, expected: &str) -> Error {
        let found = match self.text[self.at..].chars().next() {
            Some(c) => format!("found \"{c}\""),
            None => "it ends".to_owned(),
        };
        Error::new(
            ErrorKind::Syntax,
            format!("type \"{}\": {found} where {expected} is expected{}", self.text, self.position(self.at)),
        )
    }

    fn fault(&self, at: usize, what: &str) -> Error {
        Error::invalid(format!("type \"{}\": {what}{}", self.text, self.position(at)))
    }

    fn position(&self, at: usize) -> String {
        format!(", at character {}", self.text[..at].chars().count() + 1)
    }
}

/// What to write instead of a type that Hive does not have.
fn hint(name: &str) -> String {
    let instead = match name {
        "real" => "float",
        "text" | "clob" | "nvarchar" | "json" | "uuid" | "time" => "string",
        "long" | "int8" | "int64" => "bigint",
        "bool" => "boolean",
        "int2" | "short" | "int16" => "smallint",
        "int4" | "int32" => "int",
        "byte" | "int1" => "tinyint",
        "bytes" | "bytea" | "blob" | "varbinary" => "binary",
        "datetime" => "timestamp",
        "row" => "struct<name:type>",
        "list" => "array<type>",
        "number" => "decimal(p,s)",
        _ => {
            return "Hive's types are boolean, tinyint, smallint, int, bigint, float, double, decimal(p,s), char(n), varchar(n), string, \
                    binary, date, timestamp, array<>, map<,> and struct<:>"
                .to_owned();
        }
    };
    format!("In DDL, write {instead}")
}
