//! What an embedding program adds to an engine: record batches as tables, functions, and object stores. Nothing of it is written to the catalog.

use std::{collections::HashSet, sync::Arc};

use arrow::{
    array::{RecordBatch, RecordBatchOptions},
    compute::{CastOptions, cast_with_options},
    datatypes::{Field, Schema, SchemaRef},
    error::ArrowError,
    util::display::FormatOptions,
};
use datafusion::{
    catalog::MemTable,
    execution::FunctionRegistry,
    logical_expr::{AggregateUDF, ScalarUDF, WindowUDF},
};
use glaux_catalog::{TableName, ident::checked};
use object_store::ObjectStore;

use crate::{
    error::{Error, ErrorKind, Result},
    execute::plain,
    failure::from_datafusion,
    reserved::is_system_schema,
    runtime::Engine,
};

/// A value that does not fit is an error, never NULL.
const LOSSLESS: CastOptions<'static> = CastOptions { safe: false, format_options: FormatOptions::new() };

impl Engine {
    /// Makes a table of record batches of one schema, for the queries of this engine. `name` is `table` or `database.table`; a plain one belongs to the
    /// current database of [`Engine::session`]. Whoever may read a table of that name may read it, and it scans 0 bytes. It is not in the
    /// catalog, so that `SHOW TABLES` does not list it.
    ///
    /// Names of columns are folded to lower case. Types that results do not have are converted: views, dictionaries and unsigned integers.
    ///
    /// # Errors
    /// `AlreadyExists` if a table of that name is registered or in the catalog, `NotFound` for the database, `Invalid` for names, for batches of
    /// different schemas, for no batches, and for values that no type of the engine holds; those of the catalog.
    pub async fn register_batches(&self, name: &str, batches: Vec<RecordBatch>) -> Result<()> {
        let name = self.name_to_register(name)?;
        let table = table_of(&name, batches)?;
        self.metastore().database(&name.database).await?;
        match self.metastore().table(&name).await {
            Ok(_) => Err(Error::already_exists(format!("table \"{name}\" already exists in the catalog"))
                .with_hint("Register the batches under another name")),
            Err(error) if error.kind() == ErrorKind::NotFound => self.0.registered.insert(name, Arc::new(table)),
            Err(error) => Err(error),
        }
    }

    /// Takes a registered table away. Queries that have been planned keep it.
    ///
    /// # Errors
    /// `NotFound` if none of that name is registered.
    pub fn deregister_table(&self, name: &str) -> Result<()> {
        let name = self.name_to_register(name)?;
        if self.0.registered.remove(&name) {
            return Ok(());
        }
        Err(Error::not_found(format!("table \"{name}\" is not registered")).with_hint("DROP TABLE drops tables of the catalog"))
    }

    /// Adds a scalar function for the queries that are planned from now on.
    ///
    /// # Errors
    /// `AlreadyExists` for a name that a function has, `Invalid` for one that is not in lower case.
    pub fn register_udf(&self, function: ScalarUDF) -> Result<()> {
        let names = all_names(function.name(), function.aliases());
        self.0.register_function(&names, |state| state.register_udf(Arc::new(function)).map(drop))
    }

    /// Adds an aggregate function.
    ///
    /// # Errors
    /// As [`Engine::register_udf`].
    pub fn register_udaf(&self, function: AggregateUDF) -> Result<()> {
        let names = all_names(function.name(), function.aliases());
        self.0.register_function(&names, |state| state.register_udaf(Arc::new(function)).map(drop))
    }

    /// Adds a window function.
    ///
    /// # Errors
    /// As [`Engine::register_udf`].
    pub fn register_udwf(&self, function: WindowUDF) -> Result<()> {
        let names = all_names(function.name(), function.aliases());
        self.0.register_function(&names, |state| state.register_udwf(Arc::new(function)).map(drop))
    }

    /// Puts a store of the program's own behind a bucket's URL, such as `s3://bucket`, `gs://bucket` or `abfss://container@account.dfs.core.windows.net`.
    /// Each of its operations counts as one request, and the bytes that it returns as fetched.
    ///
    /// # Errors
    /// `Invalid` for a URL that is not a whole bucket's, `AlreadyExists` if the bucket has a store: register it before the first statement that uses it.
    pub fn register_object_store(&self, url: &str, store: Arc<dyn ObjectStore>) -> Result<()> {
        self.stores().register(url, store)
    }

    fn name_to_register(&self, name: &str) -> Result<TableName> {
        let (database, table) = match name.split_once('.') {
            Some((database, table)) => (checked("database", database)?, table),
            None => (self.session().database(), name),
        };
        let table = checked("table", table)?;
        if is_system_schema(&database) || table.contains('$') {
            return Err(Error::invalid(format!("no table can be registered as \"{database}.{table}\""))
                .with_hint("The name belongs to the engine: choose another"));
        }
        Ok(TableName::new(database, table))
    }
}

fn all_names(name: &str, aliases: &[String]) -> Vec<String> {
    std::iter::once(name.to_owned()).chain(aliases.iter().cloned()).collect()
}

/// The batches as a table whose columns have names and types as the catalog's have.
fn table_of(name: &TableName, batches: Vec<RecordBatch>) -> Result<MemTable> {
    let Some(given) = batches.first().map(RecordBatch::schema) else {
        return Err(Error::invalid(format!("table \"{name}\" cannot be registered without a record batch"))
            .with_hint("Register at least one, which may have no rows: its schema is the table's"));
    };
    let mut seen = HashSet::new();
    let field = |field: &Arc<Field>| {
        let column = checked("column", field.name())?;
        if !seen.insert(column.clone()) {
            return Err(Error::invalid(format!("table \"{name}\" would have two columns \"{column}\""))
                .with_hint("Names of columns are folded to lower case"));
        }
        Ok(Field::new(column, plain(field.data_type()), true))
    };
    let schema = Arc::new(Schema::new(given.fields().iter().map(field).collect::<Result<Vec<_>>>()?));
    let batches = batches.into_iter().map(|batch| fitted(name, &batch, &given, &schema)).collect::<Result<Vec<_>>>()?;
    MemTable::try_new(schema, vec![batches]).map_err(from_datafusion)
}

/// A batch in the table's schema.
fn fitted(name: &TableName, batch: &RecordBatch, given: &SchemaRef, schema: &SchemaRef) -> Result<RecordBatch> {
    let own = batch.schema();
    let same = |(one, other): (&Arc<Field>, &Arc<Field>)| one.name() == other.name() && one.data_type() == other.data_type();
    if own.fields().len() != given.fields().len() || !own.fields().iter().zip(given.fields()).all(same) {
        return Err(Error::invalid(format!("the record batches of table \"{name}\" have different schemas"))
            .with_hint("Register batches of one schema"));
    }
    let unfit = |error: ArrowError| {
        Error::invalid(format!("a value of table \"{name}\" does not fit the engine's types"))
            .with_hint("Integers have 64 bits and a sign")
            .with_source(error)
    };
    let columns = batch.columns().iter().zip(schema.fields());
    let columns = columns.map(|(column, field)| cast_with_options(column, field.data_type(), &LOSSLESS));
    let columns = columns.collect::<Result<Vec<_>, _>>().map_err(unfit)?;
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(Arc::clone(schema), columns, &options).map_err(unfit)
}
