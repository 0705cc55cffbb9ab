//! The history's tables: their migrations, and how a record becomes a row (`read` does the reverse). Files and threads are handled elsewhere.

use rusqlite::{Connection, TransactionBehavior, named_params};

use super::record::QueryRecord;
use crate::{
    accounting::Usage,
    error::{Error, ErrorKind, Result},
    statement_kind::StatementKind,
};

/// One script for each version; `user_version` says how many a file has seen. Never edit one that was released: append.
///
/// Costs are two integers (10^-9 USD, and the 10^-18 USD below them), so that SQLite sums them exactly. Times are milliseconds since
/// 1970 in UTC. `updated_at` is the last sign of life of a query that has not ended.
pub(super) const MIGRATIONS: &[&str] = &[
    "
    CREATE TABLE queries (
        query_id TEXT PRIMARY KEY,
        instance TEXT NOT NULL,
        state TEXT NOT NULL,
        user TEXT NOT NULL,
        workgroup TEXT NOT NULL,
        database TEXT NOT NULL,
        labels TEXT NOT NULL,
        statement TEXT NOT NULL,
        statement_type TEXT,
        submitted_at INTEGER NOT NULL,
        updated_at INTEGER NOT NULL,
        ended_at INTEGER,
        error_kind TEXT,
        error_message TEXT,
        data_scanned_bytes INTEGER NOT NULL,
        metadata_bytes INTEGER NOT NULL,
        fetched_bytes INTEGER NOT NULL,
        billed_bytes INTEGER NOT NULL,
        cost_nano_usd INTEGER NOT NULL,
        cost_rest_atto_usd INTEGER NOT NULL,
        requests_get INTEGER NOT NULL,
        requests_head INTEGER NOT NULL,
        requests_list INTEGER NOT NULL,
        requests_put INTEGER NOT NULL,
        requests_delete INTEGER NOT NULL,
        partitions_scanned INTEGER NOT NULL,
        partitions_total INTEGER,
        files_scanned INTEGER NOT NULL,
        files_total INTEGER,
        row_groups_scanned INTEGER NOT NULL,
        row_groups_total INTEGER,
        rows INTEGER NOT NULL,
        queued_ms INTEGER NOT NULL,
        planning_ms INTEGER NOT NULL,
        listing_ms INTEGER NOT NULL,
        execution_ms INTEGER NOT NULL,
        total_ms INTEGER NOT NULL,
        kill_requested_by TEXT
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX queries_by_time ON queries (submitted_at);
    CREATE INDEX queries_alive ON queries (instance) WHERE state IN ('QUEUED', 'RUNNING');
",
    // The sums of queries that were removed, and indexes for one user's or workgroup's queries.
    "
    CREATE TABLE usage_by_day (
        day TEXT NOT NULL,
        user TEXT NOT NULL,
        workgroup TEXT NOT NULL,
        database TEXT NOT NULL,
        queries INTEGER NOT NULL,
        data_scanned_bytes INTEGER NOT NULL,
        billed_bytes INTEGER NOT NULL,
        cost_nano_usd INTEGER NOT NULL,
        cost_rest_atto_usd INTEGER NOT NULL,
        PRIMARY KEY (day, user, workgroup, database)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX queries_by_user ON queries (user, submitted_at);
    CREATE INDEX queries_by_workgroup ON queries (workgroup, submitted_at);
",
];

pub(super) const ATTO_PER_NANO: u128 = 1_000_000_000;

/// Brings a file to the newest version; several processes may try at once.
pub(super) fn migrate(connection: &mut Connection) -> Result<()> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(|e| failed(&e))?;
    let version: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0)).map_err(|e| failed(&e))?;
    let Some(missing) = MIGRATIONS.get(version as usize..) else {
        return Err(Error::unsupported(format!(
            "the query history has version {version}, which is newer than this Glaux supports"
        ))
        .with_hint("Use the newer Glaux that wrote it, or another data directory"));
    };
    for script in missing {
        transaction.execute_batch(script).map_err(|e| failed(&e))?;
    }
    transaction.pragma_update(None, "user_version", MIGRATIONS.len() as u32).map_err(|e| failed(&e))?;
    transaction.commit().map_err(|e| failed(&e))
}

/// Writes a query as it is now. An end replaces whatever is there; nothing that arrives later makes an ended query run again.
pub(super) fn put(connection: &Connection, instance: &str, record: &QueryRecord) -> rusqlite::Result<()> {
    const SQL: &str = "INSERT INTO queries VALUES (:query_id, :instance, :state, :user, :workgroup, :database, :labels, :statement,
            :statement_type, :submitted_at, coalesce(:ended_at, :submitted_at + :total_ms), :ended_at, :error_kind, :error_message,
            :data_scanned_bytes, :metadata_bytes, :fetched_bytes, :billed_bytes, :cost_nano_usd, :cost_rest_atto_usd, :requests_get,
            :requests_head, :requests_list, :requests_put, :requests_delete, :partitions_scanned, :partitions_total, :files_scanned,
            :files_total, :row_groups_scanned, :row_groups_total, :rows, :queued_ms, :planning_ms, :listing_ms, :execution_ms,
            :total_ms, NULL)
        ON CONFLICT (query_id) DO UPDATE SET state = excluded.state, statement_type = excluded.statement_type,
            updated_at = excluded.updated_at, ended_at = excluded.ended_at, error_kind = excluded.error_kind,
            error_message = excluded.error_message, data_scanned_bytes = excluded.data_scanned_bytes,
            metadata_bytes = excluded.metadata_bytes, fetched_bytes = excluded.fetched_bytes, billed_bytes = excluded.billed_bytes,
            cost_nano_usd = excluded.cost_nano_usd, cost_rest_atto_usd = excluded.cost_rest_atto_usd,
            requests_get = excluded.requests_get, requests_head = excluded.requests_head, requests_list = excluded.requests_list,
            requests_put = excluded.requests_put, requests_delete = excluded.requests_delete,
            partitions_scanned = excluded.partitions_scanned, partitions_total = excluded.partitions_total,
            files_scanned = excluded.files_scanned, files_total = excluded.files_total,
            row_groups_scanned = excluded.row_groups_scanned, row_groups_total = excluded.row_groups_total, rows = excluded.rows,
            queued_ms = excluded.queued_ms, planning_ms = excluded.planning_ms, listing_ms = excluded.listing_ms,
            execution_ms = excluded.execution_ms, total_ms = excluded.total_ms
        WHERE excluded.ended_at IS NOT NULL OR queries.ended_at IS NULL";
    let Usage { requests, partitions, files, row_groups, .. } = record.usage;
    let atto = record.bill.total().atto();
    let values = named_params! {
        ":query_id": record.query_id.to_string(),
        ":instance": instance,
        ":state": record.state.as_str(),
        ":user": record.user,
        ":workgroup": record.workgroup,
        ":database": record.database,
        ":labels": serde_json::to_string(&record.labels).unwrap_or_default(),
        ":statement": record.statement,
        ":statement_type": record.statement_type.map(StatementKind::as_str),
        ":submitted_at": record.submitted_at.timestamp_millis(),
        ":ended_at": record.ended_at.map(|time| time.timestamp_millis()),
        ":error_kind": record.error_kind.map(ErrorKind::as_str),
        ":error_message": record.error_message,
        ":data_scanned_bytes": signed(record.usage.data_scanned_bytes),
        ":metadata_bytes": signed(record.usage.metadata_bytes),
        ":fetched_bytes": signed(record.usage.fetched_bytes),
        ":billed_bytes": signed(record.bill.billed_bytes),
        ":cost_nano_usd": i64::try_from(atto / ATTO_PER_NANO).unwrap_or(i64::MAX),
        ":cost_rest_atto_usd": i64::try_from(atto % ATTO_PER_NANO).unwrap_or(0),
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
        ":rows": signed(record.usage.rows),
        ":queued_ms": signed(record.timings.queued),
        ":planning_ms": signed(record.timings.planning),
        ":listing_ms": signed(record.timings.listing),
        ":execution_ms": signed(record.timings.execution),
        ":total_ms": signed(record.timings.total),
    };
    connection.prepare_cached(SQL)?.execute(values)?;
    Ok(())
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The engine's error for one of SQLite's.
pub(super) fn failed(error: &rusqlite::Error) -> Error {
    use rusqlite::ErrorCode::{
        DatabaseBusy, DatabaseCorrupt, DatabaseLocked, DiskFull, NotADatabase, PermissionDenied, ReadOnly,
    };
    let message = format!("the query history cannot be read or written: {error}");
    match error.sqlite_error_code() {
        Some(DatabaseBusy | DatabaseLocked) => Error::new(ErrorKind::Unavailable, message)
            .with_hint("Another process uses the query history of this data directory: retry later"),
        Some(DatabaseCorrupt | NotADatabase) => {
            Error::corrupt(message).with_hint("Move history.sqlite away: a new one is created; tables are not affected")
        }
        Some(PermissionDenied | ReadOnly) => {
            Error::new(ErrorKind::Denied, message).with_hint("Give this user write access to the data directory")
        }
        Some(DiskFull) => Error::new(ErrorKind::LimitExceeded, message).with_hint("Free space on the disk of the data directory"),
        _ => Error::internal(message),
    }
}
