//! The names that can be completed: databases, tables and their columns, functions, settings, workgroups.

use std::collections::{BTreeMap, BTreeSet};

use glaux_engine::SYSTEM_SCHEMAS;

use crate::cli::execute::Executor;

/// The names there are.
#[derive(Debug, Default)]
pub(super) struct Names {
    pub(super) databases: BTreeSet<String>,
    /// `database.table` of every database.
    pub(super) qualified: BTreeSet<String>,
    /// Of the current database.
    pub(super) tables: BTreeSet<String>,
    /// Of the current database's tables by their names, and of the system's by `schema.table`.
    pub(super) columns: BTreeMap<String, Vec<String>>,
    pub(super) functions: Vec<String>,
    pub(super) settings: Vec<String>,
    pub(super) workgroups: Vec<String>,
}

impl Names {
    /// Reads the names. What cannot be read is not offered: completion never gets in the way.
    pub(super) async fn load(executor: &Executor) -> Self {
        let (engine, session) = (&executor.engine, &executor.session);
        let (metastore, current) = (engine.metastore(), session.database());
        let mut names = Self::default();
        for database in metastore.databases().await.unwrap_or_default() {
            for table in metastore.table_names(&database.name).await.unwrap_or_default() {
                names.qualified.insert(format!("{}.{table}", database.name));
            }
            names.databases.insert(database.name);
        }
        for table in metastore.tables(&current).await.unwrap_or_default() {
            let columns: Vec<String> = table.all_columns().map(|column| column.name.clone()).collect();
            names.columns.insert(format!("{current}.{}", table.name.table), columns.clone());
            names.columns.insert(table.name.table.clone(), columns);
            names.tables.insert(table.name.table);
        }
        let browser = engine.browse(session);
        for schema in SYSTEM_SCHEMAS {
            for (table, columns) in browser.system_tables(schema) {
                let table = format!("{schema}.{table}");
                names.qualified.insert(table.clone());
                names.columns.insert(table, columns.fields().iter().map(|field| field.name().clone()).collect());
            }
            names.databases.insert(schema.to_owned());
        }
        names.functions = engine.function_names();
        let workgroups = metastore.workgroups().await.unwrap_or_default();
        names.workgroups = workgroups.into_iter().map(|workgroup| workgroup.name).collect();
        names.settings = session.settings().into_iter().map(|[name, ..]| name).collect();
        names
    }
}
