//! What Tab completes: keywords, shell commands, databases, tables, and the columns of the current database's tables.

use std::collections::BTreeSet;

use glaux_catalog::Metastore;

/// Words that statements are made of, as the shell offers them.
const KEYWORDS: &[&str] = &[
    "ADD",
    "ALTER",
    "ANALYZE",
    "AND",
    "ARRAY",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CASE",
    "CAST",
    "COLUMNS",
    "COUNT",
    "CREATE",
    "CROSS",
    "DATABASE",
    "DATABASES",
    "DATE",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "DROP",
    "ELSE",
    "END",
    "EXCEPT",
    "EXISTS",
    "EXPLAIN",
    "EXTERNAL",
    "FALSE",
    "FORMATTED",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "IF",
    "IN",
    "INNER",
    "INTERSECT",
    "INTERVAL",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "LOCATION",
    "MSCK",
    "NOT",
    "NULL",
    "NULLS",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARTITION",
    "PARTITIONED",
    "PARTITIONS",
    "REFRESH",
    "REPAIR",
    "REPLACE",
    "RESET",
    "RIGHT",
    "ROW",
    "ROWS",
    "SELECT",
    "SESSION",
    "SET",
    "SHOW",
    "STORED",
    "TABLE",
    "TABLES",
    "TBLPROPERTIES",
    "THEN",
    "TIMESTAMP",
    "TRUE",
    "UNION",
    "UNNEST",
    "USE",
    "USING",
    "VALUES",
    "VIEW",
    "VIEWS",
    "WHEN",
    "WHERE",
    "WITH",
];

const COMMANDS: &[&str] = &["\\?", "\\d", "\\format", "\\l", "\\q", "\\stats", "\\timing"];

/// The names there are.
#[derive(Debug, Default)]
pub(super) struct Names {
    databases: BTreeSet<String>,
    /// `database.table` of every database.
    qualified: BTreeSet<String>,
    /// Of the current database.
    tables: BTreeSet<String>,
    columns: BTreeSet<String>,
}

impl Names {
    /// Reads the names. What cannot be read is not offered: completion never gets in the way.
    pub(super) async fn load(metastore: &dyn Metastore, current: &str) -> Self {
        let mut names = Self::default();
        for database in metastore.databases().await.unwrap_or_default() {
            for table in metastore.table_names(&database.name).await.unwrap_or_default() {
                names.qualified.insert(format!("{}.{table}", database.name));
            }
            names.databases.insert(database.name);
        }
        for table in metastore.tables(current).await.unwrap_or_default() {
            names.columns.extend(table.all_columns().map(|column| column.name.clone()));
            names.tables.insert(table.name.table);
        }
        names
    }

    /// Where the last word of a text begins, and what it could become.
    pub(super) fn complete(&self, text: &str) -> (usize, Vec<String>) {
        let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '.' | '$');
        let mut start = text.char_indices().rev().take_while(|(_, c)| is_part(*c)).last().map_or(text.len(), |(at, _)| at);
        if text[..start].ends_with('\\') {
            start -= 1;
        }
        let word = &text[start..];
        if word.is_empty() {
            return (start, Vec::new());
        }
        if word.starts_with('\\') {
            return (
                start,
                COMMANDS.iter().filter(|command| command.starts_with(word)).map(|command| format!("{command} ")).collect(),
            );
        }
        let folded = word.to_lowercase();
        let mut found: Vec<String> = if folded.contains('.') {
            self.qualified.iter().filter(|name| name.starts_with(&folded)).cloned().collect()
        } else {
            let names = self.tables.iter().chain(&self.columns).chain(&self.databases);
            names.filter(|name| name.starts_with(&folded)).cloned().collect()
        };
        // Keywords in the case that is being typed.
        let lower = word.chars().all(|c| !c.is_uppercase());
        let keywords = KEYWORDS.iter().filter(|keyword| keyword.to_lowercase().starts_with(&folded));
        found.extend(keywords.map(|keyword| if lower { keyword.to_lowercase() } else { (*keyword).to_owned() }));
        found.dedup();
        (start, found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Names {
            databases: set(&["default", "sales"]),
            qualified: set(&["default.orders", "sales.orders", "sales.regions"]),
            tables: set(&["orders"]),
            columns: set(&["o_orderkey", "order_year"]),
        }
    }

    #[test]
    fn the_last_word_is_completed() {
        assert_eq!(names().complete("SELECT * FROM ord"), (14, vec!["orders".into(), "order_year".into(), "order".into()]));
        assert_eq!(names().complete("SEL"), (0, vec!["SELECT".into()]));
        assert_eq!(names().complete("select sum(o_o"), (11, vec!["o_orderkey".into()]));
        assert_eq!(names().complete("FROM sales."), (5, vec!["sales.orders".into(), "sales.regions".into()]));
        assert_eq!(names().complete("\\fo"), (0, vec!["\\format ".into()]));
        assert_eq!(names().complete("SELECT "), (7, vec![]));
    }
}
