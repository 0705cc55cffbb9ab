//! What clients send with DoPut: updates, values of parameters, and rows for tables.

use std::sync::Arc;

use arrow::datatypes::{Schema, SchemaRef};
use arrow_flight::{
    FlightData,
    sql::{CommandStatementIngest, DoPutPreparedStatementResult, DoPutUpdateResult, TableExistsOption, TableNotExistOption},
};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use glaux_catalog::ident::{CATALOG_NAME, fold};
use glaux_engine::{
    Error, Result,
    query::Parameters,
    write::{IfExists, IfNotExists, IngestTarget},
};
use prost::Message;
use tonic::Streaming;

use super::{
    command::{self, Put},
    context::Flight,
    decode::{decode, sent},
};
use crate::statements::{Caller, Refusal};

/// Carries out what the stream's first message asks for; gives the metadata of its answer.
pub(super) async fn run(flight: &Flight, caller: &Caller, mut messages: Streaming<FlightData>) -> Result<Bytes, Refusal> {
    let first = messages.message().await.map_err(|status| sent(&status))?;
    let first = first.ok_or_else(|| {
        // ADBC's drivers write nothing, not even the command, where they ingest no batch: which table was meant is not known here.
        Error::invalid("the stream of DoPut is empty")
            .with_hint("Begin it with a command; with ADBC, ingest at least one batch, which may have no rows")
    })?;
    let descriptor = first.flight_descriptor.as_ref();
    let descriptor = descriptor.ok_or_else(|| {
        Error::invalid("the first message of DoPut has no descriptor").with_hint("Put the command into its flight_descriptor")
    })?;
    let put = command::put(command::of_descriptor(descriptor)?)?;
    let count = match put {
        Put::Update(sql) => update(flight, caller, &sql, &Parameters::default()).await?,
        Put::PreparedUpdate(handle) => {
            let prepared = flight.statements.prepared(caller, &handle)?;
            if let Some(values) = values(first, messages).await? {
                prepared.bind(values)?;
            }
            update(flight, caller, &prepared.sql, &prepared.bound()).await?
        }
        Put::Bind(handle) => {
            let prepared = flight.statements.prepared(caller, &handle)?;
            prepared.bind(values(first, messages).await?.unwrap_or_default())?;
            let result = DoPutPreparedStatementResult { prepared_statement_handle: Some(handle) };
            return Ok(result.encode_to_vec().into());
        }
        Put::Ingest(command) => ingest(flight, caller, &command, first, messages).await?,
    };
    Ok(DoPutUpdateResult { record_count: count }.encode_to_vec().into())
}

/// Runs a statement for its effect; gives the number of rows that it changed, which is not known of a query.
async fn update(flight: &Flight, caller: &Caller, sql: &str, parameters: &Parameters) -> Result<i64, Refusal> {
    let is_query = flight.statements.run(caller, sql, parameters).await?;
    Ok(if is_query { -1 } else { 0 })
}

/// The rows of values that the stream holds; `None` if it holds no schema.
async fn values(first: FlightData, rest: Streaming<FlightData>) -> Result<Option<Parameters>> {
    let Some((schema, mut batches)) = decode(first, rest).await? else { return Ok(None) };
    if schema.fields().is_empty() {
        return Ok(Some(Parameters::default()));
    }
    let mut rows = 0;
    let mut kept = Vec::new();
    while let Some(batch) = batches.try_next().await? {
        rows += batch.num_rows();
        kept.push(batch);
        // What is too much is not collected first.
        if rows > Parameters::MAX_ROWS {
            break;
        }
    }
    Parameters::from_batches(&kept).map(Some)
}

/// Creates a table from the stream's rows, or appends them to one.
async fn ingest(
    flight: &Flight,
    caller: &Caller,
    command: &CommandStatementIngest,
    first: FlightData,
    rest: Streaming<FlightData>,
) -> Result<i64, Refusal> {
    // Before more of the stream is read.
    flight.statements.accepting()?;
    let (schema, batches) = match decode(first, rest).await? {
        Some(decoded) => decoded,
        None => (Arc::new(Schema::empty()), stream::empty().boxed()),
    };
    let target = target(command, schema)?;
    let rows = flight.statements.ingest(caller, target, batches).await?;
    Ok(i64::try_from(rows).unwrap_or(i64::MAX))
}

fn target(command: &CommandStatementIngest, schema: SchemaRef) -> Result<IngestTarget> {
    if command.temporary {
        return Err(Error::unsupported("temporary tables are not supported").with_hint("Create a table and drop it"));
    }
    if let Some(catalog) = command.catalog.as_deref().filter(|catalog| !catalog.is_empty() && fold(catalog) != CATALOG_NAME) {
        let error = Error::not_found(format!("catalog \"{catalog}\" does not exist"));
        return Err(error.with_hint(format!("The only catalog is {CATALOG_NAME}")));
    }
    let mut options = command.options.clone();
    let location = options.remove("location");
    let partitioned_by = options.remove("partitioned_by").unwrap_or_default();
    if let Some(unknown) = options.keys().next() {
        return Err(Error::invalid(format!("unknown ingest option \"{unknown}\""))
            .with_hint("These are: location, partitioned_by (names with commas between)"));
    }
    let definition = command.table_definition_options.as_ref();
    let if_not_exists = match definition.map(|options| options.if_not_exist()) {
        Some(TableNotExistOption::Create) => IfNotExists::Create,
        Some(TableNotExistOption::Fail) => IfNotExists::Fail,
        Some(TableNotExistOption::Unspecified) | None => IfNotExists::Unspecified,
    };
    let if_exists = match definition.map(|options| options.if_exists()) {
        Some(TableExistsOption::Append) => IfExists::Append,
        Some(TableExistsOption::Fail) => IfExists::Fail,
        Some(TableExistsOption::Replace) => IfExists::Replace,
        Some(TableExistsOption::Unspecified) | None => IfExists::Unspecified,
    };
    Ok(IngestTarget {
        database: command.schema.clone().filter(|schema| !schema.is_empty()),
        table: command.table.clone(),
        if_not_exists,
        if_exists,
        location,
        partitioned_by: partitioned_by.split(',').map(str::trim).filter(|name| !name.is_empty()).map(str::to_owned).collect(),
        schema,
    })
}
