//! `ALTER DATABASE` and `ALTER TABLE`.

use sqlparser::tokenizer::Token;

use super::clauses::{column, object, partition, properties};
use crate::{
    error::Result,
    sql::{
        cursor::Cursor,
        refusal::unsupported,
        statement::{AlterTable, ColumnPosition, PartitionSpec, Statement},
    },
};

pub(super) fn alter(cursor: &mut Cursor<'_>) -> Result<Statement> {
    match cursor.eat_any(&["DATABASE", "SCHEMA", "TABLE"]) {
        Some("TABLE") => {
            let table = cursor.table()?;
            let action = if cursor.eat_word("PARTITION") {
                let spec = partition(cursor)?;
                of_partition(cursor, spec)?
            } else {
                of_table(cursor)?
            };
            Ok(Statement::AlterTable { table, action })
        }
        Some(_) => {
            let database = cursor.database()?;
            if cursor.at_words(&["SET", "LOCATION"]) || cursor.at_words(&["SET", "OWNER"]) {
                return Err(unsupported("ALTER DATABASE with SET LOCATION or SET OWNER", "Only SET DBPROPERTIES is supported"));
            }
            cursor.expect_words(&["SET", "DBPROPERTIES"])?;
            Ok(Statement::AlterDatabase { database, properties: properties(cursor)? })
        }
        None => Err(object(cursor, "ALTER", &["'DATABASE'", "'SCHEMA'", "'TABLE'", "'WORKGROUP'"])),
    }
}

fn of_table(cursor: &mut Cursor<'_>) -> Result<AlterTable> {
    if cursor.at_words(&["ADD"]) && !cursor.at_words(&["ADD", "COLUMNS"]) {
        cursor.advance();
        return add_partitions(cursor);
    }
    if cursor.eat_word("DROP") {
        return drop_partitions(cursor);
    }
    if cursor.eat_words(&["SET", "TBLPROPERTIES"]) {
        return Ok(AlterTable::SetProperties { properties: properties(cursor)? });
    }
    if cursor.eat_words(&["UNSET", "TBLPROPERTIES"]) {
        let if_exists = cursor.if_exists();
        return Ok(AlterTable::UnsetProperties { if_exists, keys: cursor.parenthesised(Cursor::string)? });
    }
    if let Some(action) = of_either(cursor, None)? {
        return Ok(action);
    }
    refused(cursor)?;
    Err(cursor.unexpected(&["'ADD'", "'DROP'", "'PARTITION'", "'REPLACE'", "'CHANGE'", "'SET'", "'UNSET'"]))
}

fn of_partition(cursor: &mut Cursor<'_>, spec: PartitionSpec) -> Result<AlterTable> {
    if cursor.eat_words(&["RENAME", "TO", "PARTITION"]) {
        return Ok(AlterTable::RenamePartition { from: spec, to: partition(cursor)? });
    }
    if let Some(action) = of_either(cursor, Some(spec))? {
        return Ok(action);
    }
    refused(cursor)?;
    Err(cursor.unexpected(&["'RENAME TO PARTITION'", "'ADD COLUMNS'", "'REPLACE COLUMNS'", "'CHANGE'", "'SET LOCATION'"]))
}

/// The actions that a table and a partition share.
fn of_either(cursor: &mut Cursor<'_>, partition: Option<PartitionSpec>) -> Result<Option<AlterTable>> {
    Ok(Some(if cursor.eat_words(&["ADD", "COLUMNS"]) {
        AlterTable::AddColumns { partition, columns: cursor.parenthesised(column)? }
    } else if cursor.eat_words(&["REPLACE", "COLUMNS"]) {
        AlterTable::ReplaceColumns { partition, columns: cursor.parenthesised(column)? }
    } else if cursor.eat_word("CHANGE") {
        // `CHANGE column a b int` changes a column; so does `CHANGE a b int`.
        cursor.eat_word("COLUMN");
        let old = cursor.name()?;
        let column = column(cursor)?;
        let position = match cursor.eat_any(&["FIRST", "AFTER"]) {
            Some("FIRST") => Some(ColumnPosition::First),
            Some(_) => Some(ColumnPosition::After(cursor.name()?)),
            None => None,
        };
        AlterTable::ChangeColumn { partition, old, column, position }
    } else if cursor.eat_words(&["SET", "LOCATION"]) {
        AlterTable::SetLocation { partition, location: cursor.string()? }
    } else {
        return Ok(None);
    }))
}

/// `ADD [IF NOT EXISTS] PARTITION (...) [LOCATION '...'] ...`: several, without commas.
fn add_partitions(cursor: &mut Cursor<'_>) -> Result<AlterTable> {
    let if_not_exists = cursor.if_not_exists();
    let mut partitions = Vec::new();
    if !cursor.at_words(&["PARTITION"]) {
        return Err(cursor.unexpected(&["'PARTITION'", "'IF NOT EXISTS PARTITION'", "'COLUMNS'"]));
    }
    while cursor.eat_word("PARTITION") {
        let spec = partition(cursor)?;
        let location = if cursor.eat_word("LOCATION") { Some(cursor.string()?) } else { None };
        partitions.push((spec, location));
        if cursor.at_token(&Token::Comma) {
            return Err(cursor
                .unexpected(&["'PARTITION'", "'LOCATION'", "<EOF>"])
                .with_hint("Leave the commas out: ADD takes partitions without them"));
        }
    }
    Ok(AlterTable::AddPartitions { if_not_exists, partitions })
}

/// `DROP [IF EXISTS] PARTITION (...), PARTITION (...)`: several, with commas.
fn drop_partitions(cursor: &mut Cursor<'_>) -> Result<AlterTable> {
    if cursor.at_words(&["COLUMN"]) || cursor.at_words(&["COLUMNS"]) {
        return Err(unsupported("ALTER TABLE ... DROP COLUMN", "Use REPLACE COLUMNS with the columns to keep"));
    }
    let if_exists = cursor.if_exists();
    let mut partitions = Vec::new();
    loop {
        cursor.expect_words(&["PARTITION"])?;
        partitions.push(partition(cursor)?);
        if !cursor.eat(&Token::Comma) {
            break;
        }
    }
    if cursor.at_words(&["PURGE"]) {
        return Err(unsupported("DROP PARTITION ... PURGE", "Leave PURGE out: data files are kept"));
    }
    Ok(AlterTable::DropPartitions { if_exists, partitions })
}

/// What Hive has and Athena refuses.
fn refused(cursor: &Cursor<'_>) -> Result<()> {
    for (words, what, hint) in [
        (&["RENAME", "TO"][..], "ALTER TABLE ... RENAME TO", "Create a table with the new name, and drop this one"),
        (&["SET", "FILEFORMAT"], "ALTER TABLE ... SET FILEFORMAT", "Recreate the table with another STORED AS"),
        (&["SET", "SERDE"], "ALTER TABLE ... SET SERDE", "Recreate the table with another ROW FORMAT"),
        (&["SET", "SERDEPROPERTIES"], "ALTER TABLE ... SET SERDEPROPERTIES", "Recreate the table with other properties"),
        (&["ARCHIVE"], "ALTER TABLE ... ARCHIVE PARTITION", "Athena does not support it either"),
        (&["UNARCHIVE"], "ALTER TABLE ... UNARCHIVE PARTITION", "Athena does not support it either"),
        (&["EXCHANGE"], "ALTER TABLE ... EXCHANGE PARTITION", "Athena does not support it either"),
        (&["TOUCH"], "ALTER TABLE ... TOUCH", "Athena does not support it either"),
        (&["COMPACT"], "ALTER TABLE ... COMPACT", "Athena does not support it either"),
        (&["CONCATENATE"], "ALTER TABLE ... CONCATENATE", "Athena does not support it either"),
        (&["CLUSTERED"], "ALTER TABLE ... CLUSTERED BY", "Athena does not support it either"),
        (&["SKEWED"], "ALTER TABLE ... SKEWED BY", "Athena does not support it either"),
        (&["NOT"], "ALTER TABLE ... NOT CLUSTERED or SKEWED", "Athena does not support it either"),
    ] {
        if cursor.at_words(words) {
            return Err(unsupported(what, hint));
        }
    }
    Ok(())
}
