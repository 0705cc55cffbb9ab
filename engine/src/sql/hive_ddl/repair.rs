//! `MSCK REPAIR TABLE` and `REFRESH TABLE`.

use glaux_catalog::discovery::RepairMode;

use super::clauses::partition;
use crate::{
    error::Result,
    sql::{cursor::Cursor, statement::Statement},
};

/// `REPAIR TABLE t [ADD PARTITIONS | DROP PARTITIONS | SYNC PARTITIONS | TAIL]`: Hive's, and `TAIL`, which only looks behind what is known.
pub(super) fn repair(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect_words(&["REPAIR", "TABLE"])?;
    let table = cursor.table()?;
    let mode = match cursor.eat_any(&["ADD", "DROP", "SYNC", "TAIL"]) {
        None => RepairMode::Add,
        Some("TAIL") => return Ok(Statement::Repair { table, mode: RepairMode::Add, tail: true }),
        Some(word) => {
            cursor.expect_words(&["PARTITIONS"])?;
            match word {
                "DROP" => RepairMode::Drop,
                "SYNC" => RepairMode::Sync,
                _ => RepairMode::Add,
            }
        }
    };
    Ok(Statement::Repair { table, mode, tail: false })
}

/// `TABLE t [PARTITION (...)]`.
pub(super) fn refresh(cursor: &mut Cursor<'_>) -> Result<Statement> {
    cursor.expect_words(&["TABLE"])?;
    let table = cursor.table()?;
    let partition = if cursor.eat_word("PARTITION") { Some(partition(cursor)?) } else { None };
    Ok(Statement::Refresh { table, partition })
}
