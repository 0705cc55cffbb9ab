//! `CREATE DATABASE`, `CREATE EXTERNAL TABLE` and `CREATE VIEW`.

use std::ops::ControlFlow;

use chrono::{DateTime, Utc};
use glaux_catalog::model::{Column, Database, Properties, SerDe, StorageDescriptor, Table, TableType};
use sqlparser::ast::{ObjectNamePart, visit_relations};

use super::{
    context::StatementContext,
    engine_tables, formats, location,
    lookup::{is_missing, resolve},
    rows::Row,
};
use crate::{
    definition::VIEW_COLUMNS,
    error::{Error, ErrorKind, Result, nearest},
    reserved::is_system_schema,
    sql::{self, CreateDatabase, CreateTable, CreateView, Statement},
    table::{LISTING, ListingPolicy, requires_partition_filter},
};

pub(super) async fn database(create: &CreateDatabase, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    if is_system_schema(&create.database) {
        return Err(Error::invalid(format!("database name \"{}\" is reserved", create.database))
            .with_hint("It holds the engine's own tables; choose another name"));
    }
    let database = Database {
        name: create.database.clone(),
        comment: create.comment.clone(),
        location: create.location.as_deref().map(|at| location::for_definition(at, context)).transpose()?,
        properties: create.properties.clone(),
        created_at: context.now(),
    };
    unless_exists(context.metastore().create_database(database).await, create.if_not_exists)
}

/// Passes over `AlreadyExists` for `IF NOT EXISTS`.
fn unless_exists<T>(result: Result<T>, if_not_exists: bool) -> Result<Vec<Row>> {
    match result {
        Err(error) if !(if_not_exists && error.kind() == ErrorKind::AlreadyExists) => Err(error),
        _ => Ok(Vec::new()),
    }
}

pub(super) async fn table(create: &CreateTable, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    let table = definition(create, context)?;
    unless_exists(context.metastore().create_table(table).await, create.if_not_exists)
}

/// The table that a statement defines, before a metastore has it.
pub(crate) fn definition(create: &CreateTable, context: &StatementContext<'_>) -> Result<Table> {
    let name = resolve(&create.table, context);
    engine_tables::check_writable(&name.database)?;
    let Some(location) = &create.location else {
        return Err(Error::invalid(format!("table \"{name}\" has no LOCATION"))
            .with_hint("Name the folder that holds its files, as in LOCATION 's3://bucket/prefix/'"));
    };
    let is_iceberg = |(key, value): (&String, &String)| key == "table_type" && value.eq_ignore_ascii_case("iceberg");
    if create.properties.iter().any(is_iceberg) {
        return Err(Error::unsupported(format!("table \"{name}\" cannot be an Iceberg table"))
            .with_hint("Iceberg tables are not supported yet"));
    }
    if let Some(policy) = create.properties.get(LISTING) {
        policy.parse::<ListingPolicy>()?;
    }
    requires_partition_filter(&create.properties)?;
    if let Some(clustered) = &create.clustered_by {
        for column in &clustered.columns {
            if !create.columns.iter().any(|other| other.name == *column) {
                let error = Error::not_found(format!("table \"{name}\" has no column \"{column}\" to be clustered by"));
                let near = nearest(column, create.columns.iter().map(|other| other.name.as_str()));
                return Err(error.with_hint(match near {
                    Some(near) => format!("Did you mean \"{near}\"?"),
                    None => "CLUSTERED BY takes columns, not partition keys".to_owned(),
                }));
            }
        }
    }
    let classes = formats::classes(create)?;
    let now = context.now();
    let mut properties = create.properties.clone();
    properties.insert("EXTERNAL".to_owned(), "TRUE".to_owned());
    touch(&mut properties, now);
    let storage = StorageDescriptor {
        columns: create.columns.clone(),
        location: location::for_definition(location, context)?,
        input_format: classes.input_format,
        output_format: classes.output_format,
        serde: classes.serde,
        bucket_columns: create.clustered_by.as_ref().map(|clustered| clustered.columns.clone()).unwrap_or_default(),
        bucket_count: create.clustered_by.as_ref().map(|clustered| clustered.buckets),
    };
    Ok(Table {
        comment: create.comment.clone().or_else(|| create.properties.get("comment").cloned()),
        properties,
        ..Table::external(name, storage, create.partitioned_by.clone(), now)
    })
}

/// Records the time of the last change, as Hive does.
pub(super) fn touch(properties: &mut Properties, now: DateTime<Utc>) {
    properties.insert("transient_lastDdlTime".to_owned(), now.timestamp().to_string());
}

pub(super) async fn view(create: &CreateView, context: &StatementContext<'_>) -> Result<Vec<Row>> {
    let name = resolve(&create.view, context);
    engine_tables::check_writable(&name.database)?;
    let database = context.session.database();
    let existing = context.metastore().table(&name).await;
    let existing = if is_missing(&existing) { None } else { Some(existing?) };
    match &existing {
        Some(existing) if !existing.is_view() => {
            return Err(Error::already_exists(format!("\"{name}\" is a table, and a view cannot replace it"))
                .with_hint("Choose another name, or drop the table"));
        }
        Some(_) if !create.or_replace => {
            return Err(
                Error::already_exists(format!("view \"{name}\" already exists")).with_hint("Write CREATE OR REPLACE VIEW")
            );
        }
        _ => {}
    }
    if reads(&create.query_text, &name, &database)? {
        return Err(Error::invalid(format!("view \"{name}\" reads itself")).with_hint("Use another table in its query"));
    }
    let mut columns = context.views.columns(&create.query_text, &database).await?;
    rename(&mut columns, create, &name.to_string())?;
    let now = context.now();
    let mut properties = Properties::from([("presto_view".to_owned(), "true".to_owned())]);
    if !create.columns.is_empty() {
        properties.insert(VIEW_COLUMNS.to_owned(), "named".to_owned());
    }
    touch(&mut properties, now);
    let (id, version, created_at) =
        existing.as_ref().map_or((0, 0, now), |existing| (existing.id, existing.version, existing.created_at));
    let table = Table {
        name,
        id,
        version,
        table_type: TableType::VirtualView,
        storage: StorageDescriptor {
            columns,
            location: String::new(),
            input_format: String::new(),
            output_format: String::new(),
            serde: SerDe::default(),
            bucket_columns: Vec::new(),
            bucket_count: None,
        },
        partition_keys: Vec::new(),
        comment: create.comment.clone(),
        properties,
        view_text: Some(create.query_text.clone()),
        view_database: Some(database),
        created_at,
        updated_at: now,
    };
    match existing {
        Some(_) => context.metastore().replace_table(table).await?,
        None => context.metastore().create_table(table).await?,
    };
    Ok(Vec::new())
}

/// Gives the columns the names that the statement has for them.
fn rename(columns: &mut [Column], create: &CreateView, view: &str) -> Result<()> {
    if !create.columns.is_empty() && create.columns.len() != columns.len() {
        return Err(Error::invalid(format!(
            "view \"{view}\" names {} columns, but its query has {}",
            create.columns.len(),
            columns.len()
        ))
        .with_hint("Name every column of the query, or none"));
    }
    for (column, name) in columns.iter_mut().zip(&create.columns) {
        column.name.clone_from(name);
    }
    for column in &mut *columns {
        column.name = column.name.to_lowercase();
    }
    for (index, column) in columns.iter().enumerate() {
        if columns[..index].iter().any(|other| other.name == column.name) {
            return Err(Error::invalid(format!("view \"{view}\" has two columns named \"{}\"", column.name))
                .with_hint("Give one of them an alias"));
        }
    }
    Ok(())
}

/// Whether a query reads this table by name. Names of common table expressions count only with their database.
fn reads(query_text: &str, name: &glaux_catalog::TableName, database: &str) -> Result<bool> {
    let Statement::Query(query) = sql::parse(query_text)? else {
        return Err(Error::internal("a view's text is not a query"));
    };
    let ctes: Vec<String> =
        query.ast.with.iter().flat_map(|with| &with.cte_tables).map(|cte| cte.alias.name.value.clone()).collect();
    let found = visit_relations(query.ast.as_ref(), |relation| {
        let parts: Vec<&str> = relation.0.iter().filter_map(ObjectNamePart::as_ident).map(|ident| ident.value.as_str()).collect();
        let same = match parts.as_slice() {
            [table] => *table == name.table && database == name.database && !ctes.iter().any(|cte| cte == table),
            [.., schema, table] => *table == name.table && *schema == name.database,
            [] => false,
        };
        if same { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    Ok(found.is_break())
}
