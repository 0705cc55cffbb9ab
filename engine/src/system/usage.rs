//! `system.usage`, what queries that have ended cost by day and by whom; `system.table_usage`, what they read of each table.

use std::sync::Arc;

use arrow::{
    array::{ArrayRef, Date32Array, RecordBatch},
    datatypes::{Date32Type, SchemaRef},
};
use chrono::{DateTime, NaiveDate, Utc};
use futures::{StreamExt, stream, stream::BoxStream};

use super::{
    columns::{Column, batch, costs, count, counts, day, money, schema, text, texts},
    context::SystemContext,
    history::shown,
    source::{RowSource, Wanted},
};
use crate::{
    accounting::Usd,
    error::Result,
    lifecycle::{TableTotal, UsageFilter, UsageTotal},
};

/// `system.usage`: by the day (UTC) on which they were submitted.
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
            count("fetched_bytes", "Bytes of all responses of stores"),
            count("requests", "Requests to stores, of all kinds"),
            money("scan_usd", "Part of the cost that is for bytes of table data"),
            money("requests_usd", "Part of the cost that is for requests"),
            money("transfer_usd", "Part of the cost that is for bytes that left stores"),
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
            let totals = self.0.queries.history().totals(filter(&self.0, &wanted)).await?;
            let word = |get: fn(&UsageTotal) -> &str| texts(totals.iter().map(get).map(Some));
            let figure = |get: fn(&UsageTotal) -> u64| counts(totals.iter().map(|total| Some(get(total))));
            let amount = |get: fn(&UsageTotal) -> Usd| costs(totals.iter().map(get));
            let columns = vec![
                days(totals.iter().map(|total| total.day)),
                word(|t| &t.user),
                word(|t| &t.workgroup),
                word(|t| &t.database),
                figure(|t| t.queries),
                figure(|t| t.data_scanned_bytes),
                figure(|t| t.bill.billed_bytes),
                amount(|t| t.bill.total()),
                figure(|t| t.fetched_bytes),
                figure(|t| t.requests),
                amount(|t| t.bill.scan),
                amount(|t| t.bill.requests),
                amount(|t| t.bill.transfer),
            ];
            batch(&self.schema(), columns)
        };
        stream::once(rows).boxed()
    }
}

/// `system.table_usage`: by the day (UTC) on which they were submitted, and by the table that they read.
#[derive(Debug)]
pub(super) struct TableUsageByDay(pub(super) SystemContext);

impl TableUsageByDay {
    pub(super) fn columns() -> Vec<Column> {
        vec![
            day("day", "Day on which the queries were submitted, in UTC"),
            text("user", "User who ran them"),
            text("workgroup", "Workgroup of their sessions"),
            text("table_name", "Table that they read, as database.table"),
            count("queries", "Number of queries that read it"),
            count("data_scanned_bytes", "Bytes of its data that they read"),
            count("metadata_bytes", "Bytes of its files' footers, page indexes and bloom filters that they fetched"),
        ]
    }
}

impl RowSource for TableUsageByDay {
    fn schema(&self) -> SchemaRef {
        schema(&Self::columns())
    }

    fn name(&self) -> &'static str {
        "system.table_usage"
    }

    fn rows(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        let rows = async move {
            let totals = self.0.queries.history().table_totals(filter(&self.0, &wanted)).await?;
            let word = |get: fn(&TableTotal) -> &str| texts(totals.iter().map(get).map(Some));
            let figure = |get: fn(&TableTotal) -> u64| counts(totals.iter().map(|total| Some(get(total))));
            let columns = vec![
                days(totals.iter().map(|total| total.day)),
                word(|t| &t.user),
                word(|t| &t.workgroup),
                word(|t| &t.table_name),
                figure(|t| t.queries),
                figure(|t| t.data_scanned_bytes),
                figure(|t| t.metadata_bytes),
            ];
            batch(&self.schema(), columns)
        };
        stream::once(rows).boxed()
    }
}

fn filter(context: &SystemContext, wanted: &Wanted) -> UsageFilter {
    let day = |time: DateTime<Utc>| time.date_naive();
    UsageFilter {
        since: wanted.narrowing.since("day").map(day),
        until: wanted.narrowing.until("day").map(day),
        texts: shown(context.only_user.as_deref(), wanted),
    }
}

fn days(days: impl Iterator<Item = NaiveDate>) -> ArrayRef {
    Arc::new(Date32Array::from_iter_values(days.map(Date32Type::from_naive_date)))
}
