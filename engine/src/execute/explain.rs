//! `EXPLAIN` and `EXPLAIN ANALYZE`: plans as text, one line a row.

use std::sync::Arc;

use arrow::{
    array::{RecordBatch, StringArray},
    datatypes::{DataType, Field, Schema, SchemaRef},
};
use datafusion::{
    execution::{TaskContext, context::SessionState},
    logical_expr::LogicalPlan,
    physical_plan::{ExecutionPlan, display::DisplayableExecutionPlan, displayable, execute_stream},
};
use futures::StreamExt;

use crate::{
    accounting::{ListingDetails, Meter, Usage},
    error::{Error, Result},
    failure::from_datafusion,
    quote::Quote,
    sql::{ExplainFormat, ExplainWhat},
};

/// One column of text, by Trino's name for it.
pub(super) fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![Field::new("Query Plan", DataType::Utf8, true)]))
}

/// `EXPLAIN` without running the query.
pub(super) async fn answer(what: ExplainWhat, state: &SessionState, logical: &LogicalPlan) -> Result<RecordBatch> {
    match what {
        ExplainWhat::Logical => {
            let optimized = state.optimize(logical).map_err(from_datafusion)?;
            lines(&optimized.display_indent().to_string())
        }
        ExplainWhat::Distributed => {
            let plan = state.create_physical_plan(logical).await.map_err(from_datafusion)?;
            lines(&displayable(plan.as_ref()).indent(false).to_string())
        }
        ExplainWhat::Validate => lines("valid"),
        ExplainWhat::Io | ExplainWhat::Cost => Err(Error::internal("a plan's cost is explained without its plan")),
    }
}

/// `EXPLAIN (TYPE COST)`: a quote, one line a row, or as one document.
pub(super) fn cost(quote: &Quote, format: ExplainFormat) -> Result<RecordBatch> {
    match format {
        ExplainFormat::Text => lines(&quote.to_string()),
        ExplainFormat::Json => {
            let text = serde_json::to_string_pretty(quote);
            document(&text.map_err(|error| Error::internal("a quote cannot be written").with_source(error))?)
        }
    }
}

/// A document, which is one row as in Trino.
pub(super) fn document(text: &str) -> Result<RecordBatch> {
    rows(StringArray::from(vec![text]))
}

/// `EXPLAIN ANALYZE`: runs the plan, discards its rows, and shows the figures of every node and of the whole query.
pub(super) async fn analyze(plan: Arc<dyn ExecutionPlan>, context: Arc<TaskContext>, meter: Arc<Meter>) -> Result<RecordBatch> {
    let mut batches = execute_stream(Arc::clone(&plan), context).map_err(from_datafusion)?;
    let mut rows = 0;
    while let Some(batch) = batches.next().await {
        rows += batch.map_err(from_datafusion)?.num_rows();
    }
    let Usage { data_scanned_bytes, metadata_bytes, fetched_bytes, requests, partitions, files, row_groups, .. } = meter.usage();
    let of = |scanned: crate::accounting::Scanned| match scanned.total {
        Some(total) => format!("{} of {total}", scanned.scanned),
        None => scanned.scanned.to_string(),
    };
    let scan = meter.scan().snapshot();
    let listing = meter.listing().snapshot_of().map_or_else(String::new, |listing| {
        let as_of = listing.as_of.map_or_else(String::new, |at| format!(", as of {}", at.format("%Y-%m-%d %H:%M:%S UTC")));
        let ListingDetails { policy, live, kept, snapshot, .. } = listing;
        let took = meter.listing_time().as_millis();
        format!("listing: {policy}, {live} listed, {kept} kept, {snapshot} from the snapshot{as_of}, {took} ms\n")
    });
    let left = scan.row_groups_pruned;
    let nodes = DisplayableExecutionPlan::with_metrics(plan.as_ref()).indent(false).to_string();
    lines(&format!(
        "rows: {rows}\ndata scanned: {data_scanned_bytes} bytes, metadata: {metadata_bytes} bytes, fetched: {fetched_bytes} bytes\n\
         requests: {} get, {} head, {} list\n{listing}partitions: {}, files: {}, row groups: {}\n\
         bytes asked: {}, from the cache: {} in {} ranges; footers read: {}, known: {}\n\
         row groups pruned by statistics: {}, bloom filters: {}, page indexes: {}, dynamic filters: {}, limit: {}; pages pruned: {} of {}\n\
         row groups whose filter was read first: {}; streams waited {} ms, decoded {} ms\n{nodes}",
        requests.get,
        requests.head,
        requests.list,
        of(partitions),
        of(files),
        of(row_groups),
        scan.asked_bytes,
        scan.cached_bytes,
        scan.cache_hits,
        scan.footers.read,
        scan.footers.known,
        left.statistics,
        left.bloom_filter,
        left.page_index,
        left.dynamic_filter,
        left.limit,
        scan.pages.pruned,
        scan.pages.total,
        scan.row_groups_late,
        scan.waiting_ms,
        scan.decoding_ms,
    ))
}

fn lines(text: &str) -> Result<RecordBatch> {
    rows(text.trim_end().lines().map(Some).collect())
}

fn rows(rows: StringArray) -> Result<RecordBatch> {
    RecordBatch::try_new(schema(), vec![Arc::new(rows)]).map_err(|error| Error::internal(error.to_string()))
}
