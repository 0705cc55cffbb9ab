//! `system.queries`, a row for each query in the history and each that runs; and `system.usage`, what they cost by day and by whom.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, Date32Array, RecordBatch},
    datatypes::{DataType, Date32Type, Field, SchemaRef},
};
use chrono::{DateTime, Utc};
use futures::{StreamExt, stream, stream::BoxStream};

use super::{
    SystemDeps,
    columns::{batch, costs, count, counts, money, schema, text, texts, time, times},
    provider::{RowSource, Wanted},
};
use crate::{
    access::queries_of,
    error::Result,
    lifecycle::{PageFilter, QueryId, QueryRecord, TextBounds, UsageFilter, UsageTotal},
    session::SessionOptions,
};

/// `system.queries`.
#[derive(Debug)]
pub(super) struct Queries(pub(super) SystemDeps);

impl RowSource for Queries {
    fn schema(&self) -> SchemaRef {
        let texts = ["query_id", "state", "user", "workgroup", "database", "labels", "statement", "statement_type"];
        let mut fields: Vec<Field> = texts.map(text).into();
        fields.extend(["submitted_at", "ended_at"].map(time));
        fields.extend(["error_kind", "error_message"].map(text));
        fields.extend(["data_scanned_bytes", "metadata_bytes", "fetched_bytes", "billed_bytes"].map(count));
        fields.push(money("cost_usd"));
        let figures = [
            "requests_get",
            "requests_head",
            "requests_list",
            "requests_put",
            "requests_delete",
            "partitions_scanned",
            "partitions_total",
            "files_scanned",
            "files_total",
            "row_groups_scanned",
            "row_groups_total",
            "rows",
            "queued_ms",
            "planning_ms",
            "listing_ms",
            "execution_ms",
            "total_ms",
        ];
        fields.extend(figures.map(count));
        schema(fields)
    }

    fn name(&self) -> &'static str {
        "system.queries"
    }

    fn time_column(&self) -> Option<usize> {
        Some(SUBMITTED_AT)
    }

    fn rows(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        let Some(filter) = self.filter(&wanted) else { return stream::empty().boxed() };
        let (schema, filter) = (self.schema(), Arc::new(filter));
        let start = Some((None, FIRST_PAGE, wanted.limit.unwrap_or(usize::MAX)));
        stream::try_unfold(start, move |next| {
            let (this, schema, filter) = (Arc::clone(&self), Arc::clone(&schema), Arc::clone(&filter));
            async move {
                let Some((after, size, left)) = next else { return Ok(None) };
                let size = usize::min(size, left);
                let records = this.0.history.page(filter, after, size).await?;
                let last = records.last().filter(|_| records.len() == size).map(|last| (last.submitted_at, last.query_id));
                let records = this.with_live_figures(records);
                let left = left - records.len();
                let next = last.filter(|_| left > 0).map(|last| (Some(last), usize::min(4 * size, PAGE), left));
                Ok(Some((query_rows(&schema, &records)?, next)))
            }
        })
        .boxed()
    }
}

/// The columns of [`Queries`] that are texts of any length, and that of time.
const TEXTS: [usize; 3] = [5, 6, 11];
const SUBMITTED_AT: usize = 8;

/// Queries of the first page: who wants the latest few does not pay for many. Further pages are larger, up to this.
const FIRST_PAGE: usize = 64;
const PAGE: usize = 4096;

impl Queries {
    /// What the history is asked for; `None` if nothing can be in it.
    fn filter(&self, wanted: &Wanted) -> Option<PageFilter> {
        let texts = shown(&self.0.session, wanted);
        if texts.values().any(|bounds| bounds.values.as_ref().is_some_and(BTreeSet::is_empty)) {
            return None;
        }
        Some(PageFilter {
            texts,
            since: wanted.narrowing.since("submitted_at"),
            until: wanted.narrowing.until("submitted_at"),
            newest_first: wanted.newest_first.unwrap_or(true),
            with_texts: TEXTS.iter().any(|column| wanted.reads(*column)),
        })
    }

    /// The history knows the figures of running queries as of a moment ago; this process knows its own as of now.
    fn with_live_figures(&self, mut records: Vec<QueryRecord>) -> Vec<QueryRecord> {
        let mut live: HashMap<QueryId, QueryRecord> =
            self.0.running.running_records().into_iter().map(|record| (record.query_id, record)).collect();
        for record in records.iter_mut().filter(|record| !record.state.is_terminal()) {
            if let Some(now) = live.remove(&record.query_id) {
                *record = now;
            }
        }
        records
    }
}

/// The texts that are wanted, of queries that the session's user may see.
fn shown(session: &SessionOptions, wanted: &Wanted) -> BTreeMap<String, TextBounds> {
    let mut texts = wanted.narrowing.texts().clone();
    if let Some(own) = queries_of(session) {
        let user = texts.entry("user".to_owned()).or_default();
        *user = std::mem::take(user).and(TextBounds::of([own.to_owned()].into()));
    }
    texts
}

fn query_rows(schema: &SchemaRef, records: &[QueryRecord]) -> Result<RecordBatch> {
    let text = |get: fn(&QueryRecord) -> Option<String>| texts(records.iter().map(get));
    let word = |get: fn(&QueryRecord) -> &str| texts(records.iter().map(get).map(Some));
    let figure = |get: fn(&QueryRecord) -> u64| counts(records.iter().map(|record| Some(get(record))));
    let known = |get: fn(&QueryRecord) -> Option<u64>| counts(records.iter().map(get));
    let columns: Vec<ArrayRef> = vec![
        text(|r| Some(r.query_id.to_string())),
        word(|r| r.state.as_str()),
        word(|r| &r.user),
        word(|r| &r.workgroup),
        word(|r| &r.database),
        text(|r| serde_json::to_string(&r.labels).ok()),
        word(|r| &r.statement),
        text(|r| r.statement_type.map(|kind| kind.as_str().to_owned())),
        times(records.iter().map(|r| Some(r.submitted_at))),
        times(records.iter().map(|r| r.ended_at)),
        text(|r| r.error_kind.map(|kind| kind.as_str().to_owned())),
        text(|r| r.error_message.clone()),
        figure(|r| r.usage.data_scanned_bytes),
        figure(|r| r.usage.metadata_bytes),
        figure(|r| r.usage.fetched_bytes),
        figure(|r| r.bill.billed_bytes),
        costs(records.iter().map(|r| &r.bill)),
        figure(|r| r.usage.requests.get),
        figure(|r| r.usage.requests.head),
        figure(|r| r.usage.requests.list),
        figure(|r| r.usage.requests.put),
        figure(|r| r.usage.requests.delete),
        figure(|r| r.usage.partitions.scanned),
        known(|r| r.usage.partitions.total),
        figure(|r| r.usage.files.scanned),
        known(|r| r.usage.files.total),
        figure(|r| r.usage.row_groups.scanned),
        known(|r| r.usage.row_groups.total),
        figure(|r| r.usage.rows),
        figure(|r| r.timings.queued),
        figure(|r| r.timings.planning),
        figure(|r| r.timings.listing),
        figure(|r| r.timings.execution),
        figure(|r| r.timings.total),
    ];
    batch(schema, columns)
}

/// `system.usage`: queries that have ended, by the day (UTC) they were submitted on.
#[derive(Debug)]
pub(super) struct UsageByDay(pub(super) SystemDeps);

impl RowSource for UsageByDay {
    fn schema(&self) -> SchemaRef {
        let mut fields = vec![Field::new("day", DataType::Date32, true)];
        fields.extend(["user", "workgroup", "database"].map(text));
        fields.extend(["queries", "data_scanned_bytes", "billed_bytes"].map(count));
        fields.push(money("cost_usd"));
        schema(fields)
    }

    fn name(&self) -> &'static str {
        "system.usage"
    }

    fn rows(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        let rows = async move {
            let wanted_texts = shown(&self.0.session, &wanted);
            let day = |time: DateTime<Utc>| time.date_naive();
            let (since, until) = (wanted.narrowing.since("day").map(day), wanted.narrowing.until("day").map(day));
            let totals = self.0.history.totals(UsageFilter { since, until, texts: wanted_texts }).await?;
            let word = |get: fn(&UsageTotal) -> &str| texts(totals.iter().map(get).map(Some));
            let figure = |get: fn(&UsageTotal) -> u64| counts(totals.iter().map(|total| Some(get(total))));
            let columns: Vec<ArrayRef> = vec![
                Arc::new(Date32Array::from_iter_values(totals.iter().map(|total| Date32Type::from_naive_date(total.day)))),
                word(|t| &t.user),
                word(|t| &t.workgroup),
                word(|t| &t.database),
                figure(|t| t.queries),
                figure(|t| t.data_scanned_bytes),
                figure(|t| t.bill.billed_bytes),
                costs(totals.iter().map(|total| &total.bill)),
            ];
            batch(&self.schema(), columns)
        };
        stream::once(rows).boxed()
    }
}
