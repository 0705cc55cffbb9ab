//! Files that change, shrink, vanish or are damaged, and stores that answer badly, while a scan reads: the right error that names the object, or the
//! right rows; never others, and nothing wrong is remembered.

mod damage;

use std::{ops::Range, pin::pin};

use futures::{
    FutureExt,
    future::{Either, select},
};
use glaux_engine::{ErrorKind, accounting::RequestKind, storage::DataCacheOptions};
use glaux_tests::{
    instance::Instance,
    lake::{BUCKET, Lake},
    s3_endpoint::{Action, Fault, Gate, TagSpelling},
};
use libtest_mimic::{Failed, Trial};

use self::damage::{footers_that_lie, garbage_in_bloom_filters, garbage_in_page_indexes, garbage_in_pages};
use crate::scan::{endpoint, put, rows, settles, sorted};

pub(crate) fn trials() -> Vec<Trial> {
    let mut trials = crate::trials_in_time![
        "scan_faults";
        a_file_overwritten_meanwhile,
        a_file_overwritten_where_conditions_are_ignored,
        a_file_overwritten_where_tags_are_spelt_in_two_ways,
        a_file_shrunk_where_conditions_are_ignored,
        a_file_gone_meanwhile,
        a_file_overwritten_between_two_attempts,
        bodies_that_end_early,
        connections_that_break,
        storms_of_refusals,
        other_bytes_than_were_asked_for,
        footers_that_lie,
        garbage_in_pages,
    ];
    trials.extend(garbage_in_page_indexes());
    trials.extend(garbage_in_bloom_filters());
    trials
}

/// A table's file: what it holds is `rows(0..ROWS)`.
#[derive(Debug, Clone, Copy)]
struct Case {
    table: &'static str,
    rows: i64,
    options: &'static str,
    /// Whether the data cache is on.
    cached: bool,
    /// Whether the file's footer is known before the fault.
    warm: bool,
}

impl Case {
    fn key(&self) -> String {
        format!("{}/a.parquet", self.table)
    }

    fn url(&self) -> String {
        format!("s3://{BUCKET}/{}", self.key())
    }
}

/// One file larger than those that are read whole, and one smaller; with and without what a query before has left.
fn cases() -> impl Iterator<Item = Case> {
    // Sizes do not depend on values.
    let plain = "group=5000 page=500 dictionary=false";
    let files = [("large", 20_000, plain), ("little", 1_000, "group=400 page=100 dictionary=false")];
    let cases = files.into_iter().flat_map(|(table, rows, options)| {
        [(false, false), (false, true), (true, false), (true, true)].map(|(cached, warm)| Case {
            table,
            rows,
            options,
            cached,
            warm,
        })
    });
    // Of a small file everything is cached then, and nothing asked for any more.
    cases.filter(|case| !(case.table == "little" && case.cached && case.warm))
}

async fn start(case: Case) -> Instance {
    let lake = Lake::on_s3().await;
    put(&lake, &case.key(), 0..case.rows, case.options);
    let instance = Instance::start_with(lake, |options| {
        options.storage.defaults.max_retries = Some(2);
        if case.cached {
            options.data_cache = DataCacheOptions { memory_bytes: 32 << 20, disk_bytes: 32 << 20 };
        }
    })
    .await;
    let table = case.table;
    instance
        .run(&format!(
            "CREATE EXTERNAL TABLE {table} (id BIGINT, word STRING, x DOUBLE, n BIGINT) STORED AS PARQUET \
             LOCATION '{{lake}}/{table}/'"
        ))
        .await;
    if case.warm {
        // The footer is known then, and of the data only a column that the queries do not read.
        instance.run(&format!("SELECT sum(n) FROM {table}")).await;
    }
    drop(endpoint(&instance).take_log());
    instance
}

/// What the queries read: most of the file.
fn query(case: Case) -> String {
    format!("SELECT id, word, x FROM {}", case.table)
}

fn lines(ids: Range<i64>) -> Vec<String> {
    let batch = rows(ids).project(&[0, 1, 2]).expect("three columns");
    sorted(glaux_tests::runner::render::rows(&batch).expect("values can be shown").iter().map(|row| row.join("|")).collect())
}

/// Checks that the file's rows come, twice, as what was fetched the first time may be remembered.
async fn is_right(instance: &Instance, case: Case, ids: Range<i64>) -> Result<(), Failed> {
    for run in 0..2 {
        let outcome = instance.run(&query(case)).await;
        if sorted(outcome.lines()) != lines(ids.clone()) {
            return Err(format!("{case:?}: wrong rows after the fault, in run {run}").into());
        }
        let filtered = instance.run(&format!("SELECT id, word, x FROM {} WHERE id < {}", case.table, ids.start + 50)).await;
        if sorted(filtered.lines()) != lines(ids.start..ids.start + 50) {
            return Err(format!("{case:?}: wrong filtered rows after the fault, in run {run}").into());
        }
    }
    Ok(())
}

/// Checks that a query fails with one of these kinds and names the file.
async fn fails(instance: &Instance, sql: &str, case: Case, kinds: &[ErrorKind]) -> Result<(), Failed> {
    match instance.try_run(sql).await {
        Ok(outcome) => Err(format!("{case:?}: {sql} gives {} rows", outcome.report.usage.rows).into()),
        Err(failure) => {
            let error = failure.error;
            if !kinds.contains(&error.kind()) || !format!("{error:?}").contains(&case.key()) {
                return Err(format!("{case:?}: one of {kinds:?} naming {}, not {error:?}", case.url()).into());
            }
            if error.hint().is_none() {
                return Err(format!("{case:?}: no hint: {error:?}").into());
            }
            Ok(())
        }
    }
}

/// Does something when a request has come to a gate, and then lets it on; whatever the outcome, the script is taken back.
async fn meanwhile(
    instance: &Instance,
    gate: Gate,
    query: impl Future<Output = Result<(), Failed>>,
    change: impl FnOnce(),
) -> Result<(), Failed> {
    let changed = async {
        gate.arrived().await;
        change();
        gate.release();
    };
    let ended = match select(query.boxed_local(), pin!(changed)).await {
        Either::Left((Ok(()), _)) => Err("it failed before its request was answered".into()),
        Either::Left((Err(error), _)) => Err(error),
        Either::Right(((), query)) => query.await,
    };
    endpoint(instance).clear_faults();
    ended
}

/// Runs the query, and changes the lake when its first request for the file has come.
async fn fails_when(instance: &Instance, case: Case, kinds: &[ErrorKind], change: impl FnOnce()) -> Result<(), Failed> {
    let gate = endpoint(instance).hang(Fault::on(RequestKind::Get).key(&case.key()));
    let sql = query(case);
    Box::pin(meanwhile(instance, gate, fails(instance, &sql, case, kinds), change)).await
}

async fn a_file_overwritten_meanwhile() -> Result<(), Failed> {
    for case in cases() {
        for other in [100..100 + case.rows, 0..case.rows / 2] {
            let instance = start(case).await;
            let overwrite = || put(&instance.lake, &case.key(), other.clone(), case.options);
            fails_when(&instance, case, &[ErrorKind::Conflict], overwrite).await?;
            is_right(&instance, case, other.clone()).await?;
        }
    }
    Ok(())
}

async fn a_file_overwritten_where_conditions_are_ignored() -> Result<(), Failed> {
    for case in cases() {
        let instance = start(case).await;
        let endpoint = endpoint(&instance);
        endpoint.ignore_conditions(true);
        let before = endpoint.get(BUCKET, &case.key()).map(|file| file.len());
        // Another file of the same size, then one that is longer.
        let overwrite = || put(&instance.lake, &case.key(), 100..100 + case.rows, case.options);
        fails_when(&instance, case, &[ErrorKind::Conflict], overwrite).await?;
        assert_eq!(endpoint.get(BUCKET, &case.key()).map(|file| file.len()), before, "it takes the same size");
        is_right(&instance, case, 100..100 + case.rows).await?;
        if case.warm {
            let other = format!("SELECT sum(n) FROM {}", case.table);
            instance.run(&other).await;
        }
        put(&instance.lake, &case.key(), 0..case.rows, case.options);
        let overwrite = || put(&instance.lake, &case.key(), 0..2 * case.rows, case.options);
        fails_when(&instance, case, &[ErrorKind::Conflict], overwrite).await?;
        is_right(&instance, case, 0..2 * case.rows).await?;
    }
    Ok(())
}

/// Azure and Google's imitators list tags without the quotes that they answer with, and proxies make them weak.
async fn a_file_overwritten_where_tags_are_spelt_in_two_ways() -> Result<(), Failed> {
    use TagSpelling::{Bare, Quoted, Weak};
    let case = Case { table: "little", rows: 1_000, options: "group=400 page=100 dictionary=false", cached: false, warm: false };
    for (listed, answered) in [(Bare, Quoted), (Weak, Quoted), (Quoted, Weak), (Bare, Weak), (Weak, Bare)] {
        let instance = start(case).await;
        endpoint(&instance).spell_tags(listed, answered);
        is_right(&instance, case, 0..case.rows).await?;
        let overwrite = || put(&instance.lake, &case.key(), 100..100 + case.rows, case.options);
        fails_when(&instance, case, &[ErrorKind::Conflict], overwrite).await?;
        is_right(&instance, case, 100..100 + case.rows).await?;
    }
    Ok(())
}

async fn a_file_shrunk_where_conditions_are_ignored() -> Result<(), Failed> {
    for case in cases() {
        let instance = start(case).await;
        endpoint(&instance).ignore_conditions(true);
        let whole = endpoint(&instance).get(BUCKET, &case.key()).ok_or("the file is there")?;
        for length in [0, 10, whole.len() / 3, whole.len() - 1] {
            instance.lake.put(&case.key(), whole.to_vec());
            let shrink = || instance.lake.put(&case.key(), whole[..length].to_vec());
            fails_when(&instance, case, &[ErrorKind::Conflict, ErrorKind::CorruptData], shrink).await?;
        }
        // Shrunk before the query, it is a damaged file.
        fails(&instance, &query(case), case, &[ErrorKind::CorruptData]).await?;
        instance.lake.put(&case.key(), whole.to_vec());
        is_right(&instance, case, 0..case.rows).await?;
    }
    Ok(())
}

async fn a_file_gone_meanwhile() -> Result<(), Failed> {
    for case in cases() {
        let instance = start(case).await;
        let whole = endpoint(&instance).get(BUCKET, &case.key()).ok_or("the file is there")?;
        fails_when(&instance, case, &[ErrorKind::NotFound], || instance.lake.remove(&case.key())).await?;
        instance.lake.put(&case.key(), whole.to_vec());
        is_right(&instance, case, 0..case.rows).await?;
    }
    Ok(())
}

/// The first attempt breaks off in mid-body; when it is resumed, the file is another one.
async fn a_file_overwritten_between_two_attempts() -> Result<(), Failed> {
    for case in cases() {
        for ignored in [false, true] {
            let instance = start(case).await;
            let endpoint = endpoint(&instance);
            endpoint.ignore_conditions(ignored);
            endpoint.fail(Fault::on(RequestKind::Get).key(&case.key()).action(Action::Truncate(10)));
            let gate = endpoint.hang(Fault::on(RequestKind::Get).key(&case.key()));
            let sql = query(case);
            // Where conditions are ignored, the rest of another file is not asked for, and the break stays what is told.
            let kinds: &[ErrorKind] =
                if ignored { &[ErrorKind::Conflict, ErrorKind::Unavailable] } else { &[ErrorKind::Conflict] };
            let overwrite = || put(&instance.lake, &case.key(), 100..100 + case.rows, case.options);
            Box::pin(meanwhile(&instance, gate, fails(&instance, &sql, case, kinds), overwrite)).await?;
            is_right(&instance, case, 100..100 + case.rows).await?;
        }
    }
    Ok(())
}

async fn bodies_that_end_early() -> Result<(), Failed> {
    for case in cases() {
        let instance = start(case).await;
        for bytes in [0, 1, 1_000, 30_000] {
            for fault in [Fault::on(RequestKind::Get), Fault::on(RequestKind::Get).always()] {
                endpoint(&instance).fail(fault.key(&case.key()).action(Action::Shorten(bytes)));
                // A body that is short once may be fetched again.
                match instance.try_run(&query(case)).await {
                    Ok(outcome) if sorted(outcome.lines()) == lines(0..case.rows) => {}
                    Ok(_) => return Err(format!("{case:?}: wrong rows from bodies of {bytes} bytes").into()),
                    Err(failure) => {
                        let error = failure.error;
                        if error.kind() != ErrorKind::Unavailable || !format!("{error:?}").contains(&case.key()) {
                            return Err(format!("{case:?}: Unavailable naming {}, not {error:?}", case.url()).into());
                        }
                    }
                }
                endpoint(&instance).clear_faults();
            }
        }
        is_right(&instance, case, 0..case.rows).await?;
    }
    Ok(())
}

async fn connections_that_break() -> Result<(), Failed> {
    for case in cases() {
        for action in [Action::Disconnect, Action::Truncate(10_000)] {
            for nth in [1, 3] {
                let instance = start(case).await;
                let fault = Fault::on(RequestKind::Get).key(&case.key()).nth(nth).action(action.clone());
                endpoint(&instance).fail(fault);
                drop(endpoint(&instance).take_log());
                let outcome = instance.run(&query(case)).await;
                if sorted(outcome.lines()) != lines(0..case.rows) {
                    return Err(format!("{case:?}: wrong rows after {action:?} of request {nth}").into());
                }
                settles(&instance, &format!("{case:?}, {action:?} of request {nth}"), &outcome.report.usage)?;
                is_right(&instance, case, 0..case.rows).await?;
            }
        }
        let instance = start(case).await;
        for action in [Action::Disconnect, Action::Truncate(0)] {
            endpoint(&instance).fail(Fault::on(RequestKind::Get).key(&case.key()).always().action(action));
            fails(&instance, &query(case), case, &[ErrorKind::Unavailable]).await?;
            endpoint(&instance).clear_faults();
        }
        is_right(&instance, case, 0..case.rows).await?;
    }
    Ok(())
}

async fn storms_of_refusals() -> Result<(), Failed> {
    for case in cases() {
        let instance = start(case).await;
        // Each request is refused once.
        for (nth, status) in [(1, 503), (2, 429), (4, 500), (6, 503)] {
            endpoint(&instance).fail(Fault::on(RequestKind::Get).key(&case.key()).nth(nth).status(status, "SlowDown"));
        }
        drop(endpoint(&instance).take_log());
        let outcome = instance.run(&query(case)).await;
        if sorted(outcome.lines()) != lines(0..case.rows) {
            return Err(format!("{case:?}: wrong rows after refusals").into());
        }
        settles(&instance, &format!("{case:?}, refused"), &outcome.report.usage)?;
        endpoint(&instance).clear_faults();

        let instance = start(case).await;
        endpoint(&instance).fail(Fault::on(RequestKind::Get).key(&case.key()).always().status(503, "SlowDown"));
        fails(&instance, &query(case), case, &[ErrorKind::Throttled]).await?;
        endpoint(&instance).clear_faults();
        is_right(&instance, case, 0..case.rows).await?;
    }
    Ok(())
}

async fn other_bytes_than_were_asked_for() -> Result<(), Failed> {
    for case in cases() {
        let instance = start(case).await;
        let actions =
            [Action::OtherRange(0..64), Action::OtherRange(4..5_000), Action::OtherRange(20_000..30_000), Action::IgnoreRange];
        for action in actions {
            for fault in [Fault::on(RequestKind::Get), Fault::on(RequestKind::Get).always()] {
                endpoint(&instance).fail(fault.key(&case.key()).action(action.clone()));
                match instance.try_run(&query(case)).await {
                    // The whole file is what a small one's request asks for.
                    Ok(outcome) if sorted(outcome.lines()) == lines(0..case.rows) => {}
                    Ok(_) => return Err(format!("{case:?}: wrong rows from {action:?}").into()),
                    Err(failure) => {
                        let error = failure.error;
                        if error.kind() != ErrorKind::Unavailable || !format!("{error:?}").contains(&case.key()) {
                            return Err(format!("{case:?}, {action:?}: Unavailable naming {}, not {error:?}", case.url()).into());
                        }
                    }
                }
                endpoint(&instance).clear_faults();
            }
        }
        is_right(&instance, case, 0..case.rows).await?;
    }
    Ok(())
}
