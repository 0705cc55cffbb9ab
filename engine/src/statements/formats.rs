//! The classes that `STORED AS` and `ROW FORMAT` stand for, as Hive and Glue record them.

use glaux_catalog::{
    format::{self, FileFormat},
    model::{Properties, SerDe},
};

use crate::{
    error::{Error, Result},
    sql::{CreateTable, Delimited, RowFormat, StoredAs},
};

/// How a table's files are read: SerDe with its properties, input format, output format.
pub(super) struct Classes {
    pub serde: SerDe,
    pub input_format: String,
    pub output_format: String,
}

/// What a `CREATE EXTERNAL TABLE` says about its files. Without `STORED AS`, they are text.
///
/// # Errors
/// `Invalid` for `ROW FORMAT DELIMITED` with a format that has no delimiters, as in Hive.
pub(super) fn classes(create: &CreateTable) -> Result<Classes> {
    let text = FileFormat::Text.classes();
    let (name, serde, input_format, output_format) = match &create.stored_as {
        Some(StoredAs::Classes { input, output }) => ("INPUTFORMAT", text.serde, input.as_str(), output.as_str()),
        Some(StoredAs::Format(name)) => {
            let classes = format::stored_as(name).ok_or_else(|| {
                Error::unsupported(format!("format \"{name}\" is not supported")).with_hint("Write STORED AS PARQUET")
            })?;
            (name.as_str(), classes.serde, classes.input, classes.output)
        }
        None => ("TEXTFILE", text.serde, text.input, text.output),
    };
    let mut properties = Properties::new();
    let library = match &create.row_format {
        Some(RowFormat::SerDe(class)) => class.as_str(),
        Some(RowFormat::Delimited(delimited)) => {
            if serde != text.serde {
                return Err(Error::invalid(format!("ROW FORMAT DELIMITED does not go with STORED AS {name}"))
                    .with_hint("Leave ROW FORMAT out, or write STORED AS TEXTFILE"));
            }
            delimiters(delimited, &mut properties);
            serde
        }
        None => serde,
    };
    properties.entry("serialization.format".to_owned()).or_insert_with(|| "1".to_owned());
    properties.extend(create.serde_properties.clone());
    Ok(Classes {
        serde: SerDe { library: library.to_owned(), properties },
        input_format: input_format.to_owned(),
        output_format: output_format.to_owned(),
    })
}

/// The properties of `LazySimpleSerDe` for the clauses of `ROW FORMAT DELIMITED`.
fn delimiters(delimited: &Delimited, properties: &mut Properties) {
    for (key, value) in [
        ("field.delim", &delimited.fields),
        ("serialization.format", &delimited.fields),
        ("escape.delim", &delimited.escaped),
        ("collection.delim", &delimited.collection_items),
        ("mapkey.delim", &delimited.map_keys),
        ("line.delim", &delimited.lines),
        ("serialization.null.format", &delimited.null),
    ] {
        if let Some(value) = value {
            properties.insert(key.to_owned(), value.clone());
        }
    }
}
