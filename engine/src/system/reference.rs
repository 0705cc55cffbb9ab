//! docs/system-tables.md: generated from the columns of the tables, and compared with the committed page.

use std::fmt::Write as _;

use super::{own_table::OwnTable, table_columns, view::View};
use crate::docs_page;

const INTRODUCTION: &str = r#"# System tables

<!-- Generated from engine/src/system. To update it: UPDATE_DOCS=1 cargo test -p glaux-engine system::reference -->

Tables about the engine and the catalog, for `SELECT`, `DESCRIBE` and `SHOW COLUMNS`. Users see their own queries, and the databases and tables
that they may read; administrators see everything: [access.md](access.md). Queries of these tables are free of charge. Times are in UTC.
Quote names that are keywords, such as `"table"` and `"user"`.

```sql
SELECT submitted_at, data_scanned_bytes, cost_usd, statement FROM system.queries ORDER BY submitted_at DESC LIMIT 10;
SELECT path, size FROM system.files WHERE "table" = 'sales';
```

A partitioned table `t` has one more: `"t$partitions"`, with a column for each partition key and a row for each partition.
"#;

/// What a table has a row for.
fn about(table: OwnTable) -> &'static str {
    match table {
        OwnTable::InformationSchema(View::Columns) => "A row for each column of the tables and views.",
        OwnTable::InformationSchema(View::Schemata) => "A row for each database.",
        OwnTable::InformationSchema(View::Tables) => "A row for each table and view.",
        OwnTable::InformationSchema(View::Views) => "A row for each view.",
        OwnTable::Files => "A row for each data file of a table, as scans find them. Name the table: `WHERE \"table\" = 'name'`.",
        OwnTable::Partitions => "A row for each partition in the catalog. Partitions that are computed are not in it.",
        OwnTable::Queries => "A row for each running query, and for each query in the history (`engine.history.keep_days`).",
        OwnTable::QueryStores => "A row for each store that a query in the history asked.",
        OwnTable::QueryTables => "A row for each table that a query in the history read.",
        OwnTable::RepairFindings => "A row for each folder that the last repair ignored: [partitions.md](partitions.md).",
        OwnTable::TableUsage => "What queries that have ended read of each table, also those that are no longer in the history.",
        OwnTable::Workgroups => {
            "A row for each workgroup that you may use: [workgroups.md](workgroups.md). Lists are JSON arrays."
        }
        OwnTable::Usage => "Sums of the queries that have ended, also of those that are no longer in the history.",
    }
}

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for table in OwnTable::ALL {
        let (schema, name) = (table.schema_name(), table.name());
        let _ = write!(page, "\n## {schema}.{name}\n\n{}\n\n| Column | Type | Meaning |\n|---|---|---|\n", about(table));
        for column in table_columns(schema, name).unwrap().unwrap() {
            let meaning = column.comment.unwrap_or_default();
            let _ = writeln!(page, "| `{}` | {} | {meaning} |", column.name, column.hive_type.trino_name());
        }
    }
    page
}

#[test]
fn the_page_is_what_the_tables_say() {
    docs_page::check("system-tables.md", "system::reference", &page());
}
