//! The demo's tables: their columns, where they are, and their definitions through the front door.

use arrow::compute::DatePart;
use futures::TryStreamExt;
use glaux_catalog::{HiveType, TableName, ident::DEFAULT_DATABASE, model::Column};
use glaux_engine::{Engine, Error, ErrorKind, Result, Session};

use super::lake::Lake;

/// One table of the demo.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// Columns as `CREATE TABLE` has them.
    columns: &'static str,
    /// The date that the keys are derived from.
    pub(super) date: &'static str,
    pub(super) parts: &'static [DatePart],
    /// The partition keys, one for each part.
    pub(super) keys: fn() -> Vec<Column>,
    /// Columns that hardly repeat.
    pub(super) plain_columns: &'static [&'static str],
}

const LINEITEM_COLUMNS: &str = "l_orderkey BIGINT, l_partkey BIGINT, l_suppkey BIGINT, l_linenumber INT, l_quantity DECIMAL(15,2), \
    l_extendedprice DECIMAL(15,2), l_discount DECIMAL(15,2), l_tax DECIMAL(15,2), l_returnflag STRING, l_linestatus STRING, \
    l_shipdate DATE, l_commitdate DATE, l_receiptdate DATE, l_shipinstruct STRING, l_shipmode STRING, l_comment STRING";

const LINEITEM_PLAIN: &[&str] = &["l_orderkey", "l_partkey", "l_extendedprice", "l_comment"];

pub(super) static LINEITEM: Table = Table {
    name: "lineitem",
    columns: LINEITEM_COLUMNS,
    date: "l_shipdate",
    parts: &[DatePart::Year, DatePart::Month],
    keys: || vec![Column::new("ship_year", HiveType::Int), Column::new("ship_month", HiveType::Int)],
    plain_columns: LINEITEM_PLAIN,
};

pub(super) static LINEITEM_FLAT: Table = Table {
    name: "lineitem_flat",
    columns: LINEITEM_COLUMNS,
    date: "l_shipdate",
    parts: &[],
    keys: Vec::new,
    plain_columns: LINEITEM_PLAIN,
};

pub(super) static ORDERS: Table = Table {
    name: "orders",
    columns: "o_orderkey BIGINT, o_custkey BIGINT, o_orderstatus STRING, o_totalprice DECIMAL(15,2), o_orderdate DATE, \
              o_orderpriority STRING, o_clerk STRING, o_shippriority INT, o_comment STRING",
    date: "o_orderdate",
    parts: &[DatePart::Year],
    keys: || vec![Column::new("order_year", HiveType::Int)],
    plain_columns: &["o_orderkey", "o_custkey", "o_totalprice", "o_comment"],
};

const TABLES: [&Table; 3] = [&LINEITEM, &LINEITEM_FLAT, &ORDERS];

impl Table {
    /// The statement that makes it.
    fn ddl(&self, location: &str) -> String {
        let keys = (self.keys)();
        let partitioned = if keys.is_empty() {
            String::new()
        } else {
            let keys: Vec<_> = keys.iter().map(|key| format!("{} INT", key.name)).collect();
            format!("PARTITIONED BY ({}) ", keys.join(", "))
        };
        let location = location.replace('\\', "\\\\").replace('\'', "\\'");
        format!(
            "CREATE EXTERNAL TABLE IF NOT EXISTS {DEFAULT_DATABASE}.{} ({}) {partitioned}STORED AS PARQUET LOCATION '{location}'",
            self.name, self.columns
        )
    }

    fn location(&self, lake: &Lake) -> String {
        format!("file://{}/", lake.root().join(self.name).display())
    }
}

/// Drops the definitions of a lake that was replaced: partitions may have gone with it.
///
/// # Errors
/// `AlreadyExists` for a table of the same name that is not the demo's.
pub(super) async fn forget(engine: &Engine, session: &Session, lake: &Lake) -> Result<()> {
    for table in TABLES {
        if is_ours(engine, table, lake).await? {
            execute(engine, session, &format!("DROP TABLE {DEFAULT_DATABASE}.{}", table.name)).await?;
        }
    }
    Ok(())
}

/// Defines the tables that are not there yet, and finds their partitions.
///
/// # Errors
/// `AlreadyExists` for a table of the same name that is not the demo's.
pub(super) async fn register(engine: &Engine, session: &Session, lake: &Lake) -> Result<()> {
    for table in TABLES {
        if !is_ours(engine, table, lake).await? {
            execute(engine, session, &table.ddl(&table.location(lake))).await?;
        }
        if !table.parts.is_empty() {
            execute(engine, session, &format!("MSCK REPAIR TABLE {DEFAULT_DATABASE}.{}", table.name)).await?;
        }
    }
    Ok(())
}

/// Whether the demo's table is defined.
async fn is_ours(engine: &Engine, table: &Table, lake: &Lake) -> Result<bool> {
    let name = TableName::new(DEFAULT_DATABASE, table.name);
    let found = match engine.metastore().table(&name).await {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(error),
    };
    if found.root() == table.location(lake) {
        return Ok(true);
    }
    Err(Error::already_exists(format!("table \"{name}\" exists, but at \"{}\"", found.storage.location))
        .with_hint("Drop or rename it, or choose another directory with --dir"))
}

async fn execute(engine: &Engine, session: &Session, statement: &str) -> Result<()> {
    let query = engine.submit(session, statement).await.map_err(|failure| failure.error)?;
    query.try_for_each(|_| async { Ok(()) }).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn definitions_name_keys_and_quote_locations() {
        let ddl = LINEITEM.ddl("file:///it's/lake/lineitem/");
        assert!(ddl.contains("PARTITIONED BY (ship_year INT, ship_month INT) STORED AS PARQUET"), "{ddl}");
        assert!(ddl.ends_with("LOCATION 'file:///it\\'s/lake/lineitem/'"), "{ddl}");
        assert!(!LINEITEM_FLAT.ddl("x").contains("PARTITIONED"));
    }
}
