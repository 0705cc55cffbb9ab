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

use self::Values::{Cost, Figure, Known, Text, Time, Word};
use super::{
    columns::{batch, costs, count, counts, money, schema, text, texts, time, times},
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

/// The columns of [`Queries`].
const COLUMNS: &[(&str, Values)] = &[
    ("query_id", Text(|r| Some(r.query_id.to_string()))),
    ("state", Word(|r| r.state.as_str())),
    ("user", Word(|r| &r.user)),
    ("workgroup", Word(|r| &r.workgroup)),
    ("database", Word(|r| &r.database)),
    ("labels", Text(|r| serde_json::to_string(&r.labels).ok())),
    ("statement", Word(|r| &r.statement)),
    ("statement_type", Text(|r| r.statement_type.map(|kind| kind.as_str().to_owned()))),
    (SUBMITTED_AT, Time(|r| Some(r.submitted_at))),
    ("ended_at", Time(|r| r.ended_at)),
    ("error_kind", Text(|r| r.error_kind.map(|kind| kind.as_str().to_owned()))),
    ("error_message", Text(|r| r.error_message.clone())),
    ("data_scanned_bytes", Figure(|r| r.usage.data_scanned_bytes)),
    ("metadata_bytes", Figure(|r| r.usage.metadata_bytes)),
    ("fetched_bytes", Figure(|r| r.usage.fetched_bytes)),
    ("billed_bytes", Figure(|r| r.bill.billed_bytes)),
    ("cost_usd", Cost(|r| &r.bill)),
    ("requests_get", Figure(|r| r.usage.requests.get)),
    ("requests_head", Figure(|r| r.usage.requests.head)),
    ("requests_list", Figure(|r| r.usage.requests.list)),
    ("requests_put", Figure(|r| r.usage.requests.put)),
    ("requests_delete", Figure(|r| r.usage.requests.delete)),
    ("partitions_scanned", Figure(|r| r.usage.partitions.scanned)),
    ("partitions_total", Known(|r| r.usage.partitions.total)),
    ("files_scanned", Figure(|r| r.usage.files.scanned)),
    ("files_total", Known(|r| r.usage.files.total)),
    ("row_groups_scanned", Figure(|r| r.usage.row_groups.scanned)),
    ("row_groups_total", Known(|r| r.usage.row_groups.total)),
    ("rows", Figure(|r| r.usage.rows)),
    ("queued_ms", Figure(|r| r.timings.queued)),
    ("planning_ms", Figure(|r| r.timings.planning)),
    ("listing_ms", Figure(|r| r.timings.listing)),
    ("execution_ms", Figure(|r| r.timings.execution)),
    ("total_ms", Figure(|r| r.timings.total)),
];

/// The column that rows are ordered by.
const SUBMITTED_AT: &str = "submitted_at";

/// The columns that are texts of any length.
const TEXTS: [&str; 3] = ["labels", "statement", "error_message"];

/// The number of a column.
fn number(name: &str) -> Option<usize> {
    COLUMNS.iter().position(|(column, _)| *column == name)
}

impl Values {
    fn field(&self, name: &str) -> Field {
        match self {
            Word(_) | Text(_) => text(name),
            Time(_) => time(name),
            Figure(_) | Known(_) => count(name),
            Cost(_) => money(name),
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
        Self::columns()
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
                let columns = COLUMNS.iter().map(|(_, values)| values.of(&records)).collect();
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
    pub(super) fn columns() -> SchemaRef {
        schema(COLUMNS.iter().map(|(name, values)| values.field(name)))
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
    pub(super) fn columns() -> SchemaRef {
        let mut fields = vec![Field::new("day", DataType::Date32, true)];
        fields.extend(["user", "workgroup", "database"].map(text));
        fields.extend(["queries", "data_scanned_bytes", "billed_bytes"].map(count));
        fields.push(money("cost_usd"));
        schema(fields)
    }
}

impl RowSource for UsageByDay {
    fn schema(&self) -> SchemaRef {
        Self::columns()
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
            batch(&Self::columns(), columns)
        };
        stream::once(rows).boxed()
    }
}
