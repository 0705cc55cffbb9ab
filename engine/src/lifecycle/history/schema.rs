//! The history's tables: their migrations. `write` fills them, `read` and `scan` read them; files and threads are handled elsewhere.

use rusqlite::{Connection, TransactionBehavior};

use crate::error::{Error, ErrorKind, Result};

/// One script for each version; `user_version` says how many a file has seen. Never edit one that was released: append.
///
/// Costs are two integers (10^-9 USD, and the 10^-18 USD below them), so that SQLite sums them exactly. Times are milliseconds since
/// 1970 in UTC. `updated_at` is the last sign of life of a query that has not ended; `instance` is the process that runs it, until it ends.
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
    // One narrow table to scan, in the order of time, with the texts beside it, so that it is read quickly: `seq` is the time of submission
    // (milliseconds, times 2^20) and a number within it. Sums of all queries that have ended. Figures by table and by store.
    "
    DROP INDEX queries_by_time;
    DROP INDEX queries_alive;
    DROP INDEX queries_by_user;
    DROP INDEX queries_by_workgroup;
    ALTER TABLE queries RENAME TO old_queries;
    CREATE TABLE queries (
        seq INTEGER PRIMARY KEY,
        submitted_at INTEGER NOT NULL,
        data_scanned_bytes INTEGER NOT NULL,
        billed_bytes INTEGER NOT NULL,
        cost_nano_usd INTEGER NOT NULL,
        cost_rest_atto_usd INTEGER NOT NULL,
        state TEXT NOT NULL,
        user TEXT NOT NULL,
        workgroup TEXT NOT NULL,
        database TEXT NOT NULL,
        statement_type TEXT,
        ending TEXT,
        ended_at INTEGER,
        error_kind TEXT,
        rows INTEGER NOT NULL,
        total_ms INTEGER NOT NULL,
        queued_ms INTEGER NOT NULL,
        planning_ms INTEGER NOT NULL,
        listing_ms INTEGER NOT NULL,
        execution_ms INTEGER NOT NULL,
        fetched_bytes INTEGER NOT NULL,
        metadata_bytes INTEGER NOT NULL,
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
        requests_nano_usd INTEGER NOT NULL,
        requests_rest_atto_usd INTEGER NOT NULL,
        transfer_nano_usd INTEGER NOT NULL,
        transfer_rest_atto_usd INTEGER NOT NULL,
        quoted_bytes INTEGER,
        quoted_nano_usd INTEGER,
        quoted_rest_atto_usd INTEGER,
        peak_memory_bytes INTEGER,
        fingerprint INTEGER,
        query_id BLOB NOT NULL,
        instance TEXT NOT NULL,
        updated_at INTEGER NOT NULL,
        kill_requested_by TEXT
    ) STRICT;
    CREATE UNIQUE INDEX queries_by_id ON queries (query_id);
    CREATE INDEX queries_by_user ON queries (user);
    CREATE INDEX queries_by_workgroup ON queries (workgroup);
    CREATE INDEX queries_by_fingerprint ON queries (fingerprint) WHERE fingerprint IS NOT NULL;
    CREATE INDEX queries_by_state ON queries (state) WHERE state <> 'SUCCEEDED';
    CREATE INDEX queries_alive ON queries (instance) WHERE ended_at IS NULL;
    CREATE TABLE query_texts (
        seq INTEGER PRIMARY KEY,
        tariff TEXT,
        application TEXT,
        session_id TEXT,
        parent_id TEXT,
        root_id TEXT,
        labels TEXT NOT NULL,
        error_message TEXT,
        statement TEXT NOT NULL
    ) STRICT;
    CREATE INDEX query_texts_by_session ON query_texts (session_id) WHERE session_id IS NOT NULL;
    CREATE INDEX query_texts_by_parent ON query_texts (parent_id) WHERE parent_id IS NOT NULL;
    CREATE INDEX query_texts_by_root ON query_texts (root_id) WHERE root_id IS NOT NULL;
    CREATE TABLE query_statements (fingerprint INTEGER PRIMARY KEY, normalized TEXT NOT NULL) STRICT;
    CREATE TABLE query_tables (
        seq INTEGER NOT NULL,
        table_name TEXT NOT NULL,
        data_scanned_bytes INTEGER NOT NULL,
        metadata_bytes INTEGER NOT NULL,
        partitions_scanned INTEGER NOT NULL,
        partitions_total INTEGER,
        files_scanned INTEGER NOT NULL,
        files_total INTEGER,
        row_groups_scanned INTEGER NOT NULL,
        row_groups_total INTEGER,
        has_partition_keys INTEGER NOT NULL,
        is_partition_filtered INTEGER NOT NULL,
        PRIMARY KEY (seq, table_name)
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX query_tables_by_name ON query_tables (table_name);
    CREATE TABLE query_stores (
        seq INTEGER NOT NULL,
        store TEXT NOT NULL,
        fetched_bytes INTEGER NOT NULL,
        requests_get INTEGER NOT NULL,
        requests_head INTEGER NOT NULL,
        requests_list INTEGER NOT NULL,
        requests_put INTEGER NOT NULL,
        requests_delete INTEGER NOT NULL,
        PRIMARY KEY (seq, store)
    ) STRICT, WITHOUT ROWID;
    ALTER TABLE usage_by_day ADD COLUMN fetched_bytes INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE usage_by_day ADD COLUMN requests INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE usage_by_day ADD COLUMN requests_nano_usd INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE usage_by_day ADD COLUMN requests_rest_atto_usd INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE usage_by_day ADD COLUMN transfer_nano_usd INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE usage_by_day ADD COLUMN transfer_rest_atto_usd INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE table_usage_by_day (
        day TEXT NOT NULL,
        user TEXT NOT NULL,
        workgroup TEXT NOT NULL,
        table_name TEXT NOT NULL,
        queries INTEGER NOT NULL,
        data_scanned_bytes INTEGER NOT NULL,
        metadata_bytes INTEGER NOT NULL,
        PRIMARY KEY (day, user, workgroup, table_name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE moved (seq INTEGER PRIMARY KEY, query_id TEXT NOT NULL) STRICT;
    INSERT INTO moved
        SELECT (submitted_at << 20) + row_number() OVER (PARTITION BY submitted_at ORDER BY query_id) - 1, query_id
        FROM old_queries WHERE length(unhex(replace(query_id, '-', ''))) = 16;
    INSERT INTO queries
        SELECT m.seq, o.submitted_at, o.data_scanned_bytes, o.billed_bytes, o.cost_nano_usd, o.cost_rest_atto_usd, o.state, o.user,
            o.workgroup, o.database, o.statement_type,
            CASE WHEN o.ended_at IS NULL THEN NULL
                WHEN o.state = 'SUCCEEDED' THEN 'succeeded'
                WHEN o.state = 'CANCELLED' AND o.error_kind = 'ABORTED' THEN 'aborted'
                WHEN o.state = 'CANCELLED' AND o.error_kind = 'LIMIT_EXCEEDED' THEN 'cut_off'
                WHEN o.state = 'CANCELLED' THEN 'cancelled'
                WHEN o.error_kind = 'TIMED_OUT' THEN 'timed_out'
                WHEN o.error_message = 'the process ended before the query did' THEN 'interrupted'
                ELSE 'failed' END,
            o.ended_at, o.error_kind, o.rows, o.total_ms, o.queued_ms, o.planning_ms, o.listing_ms, o.execution_ms, o.fetched_bytes,
            o.metadata_bytes, o.requests_get, o.requests_head, o.requests_list, o.requests_put, o.requests_delete,
            o.partitions_scanned, o.partitions_total, o.files_scanned, o.files_total, o.row_groups_scanned, o.row_groups_total,
            0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, unhex(replace(o.query_id, '-', '')),
            CASE WHEN o.ended_at IS NULL THEN o.instance ELSE '' END, o.updated_at, o.kill_requested_by
        FROM moved m CROSS JOIN old_queries o ON o.query_id = m.query_id ORDER BY m.seq;
    INSERT INTO query_texts
        SELECT m.seq, NULL, NULL, NULL, NULL, NULL, o.labels, o.error_message, o.statement
        FROM moved m CROSS JOIN old_queries o ON o.query_id = m.query_id ORDER BY m.seq;
    INSERT INTO usage_by_day (day, user, workgroup, database, queries, data_scanned_bytes, billed_bytes, cost_nano_usd,
            cost_rest_atto_usd, fetched_bytes, requests)
        SELECT date(submitted_at / 1000, 'unixepoch'), user, workgroup, database, count(*), sum(data_scanned_bytes),
            sum(billed_bytes), sum(cost_nano_usd), sum(cost_rest_atto_usd), sum(fetched_bytes),
            sum(requests_get + requests_head + requests_list + requests_put + requests_delete)
        FROM old_queries WHERE ended_at IS NOT NULL GROUP BY 1, 2, 3, 4
        ON CONFLICT (day, user, workgroup, database) DO UPDATE SET queries = queries + excluded.queries,
            data_scanned_bytes = data_scanned_bytes + excluded.data_scanned_bytes,
            billed_bytes = billed_bytes + excluded.billed_bytes, cost_nano_usd = cost_nano_usd + excluded.cost_nano_usd,
            cost_rest_atto_usd = cost_rest_atto_usd + excluded.cost_rest_atto_usd,
            fetched_bytes = fetched_bytes + excluded.fetched_bytes, requests = requests + excluded.requests;
    DROP TABLE moved;
    DROP TABLE old_queries;
",
    // The warnings of budgets that were given, each once.
    "
    CREATE TABLE budget_warnings (
        workgroup TEXT NOT NULL,
        period TEXT NOT NULL,
        begins TEXT NOT NULL,
        budget_usd TEXT NOT NULL,
        level INTEGER NOT NULL,
        given_at INTEGER NOT NULL,
        PRIMARY KEY (workgroup, period, begins, budget_usd, level)
    ) STRICT, WITHOUT ROWID;
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
