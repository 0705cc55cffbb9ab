//! `system.queries`, a row for each query in the history and each that runs; and `system.usage`, what they cost by day and by whom.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use arrow::{
    array::{ArrayRef, Date32Array, RecordBatch},
    datatypes::{Date32Type, SchemaRef},
};
use chrono::{DateTime, Utc};
use futures::{StreamExt, stream, stream::BoxStream};

use self::Values::{Cost, Figure, Known, Text, Time, Word};
use super::{
    columns::{Column, batch, costs, count, counts, day, money, schema, text, texts, time, times},
    context::SystemContext,
    source::{RowSource, Wanted},
};
use crate::{
    accounting::Bill,
    error::Result,
    lifecycle::{PageFilter, QueryId, QueryRecord, TextBounds, UsageFilter, UsageTotal},
};

/// How the values of a column of [`Queries`] are found.
enum Values {
    Word(fn(&QueryRecord) -> &str),
    Text(fn(&QueryRecord) -> Option<String>),
    Time(fn(&QueryRecord) -> Option<DateTime<Utc>>),
    Figure(fn(&QueryRecord) -> u64),
    /// A figure that is not always known.
    Known(fn(&QueryRecord) -> Option<u64>),
    Cost(fn(&QueryRecord) -> &Bill),
}

/// The columns of [`Queries`]: name, values and meaning.
const COLUMNS: &[(&str, Values, &str)] = &[
    ("query_id", Text(|r| Some(r.query_id.to_string())), "Id of the query"),
    ("state", Word(|r| r.state.as_str()), "QUEUED, RUNNING, SUCCEEDED, FAILED or CANCELLED"),
    ("user", Word(|r| &r.user), "User who ran it"),
    ("workgroup", Word(|r| &r.workgroup), "Workgroup of the session"),
    ("database", Word(|r| &r.database), "Database of the session"),
    ("labels", Text(|r| serde_json::to_string(&r.labels).ok()), "Labels of the session, as a JSON object"),
    ("statement", Word(|r| &r.statement), "Text of the statement"),
    (
        "statement_type",
        Text(|r| r.statement_type.map(|kind| kind.as_str().to_owned())),
        "DDL, DML or UTILITY; NULL if the statement could not be parsed",
    ),
    (SUBMITTED_AT, Time(|r| Some(r.submitted_at)), "When it was submitted"),
    ("ended_at", Time(|r| r.ended_at), "When it ended; NULL while it is queued or running"),
    (
        "error_kind",
        Text(|r| r.error_kind.map(|kind| kind.as_str().to_owned())),
        "Kind of the error that ended it, such as INVALID; NULL if there was none",
    ),
    ("error_message", Text(|r| r.error_message.clone()), "Message of that error"),
    (
        "data_scanned_bytes",
        Figure(|r| r.usage.data_scanned_bytes),
        "Bytes of table data that were read, as compressed in the files",
    ),
    (
        "metadata_bytes",
        Figure(|r| r.usage.metadata_bytes),
        "Bytes of footers, page indexes and bloom filters that were fetched; 0 if they were cached",
    ),
    ("fetched_bytes", Figure(|r| r.usage.fetched_bytes), "Bytes of all responses of the store; for local files, of all reads"),
    ("billed_bytes", Figure(|r| r.bill.billed_bytes), "Bytes that the query is billed for"),
    ("cost_usd", Cost(|r| &r.bill), "Cost in USD"),
    ("requests_get", Figure(|r| r.usage.requests.get), "GET requests to the store"),
    ("requests_head", Figure(|r| r.usage.requests.head), "HEAD requests"),
    ("requests_list", Figure(|r| r.usage.requests.list), "LIST requests"),
    ("requests_put", Figure(|r| r.usage.requests.put), "PUT and POST requests"),
    ("requests_delete", Figure(|r| r.usage.requests.delete), "DELETE requests"),
    ("partitions_scanned", Figure(|r| r.usage.partitions.scanned), "Partitions that were read"),
    ("partitions_total", Known(|r| r.usage.partitions.total), "Partitions of the tables; NULL if unknown"),
    ("files_scanned", Figure(|r| r.usage.files.scanned), "Files that were read"),
    ("files_total", Known(|r| r.usage.files.total), "Files of the partitions that were read; NULL if unknown"),
    ("row_groups_scanned", Figure(|r| r.usage.row_groups.scanned), "Row groups that were read"),
    ("row_groups_total", Known(|r| r.usage.row_groups.total), "Row groups of the files that were read; NULL if unknown"),
    ("rows", Figure(|r| r.usage.rows), "Rows of the result"),
    ("queued_ms", Figure(|r| r.timings.queued), "Milliseconds that it waited for its turn"),
    ("planning_ms", Figure(|r| r.timings.planning), "Milliseconds of planning, apart from listing"),
    ("listing_ms", Figure(|r| r.timings.listing), "Milliseconds of listing files"),
    ("execution_ms", Figure(|r| r.timings.execution), "Milliseconds of execution"),
    ("total_ms", Figure(|r| r.timings.total), "Milliseconds from submission to the end"),
    (
        "queue_position",
        Known(|r| r.queue_position),
        "Place in the queue of its workgroup, from 1 on, while it waits there in this process; NULL otherwise",
    ),
];

/// The column that rows are ordered by.
const SUBMITTED_AT: &str = "submitted_at";

/// The columns that are texts of any length.
const TEXTS: [&str; 3] = ["labels", "statement", "error_message"];

/// The number of a column.
fn number(name: &str) -> Option<usize> {
    COLUMNS.iter().position(|(column, ..)| *column == name)
}

impl Values {
    fn column(&self, name: &'static str, meaning: &'static str) -> Column {
        match self {
            Word(_) | Text(_) => text(name, meaning),
            Time(_) => time(name, meaning),
            Figure(_) | Known(_) => count(name, meaning),
            Cost(_) => money(name, meaning),
        }
    }

    fn of(&self, records: &[QueryRecord]) -> ArrayRef {
        match *self {
            Word(get) => texts(records.iter().map(get).map(Some)),
            Text(get) => texts(records.iter().map(get)),
            Time(get) => times(records.iter().map(get)),
            Figure(get) => counts(records.iter().map(get).map(Some)),
            Known(get) => counts(records.iter().map(get)),
            Cost(get) => costs(records.iter().map(get)),
        }
    }
}

/// `system.queries`.
#[derive(Debug)]
pub(super) struct Queries(pub(super) SystemContext);

impl RowSource for Queries {
    fn schema(&self) -> SchemaRef {
        schema(&Self::columns())
    }

    fn name(&self) -> &'static str {
        "system.queries"
    }

    fn time_column(&self) -> Option<usize> {
        number(SUBMITTED_AT)
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
                let records = this.0.queries.history().page(filter, after, size).await?;
                let last = records.last().filter(|_| records.len() == size).map(|last| (last.submitted_at, last.query_id));
                let records = this.with_live_figures(records);
                let left = left - records.len();
                let next = last.filter(|_| left > 0).map(|last| (Some(last), usize::min(4 * size, PAGE), left));
                let columns = COLUMNS.iter().map(|(_, values, _)| values.of(&records)).collect();
                Ok(Some((batch(&schema, columns)?, next)))
            }
        })
        .boxed()
    }
}

/// Queries of the first page: who wants the latest few does not pay for many. Further pages are larger, up to `PAGE`.
const FIRST_PAGE: usize = 64;
const PAGE: usize = 4096;

impl Queries {
    pub(super) fn columns() -> Vec<Column> {
        COLUMNS.iter().map(|(name, values, meaning)| values.column(name, meaning)).collect()
    }

    /// What the history is asked for; `None` if no query can match.
    fn filter(&self, wanted: &Wanted) -> Option<PageFilter> {
        let texts = shown(self.0.only_user.as_deref(), wanted);
        if texts.values().any(|bounds| bounds.values.as_ref().is_some_and(BTreeSet::is_empty)) {
            return None;
        }
        Some(PageFilter {
            texts,
            since: wanted.narrowing.since(SUBMITTED_AT),
            until: wanted.narrowing.until(SUBMITTED_AT),
            newest_first: wanted.newest_first.unwrap_or(true),
            with_texts: TEXTS.into_iter().filter_map(number).any(|column| wanted.reads(column)),
        })
    }

    /// The history has the figures of running queries as of a moment ago; this process has those of its own as of now.
    fn with_live_figures(&self, mut records: Vec<QueryRecord>) -> Vec<QueryRecord> {
        let mut live: HashMap<QueryId, QueryRecord> =
            self.0.queries.running_records().into_iter().map(|record| (record.query_id, record)).collect();
        for record in records.iter_mut().filter(|record| !record.state.is_terminal()) {
            if let Some(now) = live.remove(&record.query_id) {
                *record = now;
            }
        }
        records
    }
}

/// The texts that are wanted, of queries of this user only if there is one.
fn shown(only_user: Option<&str>, wanted: &Wanted) -> BTreeMap<String, TextBounds> {
    let mut texts = wanted.narrowing.texts().clone();
    if let Some(own) = only_user {
        let user = texts.entry("user".to_owned()).or_default();
        *user = std::mem::take(user).and(TextBounds::of([own.to_owned()].into()));
    }
    texts
}

/// `system.usage`: queries that have ended, by the day (UTC) they were submitted on.
#[derive(Debug)]
pub(super) struct UsageByDay(pub(super) SystemContext);

impl UsageByDay {
    pub(super) fn columns() -> Vec<Column> {
        vec![
            day("day", "Day on which the queries were submitted, in UTC"),
            text("user", "User who ran them"),
            text("workgroup", "Workgroup of their sessions"),
            text("database", "Database of their sessions"),
            count("queries", "Number of queries"),
            count("data_scanned_bytes", "Bytes of table data that they read"),
            count("billed_bytes", "Bytes that they are billed for"),
            money("cost_usd", "Cost in USD"),
        ]
    }
}

impl RowSource for UsageByDay {
    fn schema(&self) -> SchemaRef {
        schema(&Self::columns())
    }

    fn name(&self) -> &'static str {
        "system.usage"
    }

    fn rows(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        let rows = async move {
            let wanted_texts = shown(self.0.only_user.as_deref(), &wanted);
            let day = |time: DateTime<Utc>| time.date_naive();
            let (since, until) = (wanted.narrowing.since("day").map(day), wanted.narrowing.until("day").map(day));
            let totals = self.0.queries.history().totals(UsageFilter { since, until, texts: wanted_texts }).await?;
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
