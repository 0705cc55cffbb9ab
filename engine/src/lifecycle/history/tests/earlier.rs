//! Files of earlier versions, written by the SQL of their time.

use super::*;

/// What the program of versions 1 and 2 wrote of a query.
fn put_before(connection: &Connection, instance: &str, record: &QueryRecord, cost_nano: i64) {
    let sql = "INSERT INTO queries VALUES (?1, ?2, ?3, ?4, 'primary', 'default', '{\"team\":\"a\"}', ?5, 'DML', ?6, ?6 + 700, ?7, ?8, ?9,
        5, 6, 7, 10000000, ?10, 3, 8, 9, 10, 11, 12, 13, NULL, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, NULL)";
    let (kind, message) = (record.error_kind.map(ErrorKind::as_str), record.error_message.as_deref());
    let (submitted_at, ended_at) = (record.submitted_at.timestamp_millis(), record.ended_at.map(|time| time.timestamp_millis()));
    let values = rusqlite::params![
        record.query_id.to_string(),
        instance,
        record.state.as_str(),
        record.user,
        record.statement,
        submitted_at,
        ended_at,
        kind,
        message,
        cost_nano
    ];
    connection.execute(sql, values).unwrap();
}

#[tokio::test]
async fn a_file_of_an_earlier_version_is_read() {
    for version in [1, 2] {
        let folder = tempfile::tempdir().unwrap();
        let end = |seconds: i64, state, error: Option<(ErrorKind, &str)>| QueryRecord {
            state,
            ended_at: Some(at(seconds + 2)),
            error_kind: error.map(|(kind, _)| kind),
            error_message: error.map(|(_, message)| message.to_owned()),
            ..received(seconds)
        };
        let (failed, cancelled) = (QueryState::Failed, QueryState::Cancelled);
        let ends = [
            (end(0, QueryState::Succeeded, None), Ending::Succeeded),
            (end(0, cancelled, Some((ErrorKind::Cancelled, "by its user"))), Ending::Cancelled),
            (end(0, cancelled, Some((ErrorKind::Aborted, "killed"))), Ending::Aborted),
            (end(1, cancelled, Some((ErrorKind::LimitExceeded, "too much"))), Ending::CutOff),
            (end(2, failed, Some((ErrorKind::TimedOut, "too long"))), Ending::TimedOut),
            (end(3, failed, Some((ErrorKind::LimitExceeded, "too deep"))), Ending::Failed),
            (end(86_400, failed, Some((ErrorKind::Unavailable, DIED))), Ending::Interrupted),
        ];
        let running = QueryRecord { state: QueryState::Running, ..received(86_401) };
        let before = Uuid::now_v7().to_string();
        {
            let connection = connect(&folder.path().join("history.sqlite")).unwrap();
            for script in &schema::MIGRATIONS[..version] {
                connection.execute_batch(script).unwrap();
            }
            connection.pragma_update(None, "user_version", version as u32).unwrap();
            // In any order.
            for (record, _) in ends.iter().rev() {
                put_before(&connection, &before, record, 2);
            }
            put_before(&connection, &before, &running, 0);
            if version == 2 {
                let sums =
                    "INSERT INTO usage_by_day VALUES ('2023-11-14', 'ada', 'primary', 'default', 4, 100, 200, 300, 999999999)";
                connection.execute(sums, []).unwrap();
            }
        }
        let history = opened(folder.path());
        for (record, ending) in &ends {
            let found = history.get(record.query_id).await.unwrap();
            assert_eq!((found.state, found.ending, found.ended_at), (record.state, Some(*ending), record.ended_at));
            assert_eq!(
                (found.submitted_at, &found.statement, &found.user),
                (record.submitted_at, &record.statement, &record.user)
            );
            assert_eq!((found.error_kind, &found.error_message), (record.error_kind, &record.error_message));
            assert_eq!((found.bill.billed_bytes, found.bill.scan.atto()), (10_000_000, 2_000_000_003));
            assert_eq!((found.usage.requests.delete, found.usage.rows, found.timings.total), (12, 18, 23));
            assert_eq!((found.fingerprint, found.tariff, found.origin), (None, None, Origin::default()));
        }
        let found = history.get(running.query_id).await.unwrap();
        assert_eq!((found.ending, found.ended_at), (Some(Ending::Interrupted), Some(at(86_401) + TimeDelta::milliseconds(700))));
        let list = history.list(QueryFilter::default()).await.unwrap();
        assert!(list.len() == 8 && list.is_sorted_by_key(|query| std::cmp::Reverse(query.submitted_at)));

        let totals = history.totals(UsageFilter::default()).await.unwrap();
        let sums: Vec<_> = totals.iter().map(|total| (total.queries, total.data_scanned_bytes, total.bill.scan.atto())).collect();
        let removed = if version == 2 { (4, 100, 300_999_999_999) } else { (0, 0, 0) };
        assert_eq!(sums, [(6 + removed.0, 30 + removed.1, 12_000_000_018 + removed.2), (2, 10, 2_000_000_003)]);
        assert_eq!((totals[0].requests, totals[0].fetched_bytes), (6 * 50, 6 * 7));

        // What is asked from now on is kept beside them.
        let new = ended(&received(86_402), QueryState::Succeeded, 5);
        history.end(new.clone()).await.unwrap();
        assert_eq!(history.list(QueryFilter { limit: Some(1), ..QueryFilter::default() }).await.unwrap(), [new]);
    }
}
