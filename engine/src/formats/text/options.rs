//! How a table's or a partition's text is read: what its SerDe's class and properties say.
//!
//! A property counts where it is set, with the SerDe or with the table; set in both, the values must be the same, as in Trino.

use glaux_catalog::{
    HiveType,
    format::FileFormat,
    model::{Column, Properties, SerDe, StorageDescriptor},
};

use super::{
    compression::Compression,
    timestamp_pattern::{TIMESTAMP_FORMATS, TimestampFormat},
};
use crate::error::{Error, Result};

const HEADER: &str = "skip.header.line.count";
const FOOTER: &str = "skip.footer.line.count";
const ENCODING: &str = "serialization.encoding";
const LINE_END: &str = "line.delim";
const MORE_LEVELS: &str = "hive.serialization.extend.nesting.levels";
const ALL_LEVELS: &str = "hive.serialization.extend.additional.nesting.levels";

/// Levels of nesting whose delimiters there are by default, and with [`MORE_LEVELS`].
const LEVELS: usize = 8;
const EXTENDED_LEVELS: usize = 24;

/// How text is read. Made anew for each partition: that is cheap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TextOptions {
    pub(super) serde: TextSerDe,
    /// Lines at a file's start that are no rows.
    pub(super) header: u64,
    /// Lines at a file's end that are no rows.
    pub(super) footer: usize,
}

/// What makes fields of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum TextSerDe {
    LazySimple(LazyOptions),
    OpenCsv(CsvOptions),
}

/// What `LazySimpleSerDe` is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct LazyOptions {
    /// The delimiter of each level: fields, then elements, then keys and values, and so on.
    pub separators: Vec<u8>,
    pub escape: Option<u8>,
    /// The text that is NULL.
    pub null: Vec<u8>,
    /// Whether the last field is all that is left of its line or struct.
    pub takes_rest: bool,
    /// Whether `t`, `f`, `1` and `0` are booleans.
    pub has_short_booleans: bool,
    pub timestamp_formats: Vec<TimestampFormat>,
    /// Columns of a line.
    pub columns: usize,
}

/// What `OpenCSVSerde` is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct CsvOptions {
    pub separator: u8,
    pub quote: u8,
    pub escape: u8,
    /// What is written before a quote that stands for itself: another one, or the escape character if the table names it.
    pub before_quote: u8,
}

impl TextOptions {
    /// # Errors
    /// `Unsupported` for a SerDe, an input format or a property that is not read, `Invalid` for a property that makes no sense; both name it.
    pub(crate) fn of(storage: &StorageDescriptor, table_properties: &Properties) -> Result<Self> {
        let input = &storage.input_format;
        if !input.rsplit('.').next().is_some_and(|class| class.eq_ignore_ascii_case("TextInputFormat")) {
            return Err(Error::unsupported(format!("input format \"{input}\" is not supported for text"))
                .with_hint("Write STORED AS TEXTFILE"));
        }
        let properties = Lookup { serde: &storage.serde.properties, table: table_properties };
        let serde = match FileFormat::of(storage) {
            Some(FileFormat::Csv) => TextSerDe::OpenCsv(csv(&properties)?),
            Some(FileFormat::Text) => TextSerDe::LazySimple(lazy(&properties, storage.columns.len())?),
            _ => return Err(Error::unsupported(format!("SerDe \"{}\" does not read text", storage.serde.library))),
        };
        if let Some(encoding) = properties.get(ENCODING)?.filter(|encoding| !is_utf8(encoding)) {
            return Err(Error::unsupported(format!("property \"{ENCODING}\" cannot be \"{encoding}\""))
                .with_hint("Only UTF-8 is read: write the files again in UTF-8"));
        }
        if let Some(end) = properties.get(LINE_END)?.filter(|end| !matches!(*end, "" | "\n" | "\r" | "\r\n" | "10" | "13")) {
            return Err(Error::unsupported(format!("property \"{LINE_END}\" cannot be \"{}\"", end.escape_default()))
                .with_hint("Lines end with a line feed, a carriage return, or both"));
        }
        let footer = properties.count(FOOTER)?;
        Ok(Self { serde, header: properties.count(HEADER)?, footer: usize::try_from(footer).unwrap_or(usize::MAX) })
    }

    /// For a partition that has a SerDe or columns of its own, of a table whose storage and properties these are.
    ///
    /// # Errors
    /// As [`Self::of`].
    pub(super) fn of_partition(
        table: &StorageDescriptor,
        properties: &Properties,
        serde: Option<&SerDe>,
        columns: Option<&[Column]>,
    ) -> Result<Self> {
        let mut storage = table.clone();
        if let Some(serde) = serde {
            storage.serde = serde.clone();
        }
        if let Some(columns) = columns {
            storage.columns = columns.to_vec();
        }
        Self::of(&storage, properties)
    }

    /// Checks that files can be added, for planning.
    ///
    /// # Errors
    /// `Unsupported` for lines that are skipped and cannot be written, naming the property.
    pub(super) fn check_writable(&self) -> Result<()> {
        let refused = |key: &str, count: u64, hint: &str| {
            let message = format!("rows cannot be added to a table whose property \"{key}\" is {count}");
            Err(Error::unsupported(message).with_hint(hint))
        };
        match (self.header, self.footer) {
            (0 | 1, 0) => Ok(()),
            (0 | 1, footer) => refused(FOOTER, footer as u64, "The last rows of a file would be skipped: use another table"),
            (header, _) => refused(HEADER, header, "One header line, of the columns' names, can be written: use another table"),
        }
    }

    /// Whether a file can be read in ranges: not if it is compressed, or has more to skip than one line at its start.
    #[must_use]
    pub(crate) fn is_splittable(&self, compression: Compression) -> bool {
        compression.is_splittable() && self.header <= 1 && self.footer == 0
    }

    /// Checks that a column can be read, for planning.
    ///
    /// # Errors
    /// `Unsupported` for a type that the SerDe does not read, naming the column.
    pub(crate) fn check(&self, column: &str, hive_type: &HiveType) -> Result<()> {
        match &self.serde {
            TextSerDe::OpenCsv(_) => match hive_type {
                HiveType::String
                | HiveType::Boolean
                | HiveType::Int
                | HiveType::BigInt
                | HiveType::Double
                | HiveType::Timestamp
                | HiveType::Date => Ok(()),
                _ => Err(Error::unsupported(format!("OpenCSVSerde does not read column \"{column}\" of type \"{hive_type}\""))
                    .with_hint("Declare the column STRING, and cast it in queries")),
            },
            TextSerDe::LazySimple(options) if deepest(hive_type, 1) >= options.separators.len() => {
                let message = format!("column \"{column}\" nests deeper than there are delimiters for: \"{hive_type}\"");
                Err(Error::unsupported(message).with_hint(format!("Set the SerDe property \"{MORE_LEVELS}\" to \"true\"")))
            }
            TextSerDe::LazySimple(_) => Ok(()),
        }
    }
}

/// The last level of delimiters that a type at a level needs; 0, which is that of fields, for types without parts.
pub(super) fn deepest(hive_type: &HiveType, level: usize) -> usize {
    match hive_type {
        HiveType::Array(element) => level.max(deepest(element, level + 1)),
        HiveType::Map(_, value) => (level + 1).max(deepest(value, level + 2)),
        HiveType::Struct(fields) => fields.iter().map(|(_, field)| deepest(field, level + 1)).fold(level, usize::max),
        _ => 0,
    }
}

fn is_utf8(encoding: &str) -> bool {
    ["UTF-8", "UTF8", ""].iter().any(|name| encoding.eq_ignore_ascii_case(name))
}

/// The properties of a SerDe and its table, as one.
struct Lookup<'p> {
    serde: &'p Properties,
    table: &'p Properties,
}

impl<'p> Lookup<'p> {
    fn get(&self, key: &str) -> Result<Option<&'p str>> {
        match (self.serde.get(key), self.table.get(key)) {
            (Some(of_serde), Some(of_table)) if of_serde != of_table => {
                let message = format!("property \"{key}\" is \"{of_serde}\" for the SerDe and \"{of_table}\" for the table");
                Err(Error::invalid(message).with_hint("Set it in one of the two places"))
            }
            (of_serde, of_table) => Ok(of_serde.or(of_table).map(String::as_str)),
        }
    }

    fn is_true(&self, key: &str) -> Result<bool> {
        Ok(self.get(key)?.is_some_and(|value| value.eq_ignore_ascii_case("true")))
    }

    fn count(&self, key: &str) -> Result<u64> {
        match self.get(key)? {
            None => Ok(0),
            Some(text) => text.parse::<u32>().map(u64::from).map_err(|_| {
                Error::invalid(format!("property \"{key}\" is not a number of lines: \"{text}\""))
                    .with_hint("Write a whole number")
            }),
        }
    }

    /// A delimiter of `LazySimpleSerDe`: its code as a signed byte, or the first character.
    fn delimiter(&self, keys: &[&'static str], default: u8) -> Result<u8> {
        for key in keys {
            let Some(value) = self.get(key)? else { continue };
            let Some(first) = value.chars().next() else { return Ok(default) };
            if let Ok(code) = value.parse::<i8>() {
                return Ok(code.cast_unsigned());
            }
            return u8::try_from(u32::from(first)).map_err(|_| {
                Error::unsupported(format!("property \"{key}\" cannot be \"{value}\""))
                    .with_hint("A delimiter is one byte: a character, or its code as a number")
            });
        }
        Ok(default)
    }

    /// A character of `OpenCSVSerde`: the first, which may be written as `\u0001`.
    fn character(&self, key: &str, default: u8) -> Result<u8> {
        let Some(value) = self.get(key)? else { return Ok(default) };
        let code = value.strip_prefix("\\u").and_then(|rest| rest.get(..4)).and_then(|hex| u32::from_str_radix(hex, 16).ok());
        let first = code.or_else(|| value.chars().next().map(u32::from));
        match first.map(u8::try_from) {
            Some(Ok(byte)) if byte.is_ascii() => Ok(byte),
            Some(_) => Err(Error::unsupported(format!("property \"{key}\" cannot be \"{value}\""))
                .with_hint("The characters of OpenCSVSerde are ASCII")),
            None => Err(Error::invalid(format!("property \"{key}\" is empty")).with_hint("Write one character")),
        }
    }
}

/// The delimiters of all levels, where nothing else is set. Whitespace and the escape character are none.
fn default_separators() -> impl Iterator<Item = u8> {
    (1..=8).chain([11]).chain(14..=26).chain(28..=31).chain(128..=255)
}

fn lazy(properties: &Lookup<'_>, columns: usize) -> Result<LazyOptions> {
    let mut separators: Vec<u8> = if properties.is_true(ALL_LEVELS)? {
        default_separators().collect()
    } else {
        let levels = if properties.is_true(MORE_LEVELS)? { EXTENDED_LEVELS } else { LEVELS };
        default_separators().take(levels).collect()
    };
    // Hive wrote the second with a slip, for years.
    let keys: [&[&str]; 3] =
        [&["field.delim", "serialization.format"], &["collection.delim", "colelction.delim"], &["mapkey.delim"]];
    for (separator, keys) in separators.iter_mut().zip(keys) {
        *separator = properties.delimiter(keys, *separator)?;
    }
    let escape = match properties.get("escape.delim")? {
        Some(_) => Some(properties.delimiter(&["escape.delim"], b'\\')?),
        None => None,
    };
    Ok(LazyOptions {
        separators,
        escape,
        null: properties.get("serialization.null.format")?.unwrap_or("\\N").as_bytes().to_vec(),
        takes_rest: properties.is_true("serialization.last.column.takes.rest")?,
        has_short_booleans: properties.is_true("extended_boolean_literal")?,
        timestamp_formats: properties.get(TIMESTAMP_FORMATS)?.map(TimestampFormat::list).transpose()?.unwrap_or_default(),
        columns,
    })
}

fn csv(properties: &Lookup<'_>) -> Result<CsvOptions> {
    const SEPARATOR: &str = "separatorChar";
    const QUOTE: &str = "quoteChar";
    const ESCAPE: &str = "escapeChar";
    let separator = properties.character(SEPARATOR, b',')?;
    let quote = properties.character(QUOTE, b'"')?;
    // Hive reads a backslash as the escape character, and writes quotes twice, unless it is told of another than the double quote.
    let (escape, before_quote) = match properties.character(ESCAPE, b'"')? {
        b'"' => (b'\\', quote),
        0 => (0, quote),
        escape => (escape, escape),
    };
    let same = |key: &str, other: &str| {
        Err(Error::invalid(format!("properties \"{key}\" and \"{other}\" are the same character")).with_hint("Choose another"))
    };
    match (separator, quote, escape) {
        (0, _, _) => Err(Error::invalid(format!("property \"{SEPARATOR}\" cannot be the null character"))),
        _ if separator == quote => same(SEPARATOR, QUOTE),
        _ if separator == escape => same(SEPARATOR, ESCAPE),
        // Both null: nothing is quoted or escaped.
        _ if quote == escape && quote != 0 => same(QUOTE, ESCAPE),
        _ => Ok(CsvOptions { separator, quote, escape, before_quote }),
    }
}
