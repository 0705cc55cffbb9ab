//! Reads the history's tables page by page and column by column: filters become conditions in SQLite, and only what is wanted leaves it, so that a
//! million queries can be summed in less than a second.
//!
//! Rows come in the order of time. A filter that few queries pass is looked up in its index, which is tried first; all others go over the queries in
//! their order, which an index on what most of them share would only make slower. Queries that have not ended are few, and are read apart: what the
//! caller knows of them now counts.

use std::collections::{BTreeMap, HashMap, VecDeque};

use chrono::{DateTime, Utc};
use rusqlite::{Connection, types::Value};

use super::{
    columns::{Cell, HistoryColumn, HistoryTable, Kind, parse_hash},
    read::{MAX_VALUES, not_ended},
    record::{NumberBounds, QueryRecord, TextBounds},
    schema::ATTO_PER_NANO,
    write::first_seq,
};
use crate::lifecycle::QueryId;

/// How many queries of one value, and of several, are looked up in an index. The latter are then sorted.
const FEW: i64 = 20_000;
const FEW_OF_SEVERAL: i64 = 2_000;

/// The indexes: a column, the table that has it, and the index's name.
const INDEXES: [(&str, char, &str); 9] = [
    ("query_id", 'q', "queries_by_id"),
    ("root_id", 't', "query_texts_by_root"),
    ("parent_id", 't', "query_texts_by_parent"),
    ("session_id", 't', "query_texts_by_session"),
    ("fingerprint", 'q', "queries_by_fingerprint"),
    ("user", 'q', "queries_by_user"),
    ("workgroup", 'q', "queries_by_workgroup"),
    ("state", 'q', "queries_by_state"),
    ("table_name", 'd', "query_tables_by_name"),
];

/// What is wanted of a table.
#[derive(Debug, Clone)]
pub(crate) struct Scan {
    pub(crate) table: HistoryTable,
    /// The columns, by number, each once.
    pub(crate) columns: Vec<usize>,
    /// By column. Whether `user` is one of those wanted is always checked here; of the other filters more may pass.
    pub(crate) texts: BTreeMap<String, TextBounds>,
    /// By column.
    pub(crate) numbers: BTreeMap<String, NumberBounds>,
    /// Submitted at this time or later.
    pub(crate) since: Option<DateTime<Utc>>,
    /// Submitted at this time or before.
    pub(crate) until: Option<DateTime<Utc>>,
    pub(crate) newest_first: bool,
}

/// Takes the values of a page: of a row all columns in the scan's order.
pub(crate) trait Sink: Send {
    /// A value of the column at this place among those wanted.
    fn put(&mut self, at: usize, cell: Cell<'_>);
}

/// What a page had.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page {
    pub(crate) rows: usize,
    /// Where the next page begins; absent after the last.
    pub(crate) next: Option<Next>,
}

/// Where a page begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Next {
    way: Way,
    /// The number of the last query before it.
    after: i64,
}

/// By which index the queries are found: the table that has it, and its name. Without one, all are gone over.
#[derive(Debug, Clone, Copy)]
struct Way(Option<(char, &'static str)>);

/// Conditions in SQL with their values.
#[derive(Debug, Clone, Default)]
struct Conditions {
    sql: Vec<String>,
    values: Vec<Value>,
}

impl Conditions {
    fn add(&mut self, sql: String, values: impl IntoIterator<Item = Value>) {
        self.sql.push(sql);
        self.values.extend(values);
    }

    /// As a WHERE clause.
    fn clause(&self) -> String {
        if self.sql.is_empty() { String::new() } else { format!(" WHERE {}", self.sql.join(" AND ")) }
    }
}

/// Reads the next page of about `limit` rows; a query's rows are in one page. `live` is what is known of queries that have not ended.
pub(super) fn page(
    connection: &Connection,
    scan: &Scan,
    next: Option<Next>,
    limit: usize,
    live: &HashMap<QueryId, QueryRecord>,
    sink: &mut dyn Sink,
) -> rusqlite::Result<Page> {
    // A query that ends meanwhile is among those that run, or among those that have ended, but not in both.
    let _snapshot = if connection.is_autocommit() { Some(connection.unchecked_transaction()?) } else { None };
    let way = match next {
        Some(next) => next.way,
        None => choose(connection, scan)?,
    };
    let after = next.map(|next| next.after);
    let columns: Vec<&HistoryColumn> = scan.columns.iter().filter_map(|number| scan.table.columns().get(*number)).collect();
    let mut running = running(connection, scan, after, live)?;
    let (sql, values) = statement(scan, way, after, &columns);
    let mut statement = connection.prepare_cached(&sql)?;
    let mut found = statement.query(rusqlite::params_from_iter(values))?;
    let (mut rows, mut last) = (0, None);
    loop {
        let row = found.next()?;
        let seq = row.map(|row| row.get::<_, i64>(0)).transpose()?;
        let comes_before = |at: i64| seq.is_none_or(|seq| if scan.newest_first { at > seq } else { at < seq });
        while running.front().is_some_and(|(at, _)| comes_before(*at))
            && let Some((at, record)) = running.pop_front()
        {
            if rows >= limit {
                return Ok(Page { rows, next: last.map(|after| Next { way, after }) });
            }
            for (place, column) in columns.iter().enumerate() {
                sink.put(place, column.of.map_or(Cell::Null, |of| of(&record)));
            }
            (rows, last) = (rows + 1, Some(at));
        }
        let (Some(row), Some(seq)) = (row, seq) else { return Ok(Page { rows, next: None }) };
        if rows >= limit && last != Some(seq) {
            return Ok(Page { rows, next: last.map(|after| Next { way, after }) });
        }
        let mut at = 1;
        for (place, column) in columns.iter().enumerate() {
            sink.put(place, column.cell(row, at)?);
            at += if column.rest.is_some() { 2 } else { 1 };
        }
        (rows, last) = (rows + 1, Some(seq));
    }
}

/// The index that leaves the fewest queries, if these are few.
fn choose(connection: &Connection, scan: &Scan) -> rusqlite::Result<Way> {
    let mut best: Option<(i64, (char, &'static str))> = None;
    for (name, alias, index) in INDEXES {
        let Some((column, bounds)) = scan.table.column(name).zip(scan.texts.get(name)) else { continue };
        let values = wanted_values(column, bounds).unwrap_or_default();
        // The index of states has what did not succeed.
        if values.is_empty() || (name == "state" && bounds.allow("SUCCEEDED")) {
            continue;
        }
        let mut conditions = Conditions::default();
        add_text(&mut conditions, column, bounds);
        add_range(&mut conditions, alias, scan, None);
        let few = if values.len() > 1 { FEW_OF_SEVERAL } else { FEW };
        let (table, clause) = (table_of(alias, scan.table), conditions.clause());
        let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {table} {alias} INDEXED BY {index}{clause} LIMIT {few})");
        let mut statement = connection.prepare_cached(&sql)?;
        let passing: i64 = statement.query_row(rusqlite::params_from_iter(conditions.values), |row| row.get(0))?;
        if passing < best.map_or(few, |(least, _)| least.min(few)) {
            best = Some((passing, (alias, index)));
        }
    }
    Ok(Way(best.map(|(_, index)| index)))
}

fn table_of(alias: char, table: HistoryTable) -> &'static str {
    match (alias, table) {
        ('t', _) => "query_texts",
        ('d', HistoryTable::Stores) => "query_stores",
        ('d', _) => "query_tables",
        _ => "queries",
    }
}

/// The statement that reads the queries that have ended, and its values.
fn statement(scan: &Scan, way: Way, after: Option<i64>, columns: &[&HistoryColumn]) -> (String, Vec<Value>) {
    let mut conditions = Conditions::default();
    if scan.table == HistoryTable::Queries {
        conditions.add("q.ended_at IS NOT NULL".to_owned(), []);
    }
    let mut used = columns.to_vec();
    for (name, bounds) in &scan.texts {
        if let Some(column) = scan.table.column(name) {
            add_text(&mut conditions, column, bounds);
            used.push(column);
        }
    }
    for (name, bounds) in &scan.numbers {
        if let Some(column) = scan.table.column(name) {
            add_number(&mut conditions, column, *bounds);
            used.push(column);
        }
    }
    let base = way.0.map_or('q', |(alias, _)| alias);
    add_range(&mut conditions, base, scan, after);

    let mut selected = format!("{base}.seq");
    for column in columns {
        for sql in [Some(column.sql), column.rest].into_iter().flatten() {
            selected = selected + ", " + sql;
        }
    }
    let mut from = match way.0 {
        Some((alias, index)) => format!("{} {alias} INDEXED BY {index}", table_of(alias, scan.table)),
        None => "queries q NOT INDEXED".to_owned(),
    };
    let is_used = |alias: char| used.iter().any(|column| column.is_of(alias));
    for (alias, is_needed) in [('q', true), ('t', is_used('t')), ('d', scan.table != HistoryTable::Queries)] {
        if is_needed && alias != base {
            from += &format!(" CROSS JOIN {} {alias} ON {alias}.seq = {base}.seq", table_of(alias, scan.table));
        }
    }
    if is_used('n') {
        from += " LEFT JOIN query_statements n ON n.fingerprint = q.fingerprint";
    }
    let (clause, direction) = (conditions.clause(), if scan.newest_first { "DESC" } else { "ASC" });
    (format!("SELECT {selected} FROM {from}{clause} ORDER BY {base}.seq {direction}"), conditions.values)
}

/// Only those submitted within the wanted time, and beyond the last page.
fn add_range(conditions: &mut Conditions, alias: char, scan: &Scan, after: Option<i64>) {
    if let Some(since) = scan.since {
        conditions.add(format!("{alias}.seq >= ?"), [first_seq(since.timestamp_millis()).into()]);
    }
    if let Some(until) = scan.until {
        conditions.add(format!("{alias}.seq < ?"), [first_seq(until.timestamp_millis().saturating_add(1)).into()]);
    }
    if let Some(after) = after {
        conditions.add(format!("{alias}.seq {} ?", if scan.newest_first { "<" } else { ">" }), [after.into()]);
    }
}

/// The values of a list as SQLite has them; `None` if there is no list, or if it is too long. What is no id is that of no query.
fn wanted_values(column: &HistoryColumn, bounds: &TextBounds) -> Option<Vec<Value>> {
    let value = |text: &String| match column.kind {
        Kind::Id => text.parse::<QueryId>().ok().map(|id| Value::Blob(id.0.as_bytes().to_vec())),
        Kind::Hash => parse_hash(text).map(|hash| Value::Integer(hash.cast_signed())),
        _ => Some(Value::Text(text.clone())),
    };
    let wanted = bounds.values.as_ref().filter(|wanted| wanted.len() <= MAX_VALUES)?;
    Some(wanted.iter().filter_map(value).collect())
}

fn add_text(conditions: &mut Conditions, column: &HistoryColumn, bounds: &TextBounds) {
    let sql = column.sql;
    if let Some(values) = wanted_values(column, bounds) {
        let places = vec!["?"; values.len()].join(", ");
        conditions.add(format!("{sql} IN ({places})"), values);
    }
    // Which is what the index of states is about.
    if column.name == "state" && !bounds.allow("SUCCEEDED") {
        conditions.add(format!("{sql} <> 'SUCCEEDED'"), []);
    }
    if column.kind == Kind::Text {
        for (comparison, bound) in [(">=", &bounds.from), ("<=", &bounds.until)] {
            if let Some(bound) = bound {
                conditions.add(format!("{sql} {comparison} ?"), [Value::Text(bound.clone())]);
            }
        }
    }
}

fn add_number(conditions: &mut Conditions, column: &HistoryColumn, bounds: NumberBounds) {
    const ONE: i128 = 1_000_000_000_000_000_000;
    let limited = |value: i128| Value::Integer(i64::try_from(value).unwrap_or(if value < 0 { i64::MIN } else { i64::MAX }));
    let (from, until) = match column.kind {
        Kind::Count => (bounds.from.map(|from| -((-from).div_euclid(ONE))), bounds.until.map(|until| until.div_euclid(ONE))),
        // What is below 10^-9 USD is not compared; a part of a cost is off by two of them at most.
        Kind::Money => {
            let nano = |bound: i128| bound.div_euclid(ATTO_PER_NANO.cast_signed());
            (bounds.from.map(|from| nano(from) - 2), bounds.until.map(|until| nano(until) + 2))
        }
        _ => return,
    };
    if let Some(from) = from {
        conditions.add(format!("{} >= ?", column.sql), [limited(from)]);
    }
    if let Some(until) = until {
        conditions.add(format!("{} <= ?", column.sql), [limited(until)]);
    }
}

/// The queries that have not ended, with their numbers, in the scan's order.
fn running(
    connection: &Connection,
    scan: &Scan,
    after: Option<i64>,
    live: &HashMap<QueryId, QueryRecord>,
) -> rusqlite::Result<VecDeque<(i64, QueryRecord)>> {
    if scan.table != HistoryTable::Queries {
        return Ok(VecDeque::new());
    }
    let mut running = not_ended(connection)?;
    let since = scan.since.map(|since| first_seq(since.timestamp_millis()));
    let until = scan.until.map(|until| first_seq(until.timestamp_millis().saturating_add(1)));
    running.retain(|(seq, record)| {
        let is_beyond = after.is_none_or(|after| if scan.newest_first { *seq < after } else { *seq > after });
        is_beyond
            && since.is_none_or(|since| *seq >= since)
            && until.is_none_or(|until| *seq < until)
            && scan.texts.get("user").is_none_or(|wanted| wanted.allow(&record.user))
    });
    running.sort_unstable_by_key(|(seq, _)| *seq);
    if scan.newest_first {
        running.reverse();
    }
    let now = |(seq, record): (i64, QueryRecord)| (seq, live.get(&record.query_id).cloned().unwrap_or(record));
    Ok(running.into_iter().map(now).collect())
}
