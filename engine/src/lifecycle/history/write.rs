//! How a record becomes rows, and the sums that the ends of queries add to (`read` and `scan` do the reverse).
//!
//! A query ends once: its figures are in the sums as soon as its end is in the list, in the same transaction. One that was taken for interrupted
//! and ends after all is taken out of the sums first.

use chrono::{DateTime, Utc};
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, named_params, types::Value};

use super::{record::QueryRecord, schema::ATTO_PER_NANO};
use crate::{
    accounting::{Requests, StoreUsage, TableUsage, Usage, Usd},
    error::ErrorKind,
    lifecycle::{Ending, QueryState},
    statement_kind::StatementKind,
};

/// Bits of a query's number below its time: so many queries may be submitted in one millisecond.
const WITHIN: u32 = 20;

/// The first number of a query that was submitted in this millisecond, or later.
pub(super) fn first_seq(millis: i64) -> i64 {
    // The years from 1830 to 2109; whoever sets a clock beyond loses the order, and nothing else.
    millis.clamp(-(1 << 42), (1 << 42) - 1) << WITHIN
}

/// Writes a query as it is now. Nothing that arrives later makes an ended query run again, or end twice.
pub(super) fn put(connection: &Connection, instance: &str, record: &QueryRecord) -> rusqlite::Result<()> {
    const KNOWN: &str = "SELECT seq, ended_at IS NOT NULL, ending FROM queries WHERE query_id = ?";
    let id = record.query_id.0.into_bytes();
    let row = |row: &rusqlite::Row<'_>| Ok((row.get::<_, i64>(0)?, row.get::<_, bool>(1)?, row.get::<_, Option<String>>(2)?));
    let seq = match connection.prepare_cached(KNOWN)?.query_row([id], row).optional()? {
        None => next_seq(connection, record.submitted_at)?,
        Some((seq, false, _)) => seq,
        Some((seq, true, ending)) => {
            if record.ended_at.is_none() || ending.as_deref() != Some(Ending::Interrupted.as_str()) {
                return Ok(());
            }
            count(connection, seq, -1)?;
            seq
        }
    };
    put_figures(connection, instance, seq, record)?;
    put_texts(connection, seq, record)?;
    for table in &record.tables {
        put_table(connection, seq, table)?;
    }
    for store in &record.stores {
        put_store(connection, seq, store)?;
    }
    if record.ended_at.is_some() { count(connection, seq, 1) } else { Ok(()) }
}

/// The next number of a query that was submitted at this time.
fn next_seq(connection: &Connection, submitted_at: DateTime<Utc>) -> rusqlite::Result<i64> {
    const SQL: &str = "SELECT coalesce(max(seq) + 1, :first) FROM queries WHERE seq BETWEEN :first AND :last";
    let first = first_seq(submitted_at.timestamp_millis());
    let last = first + (1 << WITHIN) - 1;
    let values = named_params! { ":first": first, ":last": last };
    let seq: i64 = connection.prepare_cached(SQL)?.query_row(values, |row| row.get(0))?;
    if seq > last { Err(rusqlite::Error::IntegralValueOutOfRange(0, seq)) } else { Ok(seq) }
}

fn put_figures(connection: &Connection, instance: &str, seq: i64, record: &QueryRecord) -> rusqlite::Result<()> {
    const SQL: &str = "INSERT INTO queries (seq, submitted_at, data_scanned_bytes, billed_bytes, cost_nano_usd, cost_rest_atto_usd, state,
            user, workgroup, database, statement_type, ending, ended_at, error_kind, rows, total_ms, queued_ms, planning_ms,
            listing_ms, execution_ms, fetched_bytes, metadata_bytes, requests_get, requests_head, requests_list, requests_put,
            requests_delete, partitions_scanned, partitions_total, files_scanned, files_total, row_groups_scanned, row_groups_total,
            requests_nano_usd, requests_rest_atto_usd, transfer_nano_usd, transfer_rest_atto_usd, quoted_bytes, quoted_nano_usd,
            quoted_rest_atto_usd, peak_memory_bytes, fingerprint, query_id, instance, updated_at, kill_requested_by)
        VALUES (:seq, :submitted_at, :data_scanned_bytes, :billed_bytes, :cost_nano_usd, :cost_rest_atto_usd, :state,
            :user, :workgroup, :database, :statement_type, :ending, :ended_at, :error_kind, :rows, :total_ms, :queued_ms, :planning_ms,
            :listing_ms, :execution_ms, :fetched_bytes, :metadata_bytes, :requests_get, :requests_head, :requests_list, :requests_put,
            :requests_delete, :partitions_scanned, :partitions_total, :files_scanned, :files_total, :row_groups_scanned, :row_groups_total,
            :requests_nano_usd, :requests_rest_atto_usd, :transfer_nano_usd, :transfer_rest_atto_usd, :quoted_bytes, :quoted_nano_usd,
            :quoted_rest_atto_usd, :peak_memory_bytes, :fingerprint, :query_id, :instance,
            coalesce(:ended_at, :submitted_at + :total_ms), NULL)
        ON CONFLICT (seq) DO UPDATE SET data_scanned_bytes = excluded.data_scanned_bytes, billed_bytes = excluded.billed_bytes,
            cost_nano_usd = excluded.cost_nano_usd, cost_rest_atto_usd = excluded.cost_rest_atto_usd, state = excluded.state,
            statement_type = excluded.statement_type, ending = excluded.ending, ended_at = excluded.ended_at,
            error_kind = excluded.error_kind, rows = excluded.rows, total_ms = excluded.total_ms, queued_ms = excluded.queued_ms,
            planning_ms = excluded.planning_ms, listing_ms = excluded.listing_ms, execution_ms = excluded.execution_ms,
            fetched_bytes = excluded.fetched_bytes, metadata_bytes = excluded.metadata_bytes, requests_get = excluded.requests_get,
            requests_head = excluded.requests_head, requests_list = excluded.requests_list, requests_put = excluded.requests_put,
            requests_delete = excluded.requests_delete, partitions_scanned = excluded.partitions_scanned,
            partitions_total = excluded.partitions_total, files_scanned = excluded.files_scanned, files_total = excluded.files_total,
            row_groups_scanned = excluded.row_groups_scanned, row_groups_total = excluded.row_groups_total,
            requests_nano_usd = excluded.requests_nano_usd, requests_rest_atto_usd = excluded.requests_rest_atto_usd,
            transfer_nano_usd = excluded.transfer_nano_usd, transfer_rest_atto_usd = excluded.transfer_rest_atto_usd,
            quoted_bytes = excluded.quoted_bytes, quoted_nano_usd = excluded.quoted_nano_usd,
            quoted_rest_atto_usd = excluded.quoted_rest_atto_usd, peak_memory_bytes = excluded.peak_memory_bytes,
            instance = excluded.instance, updated_at = excluded.updated_at";
    let Usage { requests, partitions, files, row_groups, .. } = record.usage;
    let (cost, for_requests, for_transfer) = (record.bill.total(), record.bill.requests, record.bill.transfer);
    let values = named_params! {
        ":seq": seq,
        ":submitted_at": record.submitted_at.timestamp_millis(),
        ":data_scanned_bytes": signed(record.usage.data_scanned_bytes),
        ":billed_bytes": signed(record.bill.billed_bytes),
        ":cost_nano_usd": nano(cost),
        ":cost_rest_atto_usd": rest_atto(cost),
        ":state": record.state.as_str(),
        ":user": record.user,
        ":workgroup": record.workgroup,
        ":database": record.database,
        ":statement_type": record.statement_type.map(StatementKind::as_str),
        ":ending": record.ending.map(Ending::as_str),
        ":ended_at": record.ended_at.map(|time| time.timestamp_millis()),
        ":error_kind": record.error_kind.map(ErrorKind::as_str),
        ":rows": signed(record.usage.rows),
        ":total_ms": signed(record.timings.total),
        ":queued_ms": signed(record.timings.queued),
        ":planning_ms": signed(record.timings.planning),
        ":listing_ms": signed(record.timings.listing),
        ":execution_ms": signed(record.timings.execution),
        ":fetched_bytes": signed(record.usage.fetched_bytes),
        ":metadata_bytes": signed(record.usage.metadata_bytes),
        ":requests_get": signed(requests.get),
        ":requests_head": signed(requests.head),
        ":requests_list": signed(requests.list),
        ":requests_put": signed(requests.put),
        ":requests_delete": signed(requests.delete),
        ":partitions_scanned": signed(partitions.scanned),
        ":partitions_total": partitions.total.map(signed),
        ":files_scanned": signed(files.scanned),
        ":files_total": files.total.map(signed),
        ":row_groups_scanned": signed(row_groups.scanned),
        ":row_groups_total": row_groups.total.map(signed),
        ":requests_nano_usd": nano(for_requests),
        ":requests_rest_atto_usd": rest_atto(for_requests),
        ":transfer_nano_usd": nano(for_transfer),
        ":transfer_rest_atto_usd": rest_atto(for_transfer),
        ":quoted_bytes": record.quoted.map(|quoted| signed(quoted.data_scanned_bytes)),
        ":quoted_nano_usd": record.quoted.map(|quoted| nano(quoted.cost)),
        ":quoted_rest_atto_usd": record.quoted.map(|quoted| rest_atto(quoted.cost)),
        ":peak_memory_bytes": record.peak_memory_bytes.map(signed),
        ":fingerprint": record.fingerprint.map(u64::cast_signed),
        ":query_id": record.query_id.0.into_bytes(),
        ":instance": if record.ended_at.is_some() { "" } else { instance },
    };
    connection.prepare_cached(SQL)?.execute(values)?;
    Ok(())
}

/// The texts of a query, which stay as they are but for the error and the tariff.
fn put_texts(connection: &Connection, seq: i64, record: &QueryRecord) -> rusqlite::Result<()> {
    const SQL: &str =
        "INSERT INTO query_texts (seq, tariff, application, session_id, parent_id, root_id, labels, error_message, statement)
        VALUES (:seq, :tariff, :application, :session_id, :parent_id, :root_id, :labels, :error_message, :statement)
        ON CONFLICT (seq) DO UPDATE SET tariff = excluded.tariff, error_message = excluded.error_message
            WHERE tariff IS NOT excluded.tariff OR error_message IS NOT excluded.error_message";
    const NORMALIZED: &str = "INSERT INTO query_statements (fingerprint, normalized) VALUES (?, ?) ON CONFLICT DO NOTHING";
    let values = named_params! {
        ":seq": seq,
        ":tariff": record.tariff,
        ":application": record.origin.application,
        ":session_id": record.origin.session_id,
        ":parent_id": record.origin.parent_id,
        ":root_id": record.origin.root_id,
        ":labels": serde_json::to_string(&record.labels).unwrap_or_default(),
        ":error_message": record.error_message,
        ":statement": record.statement,
    };
    connection.prepare_cached(SQL)?.execute(values)?;
    if let (Some(fingerprint), Some(normalized)) = (record.fingerprint, &record.normalized) {
        connection.prepare_cached(NORMALIZED)?.execute((fingerprint.cast_signed(), normalized))?;
    }
    Ok(())
}

fn put_table(connection: &Connection, seq: i64, usage: &TableUsage) -> rusqlite::Result<()> {
    const SQL: &str =
        "INSERT OR REPLACE INTO query_tables (seq, table_name, data_scanned_bytes, metadata_bytes, partitions_scanned,
            partitions_total, files_scanned, files_total, row_groups_scanned, row_groups_total, has_partition_keys,
            is_partition_filtered)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)";
    let values: [Value; 12] = [
        seq.into(),
        usage.table.to_string().into(),
        signed(usage.data_scanned_bytes).into(),
        signed(usage.metadata_bytes).into(),
        signed(usage.partitions.scanned).into(),
        usage.partitions.total.map(signed).into(),
        signed(usage.files.scanned).into(),
        usage.files.total.map(signed).into(),
        signed(usage.row_groups.scanned).into(),
        usage.row_groups.total.map(signed).into(),
        usage.has_partition_keys.into(),
        usage.is_partition_filtered.into(),
    ];
    connection.prepare_cached(SQL)?.execute(values)?;
    Ok(())
}

fn put_store(connection: &Connection, seq: i64, usage: &StoreUsage) -> rusqlite::Result<()> {
    const SQL: &str =
        "INSERT OR REPLACE INTO query_stores (seq, store, fetched_bytes, requests_get, requests_head, requests_list,
            requests_put, requests_delete)
        VALUES (?, ?, ?, ?, ?, ?, ?, ?)";
    let Requests { get, head, list, put, delete } = usage.requests;
    let [fetched, get, head, list, put, delete] = [usage.fetched_bytes, get, head, list, put, delete].map(signed);
    connection.prepare_cached(SQL)?.execute((seq, &usage.store, fetched, get, head, list, put, delete))?;
    Ok(())
}

/// Adds a query that has ended to the sums, or takes it out of them.
fn count(connection: &Connection, seq: i64, times: i64) -> rusqlite::Result<()> {
    const QUERIES: &str = "INSERT INTO usage_by_day (day, user, workgroup, database, queries, data_scanned_bytes, billed_bytes,
            cost_nano_usd, cost_rest_atto_usd, fetched_bytes, requests, requests_nano_usd, requests_rest_atto_usd, transfer_nano_usd,
            transfer_rest_atto_usd)
        SELECT date(submitted_at / 1000, 'unixepoch'), user, workgroup, database, :times, :times * data_scanned_bytes,
            :times * billed_bytes, :times * cost_nano_usd, :times * cost_rest_atto_usd, :times * fetched_bytes,
            :times * (requests_get + requests_head + requests_list + requests_put + requests_delete), :times * requests_nano_usd,
            :times * requests_rest_atto_usd, :times * transfer_nano_usd, :times * transfer_rest_atto_usd
        FROM queries WHERE seq = :seq
        ON CONFLICT (day, user, workgroup, database) DO UPDATE SET queries = queries + excluded.queries,
            data_scanned_bytes = data_scanned_bytes + excluded.data_scanned_bytes,
            billed_bytes = billed_bytes + excluded.billed_bytes, cost_nano_usd = cost_nano_usd + excluded.cost_nano_usd,
            cost_rest_atto_usd = cost_rest_atto_usd + excluded.cost_rest_atto_usd,
            fetched_bytes = fetched_bytes + excluded.fetched_bytes, requests = requests + excluded.requests,
            requests_nano_usd = requests_nano_usd + excluded.requests_nano_usd,
            requests_rest_atto_usd = requests_rest_atto_usd + excluded.requests_rest_atto_usd,
            transfer_nano_usd = transfer_nano_usd + excluded.transfer_nano_usd,
            transfer_rest_atto_usd = transfer_rest_atto_usd + excluded.transfer_rest_atto_usd";
    const TABLES: &str =
        "INSERT INTO table_usage_by_day (day, user, workgroup, table_name, queries, data_scanned_bytes, metadata_bytes)
        SELECT date(q.submitted_at / 1000, 'unixepoch'), q.user, q.workgroup, d.table_name, :times, :times * d.data_scanned_bytes,
            :times * d.metadata_bytes
        FROM queries q CROSS JOIN query_tables d ON d.seq = q.seq WHERE q.seq = :seq
        ON CONFLICT (day, user, workgroup, table_name) DO UPDATE SET queries = queries + excluded.queries,
            data_scanned_bytes = data_scanned_bytes + excluded.data_scanned_bytes,
            metadata_bytes = metadata_bytes + excluded.metadata_bytes";
    for sql in [QUERIES, TABLES] {
        connection.prepare_cached(sql)?.execute(named_params! { ":seq": seq, ":times": times })?;
    }
    Ok(())
}

/// Records that the queries of a dead process were interrupted, with this message. They are free; their figures stay as last known.
pub(super) fn interrupt(connection: &Connection, instance: &str, message: &str) -> rusqlite::Result<()> {
    const RUNNING: &str = "SELECT seq FROM queries WHERE instance = ? AND ended_at IS NULL";
    const END: &str =
        "UPDATE queries SET state = ?, ending = ?, error_kind = ?, ended_at = updated_at, instance = '', billed_bytes = 0,
            cost_nano_usd = 0, cost_rest_atto_usd = 0, requests_nano_usd = 0, requests_rest_atto_usd = 0, transfer_nano_usd = 0,
            transfer_rest_atto_usd = 0
        WHERE seq = ?";
    // In one transaction, whether or not the caller has one: a query is in the sums if it has ended.
    let transaction = match connection.is_autocommit() {
        true => Some(Transaction::new_unchecked(connection, TransactionBehavior::Immediate)?),
        false => None,
    };
    let running: Vec<i64> = {
        let mut statement = connection.prepare_cached(RUNNING)?;
        let rows = statement.query_map([instance], |row| row.get(0))?;
        rows.collect::<rusqlite::Result<_>>()?
    };
    let (state, ending, kind) = (QueryState::Failed.as_str(), Ending::Interrupted.as_str(), ErrorKind::Unavailable.as_str());
    for seq in running {
        connection.prepare_cached(END)?.execute((state, ending, kind, seq))?;
        connection.prepare_cached("UPDATE query_texts SET error_message = ? WHERE seq = ?")?.execute((message, seq))?;
        count(connection, seq, 1)?;
    }
    match transaction {
        Some(transaction) => transaction.commit(),
        None => Ok(()),
    }
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// An amount's 10^-9 USD.
fn nano(amount: Usd) -> i64 {
    i64::try_from(amount.atto() / ATTO_PER_NANO).unwrap_or(i64::MAX)
}

/// What an amount has below them, in 10^-18 USD.
fn rest_atto(amount: Usd) -> i64 {
    i64::try_from(amount.atto() % ATTO_PER_NANO).unwrap_or(0)
}
