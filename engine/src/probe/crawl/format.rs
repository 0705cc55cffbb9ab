//! How a new table is recorded: the classes that read its files, as in Glue's crawler, and the properties of the table.

use glaux_catalog::{
    format::{Classes, Compression, FileFormat},
    model::{Properties, SerDe},
};

/// How a text file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) struct Delimited {
    pub delimiter: char,
    /// Whether values stand in double quotes.
    pub is_quoted: bool,
    pub has_header: bool,
}

impl Delimited {
    /// The format that reads it.
    pub(super) const fn format(self) -> FileFormat {
        if self.is_quoted { FileFormat::Csv } else { FileFormat::Text }
    }
}

/// What the catalog says of a table's files.
pub(super) struct Recorded {
    pub classes: &'static Classes,
    pub serde: SerDe,
    pub table: Properties,
}

/// What the catalog is to say of files of a format; `None` for text whose layout is not known.
pub(super) fn recorded(format: FileFormat, compression: Compression, text: Option<Delimited>) -> Option<Recorded> {
    let mut serde = Properties::from([("serialization.format".to_owned(), "1".to_owned())]);
    let mut table = Properties::from([("classification".to_owned(), format.to_string())]);
    let compressed = if compression == Compression::None { "none" } else { "gzip" };
    table.insert("compressionType".to_owned(), compressed.to_owned());
    let classes = match format {
        FileFormat::Text | FileFormat::Csv => {
            let text = text?;
            let delimiter = text.delimiter.to_string();
            if text.has_header {
                table.insert("skip.header.line.count".to_owned(), "1".to_owned());
            }
            table.insert("delimiter".to_owned(), delimiter.clone());
            if text.is_quoted {
                serde.insert("separatorChar".to_owned(), delimiter);
                serde.insert("quoteChar".to_owned(), "\"".to_owned());
            } else {
                serde.insert("field.delim".to_owned(), delimiter.clone());
                serde.insert("serialization.format".to_owned(), delimiter);
            }
            text.format().classes()
        }
        other => other.classes(),
    };
    Some(Recorded { classes, serde: SerDe { library: classes.serde.to_owned(), properties: serde }, table })
}
