//! `SHOW` of what the catalog holds.

use glaux_catalog::{model::Table, partition::HIVE_DEFAULT_PARTITION};

use super::{
    context::StatementContext,
    engine_tables, grant,
    lookup::{find, find_table, resolve},
    partitions,
    pattern::matches,
    rows::{Row, row},
    stats, workgroup,
};
use crate::{
    definition::{create_table_statement, create_view_statement},
    error::{Error, Result},
    reserved::is_system_schema,
    sql::{PartitionSpec, Show, Statement},
    system::table_names,
};

pub(super) async fn show(what: &Show, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    let metastore = context.metastore();
    let database = |name: &Option<String>| name.clone().unwrap_or_else(|| context.session.database());
    Ok(match what {
        Show::Databases { pattern } => names(metastore.databases().await?.into_iter().map(|database| database.name), pattern),
        Show::Tables { database: of, pattern } if is_system_schema(&database(of)) => {
            names(table_names(&database(of)).into_iter().map(str::to_owned), pattern)
        }
        Show::Tables { database: of, pattern } => names(metastore.table_names(&database(of)).await?.into_iter(), pattern),
        Show::Views { database: of, .. } if is_system_schema(&database(of)) => Vec::new(),
        Show::Views { database: of, pattern } => {
            let tables = metastore.tables(&database(of)).await?;
            names(tables.into_iter().filter(Table::is_view).map(|table| table.name.table), pattern)
        }
        Show::Columns { table } => match engine_tables::columns(&resolve(table, context))? {
            Some(columns) => columns.iter().map(|column| row([&column.name])).collect(),
            None => find(table, context).await?.all_columns().map(|column| row([&column.name])).collect(),
        },
        Show::Partitions { table, partition } => {
            let table = find_table(table, "SHOW PARTITIONS", context).await?;
            show_partitions(&table, partition.as_ref(), context).await?
        }
        Show::TableProperties { table, key } => properties(&find(table, context).await?, key.as_deref()),
        Show::CreateTable { table } => {
            let table = find(table, context).await?;
            if table.is_view() {
                return Err(Error::invalid(format!("\"{}\" is a view", table.name)).with_hint("Write SHOW CREATE VIEW"));
            }
            lines(&create_table_statement(&table))
        }
        Show::Stats { table } => stats::show(table, context).await?,
        Show::Grants { on } => grant::show(on.as_ref(), context).await?,
        Show::Workgroups { pattern } => workgroup::show(pattern.as_deref(), context).await?,
        Show::CreateWorkgroup { name } => workgroup::show_create(name, context).await?,
        Show::CreateView { view } => lines(&create_view_statement(&find(view, context).await?)?),
    })
}

fn names(names: impl Iterator<Item = String>, pattern: &Option<String>) -> Vec<Row> {
    names.filter(|name| matches(pattern.as_deref(), name)).map(|name| vec![Some(name)]).collect()
}

fn lines(statement: &Statement) -> Vec<Row> {
    statement.to_string().lines().map(|line| row([line])).collect()
}

async fn show_partitions(table: &Table, spec: Option<&PartitionSpec>, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    if !table.is_partitioned() {
        return Err(Error::invalid(format!("table \"{}\" is not partitioned", table.name)));
    }
    let index = context.metastore().partition_index(table).await?;
    let rows = match spec {
        Some(spec) => partitions::rows(table, &index, spec)?,
        None => (0..index.len()).collect(),
    };
    Ok(rows.into_iter().map(|at| row([index.name(at).as_str()])).collect())
}

fn properties(table: &Table, key: Option<&str>) -> Vec<Row> {
    let mut all = table.properties.clone();
    if let Some(comment) = &table.comment {
        all.insert("comment".to_owned(), comment.clone());
    }
    match key {
        None => all.iter().map(|(key, value)| row([key, value])).collect(),
        Some(key) => match all.get(key) {
            Some(value) => vec![row([key, value])],
            // Hive's words, in the place of the name.
            None => vec![vec![Some(format!("Table {} does not have property: {key}", table.name)), None]],
        },
    }
}

/// A raw partition value as statements write it.
pub(super) fn written(value: Option<&str>) -> &str {
    value.unwrap_or(HIVE_DEFAULT_PARTITION)
}
