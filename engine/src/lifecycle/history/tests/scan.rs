//! Tests of reading the history's tables page by page.

use super::*;

/// What is wanted of queries: these columns, of those with these texts.
fn wanted(columns: &[&str], texts: &[(&str, &[&str])], newest_first: bool) -> Scan {
    let number = |name: &&str| HistoryTable::Queries.columns().iter().position(|column| column.name == *name).unwrap();
    let texts = texts
        .iter()
        .map(|(column, values)| ((*column).to_owned(), TextBounds::of(values.iter().map(|value| (*value).to_owned()).collect())));
    Scan {
        table: HistoryTable::Queries,
        columns: columns.iter().map(number).collect(),
        texts: texts.collect(),
        numbers: [].into(),
        since: None,
        until: None,
        newest_first,
    }
}

/// Takes the cells of one row after another.
#[derive(Default)]
struct Cells(Vec<String>);

impl Sink for Cells {
    fn put(&mut self, at: usize, cell: Cell<'_>) {
        let cell = match cell {
            Cell::Null => "NULL".to_owned(),
            Cell::Text(text) => text.into_owned(),
            Cell::Count(count) => count.to_string(),
            Cell::Time(millis) => millis.to_string(),
            Cell::Money(amount) => amount.to_string(),
            Cell::Flag(flag) => flag.to_string(),
        };
        match self.0.last_mut().filter(|_| at > 0) {
            Some(row) => *row = format!("{row}|{cell}"),
            None => self.0.push(cell),
        }
    }
}

/// All rows, in pages of about this size.
async fn scanned(history: &History, scan: &Scan, size: usize, live: &[QueryRecord]) -> Vec<String> {
    let (mut rows, mut next) = (Vec::new(), None);
    loop {
        let live = live.iter().map(|record| (record.query_id, record.clone())).collect();
        let (page, cells) = history.scan(Arc::new(scan.clone()), next, size, live, Cells::default()).await.unwrap();
        assert_eq!(page.rows, cells.0.len());
        assert!(page.rows == size || page.next.is_none(), "{} rows in a page of {size}", page.rows);
        rows.extend(cells.0);
        next = page.next;
        if next.is_none() {
            return rows;
        }
    }
}

#[tokio::test]
async fn pages_follow_each_other_in_either_order_with_what_runs_in_between() {
    for shared in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let history = if shared { opened(folder.path()) } else { History::in_memory().unwrap() };
        let mut all = Vec::new();
        for (number, seconds) in [5, 3, 3, 3, 9, 1, 4, 4, 0, 9].into_iter().enumerate() {
            let record = QueryRecord { statement: number.to_string(), ..received(seconds) };
            history.begin(record.clone());
            if [1, 4, 6, 8].contains(&number) {
                all.push(record);
            } else {
                let end = ended(&record, QueryState::Succeeded, number as u64);
                history.end(end.clone()).await.unwrap();
                all.push(end);
            }
        }
        // What this process knows now of one that runs.
        let live = QueryRecord { state: QueryState::Running, usage: Usage { rows: 77, ..Usage::default() }, ..all[4].clone() };
        all[4] = live.clone();
        all.sort_by_key(|query| query.submitted_at);
        let row = |query: &QueryRecord| {
            let (millis, rows) = (query.submitted_at.timestamp_millis(), query.usage.rows);
            format!("{}|{millis}|{}|{rows}", query.query_id, query.statement)
        };
        for size in [1, 2, 3, 100] {
            for newest_first in [false, true] {
                let scan = wanted(&["query_id", "submitted_at", "statement", "rows"], &[], newest_first);
                let mut found = scanned(&history, &scan, size, std::slice::from_ref(&live)).await;
                if newest_first {
                    found.reverse();
                }
                assert_eq!(found, all.iter().map(row).collect::<Vec<_>>(), "{size}, newest first: {newest_first}");
            }
        }
        let others = wanted(&["query_id"], &[("user", &["bob"])], true);
        assert_eq!(scanned(&history, &others, 10, &[]).await, [""; 0], "nobody sees what others run");
    }
}

#[tokio::test]
async fn filters_find_what_brute_force_finds() {
    let folder = tempfile::tempdir().unwrap();
    let history = opened(folder.path());
    let mut all = Vec::new();
    for number in 0..200_u64 {
        let state = [QueryState::Succeeded, QueryState::Failed, QueryState::Cancelled]
            [usize::from(number % 7 == 0) + usize::from(number % 11 == 0)];
        let mut end = ended(&received(number as i64 / 3), state, number * 1_000);
        end.user = format!("u{}", number % 5);
        end.origin.root_id = (number % 4 == 0).then(|| format!("r{}", number % 3));
        end.fingerprint = (number % 9 > 0).then_some(number % 9);
        end.bill.requests = Usd::from_atto(u128::from(number) * 1_500_000_000);
        drop(history.end(end.clone()));
        all.push(end);
    }
    type Texts = &'static [(&'static str, &'static [&'static str])];
    type Passes = fn(&QueryRecord) -> bool;
    let texts: [(Texts, Passes); 10] = [
        (&[], |_| true),
        (&[("user", &["u3"])], |q| q.user == "u3"),
        (&[("user", &["u3", "u4", "nobody"])], |q| q.user == "u3" || q.user == "u4"),
        (&[("user", &["u3"]), ("state", &["FAILED"])], |q| q.user == "u3" && q.state == QueryState::Failed),
        (&[("state", &["FAILED", "CANCELLED"])], |q| q.state != QueryState::Succeeded),
        (&[("state", &["SUCCEEDED"]), ("workgroup", &["primary"])], |q| q.state == QueryState::Succeeded),
        (&[("root_id", &["r0", "r2"])], |q| matches!(q.origin.root_id.as_deref(), Some("r0" | "r2"))),
        (&[("fingerprint", &["0000000000000003", "nonsense"])], |q| q.fingerprint == Some(3)),
        (&[("fingerprint", &["nonsense"])], |_| false),
        (&[("query_id", &["nonsense"])], |_| false),
    ];
    let one = 10_i128.pow(18);
    let numbers: [(&str, Option<i128>, Option<i128>, Passes); 4] = [
        ("data_scanned_bytes", None, None, |_| true),
        ("data_scanned_bytes", Some(50_000 * one), None, |q| q.usage.data_scanned_bytes >= 50_000),
        ("data_scanned_bytes", Some(50_000 * one - 1), Some(90_000 * one + 1), |q| {
            (50_000..=90_000).contains(&q.usage.data_scanned_bytes)
        }),
        // Half a byte more than nothing.
        ("data_scanned_bytes", Some(one / 2), None, |q| q.usage.data_scanned_bytes >= 1),
    ];
    for (texts, passes_text) in &texts {
        for (column, from, until, passes_number) in &numbers {
            for newest_first in [false, true] {
                let mut scan = wanted(&["query_id", "scan_usd", "requests_usd", "cost_usd", "fingerprint"], texts, newest_first);
                scan.numbers = [((*column).to_owned(), NumberBounds { from: *from, until: *until })].into();
                let mut expected: Vec<_> = all.iter().filter(|query| passes_text(query) && passes_number(query)).collect();
                // Those of one moment come as they were written, or the other way round.
                if newest_first {
                    expected.reverse();
                }
                let row = |query: &&QueryRecord| {
                    let [scan, requests, cost] = [query.bill.scan, query.bill.requests, query.bill.total()].map(Usd::atto);
                    let fingerprint = query.fingerprint.map_or_else(|| "NULL".to_owned(), |hash| format!("{hash:016x}"));
                    format!("{}|{scan}|{requests}|{cost}|{fingerprint}", query.query_id)
                };
                let expected: Vec<_> = expected.iter().map(row).collect();
                assert_eq!(scanned(&history, &scan, 30, &[]).await, expected, "{texts:?}, {column} {from:?} {until:?}");
            }
        }
    }
    // Costs are compared without their last places: a few more pass, none is missing.
    let mut scan = wanted(&["query_id"], &[], true);
    let bounds = NumberBounds { from: Some(150_000_000_000), until: Some(225_000_000_000) };
    scan.numbers = [("requests_usd".to_owned(), bounds)].into();
    let found = scanned(&history, &scan, 30, &[]).await;
    let is_found = |query: &QueryRecord| found.contains(&query.query_id.to_string());
    assert!(all[100..=150].iter().all(is_found) && found.len() < 60, "{}", found.len());
    let (mut since, mut both) = (wanted(&["query_id"], &[], true), wanted(&["query_id"], &[("user", &["u3"])], true));
    (since.since, both.since, both.until) = (Some(at(60)), Some(at(20)), Some(at(30)));
    assert_eq!(scanned(&history, &since, 30, &[]).await.len(), 20);
    let expected = all.iter().filter(|query| query.user == "u3" && (at(20)..=at(30)).contains(&query.submitted_at)).count();
    assert_eq!(scanned(&history, &both, 30, &[]).await.len(), expected);
}

#[tokio::test]
async fn tables_and_stores_are_read_with_their_queries() {
    let history = History::in_memory().unwrap();
    for seconds in 0..5 {
        let end = ended(&received(seconds), QueryState::Succeeded, 1 + seconds as u64);
        history.end(end).await.unwrap();
    }
    let of = |table: HistoryTable, columns: &[&str], texts: &[(&str, &[&str])]| {
        let number = |name: &&str| table.columns().iter().position(|column| column.name == *name).unwrap();
        Scan { table, columns: columns.iter().map(number).collect(), ..wanted(&[], texts, false) }
    };
    let columns = ["submitted_at", "table_name", "data_scanned_bytes", "partitions_total", "is_partition_filtered"];
    let tables = of(HistoryTable::Tables, &columns, &[]);
    let row = |seconds: i64| {
        let millis = at(seconds).timestamp_millis();
        [format!("{millis}|default.t|{}|NULL|true", seconds + 1), format!("{millis}|default.u|0|NULL|false")]
    };
    let expected: Vec<_> = (0..5).flat_map(row).collect();
    // The rows of one query are in one page.
    let (page, cells) = history.scan(Arc::new(tables.clone()), None, 3, HashMap::new(), Cells::default()).await.unwrap();
    assert_eq!((page.rows, &cells.0[..]), (4, &expected[..4]));
    let (page, cells) = history.scan(Arc::new(tables), page.next, 100, HashMap::new(), Cells::default()).await.unwrap();
    assert_eq!((page.rows, &cells.0[..], page.next.is_none()), (6, &expected[4..], true));

    let of_one = of(HistoryTable::Tables, &["table_name", "data_scanned_bytes"], &[("table_name", &["default.t"])]);
    assert_eq!(scanned(&history, &of_one, 1, &[]).await, (1..=5).map(|bytes| format!("default.t|{bytes}")).collect::<Vec<_>>());
    let stores = of(HistoryTable::Stores, &["store", "requests_list", "fetched_bytes", "user"], &[("user", &["ada"])]);
    assert_eq!(scanned(&history, &stores, 1, &[]).await, ["s3://b|6|3|ada"; 5]);
    let nobodys = of(HistoryTable::Stores, &["store"], &[("user", &["bob"])]);
    assert_eq!(scanned(&history, &nobodys, 1, &[]).await, [""; 0]);

    assert_eq!(history.prune(at(3)).await.unwrap(), 3);
    let left = of(HistoryTable::Tables, &["table_name"], &[]);
    assert_eq!(scanned(&history, &left, 100, &[]).await, ["default.t", "default.u", "default.t", "default.u"]);
    let count = |table: &'static str| {
        history.writer.call(move |connection| {
            let sql = format!("SELECT count(*) FROM {table}");
            connection.query_row(&sql, [], |row| row.get::<_, i64>(0)).map_err(|e| failed(&e))
        })
    };
    assert_eq!((count("query_texts").await.unwrap(), count("query_statements").await.unwrap()), (2, 1));
    history.prune(at(100)).await.unwrap();
    for table in ["queries", "query_texts", "query_statements", "query_tables", "query_stores"] {
        assert_eq!(count(table).await.unwrap(), 0, "{table}");
    }
    assert_eq!(history.table_totals(UsageFilter::default()).await.unwrap().len(), 2, "sums stay");
}
