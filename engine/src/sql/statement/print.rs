//! Writes statements back as SQL: those of the Hive half with backticks and Hive's escapes, those of the Trino half with double quotes.

use std::fmt::{self, Display, Formatter};

use glaux_catalog::{
    discovery::RepairMode,
    model::{Access, Column, Grantee, Properties},
};

use super::{
    AlterTable, ColumnPosition, CreateDatabase, CreateTable, CreateView, Delimited, Describe, DescribeDetail, Explain,
    ExplainFormat, ExplainWhat, Grant, GrantOn, PartitionSpec, Revoke, RowFormat, Show, Statement, StoredAs, TableRef,
};
use crate::sql::quote::{hive_name, hive_string, trino_name, trino_string};

fn trino_table(table: &TableRef) -> String {
    match &table.database {
        Some(database) => format!("{}.{}", trino_name(database), trino_name(&table.table)),
        None => trino_name(&table.table),
    }
}

fn list<T>(items: &[T], print: impl Fn(&T) -> String) -> String {
    items.iter().map(print).collect::<Vec<_>>().join(", ")
}

fn column(column: &Column) -> String {
    let comment = column.comment.as_ref().map(|comment| format!(" COMMENT {}", hive_string(comment))).unwrap_or_default();
    format!("{} {}{comment}", hive_name(&column.name), column.hive_type)
}

fn properties(properties: &Properties) -> String {
    let pairs: Vec<_> = properties.iter().map(|(key, value)| format!("{}={}", hive_string(key), hive_string(value))).collect();
    format!("({})", pairs.join(", "))
}

impl Display for Statement {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let exists = |yes: &bool| if *yes { "IF EXISTS " } else { "" };
        match self {
            Self::CreateDatabase(create) => write!(f, "{create}"),
            Self::AlterDatabase { database, properties: set } => {
                write!(f, "ALTER DATABASE {} SET DBPROPERTIES {}", hive_name(database), properties(set))
            }
            Self::DropDatabase { database, if_exists, cascade } => {
                write!(f, "DROP DATABASE {}{}", exists(if_exists), hive_name(database))?;
                f.write_str(if *cascade { " CASCADE" } else { "" })
            }
            Self::CreateTable(create) => write!(f, "{create}"),
            Self::AlterTable { table, action } => write!(f, "ALTER TABLE {table} {action}"),
            Self::DropTable { table, if_exists } => write!(f, "DROP TABLE {}{table}", exists(if_exists)),
            Self::CreateView(create) => write!(f, "{create}"),
            Self::DropView { view, if_exists } => write!(f, "DROP VIEW {}{}", exists(if_exists), trino_table(view)),
            Self::Repair { table, mode, tail } => {
                let what = match (mode, tail) {
                    (_, true) => " TAIL",
                    (RepairMode::Add, false) => "",
                    (RepairMode::Drop, false) => " DROP PARTITIONS",
                    (RepairMode::Sync, false) => " SYNC PARTITIONS",
                };
                write!(f, "MSCK REPAIR TABLE {table}{what}")
            }
            Self::Refresh { table, partition } => {
                write!(f, "REFRESH TABLE {table}")?;
                partition.as_ref().map_or(Ok(()), |partition| write!(f, " {partition}"))
            }
            Self::Analyze(analyze) => write!(f, "{analyze}"),
            Self::Crawl(crawl) => write!(f, "{crawl}"),
            Self::Grant(grant) => write!(f, "{grant}"),
            Self::Revoke(revoke) => write!(f, "{revoke}"),
            Self::CreateWorkgroup(create) => write!(f, "{create}"),
            Self::AlterWorkgroup { name, action } => write!(f, "ALTER WORKGROUP {} {action}", trino_name(name)),
            Self::DropWorkgroup { name, if_exists } => write!(f, "DROP WORKGROUP {}{}", exists(if_exists), trino_name(name)),
            Self::Show(show) => write!(f, "{show}"),
            Self::Describe(describe) => write!(f, "{describe}"),
            Self::DescribeWorkgroup { name } => write!(f, "DESCRIBE WORKGROUP {}", hive_name(name)),
            Self::Use { database } => write!(f, "USE {}", trino_name(database)),
            Self::SetSession { name, value } => write!(f, "SET SESSION {name} = {}", trino_string(value)),
            Self::ResetSession { name } => write!(f, "RESET SESSION {name}"),
            Self::ShowSession => f.write_str("SHOW SESSION"),
            Self::SetTimeZone { zone } => write!(f, "SET TIME ZONE {}", trino_string(zone)),
            Self::ShowQueries => f.write_str("SHOW QUERIES"),
            Self::KillQuery { id } => write!(f, "KILL QUERY {}", trino_string(id)),
            Self::Query(query) => f.write_str(&query.text),
            Self::Explain(explain) => write!(f, "{explain}"),
        }
    }
}

impl Display for CreateDatabase {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str("CREATE DATABASE ")?;
        f.write_str(if self.if_not_exists { "IF NOT EXISTS " } else { "" })?;
        f.write_str(&hive_name(&self.database))?;
        if let Some(comment) = &self.comment {
            write!(f, " COMMENT {}", hive_string(comment))?;
        }
        if let Some(location) = &self.location {
            write!(f, " LOCATION {}", hive_string(location))?;
        }
        if !self.properties.is_empty() {
            write!(f, " WITH DBPROPERTIES {}", properties(&self.properties))?;
        }
        Ok(())
    }
}

/// The layout of `SHOW CREATE TABLE`: a clause a line.
impl Display for CreateTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let exists = if self.if_not_exists { "IF NOT EXISTS " } else { "" };
        write!(f, "CREATE EXTERNAL TABLE {exists}{}", self.table)?;
        let columns = |columns: &[Column]| columns.iter().map(|c| format!("  {}", column(c))).collect::<Vec<_>>().join(",\n");
        if !self.columns.is_empty() {
            write!(f, "(\n{})", columns(&self.columns))?;
        }
        if let Some(comment) = &self.comment {
            write!(f, "\nCOMMENT {}", hive_string(comment))?;
        }
        if !self.partitioned_by.is_empty() {
            write!(f, "\nPARTITIONED BY (\n{})", columns(&self.partitioned_by))?;
        }
        if let Some(clustered) = &self.clustered_by {
            let names = list(&clustered.columns, |name| hive_name(name));
            write!(f, "\nCLUSTERED BY ({names}) INTO {} BUCKETS", clustered.buckets)?;
        }
        match &self.row_format {
            Some(RowFormat::Delimited(delimited)) => write!(f, "\nROW FORMAT DELIMITED{delimited}")?,
            Some(RowFormat::SerDe(class)) => {
                write!(f, "\nROW FORMAT SERDE\n  {}", hive_string(class))?;
                if !self.serde_properties.is_empty() {
                    write!(f, "\nWITH SERDEPROPERTIES {}", lines(&self.serde_properties))?;
                }
            }
            None => {}
        }
        match &self.stored_as {
            Some(StoredAs::Format(name)) => write!(f, "\nSTORED AS {name}")?,
            Some(StoredAs::Classes { input, output }) => {
                write!(f, "\nSTORED AS INPUTFORMAT\n  {}\nOUTPUTFORMAT\n  {}", hive_string(input), hive_string(output))?;
            }
            None => {}
        }
        if !matches!(self.row_format, Some(RowFormat::SerDe(_))) && !self.serde_properties.is_empty() {
            write!(f, "\nWITH SERDEPROPERTIES {}", lines(&self.serde_properties))?;
        }
        if let Some(location) = &self.location {
            write!(f, "\nLOCATION\n  {}", hive_string(location))?;
        }
        if !self.properties.is_empty() {
            write!(f, "\nTBLPROPERTIES {}", lines(&self.properties))?;
        }
        Ok(())
    }
}

/// Properties, one a line.
fn lines(properties: &Properties) -> String {
    let pairs: Vec<_> = properties.iter().map(|(key, value)| format!("  {}={}", hive_string(key), hive_string(value))).collect();
    format!("(\n{})", pairs.join(",\n"))
}

impl Display for Delimited {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for (clause, text) in [
            ("FIELDS TERMINATED BY", &self.fields),
            ("ESCAPED BY", &self.escaped),
            ("COLLECTION ITEMS TERMINATED BY", &self.collection_items),
            ("MAP KEYS TERMINATED BY", &self.map_keys),
            ("LINES TERMINATED BY", &self.lines),
            ("NULL DEFINED AS", &self.null),
        ] {
            if let Some(text) = text {
                write!(f, "\n  {clause} {}", hive_string(text))?;
            }
        }
        Ok(())
    }
}

impl Display for AlterTable {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let of = |partition: &Option<PartitionSpec>| partition.as_ref().map(|spec| format!("{spec} ")).unwrap_or_default();
        match self {
            Self::AddPartitions { if_not_exists, partitions } => {
                f.write_str(if *if_not_exists { "ADD IF NOT EXISTS" } else { "ADD" })?;
                for (spec, location) in partitions {
                    write!(f, " {spec}")?;
                    if let Some(location) = location {
                        write!(f, " LOCATION {}", hive_string(location))?;
                    }
                }
                Ok(())
            }
            Self::DropPartitions { if_exists, partitions } => {
                write!(f, "DROP {}{}", if *if_exists { "IF EXISTS " } else { "" }, list(partitions, ToString::to_string))
            }
            Self::RenamePartition { from, to } => write!(f, "{from} RENAME TO {to}"),
            Self::AddColumns { partition, columns } => write!(f, "{}ADD COLUMNS ({})", of(partition), list(columns, column)),
            Self::ReplaceColumns { partition, columns } => {
                write!(f, "{}REPLACE COLUMNS ({})", of(partition), list(columns, column))
            }
            Self::ChangeColumn { partition, old, column: new, position } => {
                write!(f, "{}CHANGE COLUMN {} {}", of(partition), hive_name(old), column(new))?;
                match position {
                    Some(ColumnPosition::First) => f.write_str(" FIRST"),
                    Some(ColumnPosition::After(other)) => write!(f, " AFTER {}", hive_name(other)),
                    None => Ok(()),
                }
            }
            Self::SetLocation { partition, location } => write!(f, "{}SET LOCATION {}", of(partition), hive_string(location)),
            Self::SetProperties { properties: set } => write!(f, "SET TBLPROPERTIES {}", properties(set)),
            Self::UnsetProperties { if_exists, keys } => {
                let exists = if *if_exists { "IF EXISTS " } else { "" };
                write!(f, "UNSET TBLPROPERTIES {exists}({})", list(keys, |key| hive_string(key)))
            }
        }
    }
}

impl Display for CreateView {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "CREATE {}VIEW {}", if self.or_replace { "OR REPLACE " } else { "" }, trino_table(&self.view))?;
        if !self.columns.is_empty() {
            write!(f, " ({})", list(&self.columns, |name| trino_name(name)))?;
        }
        if let Some(comment) = &self.comment {
            write!(f, " COMMENT {}", trino_string(comment))?;
        }
        write!(f, " AS\n{}", self.query_text)
    }
}

impl Display for Grant {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let verb = match self.access {
            Access::None => "DENY ALL PRIVILEGES",
            Access::Read => "GRANT SELECT",
            Access::Write => "GRANT ALL PRIVILEGES",
        };
        write!(f, "{verb} ON {} TO {}", granted(&self.on, trino_name, trino_table), grantee(&self.to))
    }
}

impl Display for Revoke {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "REVOKE ALL PRIVILEGES ON {} FROM {}", granted(&self.on, trino_name, trino_table), grantee(&self.from))
    }
}

fn granted(on: &GrantOn, name: impl Fn(&str) -> String, table: impl Fn(&TableRef) -> String) -> String {
    match on {
        GrantOn::Catalog => "CATALOG".to_owned(),
        GrantOn::Database(database) => format!("SCHEMA {}", name(database)),
        GrantOn::Table(reference) => format!("TABLE {}", table(reference)),
    }
}

fn grantee(grantee: &Grantee) -> String {
    let kind = if matches!(grantee, Grantee::User(_)) { "USER" } else { "ROLE" };
    format!("{kind} {}", trino_name(grantee.name()))
}

impl Display for Show {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let within =
            |database: &Option<String>| database.as_ref().map(|name| format!(" IN {}", hive_name(name))).unwrap_or_default();
        let like =
            |pattern: &Option<String>| pattern.as_ref().map(|text| format!(" LIKE {}", hive_string(text))).unwrap_or_default();
        match self {
            Self::Databases { pattern } => write!(f, "SHOW DATABASES{}", like(pattern)),
            Self::Tables { database, pattern } => write!(f, "SHOW TABLES{}{}", within(database), like(pattern)),
            Self::Views { database, pattern } => write!(f, "SHOW VIEWS{}{}", within(database), like(pattern)),
            Self::Columns { table } => write!(f, "SHOW COLUMNS IN {table}"),
            Self::Partitions { table, partition } => {
                write!(f, "SHOW PARTITIONS {table}{}", partition.as_ref().map(|spec| format!(" {spec}")).unwrap_or_default())
            }
            Self::TableProperties { table, key } => {
                let key = key.as_ref().map(|key| format!(" ({})", hive_string(key))).unwrap_or_default();
                write!(f, "SHOW TBLPROPERTIES {table}{key}")
            }
            Self::CreateTable { table } => write!(f, "SHOW CREATE TABLE {table}"),
            Self::CreateView { view } => write!(f, "SHOW CREATE VIEW {view}"),
            Self::Stats { table } => write!(f, "SHOW STATS FOR {table}"),
            Self::Workgroups { pattern } => write!(f, "SHOW WORKGROUPS{}", like(pattern)),
            Self::CreateWorkgroup { name } => write!(f, "SHOW CREATE WORKGROUP {}", hive_name(name)),
            Self::Grants { on: None } => f.write_str("SHOW GRANTS"),
            Self::Grants { on: Some(on) } => {
                write!(f, "SHOW GRANTS ON {}", granted(on, hive_name, ToString::to_string))
            }
        }
    }
}

impl Display for Describe {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let detail = match self.detail {
            DescribeDetail::Columns => "",
            DescribeDetail::Extended => "EXTENDED ",
            DescribeDetail::Formatted => "FORMATTED ",
        };
        write!(f, "DESCRIBE {detail}{}", self.table)?;
        if let Some(partition) = &self.partition {
            write!(f, " {partition}")?;
        }
        for (index, step) in self.path.iter().enumerate() {
            write!(f, "{}{}", if index == 0 { ' ' } else { '.' }, hive_name(step))?;
        }
        Ok(())
    }
}

impl Display for Explain {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let options = match (self.what, self.format) {
            (ExplainWhat::Distributed, _) => "",
            (ExplainWhat::Logical, _) => "(TYPE LOGICAL) ",
            (ExplainWhat::Validate, _) => "(TYPE VALIDATE) ",
            (ExplainWhat::Io, ExplainFormat::Text) => "(TYPE IO) ",
            (ExplainWhat::Io, ExplainFormat::Json) => "(TYPE IO, FORMAT JSON) ",
            (ExplainWhat::Cost, ExplainFormat::Text) => "(TYPE COST) ",
            (ExplainWhat::Cost, ExplainFormat::Json) => "(TYPE COST, FORMAT JSON) ",
        };
        write!(f, "EXPLAIN {}{options}{}", if self.analyze { "ANALYZE " } else { "" }, self.query.text)
    }
}
