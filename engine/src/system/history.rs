//! `system.queries`, a row for each query in the history and each that runs; `system.query_tables` and `system.query_stores`, a row for each table and
//! store of a query.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use arrow::{
    array::{
        ArrayRef, BooleanBuilder, Decimal128Builder, Int64Builder, RecordBatch, StringBuilder, TimestampMillisecondBuilder,
        new_null_array,
    },
    datatypes::{DataType, SchemaRef},
};
use futures::{StreamExt, stream, stream::BoxStream};

use super::{
    columns::{Column, MONEY, TIME, batch, count, flag, money, schema, text, time},
    context::SystemContext,
    source::{RowSource, Wanted},
};
use crate::{
    error::Result,
    lifecycle::{Cell, HistoryColumn, HistoryTable, Kind, QueryId, QueryRecord, Scan, Sink, TextBounds},
};

/// The column that rows are ordered by.
const SUBMITTED_AT: &str = "submitted_at";

/// Rows of the first page: who wants the latest few does not pay for many. Further pages are larger, up to `PAGE`.
const FIRST_PAGE: usize = 64;
const PAGE: usize = 8192;

/// One of the history's tables.
#[derive(Debug)]
pub(super) struct Recorded {
    pub(super) table: HistoryTable,
    pub(super) context: SystemContext,
}

impl RowSource for Recorded {
    fn schema(&self) -> SchemaRef {
        schema(&Self::columns(self.table))
    }

    fn name(&self) -> &'static str {
        match self.table {
            HistoryTable::Queries => "system.queries",
            HistoryTable::Tables => "system.query_tables",
            HistoryTable::Stores => "system.query_stores",
        }
    }

    fn time_column(&self) -> Option<usize> {
        self.table.columns().iter().position(|column| column.name == SUBMITTED_AT)
    }

    fn rows(self: Arc<Self>, wanted: Wanted) -> BoxStream<'static, Result<RecordBatch>> {
        let Some(scan) = self.scan(&wanted) else { return stream::empty().boxed() };
        let (schema, scan) = (self.schema(), Arc::new(scan));
        let start = Some((None, FIRST_PAGE, wanted.limit.unwrap_or(usize::MAX)));
        stream::try_unfold(start, move |next| {
            let (this, schema, scan) = (Arc::clone(&self), Arc::clone(&schema), Arc::clone(&scan));
            async move {
                let Some((next, size, left)) = next else { return Ok(None) };
                let size = usize::min(size, left);
                let (history, arrays) = (this.context.queries.history(), Arrays::new(&scan, size));
                let (page, arrays) = history.scan(Arc::clone(&scan), next, size, this.live(), arrays).await?;
                let left = left.saturating_sub(page.rows);
                let next = page.next.filter(|_| left > 0).map(|next| (Some(next), usize::min(4 * size, PAGE), left));
                Ok(Some((batch(&schema, arrays.columns(&scan, page.rows))?, next)))
            }
        })
        .boxed()
    }
}

impl Recorded {
    pub(super) fn columns(table: HistoryTable) -> Vec<Column> {
        let column = |column: &HistoryColumn| match column.kind {
            Kind::Text | Kind::Id | Kind::Hash => text(column.name, column.meaning),
            Kind::Count => count(column.name, column.meaning),
            Kind::Time => time(column.name, column.meaning),
            Kind::Money => money(column.name, column.meaning),
            Kind::Flag => flag(column.name, column.meaning),
        };
        table.columns().iter().map(column).collect()
    }

    /// What the history is asked for; `None` if no query can match.
    fn scan(&self, wanted: &Wanted) -> Option<Scan> {
        let texts = shown(self.context.only_user.as_deref(), wanted);
        if texts.values().any(|bounds| bounds.values.as_ref().is_some_and(BTreeSet::is_empty)) {
            return None;
        }
        let columns: BTreeSet<usize> = wanted.columns.iter().copied().collect();
        Some(Scan {
            table: self.table,
            columns: columns.into_iter().collect(),
            texts,
            numbers: wanted.narrowing.numbers().clone(),
            since: wanted.narrowing.since(SUBMITTED_AT),
            until: wanted.narrowing.until(SUBMITTED_AT),
            newest_first: wanted.newest_first.unwrap_or(true),
        })
    }

    /// The history has the figures of running queries as of a moment ago; this process has those of its own as of now.
    fn live(&self) -> HashMap<QueryId, QueryRecord> {
        match self.table {
            HistoryTable::Queries => {
                self.context.queries.running_records().into_iter().map(|record| (record.query_id, record)).collect()
            }
            HistoryTable::Tables | HistoryTable::Stores => HashMap::new(),
        }
    }
}

/// The texts that are wanted, of queries of this user only if there is one.
pub(super) fn shown(only_user: Option<&str>, wanted: &Wanted) -> BTreeMap<String, TextBounds> {
    let mut texts = wanted.narrowing.texts().clone();
    if let Some(own) = only_user {
        let user = texts.entry("user".to_owned()).or_default();
        *user = std::mem::take(user).and(TextBounds::of([own.to_owned()].into()));
    }
    texts
}

/// The values of the wanted columns of a page.
struct Arrays(Vec<Builder>);

enum Builder {
    Text(StringBuilder),
    Count(Int64Builder),
    Time(TimestampMillisecondBuilder),
    Money(Decimal128Builder),
    Flag(BooleanBuilder),
}

impl Arrays {
    /// For about so many rows.
    fn new(scan: &Scan, rows: usize) -> Self {
        let wanted = scan.columns.iter().filter_map(|number| scan.table.columns().get(*number));
        let builder = |column: &HistoryColumn| match column.kind {
            Kind::Text | Kind::Id | Kind::Hash => Builder::Text(StringBuilder::with_capacity(rows, 16 * rows)),
            Kind::Count => Builder::Count(Int64Builder::with_capacity(rows)),
            Kind::Time => Builder::Time(TimestampMillisecondBuilder::with_capacity(rows)),
            Kind::Money => Builder::Money(Decimal128Builder::with_capacity(rows)),
            Kind::Flag => Builder::Flag(BooleanBuilder::with_capacity(rows)),
        };
        Self(wanted.map(builder).collect())
    }

    /// All columns of the table: those that are not wanted have nothing in their rows.
    fn columns(self, scan: &Scan, rows: usize) -> Vec<ArrayRef> {
        let mut wanted: HashMap<usize, ArrayRef> =
            scan.columns.iter().copied().zip(self.0.into_iter().map(Builder::finish)).collect();
        let mut nothing: HashMap<DataType, ArrayRef> = HashMap::new();
        let column = |(number, column): (usize, &HistoryColumn)| match wanted.remove(&number) {
            Some(array) => array,
            None => {
                let data_type = match column.kind {
                    Kind::Text | Kind::Id | Kind::Hash => DataType::Utf8,
                    Kind::Count => DataType::Int64,
                    Kind::Time => TIME,
                    Kind::Money => MONEY,
                    Kind::Flag => DataType::Boolean,
                };
                let array = nothing.entry(data_type).or_insert_with_key(|data_type| new_null_array(data_type, rows));
                Arc::clone(array)
            }
        };
        scan.table.columns().iter().enumerate().map(column).collect()
    }
}

impl Sink for Arrays {
    fn put(&mut self, at: usize, cell: Cell<'_>) {
        match (self.0.get_mut(at), cell) {
            (Some(Builder::Text(values)), Cell::Text(text)) => values.append_value(text),
            (Some(Builder::Count(values)), Cell::Count(count)) => values.append_value(i64::try_from(count).unwrap_or(i64::MAX)),
            (Some(Builder::Time(values)), Cell::Time(millis)) => values.append_value(millis),
            (Some(Builder::Money(values)), Cell::Money(amount)) => values.append_value(amount),
            (Some(Builder::Flag(values)), Cell::Flag(flag)) => values.append_value(flag),
            (Some(values), _) => values.append_null(),
            (None, _) => {}
        }
    }
}

impl Builder {
    fn append_null(&mut self) {
        match self {
            Self::Text(values) => values.append_null(),
            Self::Count(values) => values.append_null(),
            Self::Time(values) => values.append_null(),
            Self::Money(values) => values.append_null(),
            Self::Flag(values) => values.append_null(),
        }
    }

    fn finish(self) -> ArrayRef {
        match self {
            Self::Text(mut values) => Arc::new(values.finish()),
            Self::Count(mut values) => Arc::new(values.finish()),
            Self::Time(mut values) => Arc::new(values.finish()),
            Self::Money(mut values) => Arc::new(values.finish().with_data_type(MONEY)),
            Self::Flag(mut values) => Arc::new(values.finish()),
        }
    }
}
