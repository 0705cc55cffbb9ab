//! `CREATE DATABASE` and `CREATE EXTERNAL TABLE`.

use glaux_catalog::model::{Column, Properties};
use sqlparser::tokenizer::Token;

use super::clauses::{column, object, once, properties};
use crate::{
    error::Result,
    sql::{
        cursor::Cursor,
        refusal::unsupported,
        statement::{ClusteredBy, CreateDatabase, CreateTable, Delimited, RowFormat, Statement, StoredAs, TableRef},
    },
};

pub(super) fn create(cursor: &mut Cursor<'_>) -> Result<Statement> {
    if cursor.eat_any(&["DATABASE", "SCHEMA"]).is_some() {
        return database(cursor);
    }
    if cursor.eat_word("EXTERNAL") {
        cursor.expect_words(&["TABLE"])?;
        return table(cursor);
    }
    if cursor.at_words(&["TABLE"]) {
        return Err(unsupported(
            "CREATE TABLE without EXTERNAL",
            "Write CREATE EXTERNAL TABLE ... LOCATION '...'; Iceberg tables are not supported yet",
        ));
    }
    Err(object(cursor, "CREATE", &["'DATABASE'", "'SCHEMA'", "'EXTERNAL TABLE'", "'VIEW'", "'WORKGROUP'"]))
}

fn database(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let if_not_exists = cursor.if_not_exists();
    let database = cursor.database()?;
    let (mut comment, mut location, mut set) = (None, None, None);
    loop {
        if cursor.eat_word("COMMENT") {
            let text = cursor.string()?;
            once(&mut comment, cursor, "COMMENT", text)?;
        } else if cursor.eat_word("LOCATION") {
            let text = cursor.string()?;
            once(&mut location, cursor, "LOCATION", text)?;
        } else if cursor.eat_words(&["WITH", "DBPROPERTIES"]) {
            let values = properties(cursor)?;
            once(&mut set, cursor, "WITH DBPROPERTIES", values)?;
        } else if cursor.is_end() {
            let properties = set.unwrap_or_default();
            return Ok(Statement::CreateDatabase(CreateDatabase { database, if_not_exists, comment, location, properties }));
        } else {
            return Err(cursor.unexpected(&["'COMMENT'", "'LOCATION'", "'WITH DBPROPERTIES'", "<EOF>"]));
        }
    }
}

/// The clauses of a table, each at most once.
#[derive(Default)]
struct Clauses {
    comment: Option<String>,
    partitioned_by: Option<Vec<Column>>,
    clustered_by: Option<ClusteredBy>,
    row_format: Option<RowFormat>,
    serde_properties: Option<Properties>,
    stored_as: Option<StoredAs>,
    location: Option<String>,
    properties: Option<Properties>,
}

fn table(cursor: &mut Cursor<'_>) -> Result<Statement> {
    let if_not_exists = cursor.if_not_exists();
    let table = cursor.table()?;
    if cursor.at_words(&["LIKE"]) {
        return Err(unsupported("CREATE TABLE ... LIKE", "Start from the statement that SHOW CREATE TABLE returns"));
    }
    // A table whose SerDe brings the columns (Avro) may have none; the catalog refuses the others.
    let columns = if cursor.at_token(&Token::LParen) { cursor.parenthesised(column)? } else { Vec::new() };
    let mut clauses = Clauses::default();
    while !cursor.is_end() {
        clause(cursor, &mut clauses)?;
    }
    Ok(finish(table, if_not_exists, columns, clauses))
}

fn finish(table: TableRef, if_not_exists: bool, columns: Vec<Column>, clauses: Clauses) -> Statement {
    Statement::CreateTable(Box::new(CreateTable {
        table,
        if_not_exists,
        columns,
        comment: clauses.comment,
        partitioned_by: clauses.partitioned_by.unwrap_or_default(),
        clustered_by: clauses.clustered_by,
        row_format: clauses.row_format,
        serde_properties: clauses.serde_properties.unwrap_or_default(),
        stored_as: clauses.stored_as,
        location: clauses.location,
        properties: clauses.properties.unwrap_or_default(),
    }))
}

fn clause(cursor: &mut Cursor<'_>, clauses: &mut Clauses) -> Result<()> {
    if cursor.eat_word("COMMENT") {
        let text = cursor.string()?;
        once(&mut clauses.comment, cursor, "COMMENT", text)
    } else if cursor.eat_words(&["PARTITIONED", "BY"]) {
        let keys = cursor.parenthesised(column)?;
        once(&mut clauses.partitioned_by, cursor, "PARTITIONED BY", keys)
    } else if cursor.eat_words(&["CLUSTERED", "BY"]) {
        let columns = cursor.parenthesised(Cursor::name)?;
        if cursor.at_words(&["SORTED"]) {
            return Err(unsupported("SORTED BY", "Leave it out: it does not change what is read"));
        }
        cursor.expect_words(&["INTO"])?;
        let buckets = cursor.number()?;
        cursor.expect_words(&["BUCKETS"])?;
        once(&mut clauses.clustered_by, cursor, "CLUSTERED BY", ClusteredBy { columns, buckets })
    } else if cursor.eat_words(&["ROW", "FORMAT"]) {
        let format = row_format(cursor)?;
        once(&mut clauses.row_format, cursor, "ROW FORMAT", format)
    } else if cursor.eat_words(&["WITH", "SERDEPROPERTIES"]) {
        let values = properties(cursor)?;
        once(&mut clauses.serde_properties, cursor, "WITH SERDEPROPERTIES", values)
    } else if cursor.eat_words(&["STORED", "AS"]) {
        let stored = stored_as(cursor)?;
        once(&mut clauses.stored_as, cursor, "STORED AS", stored)
    } else if cursor.eat_word("LOCATION") {
        let text = cursor.string()?;
        once(&mut clauses.location, cursor, "LOCATION", text)
    } else if cursor.eat_word("TBLPROPERTIES") {
        let values = properties(cursor)?;
        once(&mut clauses.properties, cursor, "TBLPROPERTIES", values)
    } else if cursor.at_words(&["SKEWED"]) || cursor.at_words(&["STORED", "BY"]) {
        Err(unsupported("SKEWED BY or STORED BY", "Athena does not support it either"))
    } else {
        Err(cursor.unexpected(&[
            "'COMMENT'",
            "'PARTITIONED BY'",
            "'CLUSTERED BY'",
            "'ROW FORMAT'",
            "'WITH SERDEPROPERTIES'",
            "'STORED AS'",
            "'LOCATION'",
            "'TBLPROPERTIES'",
            "<EOF>",
        ]))
    }
}

fn row_format(cursor: &mut Cursor<'_>) -> Result<RowFormat> {
    if cursor.eat_word("SERDE") {
        return Ok(RowFormat::SerDe(cursor.string()?));
    }
    if !cursor.eat_word("DELIMITED") {
        return Err(cursor.unexpected(&["'DELIMITED'", "'SERDE'"]));
    }
    let mut delimited = Delimited::default();
    loop {
        let (slot, clause) = if cursor.eat_words(&["FIELDS", "TERMINATED", "BY"]) {
            (&mut delimited.fields, "FIELDS TERMINATED BY")
        } else if cursor.eat_words(&["ESCAPED", "BY"]) {
            (&mut delimited.escaped, "ESCAPED BY")
        } else if cursor.eat_words(&["COLLECTION", "ITEMS", "TERMINATED", "BY"]) {
            (&mut delimited.collection_items, "COLLECTION ITEMS TERMINATED BY")
        } else if cursor.eat_words(&["MAP", "KEYS", "TERMINATED", "BY"]) {
            (&mut delimited.map_keys, "MAP KEYS TERMINATED BY")
        } else if cursor.eat_words(&["LINES", "TERMINATED", "BY"]) {
            (&mut delimited.lines, "LINES TERMINATED BY")
        } else if cursor.eat_words(&["NULL", "DEFINED", "AS"]) {
            (&mut delimited.null, "NULL DEFINED AS")
        } else {
            return Ok(RowFormat::Delimited(delimited));
        };
        let text = cursor.string()?;
        once(slot, cursor, clause, text)?;
    }
}

/// `STORED AS` and what Athena accepts after it.
fn stored_as(cursor: &mut Cursor<'_>) -> Result<StoredAs> {
    if cursor.eat_word("INPUTFORMAT") {
        let input = cursor.string()?;
        cursor.expect_words(&["OUTPUTFORMAT"])?;
        return Ok(StoredAs::Classes { input, output: cursor.string()? });
    }
    const FORMATS: [&str; 9] = ["TEXTFILE", "SEQUENCEFILE", "RCFILE", "ORC", "PARQUET", "AVRO", "ION", "JSONFILE", "INPUTFORMAT"];
    match cursor.eat_any(&FORMATS) {
        Some(name) => Ok(StoredAs::Format(name.to_owned())),
        None => Err(cursor.unexpected(&FORMATS.map(|name| format!("'{name}'")).each_ref().map(String::as_str))),
    }
}
